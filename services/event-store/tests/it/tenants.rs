//! One tenant never sees or moves anything of another: the database holds this, not the program's care.

use database::{ErrorClass, Role};
use event_store::{AppendError, Loaded, States};
use events::ids::TenantId;
use tokio_postgres::error::SqlState;

use crate::states::Kept;
use crate::world::{World, command, new_stream, new_tenant};

const TABLES: [&str; 4] = ["events", "heads", "commands", "states"];

/// Rows of each table that the session sees, as its tenant if one is given.
async fn seen(world: &World, role: Role, tenant: Option<TenantId>) -> Vec<i64> {
    let pool = world.pool(role, 1);
    let mut counts = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT count(*) FROM core.{table}");
        counts.push(match tenant {
            None => pool
                .get()
                .await
                .unwrap()
                .query_one(&sql, &[])
                .await
                .unwrap()
                .get(0),
            Some(tenant) => {
                let mut session = pool.tenant(tenant).await.unwrap();
                let transaction = session.begin().await.unwrap();
                transaction.query_one(&sql, &[]).await.unwrap().get(0)
            }
        });
    }
    counts
}

/// Two tenants with a stream each; the first wrote two events, the second three.
async fn two_tenants() -> (World, TenantId, TenantId) {
    let world = World::new().await;
    let (one, other) = (new_tenant(), new_tenant());
    let states = States::new(world.store.clone());
    for (tenant, count) in [(one, 2), (other, 3)] {
        let stream = new_stream();
        world
            .store
            .append(command(tenant, stream, 0, count))
            .await
            .unwrap();
        let loaded: Loaded<Kept> = states.load(tenant, stream.id).await.unwrap();
        states.keep(tenant, &[(stream.id, &loaded)]).await.unwrap();
    }
    (world, one, other)
}

#[tokio::test]
async fn a_session_without_a_tenant_sees_nothing() {
    let (world, ..) = two_tenants().await;
    for role in [Role::Api, Role::Gateway, Role::Worker] {
        assert_eq!(seen(&world, role, None).await, [0, 0, 0, 0], "{role:?}");
    }
}

#[tokio::test]
async fn a_session_of_one_tenant_sees_that_tenant_only() {
    let (world, one, other) = two_tenants().await;
    for role in [Role::Api, Role::Gateway, Role::Worker] {
        assert_eq!(seen(&world, role, Some(one)).await, [2, 1, 1, 1], "{role:?}");
        assert_eq!(seen(&world, role, Some(other)).await, [3, 1, 1, 1], "{role:?}");
        assert_eq!(
            seen(&world, role, Some(new_tenant())).await,
            [0, 0, 0, 0],
            "{role:?}"
        );
    }
}

#[tokio::test]
async fn nothing_of_a_tenant_stays_on_a_connection() {
    let (world, one, _) = two_tenants().await;
    let pool = world.pool(Role::Api, 1);
    let count = "SELECT count(*) FROM core.events";
    {
        let mut session = pool.tenant(one).await.unwrap();
        let transaction = session.begin().await.unwrap();
        let seen: i64 = transaction.query_one(count, &[]).await.unwrap().get(0);
        assert_eq!(seen, 2);
        transaction.commit().await.unwrap();
    }
    let session = pool.get().await.unwrap();
    let seen: i64 = session.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_stream_of_another_tenant_reads_as_empty() {
    let world = World::new().await;
    let (owner, stranger, stream) = (new_tenant(), new_tenant(), new_stream());
    world.store.append(command(owner, stream, 0, 2)).await.unwrap();
    assert_eq!(world.store.read_stream(owner, stream, 0).await.unwrap().len(), 2);
    assert_eq!(world.store.read_stream(stranger, stream, 0).await.unwrap(), []);
    let states = States::new(world.store.clone());
    let loaded: Loaded<Kept> = states.load(stranger, stream.id).await.unwrap();
    assert_eq!(loaded, Loaded::default());
}

#[tokio::test]
async fn a_stream_of_another_tenant_cannot_be_written_at_any_version() {
    let world = World::new().await;
    let (owner, stranger, stream) = (new_tenant(), new_tenant(), new_stream());
    world.store.append(command(owner, stream, 0, 2)).await.unwrap();
    for expected in [-1, 0, 1, 2, 3] {
        for count in [0, 1, 3] {
            let mut foreign = command(stranger, stream, expected, 0);
            foreign.events = command(stranger, stream, 0, count).events;
            let answer = world.store.append(foreign).await;
            assert!(
                matches!(answer, Err(AppendError::Conflict { actual: -1 })),
                "{count} events at {expected}: {answer:?}"
            );
        }
    }
    assert_eq!(world.log().await.len(), 2);
    let told = world.store.append(command(owner, stream, 2, 1)).await.unwrap();
    assert_eq!(told.version, 3);
}

#[tokio::test]
async fn a_state_cannot_be_kept_for_another_tenant() {
    let (world, one, other) = two_tenants().await;
    let pool = world.pool(Role::Api, 1);
    let mut session = pool.tenant(one).await.unwrap();
    let transaction = session.begin().await.unwrap();
    let error = transaction
        .execute(
            "INSERT INTO core.states VALUES ('product', gen_random_uuid(), $1, 1, 1, 'x', '{}')",
            &[&other.uuid()],
        )
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn only_the_processes_that_take_commands_may_append() {
    let world = World::new().await;
    for role in [Role::Relay, Role::Projector, Role::Sheets] {
        let (store, _task) =
            event_store::EventStore::start(world.pool(role, 1), event_store::Wake::default());
        let answer = store.append(command(new_tenant(), new_stream(), 0, 1)).await;
        let Err(AppendError::Refused(cause)) = answer else {
            panic!("{role:?}: {answer:?}")
        };
        assert_eq!(cause.class(), ErrorClass::Other);
        assert!(format!("{cause:?}").contains("permission denied"), "{cause:?}");
    }
    for role in [Role::Api, Role::Gateway, Role::Worker] {
        let (store, _task) =
            event_store::EventStore::start(world.pool(role, 1), event_store::Wake::default());
        store
            .append(command(new_tenant(), new_stream(), 0, 1))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_sheets_process_cannot_read_the_log_and_readers_cannot_read_what_is_no_event() {
    let (world, ..) = two_tenants().await;
    let denied = |role: &'static str, table: &'static str| {
        let world = &world;
        async move {
            let error = world
                .acting_as(role)
                .await
                .batch_execute(&format!("SELECT FROM core.{table}"))
                .await
                .unwrap_err();
            assert_eq!(
                error.code(),
                Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                "{role} {table}"
            );
        }
    };
    for table in TABLES {
        denied("st_sheets", table).await;
    }
    for role in ["st_relay", "st_projector"] {
        for table in ["heads", "commands", "states"] {
            denied(role, table).await;
        }
    }
}
