//! Who is active. A standby asks for the lock now and then; whoever has it makes sure that the read model is
//! one this program can continue, takes the fence, and works until something breaks.

use database::{Role, Session};
use read_models::Projection;
use read_models::schema::{self, Condition};
use tokio_postgres::Client;

use crate::consume::Consumption;
use crate::{Notice, ProjectorError, Shared, rebuild};

/// One term: from candidacy to the first failure or the end. `worked` tells whether a batch was applied in
/// it.
pub(crate) async fn term<P: Projection>(shared: &Shared, worked: &mut bool) -> Result<(), ProjectorError> {
    let Some(lock) = elected::<P>(shared).await? else {
        return Ok(());
    };
    make_fit::<P>(shared).await?;
    let mut session = shared.pool.get().await?;
    catch_up_newer::<P>(shared, &session).await;
    drop_replaced::<P>(&mut session).await;
    let cursor = schema::take_over::<P>(&session, P::SCHEMA).await?;
    shared.positions.reached(P::NAME, cursor.position);
    shared.tell::<P>(&Notice::Active(true));
    tracing::info!(
        projection = P::NAME,
        position = cursor.position,
        epoch = cursor.epoch,
        "active"
    );
    let outcome = Consumption::<P>::new(shared, session, cursor)
        .go_on(&lock, worked)
        .await;
    shared.tell::<P>(&Notice::Active(false));
    outcome
}

/// Waits for the lock. Returns the connection that holds it, or none when the end came first.
async fn elected<P: Projection>(shared: &Shared) -> Result<Option<Client>, ProjectorError> {
    let client = database::connect(&shared.options.database_url, Some(Role::Projector)).await?;
    loop {
        let row = client
            .query_one(
                "SELECT pg_try_advisory_lock(hashtextextended('projector:' || $1, 0))",
                &[&P::NAME],
            )
            .await
            .map_err(database::DatabaseError::from)?;
        if row.try_get(0).map_err(database::DatabaseError::from)? {
            return Ok(Some(client));
        }
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(shared.options.candidacy) => {}
        }
    }
}

/// Rebuilds what another version of this program has left. The old copy answers questions meanwhile.
async fn make_fit<P: Projection>(shared: &Shared) -> Result<(), ProjectorError> {
    let condition = {
        let session = shared.pool.get().await?;
        match schema::condition::<P>(&session, P::SCHEMA).await? {
            // It was folded from a log that has lost its end since.
            Condition::Current if is_ahead::<P>(shared, &session).await? => Condition::Outdated,
            condition => condition,
        }
    };
    match condition {
        Condition::Current => Ok(()),
        Condition::Newer => Err(ProjectorError::Newer),
        Condition::Missing | Condition::Outdated => {
            tracing::info!(projection = P::NAME, ?condition, "read model is rebuilt");
            let rebuilt = rebuild::<P>(&shared.options.database_url, &shared.reader, &shared.shutdown)
                .await
                .map_err(|error| ProjectorError::Rebuild(Box::new(error)))?;
            shared.tell::<P>(&Notice::Rebuilt(rebuilt));
            Ok(())
        }
    }
}

/// Whether the copy has events that the log does not have.
async fn is_ahead<P: Projection>(shared: &Shared, session: &Session) -> Result<bool, ProjectorError> {
    let sql = format!("SELECT position FROM {}.projection WHERE name = $1", P::SCHEMA);
    let row = session.query_opt(&sql, &[&P::NAME]).await;
    let position: i64 = match row.map_err(database::DatabaseError::from)? {
        Some(row) => row.try_get(0).map_err(database::DatabaseError::from)?,
        None => return Ok(false),
    };
    Ok(position > shared.reader.head().await?)
}

/// Streams that an older program has parked because it did not know an event of theirs are caught up by a
/// program that does. What fails stays parked, as it was.
async fn catch_up_newer<P: Projection>(shared: &Shared, session: &Session) {
    let parked = match read_models::parked_as_newer::<P>(session).await {
        Ok(parked) => parked,
        Err(error) => {
            tracing::info!(%error, projection = P::NAME, "parked streams stay parked for now");
            return;
        }
    };
    for (stream_type, stream_id) in parked {
        let unparked = crate::unpark::<P>(&shared.pool, &shared.reader, &stream_type, stream_id).await;
        match unparked {
            Ok(outcome) => {
                tracing::info!(projection = P::NAME, stream_type, %stream_id, ?outcome, "tried again");
            }
            Err(error) => {
                tracing::info!(%error, projection = P::NAME, stream_type, %stream_id, "stays parked");
            }
        }
    }
}

/// Drops what a swap has replaced. A swap ends the term of whoever was active, so this comes soon after one.
/// When a long question still reads it, the next term or rebuild drops it.
async fn drop_replaced<P: Projection>(session: &mut Session) {
    match schema::drop_old::<P>(session).await {
        Ok(true) => tracing::info!(projection = P::NAME, "replaced copy dropped"),
        Ok(false) => {}
        Err(error) => tracing::info!(%error, projection = P::NAME, "replaced copy stays for now"),
    }
}
