//! `postgres-es` reads our streams, and what it appends goes through our guards: a way in and a way out that
//! do not depend on this program.

use std::collections::HashMap;

use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore, PersistenceError, SerializedEvent};
use cqrs_es::{Aggregate as _, AggregateError, CqrsFramework, EventStore as _};
use domain::Fact;
use domain::product::Product;
use event_store::{Append, AppendError, StreamId};
use events::catalog::ProductEvent;
use events::ids::{EventId, TenantId};
use events::{Decoded, Event, NewEvent};
use postgres_es::PostgresEventRepository;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_postgres::error::SqlState;

use crate::products::{glimpse, observe, tell};
use crate::world::{World, command, new_id, new_stream, new_tenant, positions};

type Store = PersistedEventStore<PostgresEventRepository, Product>;

async fn repository(world: &World) -> PostgresEventRepository {
    let options: PgConnectOptions = world.database.url.parse().unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options.options([("search_path", "core"), ("role", "st_owner")]))
        .await
        .unwrap();
    PostgresEventRepository::new(pool)
}

async fn framework(world: &World) -> CqrsFramework<Product, Store> {
    let store = PersistedEventStore::new_event_store(repository(world).await);
    CqrsFramework::new(store, vec![], ())
}

fn metadata_of(tenant: TenantId) -> HashMap<String, String> {
    HashMap::from([("tenant_id".to_owned(), tenant.to_string())])
}

/// A product that two syncs saw, written by our store.
async fn our_product(world: &World, tenant: TenantId) -> (StreamId, Vec<ProductEvent>, Product) {
    let stream = new_stream();
    let mut product = Product::default();
    let mut happened = tell(&mut product, &glimpse("Носки", 5, 3), 1);
    happened.extend(tell(&mut product, &glimpse("Носки тёплые", 4, 0), 2));
    let append = Append {
        events: happened
            .iter()
            .map(|event| NewEvent {
                event_id: EventId(new_id()),
                event: event.clone().into(),
            })
            .collect(),
        ..command(tenant, stream, 0, 0)
    };
    world.store.append(append).await.unwrap();
    (stream, happened, product)
}

