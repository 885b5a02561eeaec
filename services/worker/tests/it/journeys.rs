//! What a sync does when all goes well.

use application::{connect_cabinet, disconnect_cabinet};
use chrono::TimeDelta;
use events::cabinet::Marketplace;
use events::catalog::SyncEvent;
use secrecy::SecretString;
use simulators::Wildberries;
use worker::sync::End;

use crate::world::{World, api_app, seller};

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

/// Of how many cabinets the scheduler is told that their first sync is due. A cabinet is connected by the
/// log's time, which no test moves.
async fn due(world: &World) -> i64 {
    let admin = support::connect(world.database_url()).await;
    let sql = "SELECT count(*) FROM core.next_due_cabinets(clock_timestamp(), 10, 10) WHERE never_synced";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_cabinet_that_is_connected_again_is_due_at_once_and_its_articles_are_not_listed_twice() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    while world.policy.round().await.unwrap() > 0 {}
    let listed = world.product_events().await;
    let api = api_app(&world).await;
    disconnect_cabinet::execute(&api, &world.context(), world.cabinet_id)
        .await
        .unwrap();
    while world.policy.round().await.unwrap() > 0 {}
    world.later(TimeDelta::days(2));
    assert_eq!(due(&world).await, 0, "nothing is read of it while it is away");

    let secret = SecretString::from(world.simulator.personal_token(world.simulator.sellers()[0]));
    let context = world.context();
    let again = connect_cabinet::execute(&api, &context, Marketplace::Wildberries, &secret, None);
    assert_eq!(again.await.unwrap().cabinet_id, world.cabinet_id);
    while world.policy.round().await.unwrap() > 0 {}
    assert_eq!(due(&world).await, 1);
    // Forced: what was read lately is remembered by a clock that no test moves.
    assert_eq!(world.sync(true).await, End::Done, "with the new key");
    world.assert_equals_truth().await;
    let admin = support::connect(world.database_url()).await;
    let twice = "SELECT count(*) FROM (SELECT payload ->> 'nm_id' FROM core.events \
                 WHERE event_type = 'product_listed' GROUP BY 1 HAVING count(*) > 1) d";
    let twice: i64 = admin.query_one(twice, &[]).await.unwrap().get(0);
    assert!(twice == 0 && world.product_events().await > listed);
}
