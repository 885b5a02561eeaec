//! An Ozon cabinet goes the same way as a Wildberries one: what is recorded equals the marketplace's
//! truth, in every kind of units, and a failure never becomes a zero.

use std::collections::BTreeMap;

use application::Folded;
use application::domain::cabinet::Cabinet;
use application::domain::product::Product;
use chrono::TimeDelta;
use events::catalog::SyncEvent;
use simulators::ozon::OzonProductTruth;
use simulators::{Effect, Fault, Ozon, OzonSellerConfig};
use worker::sync::End;

use crate::world::World;

const STOCK: &str = "/v1/analytics/stocks";
const SOURCES: [&str; 5] = ["cards", "stock_fbo", "stock_fbs", "orders", "prices"];

fn seller() -> OzonSellerConfig {
    OzonSellerConfig {
        products: 60,
        warehouses: 7,
        fbs_warehouses: 2,
        old_percent: 20,
        ..OzonSellerConfig::default()
    }
}

fn ozon(world: &World) -> &Ozon {
    world.ozon.as_ref().unwrap()
}

fn truth(world: &World) -> Vec<OzonProductTruth> {
    let ozon = ozon(world);
    ozon.truth(ozon.sellers()[0], None).unwrap().products
}

/// What is known of an article; it is named by its SKU.
async fn known(world: &World, truth: &OzonProductTruth) -> Product {
    let Folded(product) = world.product(truth.sku).await.state;
    product
}

fn units(of: i64) -> u64 {
    u64::try_from(of).unwrap()
}

/// Every product knows exactly what Ozon has: per warehouse, per kind, on the way, listed or not.
async fn assert_equals_truth(world: &World) {
    for truth in truth(world) {
        let product = known(world, &truth).await;
        let sku = truth.sku;
        if truth.archived && product.details.is_none() {
            continue; // it went before anybody saw it
        }
        assert_eq!(product.delisted, truth.archived, "{sku}");
        let (mut stock, mut fbs, mut kinds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut reserved, mut to_client, mut from_client) = (0, 0, 0);
        for (key, level) in &product.levels {
            let own = key.starts_with("fbs:");
            let place = if own { &mut fbs } else { &mut stock };
            if level.level.available > 0 {
                *place.entry(level.name.clone()).or_insert(0) += units(level.level.available);
            }
            for (kind, count) in &level.buckets {
                if own {
                    assert_eq!(kind, "reserved");
                    reserved += units(*count);
                } else {
                    *kinds.entry(kind.clone()).or_insert(0) += units(*count);
                }
            }
            to_client += units(level.level.in_way_to_client);
            from_client += units(level.level.in_way_from_client);
        }
        assert_eq!(stock, truth.stock, "stock of {sku}");
        assert_eq!(fbs, truth.fbs, "own stock of {sku}");
        assert_eq!(kinds, truth.buckets, "further kinds of {sku}");
        assert_eq!(reserved, truth.fbs_reserved, "reserved of {sku}");
        assert_eq!(
            (to_client, from_client),
            (truth.in_way_to_client, truth.in_way_from_client),
            "on the way of {sku}"
        );
    }
}

#[tokio::test]
async fn a_sync_makes_every_product_equal_to_ozons_truth() {
    let world = World::at_ozon(seller()).await;
    assert_eq!(world.sync(false).await, End::Done);
    assert_equals_truth(&world).await;
    let outcomes = world.outcomes().await;
    for source in SOURCES {
        let outcome = outcomes.get(source).map(String::as_str);
        assert_eq!(outcome, Some("complete"), "{source}: {outcomes:?}");
    }
}

#[tokio::test]
async fn every_level_tells_its_cluster_and_every_product_its_price_and_ozons_own_turnover() {
    let world = World::at_ozon(seller()).await;
    world.sync(false).await;
    let mut own_figures = 0;
    for truth in truth(&world).iter().filter(|truth| !truth.archived) {
        let product = known(&world, truth).await;
        let details = product.details.unwrap();
        assert_eq!(
            (details.vendor_code.as_str(), details.sizes.len()),
            (truth.offer_id.as_str(), 0)
        );
        let price = details.price.unwrap();
        assert!(price.price_minor > 0 && price.currency == "RUB", "{price:?}");
        let fbo = product.levels.iter().filter(|(key, _)| key.starts_with("fbo:"));
        for (key, level) in fbo {
            assert!(level.cluster.is_some(), "{key} {level:?}");
        }
        own_figures += product.turnover.len();
        let clusters: Vec<_> = product
            .turnover
            .iter()
            .map(|figures| figures.cluster.clone())
            .collect();
        assert!(clusters.is_sorted(), "{clusters:?}");
    }
    assert!(own_figures > 60, "{own_figures}");
}

/// Every listed product has the brand and the kind that Ozon gives it.
async fn assert_named(world: &World) {
    let ledger = ozon(world).ledger(ozon(world).sellers()[0], None).unwrap();
    for listed in ledger.listed() {
        let Folded(product) = world.product(u64::try_from(listed.article).unwrap()).await.state;
        let details = product.details.unwrap();
        assert_eq!(
            (details.brand.as_str(), details.subject.as_str()),
            (listed.brand.as_str(), listed.subject.as_str()),
            "{}",
            listed.article
        );
    }
}

