//! The fold of a rebuild, in chunks that stay in memory, gives what the live fold gives.

use events::Recorded;
use read_models::apply::{Cursor, Read};
use read_models::bulk::{Bulk, BulkError};
use read_models::schema::{self, TableDump};
use read_models::{Inventory, Operations, Projection};

use crate::determinism::eventful;
use crate::world::{Log, World, cabinet, tenant};

/// Folds one chunk, in pages, and returns where it ended.
async fn chunk<P: Projection>(
    session: &mut database::Session,
    next: &str,
    cursor: Cursor,
    events: &[Recorded],
) -> Result<Cursor, BulkError> {
    let mut bulk = Bulk::<P>::begin(session, next, cursor).await?;
    for page in events.chunks(90) {
        let page: Vec<Read<&Recorded, P>> = page.iter().map(Read::of).collect();
        bulk.add(&page).await?;
    }
    let position = bulk.commit().await?.position;
    Ok(Cursor { position, ..cursor })
}

/// The rows of a copy that was filled in chunks that end at `ends`.
async fn filled<P: Projection>(world: &World, log: &Log, ends: &[usize]) -> (i64, Vec<TableDump>) {
    let mut session = world.projector.get().await.unwrap();
    let next = schema::prepare::<P>(&mut session).await.unwrap();
    let mut cursor = schema::take_over::<P>(&session, &next).await.unwrap();
    let mut from = 0;
    for end in ends {
        cursor = chunk::<P>(&mut session, &next, cursor, &log.events[from..*end])
            .await
            .unwrap();
        from = *end;
    }
    schema::seal::<P>(&mut session, &next).await.unwrap();
    schema::dump(&mut session, &next).await.unwrap()
}

#[tokio::test]
async fn a_copy_filled_in_chunks_has_the_bytes_of_the_live_one() {
    let world = World::new().await;
    let log = eventful(11, 900);
    world.fold::<Inventory>(&log.events, 64).await;
    world.fold::<Operations>(&log.events, 64).await;
    let live = world.dump::<Inventory>().await;
    assert!(
        live.1.iter().filter(|table| table.rows > 0).count() >= 6,
        "{live:#?}"
    );
    assert_eq!(filled::<Inventory>(&world, &log, &[900]).await, live);
    assert_eq!(filled::<Inventory>(&world, &log, &[250, 600, 900]).await, live);
    assert_eq!(
        filled::<Operations>(&world, &log, &[300, 900]).await,
        world.dump::<Operations>().await
    );
}

#[tokio::test]
async fn a_chunk_that_the_database_refuses_leaves_no_trace_and_says_that_an_event_is_to_blame() {
    let world = World::new().await;
    let mut log = Log::default();
    log.list(tenant(1), cabinet(1), 1);
    log.list(tenant(1), cabinet(1), 2);
    // PostgreSQL stores no NUL in a text.
    let poisoned = log.events[1].payload.replace("Платье", "\\u0000");
    log.events[1].payload = poisoned;
    let mut session = world.projector.get().await.unwrap();
    let next = schema::prepare::<Inventory>(&mut session).await.unwrap();
    let cursor = schema::take_over::<Inventory>(&session, &next).await.unwrap();
    let refused = chunk::<Inventory>(&mut session, &next, cursor, &log.events).await;
    assert!(matches!(refused, Err(BulkError::Fault)), "{refused:?}");
    let (position, tables) = schema::dump(&mut session, &next).await.unwrap();
    assert_eq!(position, 0);
    assert!(tables.iter().all(|table| table.rows == 0), "{tables:#?}");
}
