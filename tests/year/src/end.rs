//! What must hold of a whole year: the log is sound, nothing is parked, every dead letter and every doubted
//! answer has its reason, and the read models fold anew to the same bytes.

use messaging::DeadLetters;
use read_models::schema::{TableDump, dump};
use read_models::{Inventory, Operations, Projection};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::world::{Rest, World};
use crate::{Failure, Report};

/// More than a year can bring.
const MANY: usize = 100_000;

/// Ends the world and looks at what it left; returns the length of the log.
pub(crate) async fn everything(world: World, report: &Report) -> Result<i64, Failure> {
    let rest = world.end().await?;
    let client = support::connect(&rest.database.url).await;
    if let Some((what, count)) = support::broken_log(&client).await.first() {
        return Err(format!("{count} {what}").into());
    }
    for model in [Inventory::SCHEMA, Operations::SCHEMA] {
        match count(&client, &format!("SELECT count(*) FROM {model}.parked_streams")).await? {
            0 => {}
            parked => return Err(format!("{parked} streams are parked in {model}").into()),
        }
    }
    letters(&rest, &client).await?;
    doubts(&client, report).await?;
    rebuilt::<Inventory>(&rest).await?;
    rebuilt::<Operations>(&rest).await?;
    Ok(rest.head)
}

/// Each job that was given up is a sync that failed for good, and the other way round.
async fn letters(rest: &Rest, client: &Client) -> Result<(), Failure> {
    let dead = DeadLetters::new(&rest.broker).list(0, MANY).await?.len();
    let sql = "SELECT count(*) FROM core.events WHERE event_type = 'sync_failed' \
                AND payload ->> 'retry_at' IS NULL";
    let given_up = count(client, sql).await?;
    if i64::try_from(dead)? != given_up {
        return Err(format!("{dead} dead letters for {given_up} syncs that were given up").into());
    }
    Ok(())
}

/// Answers are doubted only where something really emptied: the whole stock, when it is gone and when it is
/// back at once, or a warehouse that was closed. A doubt that goes on over several syncs is one. Bad weather
/// that answers without a byte is doubted as well.
async fn doubts(client: &Client, report: &Report) -> Result<(), Failure> {
    let sql = "SELECT DISTINCT payload ->> 'reason', \
                      substring(payload ->> 'evidence' from '[^:]*') AS what, \
                      substring(payload ->> 'evidence' from 'since [0-9-]+ [0-9:]+') AS since \
                 FROM core.events \
                WHERE event_type = 'sync_quarantined' \
                  AND NOT EXISTS (SELECT FROM jsonb_array_elements((payload ->> 'sources')::jsonb) s \
                                   WHERE s ->> 'error' LIKE 'an empty body.%') \
                ORDER BY since";
    let doubted: Vec<[Option<String>; 3]> = client
        .query(sql, &[])
        .await?
        .iter()
        .map(|row| [row.get(0), row.get(1), row.get(2)])
        .collect();
    let happened = |what: &str| report.happened.get(what).copied().unwrap_or(0);
    let (cleared, closed) = (happened("clearance"), happened("closing"));
    if u64::try_from(doubted.len())? > 3 * cleared + 2 * closed {
        let emptied = format!("everything went {cleared} times and a warehouse {closed} times");
        return Err(format!("{emptied}, and doubted: {doubted:?}").into());
    }
    Ok(())
}

async fn rebuilt<P: Projection>(rest: &Rest) -> Result<(), Failure> {
    let before = dumped::<P>(rest).await?;
    let url = rest.database.url.clone().into();
    projector::rebuild::<P>(&url, &rest.reader, &CancellationToken::new()).await?;
    let after = dumped::<P>(rest).await?;
    if before.0 != rest.head {
        return Err(format!("{} is at {} of {}", P::NAME, before.0, rest.head).into());
    }
    if before != after {
        return Err(format!("{} folds anew to something else", P::NAME).into());
    }
    Ok(())
}

async fn dumped<P: Projection>(rest: &Rest) -> Result<(i64, Vec<TableDump>), Failure> {
    let mut session = rest.projector.get().await?;
    Ok(dump(&mut session, P::SCHEMA).await?)
}

async fn count(client: &Client, sql: &str) -> Result<i64, Failure> {
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}
