//! Alerts that begin or end because something else changed than the stock.

use events::alert::AlertCause;
use events::alert_rule::AlertRuleRemoved;
use events::cabinet::{CabinetDisconnected, CabinetReconnected, WarehouseExcluded, WarehouseIncluded};
use events::catalog::{AlertEvent, AlertRuleEvent, CabinetEvent, ProductEvent, TenantEvent};
use events::ids::{AlertRuleId, SyncId};
use events::product::{ProductDelisted, ProductRelisted};
use events::tenant::TenantErased;
use uuid::Uuid;

use crate::world::{CABINET, TENANT, World, credential, product, words};

/// Article 1 with so many units, after the first sync, by a rule of ten units.
async fn shop(units: i64) -> World {
    let mut world = World::new().await;
    world.rule(10, false, true).await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", units)]).await;
    world.sync(0).await;
    world
}

#[tokio::test]
async fn a_stricter_rule_raises_at_once_and_says_that_it_did() {
    let mut world = shop(15).await;
    assert_eq!(world.told().await, Vec::<String>::new());
    world.rule(20, false, true).await;
    let told = world.of_first().await;
    let [AlertEvent::StockBecameLow(low)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((low.seen.cause, low.seen.sync_id), (AlertCause::Rule, None));
}

#[tokio::test]
async fn a_rule_by_which_it_is_not_low_ends_the_alert_without_saying_that_there_is_enough() {
    let mut world = shop(5).await;
    world.rule(4, false, true).await;
    assert_eq!(world.told().await, ["low", "closed Rule"]);
}

#[tokio::test]
async fn a_rule_that_warns_of_nothing_ends_what_is_told_and_its_end_brings_it_back() {
    let mut world = shop(5).await;
    world.rule(10, false, false).await;
    assert_eq!(world.told().await, ["low", "closed Rule"]);
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync(0).await;
    assert_eq!(world.told().await.len(), 2);
    let rule_id = AlertRuleId::of(TENANT, &events::alert_rule::AlertScope::Tenant);
    world
        .push(TENANT.uuid(), AlertRuleEvent::from(AlertRuleRemoved { rule_id }))
        .await;
    assert_eq!(
        world.told().await[2..],
        ["out"],
        "by the default rule, and nothing is left by any"
    );
}

#[tokio::test]
async fn rules_wait_for_the_first_sync() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 1)]).await;
    world.rule(10, false, true).await;
    assert_eq!(world.told().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_product_that_leaves_the_catalogue_is_closed_and_judged_again_when_it_comes_back() {
    let mut world = shop(5).await;
    let sync_id = SyncId(Uuid::nil());
    world
        .push(product(1), ProductEvent::from(ProductDelisted { sync_id }))
        .await;
    world.sync(0).await;
    world
        .push(product(1), ProductEvent::from(ProductRelisted { sync_id }))
        .await;
    world.sync(0).await;
    assert_eq!(world.told().await, ["low", "closed Delisted", "low"]);
}

#[tokio::test]
async fn after_a_cabinet_was_away_everything_is_seen_for_the_first_time_again() {
    let mut world = shop(5).await;
    world
        .push(CABINET.uuid(), CabinetEvent::from(CabinetDisconnected {}))
        .await;
    world.rule(20, false, true).await;
    assert_eq!(
        world.told().await,
        ["low", "closed Disconnected"],
        "nobody looks meanwhile"
    );
    let again = CabinetReconnected {
        credential: credential(),
    };
    world.push(CABINET.uuid(), CabinetEvent::from(again)).await;
    world.sync(0).await;
    let told = world.of_first().await;
    assert_eq!(
        told.iter().map(words).collect::<Vec<_>>(),
        ["low", "closed Disconnected", "low"]
    );
    let AlertEvent::StockBecameLow(low) = &told[2] else {
        panic!("{told:?}")
    };
    assert_eq!(low.seen.cause, AlertCause::FirstSync);
}

#[tokio::test]
async fn a_warehouse_that_is_left_out_does_not_count_until_it_is_taken_in_again() {
    let mut world = World::new().await;
    world.rule(10, true, true).await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 5), ("fbo:2", 50)]).await;
    world.sync(0).await;
    let out = |warehouse: &str| WarehouseExcluded {
        warehouse: warehouse.to_owned(),
        reason: "stuck".to_owned(),
    };
    world.push(CABINET.uuid(), CabinetEvent::from(out("fbo:1"))).await;
    world.push(CABINET.uuid(), CabinetEvent::from(out("fbo:2"))).await;
    let warehouse = "fbo:2".to_owned();
    world
        .push(
            CABINET.uuid(),
            CabinetEvent::from(WarehouseIncluded { warehouse }),
        )
        .await;
    let told = world.of_first().await;
    assert_eq!(
        told.iter().map(words).collect::<Vec<_>>(),
        ["low fbo:1", "closed fbo:1 Warehouse", "out", "recovered"]
    );
    let AlertEvent::StockOut(nothing) = &told[2] else {
        panic!("{told:?}")
    };
    assert_eq!(nothing.seen.cause, AlertCause::Warehouses);
}

#[tokio::test]
async fn nothing_is_kept_of_a_tenant_that_was_erased() {
    let mut world = shop(5).await;
    world.alerts().await;
    assert_eq!(world.number("SELECT count(*) FROM core.alert_cabinets").await, 2);
    let erased = TenantErased {
        request: "r".to_owned(),
    };
    world.push(TENANT.uuid(), TenantEvent::from(erased)).await;
    assert_eq!(
        world.number("SELECT count(*) FROM core.alert_cabinets").await,
        0,
        "with the event itself"
    );
    world
        .push(CABINET.uuid(), CabinetEvent::from(CabinetDisconnected {}))
        .await;
    world.sync(0).await;
    world.alerts().await;
    assert_eq!(world.number("SELECT count(*) FROM core.alert_cabinets").await, 0);
}