/// The stream as our store reads it.
async fn as_we_read_it(world: &World, tenant: TenantId, stream: StreamId) -> Vec<ProductEvent> {
    let read = world.store.read_stream(tenant, stream, 0).await.unwrap();
    read.into_iter()
        .map(|recorded| match recorded.decode().unwrap() {
            Decoded::Known(Event::Product(event)) => event,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn postgres_es_reads_the_events_that_we_wrote() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (stream, happened, product) = our_product(&world, tenant).await;
    assert_eq!(happened.len(), 4);
    let store: Store = PersistedEventStore::new_event_store(repository(&world).await);
    let read = store.load_events(&stream.id.to_string()).await.unwrap();
    let facts: Vec<ProductEvent> = read.iter().map(|envelope| envelope.payload.0.clone()).collect();
    assert_eq!(facts, happened);
    assert_eq!(
        read.iter().map(|envelope| envelope.sequence).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    let mut folded = Product::default();
    for envelope in read {
        folded.apply(envelope.payload);
    }
    assert_eq!(folded, product);
}

#[tokio::test]
async fn what_postgres_es_appends_is_numbered_between_ours_and_moves_the_head() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (stream, mut happened, mut product) = our_product(&world, tenant).await;
    let framework = framework(&world).await;
    let id = stream.id.to_string();

    let seen = glimpse("Носки тёплые", 9, 7);
    framework
        .execute_with_metadata(&id, observe(&seen, 3), metadata_of(tenant))
        .await
        .unwrap();
    happened.extend(tell(&mut product, &seen, 3));

    // Ours goes on behind it, on the head that it left.
    let old = world.store.append(command(tenant, stream, 4, 1)).await;
    assert!(matches!(old, Err(AppendError::Conflict { actual: 5 })), "{old:?}");
    let told = world.store.append(command(tenant, stream, 5, 1)).await.unwrap();
    assert_eq!((told.version, told.position), (6, 6));

    // And once more the other way round, on a stream that only the framework knows.
    let other = new_stream();
    framework
        .execute_with_metadata(
            &other.id.to_string(),
            observe(&glimpse("Шарф", 1, 1), 1),
            metadata_of(tenant),
        )
        .await
        .unwrap();
    let log = world.log().await;
    assert_eq!(positions(&log), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(world.reader().head().await.unwrap(), 8);
    let ours = as_we_read_it(&world, tenant, stream).await;
    assert_eq!(ours[..5], happened);
    assert_eq!(as_we_read_it(&world, tenant, other).await.len(), 2);
    let theirs = &log[4];
    assert_eq!(theirs.metadata.tenant_id, tenant);
    assert_eq!(theirs.metadata.actor, "postgres-es");
    assert_eq!(theirs.metadata.correlation_id, theirs.metadata.command_id.uuid());
}

#[tokio::test]
async fn postgres_es_is_told_of_a_conflict_as_of_its_own() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (stream, ..) = our_product(&world, tenant).await;
    let store: Store = PersistedEventStore::new_event_store(repository(&world).await);
    let stale = store.load_aggregate(&stream.id.to_string()).await.unwrap();
    world.store.append(command(tenant, stream, 4, 1)).await.unwrap();
    let event = tell(&mut Product::default(), &glimpse("Носки", 1, 1), 1).remove(0);
    let answer = store.commit(vec![Fact(event)], stale, metadata_of(tenant)).await;
    assert!(matches!(answer, Err(AggregateError::AggregateConflict)));
    assert_eq!(world.log().await.len(), 5);
}

fn serialized(stream: StreamId, sequence: usize, metadata: serde_json::Value) -> SerializedEvent {
    SerializedEvent::new(
        stream.id.to_string(),
        sequence,
        "product".into(),
        "product_delisted".into(),
        "1".into(),
        json!({ "type": "product_delisted", "sync_id": new_id() }),
        metadata,
    )
}

#[tokio::test]
async fn a_sequence_that_does_not_continue_its_stream_is_refused() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (stream, ..) = our_product(&world, tenant).await;
    let repository = repository(&world).await;
    let metadata = json!({ "tenant_id": tenant });
    for sequences in [vec![1], vec![4], vec![6], vec![5, 7], vec![5, 5], vec![0]] {
        let events: Vec<SerializedEvent> = sequences
            .iter()
            .map(|sequence| serialized(stream, *sequence, metadata.clone()))
            .collect();
        let answer = repository.persist::<Product>(&events, None).await;
        assert!(
            matches!(answer, Err(PersistenceError::OptimisticLockError)),
            "{sequences:?}: {answer:?}"
        );
    }
    assert_eq!(positions(&world.log().await), [1, 2, 3, 4]);
    let next: Vec<SerializedEvent> = [5, 6]
        .map(|sequence| serialized(stream, sequence, metadata.clone()))
        .into();
    repository.persist::<Product>(&next, None).await.unwrap();
    assert_eq!(positions(&world.log().await), [1, 2, 3, 4, 5, 6]);
}

/// The database's reason for refusing one event.
async fn reason(repository: &PostgresEventRepository, event: SerializedEvent) -> (String, Option<String>) {
    let Err(PersistenceError::UnknownError(error)) = repository.persist::<Product>(&[event], None).await
    else {
        panic!("it was not refused")
    };
    let error = error.downcast::<sqlx::Error>().unwrap();
    let error = error.as_database_error().unwrap();
    (
        error.code().unwrap_or_default().into_owned(),
        error
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .and_then(|error| error.column())
            .map(str::to_owned),
    )
}

#[tokio::test]
async fn an_event_without_a_tenant_is_refused() {
    let world = World::new().await;
    let repository = repository(&world).await;
    let refused = reason(&repository, serialized(new_stream(), 1, json!({}))).await;
    assert_eq!(
        refused,
        (
            SqlState::NOT_NULL_VIOLATION.code().to_owned(),
            Some("tenant_id".to_owned())
        )
    );
    assert_eq!(world.log().await, []);
    assert_eq!(world.reader().head().await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_of_one_tenant_cannot_continue_the_stream_of_another() {
    let world = World::new().await;
    let (stream, ..) = our_product(&world, new_tenant()).await;
    let foreign = serialized(stream, 5, json!({ "tenant_id": new_tenant() }));
    let answer = repository(&world)
        .await
        .persist::<Product>(&[foreign], None)
        .await;
    assert!(
        matches!(answer, Err(PersistenceError::OptimisticLockError)),
        "{answer:?}"
    );
    assert_eq!(positions(&world.log().await), [1, 2, 3, 4]);
}
