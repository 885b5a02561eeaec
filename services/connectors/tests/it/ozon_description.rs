//! Brand and kind of Ozon's products: as the vendor's attributes and tree say, asked for rarely, and never at
//! the price of anything else.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::marketplace::{Card, CardPart, Marketplace};
use connectors::ozon::Options;
use simulators::{Effect, Fault, OzonSellerConfig};

use crate::ozon_world::{World, cards, options};

const ATTRIBUTES: &str = "/v4/product/info/attributes";
const TREE: &str = "/v1/description-category/tree";

fn seller() -> OzonSellerConfig {
    OzonSellerConfig {
        products: 45,
        ..OzonSellerConfig::default()
    }
}

fn named(cards: &[Card]) -> BTreeMap<i64, (String, String)> {
    let names = |card: &Card| (card.nm_id, (card.brand.clone(), card.subject.clone()));
    cards.iter().map(names).collect()
}

fn truth(world: &World) -> BTreeMap<i64, (String, String)> {
    let ledger = world.simulator.ledger(world.client_id(), None).unwrap();
    ledger
        .listed()
        .map(|product| (product.article, (product.brand.clone(), product.subject.clone())))
        .collect()
}

#[tokio::test]
async fn every_card_has_the_brand_and_the_kind_that_ozon_gives_it() {
    let world = World::start(seller()).await;
    let cards = cards(&world.client()).await;
    assert_eq!(named(&cards), truth(&world));
    let brands: Vec<&str> = cards.iter().map(|card| card.brand.as_str()).collect();
    assert!(
        brands.contains(&"Твое") || brands.contains(&"Oodji"),
        "{brands:?}"
    );
    assert!(
        cards
            .iter()
            .all(|card| !card.brand.is_empty() && card.unreported.is_empty())
    );
}

#[tokio::test]
async fn attributes_are_asked_for_once_and_again_only_of_cards_that_changed() {
    let world = World::start(seller()).await;
    let asked = |path| world.simulator.calls().count(path);
    cards(&world.client()).await;
    assert_eq!((asked(ATTRIBUTES), asked(TREE)), (1, 1));
    // Another sync of the same process.
    assert_eq!(named(&cards(&world.client()).await), truth(&world));
    assert_eq!((asked(ATTRIBUTES), asked(TREE)), (1, 1));
    world.simulator.add_product(world.client_id()).unwrap();
    assert_eq!(named(&cards(&world.client()).await), truth(&world));
    assert_eq!((asked(ATTRIBUTES), asked(TREE)), (2, 1));
}

#[tokio::test]
async fn what_is_too_old_is_asked_for_again() {
    let world = World::start(seller()).await;
    let options = Options {
        description_age: Duration::ZERO,
        description_page: 20,
        ..options()
    };
    let key = world.simulator.api_key(world.client_id());
    for _ in 0..2 {
        cards(&world.client_with(&key, options.clone())).await;
    }
    let calls = world.simulator.calls();
    assert_eq!((calls.count(ATTRIBUTES), calls.count(TREE)), (6, 2));
}

fn answer(status: u16, body: &str) -> Effect {
    Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    }
}

#[tokio::test]
async fn a_decoration_that_fails_leaves_the_catalogue_whole_and_its_part_unreported() {
    let no_role = r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#;
    for effect in [
        answer(500, "{}"),
        answer(403, no_role),
        answer(404, "404 page not found"),
        answer(200, r#"{"result":null}"#),
        answer(200, r#"{"result":[]}"#),
        Effect::HtmlPage,
        Effect::EmptyBody,
        Effect::CutBody,
        Effect::RateLimited { retry_seconds: 3600 },
    ] {
        for (path, part) in [(ATTRIBUTES, CardPart::Brand), (TREE, CardPart::Subject)] {
            let world = World::start(seller()).await;
            world.simulator.script(Fault::on(path, effect.clone()));
            let client = world.client();
            let mut seen: Vec<Card> = Vec::new();
            let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
            let what = format!("{path} {effect:?}");
            assert!(fetched.complete, "{what}");
            assert!(fetched.outcome.trouble.is_some(), "{what}");
            assert_eq!(seen.len(), world.listed().len(), "{what}");
            assert!(
                seen.iter().all(|card| card.unreported == [part]),
                "{what}: {:?}",
                seen[0]
            );
            assert!(client.fbo_stock().await.unwrap().complete, "{what}");
        }
    }
}

#[tokio::test]
async fn a_decoration_that_hangs_is_not_waited_for() {
    let world = World::start(seller()).await;
    world
        .simulator
        .script(Fault::on(ATTRIBUTES, Effect::Hang { millis: None }));
    let options = Options {
        description_time: Duration::from_millis(300),
        ..options()
    };
    let client = world.client_with(&world.simulator.api_key(world.client_id()), options);
    let mut seen: Vec<Card> = Vec::new();
    let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
    assert!(fetched.complete && seen.len() == world.listed().len());
    assert!(seen.iter().all(|card| card.unreported == [CardPart::Brand]));
    world.simulator.clear_faults();
}

#[tokio::test]
async fn one_damaged_row_of_attributes_costs_only_its_own_brand() {
    let world = World::start(seller()).await;
    let first = world.listed().remove(0);
    let id = i64::try_from(first.sku).unwrap();
    let body = r#"{"result":[{"id":1,"attributes":[]},null,{"id":"x"}],"total":"3","last_id":""}"#;
    world
        .simulator
        .script(Fault::on(ATTRIBUTES, answer(200, body)).times(1));
    let options = Options {
        description_page: 20,
        ..options()
    };
    let client = world.client_with(&world.simulator.api_key(world.client_id()), options);
    let mut seen: Vec<Card> = Vec::new();
    let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
    assert!(fetched.complete && fetched.outcome.trouble.is_some());
    let lacking = seen.iter().filter(|card| !card.unreported.is_empty()).count();
    assert_eq!(lacking, 20, "those of the damaged page");
    assert!(seen.iter().any(|card| card.nm_id == id));
}
