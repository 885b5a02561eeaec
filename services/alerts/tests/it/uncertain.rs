//! What is not certain raises nothing and ends nothing.

use events::catalog::SyncEvent;
use events::sync::{Doubt, DoubtState, SourceOutcome, SyncFailed, SyncQuarantined};

use crate::world::{CABINET, World, at, reports};

const NOTHING: [&str; 0] = [];

/// Article 1 with a hundred units and an order a day, after the first sync.
async fn shop() -> World {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 100)]).await;
    world.orders(1, 0, 7).await;
    world.sync(0).await;
    world
}

#[tokio::test]
async fn a_source_that_failed_or_is_not_complete_raises_nothing() {
    for outcome in [SourceOutcome::Failed, SourceOutcome::Partial] {
        let mut world = shop().await;
        world.stock(1, &[("fbo:1", 0)]).await;
        world.sync_with(0, &[("stock_fbo", outcome)]).await;
        assert_eq!(world.told().await, NOTHING, "{outcome:?}");
        world.sync(0).await;
        assert_eq!(
            world.told().await,
            ["out"],
            "as soon as it is certain, though nothing changed since"
        );
    }
}

#[tokio::test]
async fn a_source_that_failed_ends_nothing() {
    let mut world = shop().await;
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync(0).await;
    world.stock(1, &[("fbo:1", 100)]).await;
    world.sync_with(0, &[("stock_fbo", SourceOutcome::Failed)]).await;
    assert_eq!(world.told().await, ["out"]);
    world.sync(0).await;
    assert_eq!(world.told().await, ["out", "recovered"]);
}

#[tokio::test]
async fn a_source_that_was_not_asked_again_is_as_it_was() {
    let mut world = shop().await;
    let cached = [
        ("stock_fbo", SourceOutcome::Cached),
        ("orders", SourceOutcome::Cached),
    ];
    world.stock_of(1, "stock_fbs", &[("fbs:1", 1)], &[]).await;
    world.stock(1, &[("fbo:1", 2)]).await;
    world.sync_with(0, &cached).await;
    assert_eq!(world.told().await, ["low"]);
}

#[tokio::test]
async fn another_source_s_failure_does_not_concern_a_product_that_it_never_told() {
    let mut world = shop().await;
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync_with(0, &[("stock_fbs", SourceOutcome::Failed)]).await;
    assert_eq!(world.told().await, ["out"]);
}

#[tokio::test]
async fn without_orders_no_days_are_judged_and_none_recover() {
    let mut world = shop().await;
    let without = [("orders", SourceOutcome::Failed)];
    world.stock(1, &[("fbo:1", 3)]).await;
    world.sync_with(0, &without).await;
    assert_eq!(world.told().await, NOTHING);
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync_with(0, &without).await;
    world.stock(1, &[("fbo:1", 100)]).await;
    world.sync_with(0, &without).await;
    assert_eq!(
        world.told().await,
        ["out"],
        "nothing left is certain without orders"
    );
    world.sync(0).await;
    assert_eq!(world.told().await, ["out", "recovered"]);
}

#[tokio::test]
async fn what_is_held_raises_nothing_until_a_person_believes_it() {
    let mut world = shop().await;
    world.stock(1, &[("fbo:1", 2)]).await;
    let mut sources = reports(0, &[("stock_fbo", SourceOutcome::Partial)]);
    sources[1].doubts = vec![Doubt {
        state: DoubtState::Held,
        warehouses: vec![],
        warehouse_name: None,
        rule: "all_stock_gone".to_owned(),
        before: 100,
        now: 2,
        since: at(0),
        contradicted: false,
        evidence: "98 of 100 units are gone.".to_owned(),
    }];
    let held = SyncQuarantined {
        sync_id: events::ids::SyncId(uuid::Uuid::from_u128(9)),
        attempt: 1,
        quarantined_at: at(0),
        reason: "all_stock_gone".to_owned(),
        evidence: "98 of 100 units are gone.".to_owned(),
        sources,
    };
    world.push(CABINET.uuid(), SyncEvent::from(held)).await;
    // Another sync that does not ask again changes nothing about it.
    world.sync_with(0, &[("stock_fbo", SourceOutcome::Cached)]).await;
    assert_eq!(world.told().await, NOTHING);
    let believed = reports(0, &[])
        .into_iter()
        .filter(|report| report.source == "stock_fbo")
        .collect();
    world.sync_reporting(0, believed).await;
    assert_eq!(world.told().await, ["low"]);
}

#[tokio::test]
async fn a_sync_that_failed_raises_nothing() {
    let mut world = shop().await;
    world.stock(1, &[("fbo:1", 0)]).await;
    let failed = SyncFailed {
        sync_id: events::ids::SyncId(uuid::Uuid::from_u128(9)),
        attempt: 1,
        failed_at: at(0),
        class: "timeout".to_owned(),
        detail: String::new(),
        retry_at: None,
        sources: reports(0, &[]),
    };
    world.push(CABINET.uuid(), SyncEvent::from(failed)).await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn warehouses_that_are_masked_and_unmasked_raise_nothing() {
    let mut world = World::new().await;
    world.rule(10, true, true).await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 5), ("fbo:2", 50)]).await;
    world.sync(0).await;
    world
        .stock_of(1, "stock_fbo", &[("fbo:masked", 55)], &["fbo:1", "fbo:2"])
        .await;
    world.sync(0).await;
    assert_eq!(world.told().await, ["low fbo:1", "closed fbo:1 Warehouse"]);
    let unmasked = [("fbo:3", 3), ("fbo:2", 52)];
    world.stock_of(1, "stock_fbo", &unmasked, &["fbo:masked"]).await;
    world.sync(0).await;
    assert_eq!(
        world.told().await.len(),
        2,
        "three units under a new name are no news"
    );
    world.stock(1, &[("fbo:3", 2)]).await;
    world.sync(0).await;
    assert_eq!(world.told().await[2..], ["low fbo:3"], "but a unit less is");
}

#[tokio::test]
async fn a_first_sync_without_orders_makes_the_first_orders_the_first_look() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 3)]).await;
    world.sync_with(0, &[("orders", SourceOutcome::Failed)]).await;
    world.orders(1, 0, 7).await;
    world.sync(0).await;
    let told = world.of_first().await;
    let events::catalog::AlertEvent::StockBecameLow(low) = &told[0] else {
        panic!("{told:?}")
    };
    assert_eq!(low.seen.cause, events::alert::AlertCause::FirstSync);
}
