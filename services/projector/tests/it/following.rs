//! Events on their way into tables, whatever the broker does.

use projector::Source;
use read_models::schema;
use read_models::{Inventory, Operations, Projection};

use crate::world::{Told, World};

#[tokio::test]
async fn events_that_the_broker_delivers_become_rows_in_both_read_models() {
    let world = World::new().await;
    let running = world.start();
    for name in [Inventory::NAME, Operations::NAME] {
        running
            .is_told("both are active", |told| *told == (name, Told::Active(true)))
            .await;
    }
    let last = world.list(1, 3).await;
    world.publish(1..=last).await;
    running.reaches::<Inventory>(&world, last).await;
    running.reaches::<Operations>(&world, last).await;
    let last = world.stock(2, 1, 7).await;
    world.publish([last]).await;
    running.reaches::<Inventory>(&world, last).await;
    assert_eq!(world.available(2).await, 7);
    assert!(running.has_told(&(Inventory::NAME, Told::Applied(Source::Broker, last))));
    running.end().await;
}

#[tokio::test]
async fn a_hole_in_the_broker_is_filled_from_the_store_and_repetitions_are_dropped() {
    let world = World::new().await;
    // The store is not asked on its own during this test.
    let mut options = world.options();
    options.silence = support::SOON * 4;
    let running = world.start_with(options);
    running
        .is_told("active", |told| *told == (Inventory::NAME, Told::Active(true)))
        .await;
    let last = world.list(1, 9).await;
    assert_eq!(last, 9);
    world.publish([1, 2, 3, 6, 7]).await;
    running.reaches::<Inventory>(&world, 7).await;
    assert!(running.has_told(&(Inventory::NAME, Told::Applied(Source::Store, 5))));
    world.publish([2, 7, 9]).await;
    running.reaches::<Inventory>(&world, 9).await;
    assert!(running.has_told(&(Inventory::NAME, Told::Applied(Source::Store, 8))));
    assert_eq!(
        world
            .dump::<Inventory>()
            .await
            .1
            .iter()
            .find(|table| table.table == "products")
            .unwrap()
            .rows,
        9
    );
    running.end().await;
}

#[tokio::test]
async fn without_a_broker_read_models_follow_the_store_and_go_on_with_it_afterwards() {
    let world = World::new().await;
    world.nats.stop().await.unwrap();
    let mut link = world.broker.connected();
    tokio::time::timeout(support::SOON, link.wait_for(|now| !now.up))
        .await
        .unwrap()
        .unwrap();
    let last = world.list(1, 3).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    let last = world.stock(2, 1, 7).await;
    running.reaches::<Inventory>(&world, last).await;
    running.reaches::<Operations>(&world, last).await;
    assert_eq!(world.available(2).await, 7);

    world.nats.start_again().await.unwrap();
    tokio::time::timeout(support::SOON, link.wait_for(|now| now.up))
        .await
        .unwrap()
        .unwrap();
    world.publish(1..=last).await;
    let last = world.stock(2, 2, 8).await;
    world.publish([last]).await;
    running.reaches::<Inventory>(&world, last).await;
    assert_eq!(world.available(2).await, 8);
    running.end().await;
}

#[tokio::test]
async fn a_silent_broker_does_not_keep_read_models_back() {
    let world = World::new().await;
    let running = world.start();
    running
        .is_told("active", |told| *told == (Inventory::NAME, Told::Active(true)))
        .await;
    // Nobody relays.
    let last = world.list(1, 3).await;
    running.reaches::<Inventory>(&world, last).await;
    assert!(running.has_told(&(Inventory::NAME, Told::Applied(Source::Store, last))));
    running.end().await;
}

#[tokio::test]
async fn a_standby_takes_over_where_the_active_one_ended() {
    let world = World::new().await;
    let first = world.start();
    first
        .is_told("active", |told| *told == (Inventory::NAME, Told::Active(true)))
        .await;
    first
        .is_told("active", |told| *told == (Operations::NAME, Told::Active(true)))
        .await;
    let second = world.start();
    let last = world.list(1, 3).await;
    first.reaches::<Inventory>(&world, last).await;
    assert!(
        !second
            .told
            .lock()
            .unwrap()
            .iter()
            .any(|(_, told)| *told == Told::Active(true))
    );
    first.end().await;
    let last = world.stock(3, 1, 5).await;
    second.reaches::<Inventory>(&world, last).await;
    second.reaches::<Operations>(&world, last).await;
    assert_eq!(world.available(3).await, 5);
    second.end().await;
}

#[tokio::test]
async fn an_instance_that_was_fenced_looks_again_and_goes_on() {
    let world = World::new().await;
    let running = world.start();
    let last = world.list(1, 3).await;
    running.reaches::<Inventory>(&world, last).await;
    let session = world.pool.get().await.unwrap();
    schema::take_over::<Inventory>(&session, Inventory::SCHEMA)
        .await
        .unwrap();
    let last = world.stock(3, 1, 5).await;
    running.reaches::<Inventory>(&world, last).await;
    running
        .is_told("it was fenced", |(_, told)| matches!(told, Told::Trouble(_)))
        .await;
    assert_eq!(world.available(3).await, 5);
    running.end().await;
}

#[tokio::test]
async fn an_unreadable_event_is_parked_and_unparking_without_a_repair_changes_nothing() {
    let world = World::new().await;
    let admin = support::connect(&world.database.url).await;
    world.list(1, 2).await;
    let sick = events::ids::ProductId::of(crate::world::CABINET, 1).uuid();
    // A writer that is not this program: its payload does not have the shape of its type.
    admin
        .execute(
            "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
               payload, \
                metadata, tenant_id) VALUES ('product', $1, 2, 'stock_observed', '1', '{}', '{}', $2)",
            &[&sick.to_string(), &crate::world::TENANT.uuid()],
        )
        .await
        .unwrap();
    let last = world.stock(2, 1, 6).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    assert_eq!(world.available(2).await, 6);
    let before = world.dump::<Inventory>().await;
    let outcome = projector::unpark::<Inventory>(&world.pool, &world.reader, "product", sick)
        .await
        .unwrap();
    assert!(
        matches!(outcome, read_models::Unparked::StillParked { applied: 0, .. }),
        "{outcome:?}"
    );
    assert_eq!(world.dump::<Inventory>().await, before);
    running.end().await;
}

#[tokio::test]
async fn a_consumer_that_waits_for_a_number_far_ahead_of_its_stream_is_made_anew() {
    let world = World::new().await;
    let mut options = world.options();
    options.silence = std::time::Duration::from_millis(200);
    let running = world.start_with(options);
    let last = world.list(1, 3).await;
    world.publish(1..=last).await;
    running.reaches::<Inventory>(&world, last).await;
    let heard_within = async |rounds: std::ops::Range<i64>| {
        for units in rounds {
            let next = world.stock(2, 1, units).await;
            world.publish([next]).await;
            running.reaches::<Inventory>(&world, next).await;
            if running.has_told(&(Inventory::NAME, Told::Applied(Source::Broker, next))) {
                return true;
            }
        }
        false
    };
    assert!(heard_within(100..120).await, "the broker delivers");
    // What is left where the stream lost its messages and numbers anew.
    support::eventually("the consumer is put ahead", support::SOON, || async {
        let reset = format!("$JS.API.CONSUMER.RESET.EVENTS.{}", Inventory::NAME);
        let asked = world.broker.client().request(reset, r#"{"seq":1000}"#.into());
        let answer = asked.await.map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&answer.payload).into_owned();
        if answer.contains("reset_seq") {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
    assert!(heard_within(200..220).await, "the broker delivers again");
    running.end().await;
}
