//! Two holders of one projection, a gap, a swap: who may write, and who is refused.

use read_models::apply::{ApplyError, apply};
use read_models::schema::{self, Condition, Swap};
use read_models::{Inventory, Operations, Positions, Projection, Reached};

use crate::determinism::eventful;
use crate::world::World;

#[tokio::test]
async fn whoever_was_active_before_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let log = eventful(3, 40);
    let mut old = world.projector.get().await.unwrap();
    let stale = schema::take_over::<Inventory>(&old, Inventory::SCHEMA)
        .await
        .unwrap();
    let new = world.projector.get().await.unwrap();
    schema::take_over::<Inventory>(&new, Inventory::SCHEMA)
        .await
        .unwrap();
    let refused = apply::<Inventory>(&mut old, Inventory::SCHEMA, stale, &log.events).await;
    assert!(
        matches!(refused, Err(ApplyError::Fenced("inventory"))),
        "{refused:?}"
    );
    assert_eq!(world.count("rm_inventory.products").await, 0);
}

#[tokio::test]
async fn what_was_applied_cannot_be_applied_again() {
    let world = World::new().await;
    let log = eventful(3, 40);
    let mut session = world.projector.get().await.unwrap();
    let start = schema::take_over::<Inventory>(&session, Inventory::SCHEMA)
        .await
        .unwrap();
    apply::<Inventory>(&mut session, Inventory::SCHEMA, start, &log.events)
        .await
        .unwrap();
    let before = world.dump::<Inventory>().await;
    let again = apply::<Inventory>(&mut session, Inventory::SCHEMA, start, &log.events).await;
    assert!(matches!(again, Err(ApplyError::Fenced(_))), "{again:?}");
    assert_eq!(world.dump::<Inventory>().await, before);
}

#[tokio::test]
async fn a_batch_with_a_gap_is_refused() {
    let world = World::new().await;
    let log = eventful(3, 40);
    let mut session = world.projector.get().await.unwrap();
    let cursor = schema::take_over::<Inventory>(&session, Inventory::SCHEMA)
        .await
        .unwrap();
    let gap = apply::<Inventory>(&mut session, Inventory::SCHEMA, cursor, &log.events[1..]).await;
    assert!(
        matches!(
            gap,
            Err(ApplyError::Gap {
                expected: 1,
                found: 2
            })
        ),
        "{gap:?}"
    );
}

#[tokio::test]
async fn a_rebuilt_copy_is_swapped_in_only_when_it_has_read_as_far_and_fences_the_old_one() {
    let world = World::new().await;
    let log = eventful(5, 300);
    // The log itself is not here; its length is.
    let owner = support::connect(&world.database.url).await;
    (owner
        .execute("UPDATE core.log_head SET position = 300", &[])
        .await)
        .unwrap();
    world.fold::<Inventory>(&log.events[..200], 50).await;
    let mut live = world.projector.get().await.unwrap();
    let holder = schema::take_over::<Inventory>(&live, Inventory::SCHEMA)
        .await
        .unwrap();

    let mut session = world.projector.get().await.unwrap();
    let next = schema::prepare::<Inventory>(&mut session).await.unwrap();
    let mut cursor = schema::take_over::<Inventory>(&session, &next).await.unwrap();
    cursor.position = apply::<Inventory>(&mut session, &next, cursor, &log.events[..100])
        .await
        .unwrap()
        .position;
    schema::seal::<Inventory>(&mut session, &next).await.unwrap();
    assert_eq!(
        schema::swap::<Inventory>(&mut session, &next).await.unwrap(),
        Swap::Behind(200)
    );
    apply::<Inventory>(&mut session, &next, cursor, &log.events[100..200])
        .await
        .unwrap();
    let before = world.dump::<Inventory>().await;
    assert_eq!(
        schema::swap::<Inventory>(&mut session, &next).await.unwrap(),
        Swap::Done(200)
    );
    assert_eq!(world.dump::<Inventory>().await, before);

    let refused = apply::<Inventory>(&mut live, Inventory::SCHEMA, holder, &log.events[200..]).await;
    assert!(matches!(refused, Err(ApplyError::Fenced(_))), "{refused:?}");
    world.fold::<Inventory>(&log.events, 50).await;
    assert_eq!(world.dump::<Inventory>().await.0, 300);
    assert!(schema::drop_old::<Inventory>(&mut session).await.unwrap());
}

#[tokio::test]
async fn a_copy_is_current_outdated_or_newer_by_its_version_and_its_ddl() {
    let world = World::new().await;
    let session = world.projector.get().await.unwrap();
    let condition = || schema::condition::<Operations>(&session, Operations::SCHEMA);
    assert_eq!(condition().await.unwrap(), Condition::Current);
    for (change, expected) in [
        ("schema_hash = 'of other DDL'", Condition::Outdated),
        ("version = version - 1", Condition::Outdated),
        ("version = version + 2", Condition::Newer),
    ] {
        session
            .batch_execute(&format!("UPDATE rm_operations.projection SET {change}"))
            .await
            .unwrap();
        assert_eq!(condition().await.unwrap(), expected, "{change}");
    }
    session
        .batch_execute("DROP SCHEMA rm_operations CASCADE")
        .await
        .unwrap();
    assert_eq!(condition().await.unwrap(), Condition::Missing);
}

#[tokio::test]
async fn waiting_for_a_position_ends_when_another_process_reaches_it_or_the_time_is_up() {
    let world = World::new().await;
    let log = eventful(3, 40);
    let api = world.pool(database::Role::Api);
    let positions = Positions::default();
    let soon = std::time::Duration::from_millis(30);
    assert_eq!(
        positions.wait_for::<Inventory>(&api, 40, soon).await.unwrap(),
        Reached::NotYet(0)
    );
    let (reached, _) = tokio::join!(
        positions.wait_for::<Inventory>(&api, 40, support::SOON),
        world.fold::<Inventory>(&log.events, 10)
    );
    assert_eq!(reached.unwrap(), Reached::Yes(40));
}

/// How often the inventory's position was read in the whole database so far. The statistics of a session are
/// written out between its transactions once that was asked for.
async fn looks(pool: &database::Pool) -> i64 {
    let session = pool.get().await.unwrap();
    session
        .batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let asked = "SELECT (seq_scan + coalesce(idx_scan, 0))::bigint FROM pg_stat_all_tables \
                 WHERE schemaname = 'rm_inventory' AND relname = 'projection'";
    session.query_one(asked, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn however_many_wait_for_a_position_it_is_looked_at_once() {
    const WAITING: usize = 100;
    let world = World::new().await;
    // One connection: its statistics are all there are.
    let api = database::Pool::open(&world.database.url.clone().into(), database::Role::Api, 1).unwrap();
    let positions = Positions::default();
    let before = looks(&api).await;
    let patience = std::time::Duration::from_millis(300);
    let waits = (0..WAITING).map(|_| positions.wait_for::<Inventory>(&api, 40, patience));
    for reached in futures_util::future::join_all(waits).await {
        assert_eq!(reached.unwrap(), Reached::NotYet(0));
    }
    // 300 ms in steps of 15 ms are 20; each for itself would be 2,000.
    let made = looks(&api).await - before;
    assert!((1..=40).contains(&made), "{made} looks");
}
