//! What no writer can do, the owner of the tables included.

use database::Role;
use event_store::{AppendError, GlobalReader, ReadError};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::world::{World, command, new_id, new_stream, new_tenant, positions};

const ROLES: [&str; 6] = [
    "st_api",
    "st_gateway",
    "st_relay",
    "st_projector",
    "st_worker",
    "st_sheets",
];

fn code(error: &Error) -> SqlState {
    error.code().cloned().unwrap_or_else(|| panic!("{error:?}"))
}

fn message(error: &Error) -> String {
    error.as_db_error().unwrap().message().to_owned()
}

async fn world_with(events: i64) -> World {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    for version in 0..events {
        world
            .store
            .append(command(tenant, stream, version, 1))
            .await
            .unwrap();
    }
    world
}

#[tokio::test]
async fn the_log_is_append_only_even_for_the_owner_and_a_superuser() {
    let world = world_with(3).await;
    for client in [world.owner().await, world.admin().await] {
        for statement in [
            "UPDATE core.events SET payload = '{}'",
            "UPDATE core.events SET payload = '{}' WHERE false",
            "DELETE FROM core.events WHERE position = 3",
            "TRUNCATE core.events",
            "TRUNCATE core.heads, core.events CASCADE",
            "UPDATE core.commands SET result = 'else'",
            "DELETE FROM core.commands",
            "TRUNCATE core.commands",
            "INSERT INTO core.commands SELECT * FROM core.commands \
                ON CONFLICT (tenant_id, command_id) DO UPDATE SET result = 'else'",
        ] {
            let error = client.batch_execute(statement).await.unwrap_err();
            assert_eq!(code(&error), SqlState::INSUFFICIENT_PRIVILEGE, "{statement}");
            assert!(
                message(&error).starts_with("the event log is append-only"),
                "{statement}: {error:?}"
            );
        }
    }
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
}

#[tokio::test]
async fn no_process_can_touch_the_log_but_through_its_function() {
    let world = world_with(1).await;
    for role in ROLES {
        let client = world.acting_as(role).await;
        for statement in [
            "UPDATE core.events SET payload = '{}'",
            "DELETE FROM core.events",
            "TRUNCATE core.events",
            "INSERT INTO core.events SELECT * FROM core.events",
            "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                metadata) VALUES ('product', 'x', 1, 'product_delisted', '1', '{}', '{}')",
            "UPDATE core.heads SET version = 9",
            "DELETE FROM core.heads",
            "INSERT INTO core.heads SELECT * FROM core.heads",
            "UPDATE core.commands SET result = 'else'",
            "DELETE FROM core.commands",
            "INSERT INTO core.commands SELECT * FROM core.commands",
            "UPDATE core.log_head SET position = 0",
            "DELETE FROM core.log_head",
            "ALTER TABLE core.events DISABLE TRIGGER ALL",
            "ALTER TABLE core.events DISABLE ROW LEVEL SECURITY",
            "SET session_replication_role = replica",
            "CREATE TABLE core.mine (id int)",
        ] {
            let error = client.batch_execute(statement).await.unwrap_err();
            assert_eq!(
                code(&error),
                SqlState::INSUFFICIENT_PRIVILEGE,
                "{role}: {statement}"
            );
        }
    }
    assert_eq!(positions(&world.log().await), [1]);
}

/// An event of a new stream at a position of the writer's own choice.
async fn insert_at(client: &Client, position: i64) -> Result<u64, Error> {
    client
        .execute(
            "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                metadata, position, tenant_id, command_id, correlation_id, actor) \
             VALUES ('product', $1::text, 1, 'product_delisted', '1', '{}', '{}', $2, $3, $3, $3, 'nobody')",
            &[&new_id().to_string(), &position, &new_id()],
        )
        .await
}

#[tokio::test]
async fn a_position_that_was_made_up_is_refused_whoever_writes_it() {
    let world = world_with(3).await;
    for client in [world.owner().await, world.admin().await] {
        for position in [4, 5, 100, 0, -1] {
            let error = insert_at(&client, position).await.unwrap_err();
            assert_eq!(code(&error), SqlState::CHECK_VIOLATION, "{position}");
            assert!(message(&error).contains("do not continue the log"), "{error:?}");
        }
        for position in [1, 3] {
            let error = insert_at(&client, position).await.unwrap_err();
            assert_eq!(code(&error), SqlState::UNIQUE_VIOLATION, "{position}");
        }
    }
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
    let told = world
        .store
        .append(command(new_tenant(), new_stream(), 0, 1))
        .await
        .unwrap();
    assert_eq!(told.position, 4);
}

#[tokio::test]
async fn a_head_that_was_moved_by_hand_stops_the_log_instead_of_leaving_a_gap() {
    let world = world_with(2).await;
    let owner = world.owner().await;
    for wrong in [3_i64, 100] {
        owner
            .execute("UPDATE log_head SET position = $1", &[&wrong])
            .await
            .unwrap();
        let answer = world
            .store
            .append(command(new_tenant(), new_stream(), 0, 1))
            .await;
        assert!(matches!(answer, Err(AppendError::Refused(_))), "{answer:?}");
    }
    owner
        .execute("UPDATE log_head SET position = 2", &[])
        .await
        .unwrap();
    world
        .store
        .append(command(new_tenant(), new_stream(), 0, 1))
        .await
        .unwrap();
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
}

#[tokio::test]
async fn a_reader_reports_a_gap_and_hands_out_nothing_beyond_it() {
    let world = world_with(6).await;
    let admin = world.admin().await;
    admin
        .batch_execute(
            "SET session_replication_role = replica; DELETE FROM core.events WHERE position = 3; RESET ALL",
        )
        .await
        .unwrap();
    let reader = world.reader();
    for (after, limit) in [(0, 100), (1, 3), (2, 1), (2, 100)] {
        let answer = reader.read_after(after, limit).await;
        assert!(
            matches!(
                answer,
                Err(ReadError::Gap {
                    expected: 3,
                    found: 4
                })
            ),
            "after {after}: {answer:?}"
        );
    }
    assert_eq!(positions(&reader.read_after(0, 2).await.unwrap()), [1, 2]);
    assert_eq!(positions(&reader.read_after(3, 100).await.unwrap()), [4, 5, 6]);
    assert_eq!(
        world.reader().head().await.unwrap(),
        6,
        "the head still tells that something is missing"
    );
}

#[tokio::test]
async fn a_reader_pages_through_the_log_and_through_one_stream() {
    let world = World::new().await;
    let (tenant, stream, other) = (new_tenant(), new_stream(), new_stream());
    world.store.append(command(tenant, stream, 0, 3)).await.unwrap();
    world.store.append(command(tenant, other, 0, 1)).await.unwrap();
    world.store.append(command(tenant, stream, 3, 2)).await.unwrap();
    let reader = GlobalReader::new(world.pool(Role::Projector, 1));
    assert_eq!(positions(&reader.read_after(0, 4).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(positions(&reader.read_after(4, 4).await.unwrap()), [5, 6]);
    assert_eq!(reader.read_after(6, 4).await.unwrap(), []);
    let page = reader.read_stream("product", stream.id, 1, 3).await.unwrap();
    assert_eq!(positions(&page), [2, 3, 5]);
    assert_eq!(reader.read_stream("sheet", stream.id, 0, 3).await.unwrap(), []);
}
