//! A commit whose reply never came: the events are in, once, and both the combiner and the caller can find
//! out.

use database::{Pool, Role};
use event_store::{AppendError, EventStore, Wake};
use secrecy::SecretString;
use support::postgres;

use crate::proxy::Proxy;
use crate::world::{World, command, new_stream, new_tenant, positions};

/// A store whose only connection runs through the wire and is warm, so that the next answer is an append's.
async fn store_behind(world: &World, proxy: &Proxy) -> EventStore {
    let url = proxy.url(&world.database.url, postgres().await.port());
    let pool = Pool::open(&SecretString::from(url), Role::Api, 1).unwrap();
    let (store, _task) = EventStore::start(pool, Wake::default());
    store
        .append(command(new_tenant(), new_stream(), 0, 1))
        .await
        .unwrap();
    store
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_and_nothing_is_written_twice() {
    let world = World::new().await;
    let proxy = Proxy::to(postgres().await.port()).await;
    let store = store_behind(&world, &proxy).await;
    let (tenant, stream) = (new_tenant(), new_stream());
    let mut append = command(tenant, stream, 0, 2);
    append.result = Some("first".into());

    proxy.break_down(1, 2);
    let told = store.append(append.clone()).await.unwrap();
    assert_eq!(proxy.lost(), 1, "the answer to the first sending was to be lost");
    assert_eq!((told.version, told.position), (2, 3));
    assert_eq!(told.result.as_deref(), Some("first"));
    assert!(
        !told.duplicate,
        "it was the combiner that repeated, not the caller"
    );
    assert_eq!(positions(&world.log().await), [1, 2, 3]);

    let next = store.append(command(tenant, stream, 2, 1)).await.unwrap();
    assert_eq!((next.version, next.position), (3, 4));
}

#[tokio::test]
async fn a_commit_whose_answer_never_came_is_found_by_its_command_id() {
    let world = World::new().await;
    let proxy = Proxy::to(postgres().await.port()).await;
    let store = store_behind(&world, &proxy).await;
    let tenant = new_tenant();
    let mut append = command(tenant, new_stream(), 0, 2);
    append.result = Some("first".into());
    let id = append.metadata.command_id.uuid();

    proxy.break_down(1, usize::MAX);
    let answer = store.append(append.clone()).await;
    assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
    assert_eq!(proxy.lost(), 1);

    proxy.heal();
    let found = store.find_command(tenant, id).await.unwrap().unwrap();
    assert_eq!((found.version, found.position), (2, 3));
    assert_eq!(found.result.as_deref(), Some("first"));
    let repeated = store.append(append).await.unwrap();
    assert!(repeated.duplicate);
    assert_eq!(repeated, found);
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
}

#[tokio::test]
async fn a_command_that_never_reached_the_database_is_not_found() {
    let world = World::new().await;
    let proxy = Proxy::to(postgres().await.port()).await;
    let url = proxy.url(&world.database.url, postgres().await.port());
    let pool = Pool::open(&SecretString::from(url), Role::Api, 1).unwrap();
    let (store, _task) = EventStore::start(pool, Wake::default());
    proxy.break_down(0, usize::MAX);
    let tenant = new_tenant();
    let append = command(tenant, new_stream(), 0, 1);
    let answer = store.append(append.clone()).await;
    assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
    proxy.heal();
    let found = store
        .find_command(tenant, append.metadata.command_id.uuid())
        .await
        .unwrap();
    assert_eq!(found, None);
    let told = store.append(append).await.unwrap();
    assert_eq!((told.version, told.position, told.duplicate), (1, 1, false));
}

#[tokio::test]
async fn a_repeated_command_stays_a_duplicate_when_the_answer_to_the_repetition_is_lost() {
    let world = World::new().await;
    let proxy = Proxy::to(postgres().await.port()).await;
    let store = store_behind(&world, &proxy).await;
    let (tenant, stream) = (new_tenant(), new_stream());
    let mut append = command(tenant, stream, 0, 1);
    let first = store.append(append.clone()).await.unwrap();
    store.append(command(tenant, stream, 1, 1)).await.unwrap();

    // Decided again on the newer state, as a caller who forgot the first answer does.
    append.expected = 2;
    proxy.break_down(1, 0);
    let told = store.append(append).await.unwrap();
    assert_eq!(proxy.lost(), 1);
    assert_eq!((told.version, told.position), (first.version, first.position));
    assert!(
        told.duplicate,
        "the state decided now is not the state after the first time"
    );
}