#[tokio::test]
async fn brand_and_kind_are_recorded_and_no_failure_of_what_tells_them_takes_them_away() {
    let mut world = World::at_ozon(seller()).await;
    assert_eq!(world.sync(true).await, End::Done);
    assert_named(&world).await;
    for path in ["/v4/product/info/attributes", "/v1/description-category/tree"] {
        let broken = Effect::Status {
            status: 500,
            body: "{}".to_owned(),
            content_type: None,
        };
        ozon(&world).script(Fault::on(path, broken));
    }
    // A process that remembers nothing.
    let limits = world.syncs.marketplaces.limits().clone();
    world.syncs.marketplaces = world.syncs.marketplaces.clone().within(limits);
    assert_eq!(world.sync(true).await, End::Done);
    assert!(
        ozon(&world)
            .calls()
            .count_status("/v4/product/info/attributes", 500)
            > 0
    );
    assert_named(&world).await;
    let outcomes = world.outcomes().await;
    assert_eq!(outcomes["cards"], "complete", "{outcomes:?}");
}

#[tokio::test]
async fn a_second_sync_of_an_unchanged_ozon_records_nothing() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    assert_eq!(world.sync(true).await, End::Done);
    let SyncEvent::SyncCompleted(completed) = world.last().await else {
        panic!()
    };
    assert_eq!(completed.products_changed, 0);
    assert!(completed.products_seen >= 60);
}

#[tokio::test]
async fn as_ozon_lives_on_every_sync_catches_up_with_it() {
    let world = World::at_ozon(seller()).await;
    for _ in 0..4 {
        world.sync(true).await;
        assert_equals_truth(&world).await;
        world.later(TimeDelta::minutes(30));
    }
}

#[tokio::test]
async fn no_ozon_is_read_twice_within_five_minutes_unless_forced() {
    let world = World::at_ozon(seller()).await;
    world.sync(false).await;
    ozon(&world).clear_calls();
    assert_eq!(world.sync(false).await, End::Done);
    assert_eq!(ozon(&world).calls().total, 0);
    let outcomes = world.outcomes().await;
    assert!(
        outcomes.values().all(|outcome| outcome == "cached"),
        "{outcomes:?}"
    );
    world.sync(true).await;
    assert!(ozon(&world).calls().count(STOCK) > 0);
}

#[tokio::test]
async fn an_order_is_recorded_once_and_its_cancellation_is_seen_though_ozon_gives_no_time_of_it() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    for _ in 0..3 {
        world.later(TimeDelta::hours(2));
        world.sync(true).await;
    }
    let week = (world.clock.now() - TimeDelta::days(7)).timestamp();
    let mut cancelled = 0;
    for truth in truth(&world) {
        let product = known(&world, &truth).await;
        let counted = product.orders.values().filter(|seen| seen.0 >= week).count();
        let told: u64 = truth.orders.values().sum();
        assert!(
            counted as u64 <= told + truth.cancelled,
            "orders of {}: {counted} of {told} and {} cancelled",
            truth.sku,
            truth.cancelled
        );
        assert!(
            counted > 0 || told + truth.cancelled == 0,
            "orders of {}",
            truth.sku
        );
        cancelled += truth.cancelled;
    }
    assert!(cancelled > 0, "something was cancelled");
}

#[tokio::test]
async fn a_failed_source_of_ozon_keeps_its_last_numbers_and_is_named() {
    for effect in [
        Effect::Status {
            status: 500,
            body: "{}".to_owned(),
            content_type: None,
        },
        Effect::CutBody,
        Effect::HtmlPage,
        Effect::EmptyBody,
        Effect::RenameField {
            from: "available_stock_count".into(),
            to: "available_count".into(),
        },
    ] {
        let world = World::at_ozon(seller()).await;
        world.sync(true).await;
        let mut before = Vec::new();
        for truth in truth(&world) {
            before.push(known(&world, &truth).await);
        }
        ozon(&world).mutate_fraction(0.5);
        ozon(&world).script(Fault::on(STOCK, effect.clone()));
        assert_eq!(world.sync(true).await, End::Done, "{effect:?}");
        assert_eq!(world.outcomes().await["stock_fbo"], "failed", "{effect:?}");
        for (truth, before) in truth(&world).iter().zip(&before) {
            assert_eq!(
                known(&world, truth).await.available(),
                before.available(),
                "{effect:?}"
            );
        }
        ozon(&world).clear_faults();
        world.sync(true).await;
        assert_equals_truth(&world).await;
    }
}

async fn cabinet(world: &World) -> Cabinet {
    let states = &world.app.states;
    let loaded = states.load::<Folded<Cabinet>>(world.tenant_id, world.cabinet_id.uuid());
    loaded.await.unwrap().state.0
}

