//! A wake is a hint: who hears it reads at once, who misses it reads at the next poll.

use std::time::Duration;

use database::Role;
use event_store::{EventStore, Wake};
use support::SOON;

use crate::world::{World, command, new_stream, new_tenant, positions};

/// Short enough for a test, and nothing depends on how short.
const FLOOR: Duration = Duration::from_millis(10);

#[tokio::test]
async fn a_reader_is_told_the_newest_position_after_an_append() {
    let world = World::new().await;
    let mut subscription = world.wake.subscribe();
    let tenant = new_tenant();
    world
        .store
        .append(command(tenant, new_stream(), 0, 3))
        .await
        .unwrap();
    assert_eq!(subscription.changed_or(SOON).await, Some(3));
    world
        .store
        .append(command(tenant, new_stream(), 0, 1))
        .await
        .unwrap();
    world
        .store
        .append(command(tenant, new_stream(), 0, 1))
        .await
        .unwrap();
    assert_eq!(
        subscription.changed_or(SOON).await,
        Some(5),
        "two wakes in a row are one"
    );
    assert_eq!(subscription.changed_or(FLOOR).await, None);
}

#[tokio::test]
async fn the_log_reaches_a_reader_before_the_reader_is_woken() {
    let world = World::new().await;
    let mut subscription = world.wake.subscribe();
    let reader = world.reader();
    let (tenant, stream) = (new_tenant(), new_stream());
    for version in 0..50 {
        let append = world.store.append(command(tenant, stream, version, 1));
        let (told, woken) = tokio::join!(append, subscription.changed_or(SOON));
        assert_eq!(told.unwrap().position, version + 1);
        assert_eq!(woken, Some(version + 1));
        let tail = reader.read_after(version, 10).await.unwrap();
        assert_eq!(positions(&tail), [version + 1]);
    }
}

#[tokio::test]
async fn a_conflict_and_a_repetition_wake_nobody() {
    let world = World::new().await;
    let append = command(new_tenant(), new_stream(), 0, 1);
    world.store.append(append.clone()).await.unwrap();
    let mut subscription = world.wake.subscribe();
    assert!(world.store.append(append.clone()).await.unwrap().duplicate);
    let conflicting = command(append.metadata.tenant_id, append.stream, 5, 1);
    world.store.append(conflicting).await.unwrap_err();
    assert_eq!(subscription.changed_or(FLOOR).await, None);
}

#[tokio::test]
async fn a_missed_wake_costs_only_a_poll() {
    let world = World::new().await;
    // The writer is another process: its wakes are not heard here.
    let (elsewhere, _task) = EventStore::start(world.pool(Role::Worker, 1), Wake::default());
    let mut subscription = world.wake.subscribe();
    let reader = world.reader();
    let (tenant, stream) = (new_tenant(), new_stream());
    let writing = async {
        for version in 0..20 {
            elsewhere
                .append(command(tenant, stream, version, 1))
                .await
                .unwrap();
        }
    };
    let reading = async {
        let mut last = 0;
        while last < 20 {
            assert_eq!(subscription.changed_or(FLOOR).await, None);
            last += i64::try_from(reader.read_after(last, 100).await.unwrap().len()).unwrap();
        }
        last
    };
    let ((), last) = tokio::time::timeout(SOON, async { tokio::join!(writing, reading) })
        .await
        .unwrap();
    assert_eq!(last, 20);
}

#[tokio::test]
async fn a_reader_whose_writers_are_gone_goes_on_polling() {
    let wake = Wake::default();
    let mut subscription = wake.subscribe();
    drop(wake);
    for _ in 0..3 {
        assert_eq!(subscription.changed_or(FLOOR).await, None);
    }
}
