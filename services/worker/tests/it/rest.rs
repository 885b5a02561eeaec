//! Sizes and prices of Wildberries as they are recorded, whichever report the token gets them from.

use std::collections::BTreeMap;

use application::Folded;
use application::domain::product::Product;
use events::product::{Price, SizeUnits};
use simulators::{Effect, Fault, SellerConfig, Wildberries};
use worker::sync::End;

use crate::world::{World, seller};

const PRICES: &str = "/discounts-prices-api/api/v2/list/goods/filter";

async fn products(world: &World) -> Vec<Product> {
    let mut products = Vec::new();
    for truth in world.truth().iter().filter(|truth| truth.listed) {
        let Folded(product) = world.product(truth.nm_id).await.state;
        products.push(product);
    }
    products
}

/// Sizes by article and warehouse name.
fn sizes(products: &[Product]) -> BTreeMap<(String, String), Vec<SizeUnits>> {
    let mut sizes = BTreeMap::new();
    for product in products {
        let details = product.details.as_ref().unwrap();
        for level in product.levels.values().filter(|level| level.level.available > 0) {
            let told: i64 = level.sizes.iter().map(|size| size.available).sum();
            assert_eq!(told, level.level.available, "{level:?}");
            for size in &level.sizes {
                let known = details.sizes.iter().find(|known| known.size_id == size.size_id);
                assert_eq!(known.map(|known| &known.name), Some(&size.name));
            }
            sizes.insert(
                (details.vendor_code.clone(), level.name.clone()),
                level.sizes.clone(),
            );
        }
    }
    sizes
}

#[tokio::test]
async fn units_by_size_are_the_same_by_either_report_and_have_the_ids_and_names_of_the_card() {
    let many = || SellerConfig {
        sizes_per_article: 3,
        ..seller()
    };
    let personal = World::start(many()).await;
    assert_eq!(personal.sync(false).await, End::Done);
    let told = sizes(&products(&personal).await);
    assert!(told.len() > 50, "{}", told.len());
    let base = World::with_token(many(), Wildberries::base_token).await;
    assert_eq!(base.sync(false).await, End::Done);
    assert_eq!(sizes(&products(&base).await), told);
}

#[tokio::test]
async fn an_article_with_one_size_says_nothing_by_size() {
    let world = World::start(SellerConfig {
        sizes_per_article: 1,
        ..seller()
    })
    .await;
    world.sync(false).await;
    for product in products(&world).await {
        assert_eq!(product.details.unwrap().sizes.len(), 1);
        assert!(product.levels.values().all(|level| level.sizes.is_empty()));
    }
}

#[tokio::test]
async fn sizes_do_not_change_while_the_catalogue_fails() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    let before = world.product_events().await;
    world
        .simulator
        .script(Fault::on("/content-api/content", Effect::HtmlPage));
    world.sync(true).await;
    assert_eq!(world.outcomes().await["cards"], "failed");
    assert_eq!(world.product_events().await, before);
}

#[tokio::test]
async fn every_article_has_its_price_and_a_failed_source_of_prices_keeps_it() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    let prices = async || {
        let of = |product: &Product| product.details.as_ref().unwrap().price.clone();
        let prices: Vec<Option<Price>> = products(&world).await.iter().map(of).collect();
        prices
    };
    let before = prices().await;
    for price in &before {
        let price = price.as_ref().unwrap();
        assert_eq!(price.discounted_minor, Some(price.price_minor * 70 / 100));
    }
    let events = world.product_events().await;
    world.simulator.script(Fault::on(PRICES, Effect::EmptyBody));
    assert_eq!(world.sync(true).await, End::Done);
    assert_eq!(world.outcomes().await["prices"], "failed");
    assert_eq!(prices().await, before);
    assert_eq!(world.product_events().await, events);
}

#[tokio::test]
async fn what_was_switched_off_is_never_called() {
    for token in [Wildberries::personal_token, Wildberries::base_token] {
        let world = World::with_token(seller(), token).await;
        assert_eq!(world.sync(true).await, End::Done);
        assert_eq!(world.simulator.removed_calls(), 0);
    }
}
