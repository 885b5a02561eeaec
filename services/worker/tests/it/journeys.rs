//! What a sync does when all goes well.

use chrono::TimeDelta;
use events::catalog::SyncEvent;
use simulators::Wildberries;
use worker::sync::End;

use crate::world::{World, seller};

#[tokio::test]
async fn a_sync_makes_every_article_equal_to_the_marketplaces_truth() {
    let world = World::start(seller()).await;
    assert_eq!(world.sync(false).await, End::Done);
    world.assert_equals_truth().await;
    let outcomes = world.outcomes().await;
    for source in ["cards", "stock_fbo", "stock_fbs", "orders", "prices"] {
        assert_eq!(
            outcomes.get(source).map(String::as_str),
            Some("complete"),
            "{source}: {outcomes:?}"
        );
    }
}

#[tokio::test]
async fn a_second_sync_of_an_unchanged_marketplace_records_nothing() {
    let world = World::start(seller()).await;
    world.sync(false).await;
    let before = world.product_events().await;
    assert_eq!(world.sync(true).await, End::Done);
    assert_eq!(world.product_events().await, before);
    let SyncEvent::SyncCompleted(completed) = world.last().await else {
        panic!()
    };
    assert_eq!(completed.products_changed, 0);
    assert!(completed.products_seen >= 40);
}

#[tokio::test]
async fn as_the_marketplace_lives_on_every_sync_catches_up_with_it() {
    let world = World::start(seller()).await;
    for _ in 0..3 {
        world.sync(true).await;
        world.assert_equals_truth().await;
        world.later(TimeDelta::minutes(30));
    }
}

#[tokio::test]
async fn no_marketplace_is_read_twice_within_five_minutes_unless_forced() {
    let world = World::start(seller()).await;
    world.sync(false).await;
    world.simulator.clear_calls();
    assert_eq!(world.sync(false).await, End::Done);
    assert_eq!(world.simulator.calls().total, 0);
    let outcomes = world.outcomes().await;
    assert!(
        outcomes.values().all(|outcome| outcome == "cached"),
        "{outcomes:?}"
    );
    world.sync(true).await;
    assert!(
        world
            .simulator
            .calls()
            .count("/content-api/content/v2/get/cards/list")
            > 0
    );
}

#[tokio::test]
async fn a_base_token_gets_the_same_numbers_by_the_slower_reports() {
    let world = World::with_token(seller(), Wildberries::base_token).await;
    assert_eq!(world.sync(false).await, End::Done);
    world.assert_equals_truth().await;
    assert!(
        world
            .simulator
            .calls()
            .count("/seller-analytics-api/api/v1/warehouse_remains")
            > 0
    );
}

#[tokio::test]
async fn masking_and_unmasking_warehouses_moves_no_stock() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    let mut before = Vec::new();
    for truth in world.truth() {
        before.push(world.product(truth.nm_id).await.state.0.available());
    }
    for masked in [true, false] {
        world.simulator.mask(masked);
        world.sync(true).await;
        let mut after = Vec::new();
        for truth in world.truth() {
            after.push(world.product(truth.nm_id).await.state.0.available());
        }
        assert_eq!(after, before, "masked: {masked}");
    }
    world.assert_equals_truth().await;
}

#[tokio::test]
async fn an_order_is_recorded_once_however_often_it_is_told() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    world.later(TimeDelta::hours(6));
    world.sync(true).await;
    for truth in world.truth() {
        let orders = &world.product(truth.nm_id).await.state.0.orders;
        let week = world.clock.now() - TimeDelta::days(7);
        let counted = orders.values().filter(|seen| seen.0 >= week.timestamp()).count();
        let told = truth.orders.values().sum::<u64>() + truth.cancelled;
        assert_eq!(u64::try_from(counted).unwrap(), told, "orders of {}", truth.nm_id);
    }
}