#[tokio::test]
async fn a_deactivated_key_rejects_the_cabinet_and_its_syncs_say_so() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    ozon(&world).deactivate(&world.token);
    assert!(matches!(world.sync(true).await, End::GivenUp { .. }));
    let SyncEvent::SyncFailed(failed) = world.last().await else {
        panic!()
    };
    assert!(
        matches!(failed.class.as_str(), "unauthorized" | "forbidden"),
        "{failed:?}"
    );
    assert_eq!(failed.retry_at, None);
    let cabinet = cabinet(&world).await;
    assert!(cabinet.rejected.is_some(), "{cabinet:?}");
    assert_equals_truth(&world).await;
}

#[tokio::test]
async fn a_refusal_that_the_marketplace_does_not_confirm_pauses_no_cabinet() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    let gate = Effect::Status {
        status: 403,
        body: r#"{"code":7,"message":"Forbidden"}"#.into(),
        content_type: None,
    };
    ozon(&world).script(Fault::on("/v3/product/list", gate));
    assert_eq!(world.sync(true).await, End::WillRetry);
    let SyncEvent::SyncFailed(failed) = world.last().await else {
        panic!("{:?}", world.last().await)
    };
    assert_eq!(failed.class, "forbidden");
    assert!(failed.retry_at.is_some(), "{failed:?}");
    assert_eq!(cabinet(&world).await.rejected, None);
    ozon(&world).clear_faults();
    let again = world.job(failed.sync_id);
    assert_eq!(Box::pin(world.syncs.run(&again, 2, 1)).await, End::Done);
    assert!(matches!(world.last().await, SyncEvent::SyncCompleted(_)));
    assert_equals_truth(&world).await;
}

#[tokio::test]
async fn an_empty_list_of_own_warehouses_makes_no_zero() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    assert_equals_truth(&world).await;
    let held: u64 = truth(&world)
        .iter()
        .flat_map(|product| product.fbs.values())
        .sum();
    assert!(held > 0);
    let none = Effect::Status {
        status: 200,
        body: r#"{"warehouses":[],"cursor":"","has_next":false}"#.to_owned(),
        content_type: None,
    };
    ozon(&world).script(Fault::on("/v2/warehouse/list", none));
    for _ in 0..2 {
        assert_eq!(world.sync(true).await, End::Done);
        assert_equals_truth(&world).await;
        assert_eq!(world.outcomes().await["stock_fbs"], "partial");
    }
    ozon(&world).clear_faults();
    world.sync(true).await;
    assert_eq!(world.outcomes().await["stock_fbs"], "complete");
}

#[tokio::test]
async fn a_list_that_is_null_fails_its_source_and_makes_no_zero() {
    for (path, body, source) in [
        (STOCK, r#"{"items":null}"#, "stock_fbo"),
        (
            "/v2/warehouse/list",
            r#"{"warehouses":null,"has_next":false}"#,
            "stock_fbs",
        ),
        (
            "/v2/product/info/stocks-by-warehouse/fbs",
            r#"{"products":null,"has_next":false}"#,
            "stock_fbs",
        ),
        (
            "/v3/posting/fbo/list",
            r#"{"postings":null,"has_next":false}"#,
            "orders",
        ),
    ] {
        let world = World::at_ozon(seller()).await;
        world.sync(true).await;
        let null = Effect::Status {
            status: 200,
            body: body.to_owned(),
            content_type: None,
        };
        ozon(&world).script(Fault::on(path, null));
        assert_eq!(world.sync(true).await, End::Done, "{path}");
        assert_eq!(world.outcomes().await[source], "failed", "{path}");
        assert_equals_truth(&world).await;
    }
}

#[tokio::test]
async fn a_gate_that_refuses_every_method_with_a_page_pauses_no_cabinet() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    let page = Effect::Status {
        status: 403,
        body: "<html><h1>403 Forbidden</h1></html>".to_owned(),
        content_type: Some("text/html".to_owned()),
    };
    ozon(&world).script(Fault::on("", page));
    assert_eq!(world.sync(true).await, End::WillRetry);
    assert_eq!(cabinet(&world).await.rejected, None);
    ozon(&world).clear_faults();
    let off = Effect::Status {
        status: 404,
        body: "404 page not found".to_owned(),
        content_type: None,
    };
    // The probe is switched off for good, and nobody misses it.
    ozon(&world).script(Fault::on("/v1/roles", off));
    assert_eq!(world.sync(true).await, End::Done);
    assert_eq!(cabinet(&world).await.rejected, None);
    assert_equals_truth(&world).await;
}

#[tokio::test]
async fn the_methods_that_ozon_switched_off_are_never_called() {
    let world = World::at_ozon(seller()).await;
    world.sync(true).await;
    let calls = ozon(&world).calls();
    for removed in [
        "/v2/posting/fbo/list",
        "/v3/posting/fbs/list",
        "/v1/warehouse/list",
        "/v1/product/info/stocks-by-warehouse/fbs",
        "/v2/analytics/stock_on_warehouses",
    ] {
        assert_eq!(calls.count(removed), 0, "{removed}");
    }
    assert_eq!(
        calls.paths.values().flat_map(|statuses| statuses.keys()).max(),
        Some(&200)
    );
}
