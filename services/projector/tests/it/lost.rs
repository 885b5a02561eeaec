//! Logs that lost their end, and programs that know less than the log. What the read models show is always
//! what the log says.

use read_models::{Inventory, Operations, Projection};

use crate::world::{Told, World};

#[tokio::test]
async fn what_the_broker_has_kept_of_a_log_that_was_restored_is_not_folded() {
    let world = World::new().await;
    let last = world.list(1, 3).await;
    world.publish(1..=last).await;
    // The broker has two events more than the log, and others than the log has there later.
    for position in [last + 1, last + 2] {
        world.publish_ghost(position).await;
    }
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    running
        .is_told(
            "the ghost is refused",
            |told| matches!(told, (Inventory::NAME, Told::Trouble(why)) if why.contains("another event")),
        )
        .await;
    let real = world.stock(1, 1, 7).await;
    assert_eq!(real, last + 1);
    running.reaches::<Inventory>(&world, real).await;
    running.reaches::<Operations>(&world, real).await;
    assert_eq!(world.available(1).await, 7);
    let rows = |dump: &(i64, Vec<read_models::schema::TableDump>)| {
        dump.1
            .iter()
            .find(|table| table.table == "products")
            .unwrap()
            .rows
    };
    let live = world.dump::<Inventory>().await;
    assert_eq!(
        (live.0, rows(&live)),
        (real, 3),
        "no product of the lost log is shown"
    );
    running.end().await;
}

#[tokio::test]
async fn a_copy_that_is_ahead_of_its_log_is_built_anew() {
    let world = World::new().await;
    let last = world.list(1, 3).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    running.end().await;
    let session = world.pool.get().await.unwrap();
    session
        .execute("UPDATE rm_inventory.projection SET position = position + 50", &[])
        .await
        .unwrap();
    drop(session);
    let running = world.start();
    running
        .is_told("it is built anew", |told| {
            *told == (Inventory::NAME, Told::Rebuilt(last))
        })
        .await;
    let next = world.stock(2, 1, 9).await;
    running.reaches::<Inventory>(&world, next).await;
    assert_eq!(world.available(2).await, 9);
    running.end().await;
}

#[tokio::test]
async fn a_program_that_knows_more_catches_up_what_an_older_one_has_parked() {
    let world = World::new().await;
    world.list(1, 1).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, 1).await;
    running.end().await;
    // An older program did not know the second event, and has parked the stream there.
    let parked = world.stock(1, 1, 5).await;
    let session = world.pool.get().await.unwrap();
    for sql in [
        "UPDATE rm_inventory.projection SET position = 2",
        "INSERT INTO rm_inventory.parked_streams \
           (tenant_id, stream_type, stream_id, first_position, first_version, reason) \
         SELECT tenant_id, aggregate_type, aggregate_id::uuid, position, sequence, \
                'the event was written by a newer program' FROM core.events WHERE position = 2",
        "INSERT INTO rm_inventory.parked_events \
           (tenant_id, stream_type, stream_id, version, position, event_type) \
         SELECT tenant_id, aggregate_type, aggregate_id::uuid, sequence, position, event_type \
           FROM core.events WHERE position = 2",
    ] {
        session.execute(sql, &[]).await.unwrap();
    }
    drop(session);
    assert_eq!((parked, world.available(1).await), (2, 0));
    let running = world.start();
    running
        .is_told("active", |told| *told == (Inventory::NAME, Told::Active(true)))
        .await;
    assert_eq!(world.available(1).await, 5);
    running.end().await;
}
