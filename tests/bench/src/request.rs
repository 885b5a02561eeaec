//! What every request pays before its own work: being counted against the limits, and seeing one tenant's
//! rows only. Limits are counted as the API counts them, on a real broker; row-level security is what the
//! same query costs with the policies and without them, in turns.

use std::sync::Arc;
use std::time::Instant;

use chrono::NaiveDate;
use database::{Pool, Role};
use event_store::GlobalReader;
use limits::{Limiter, Table};
use messaging::Bucket;
use read_models::Inventory;
use read_models::inventory::queries;
use runtime::Clock;
use tokio_util::sync::CancellationToken;

use crate::report::{Row, Target};
use crate::world::{self, Database, Servers};
use crate::{Failure, Sizes};

/// Turns of each contender.
const TURNS: usize = 6;
/// Requests in one turn, at most.
const REQUESTS: usize = 1_500;
/// Articles whose pages are asked for.
const ARTICLES: i64 = 30;
/// So much that nobody is refused.
const TABLE: &str = "default_plan = \"p\"\n\
    [address]\nrequests = 1_000_000\nwindow_seconds = 60\n\
    [user]\nrequests = 1_000_000\nwindow_seconds = 60\n\
    [plan.p]\nrequests = 1_000_000\nwindow_seconds = 60\n";

/// Both costs, and their sum.
///
/// # Errors
/// When a server refuses.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let requests = usize::try_from(sizes.log / 100).map_or(REQUESTS, |few| few.clamp(1, REQUESTS));
    let counted = counting(requests).await?;
    let database = servers.database().await?;
    world::fill_log(&database, sizes.log / 10, (sizes.log / 100).max(ARTICLES)).await?;
    let reader = GlobalReader::new(database.pool(Role::Projector)?);
    projector::rebuild::<Inventory>(&database.url, &reader, &CancellationToken::new()).await?;
    let (with, without) = secured(&database, requests).await?;
    servers.finish(database).await?;
    let secured = (with - without).max(0.0);
    Ok(vec![
        Row::new("request.limits_p50", counted, "ms").note("address, user and tenant, each admitted"),
        Row::new("request.product_p50", with, "ms").beside(without, "the same without row-level security"),
        Row::new("request.both_p50", counted + secured, "ms")
            .note("limits, and what row-level security adds")
            .target(Target::AtMost { figure: 0.3 }),
    ])
}

/// Median milliseconds that a request's three admissions take.
async fn counting(requests: usize) -> Result<f64, Failure> {
    let (nats, broker) = world::broker().await?;
    let bucket = Arc::new(Bucket::limits(&broker));
    let limiter = Limiter::new(bucket, Table::parse(TABLE)?, vec![7; 32], Arc::new(|_| {}));
    let (address, user) = (
        limiter.address([192, 0, 2, 1].into()),
        limiter.user("0191b2c4-7a5e-7c3b-8d21-3f1a5b6c7d8e"),
    );
    let tenant = limiter.tenant("0191b2c4-7a5e-7c3b-8d21-3f1a5b6c7d8f", None);
    let clock = Clock::system();
    let mut times = Vec::new();
    for _ in 0..TURNS * requests {
        let now = u64::try_from(clock.now().timestamp_millis())?;
        let began = Instant::now();
        let first = limiter.admit(&address, now).await;
        let (second, third) = tokio::join!(limiter.admit(&user, now), limiter.admit(&tenant, now));
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if [first, second, third]
            .iter()
            .any(|decision| !decision.admitted || decision.alone)
        {
            return Err("a request was refused, or counted without the broker".into());
        }
    }
    drop(nats);
    Ok(median(&mut times))
}

/// Median milliseconds of one product's page with the policies and without.
async fn secured(database: &Database, requests: usize) -> Result<(f64, f64), Failure> {
    let admin = database.admin().await?;
    let pool = database.pool(Role::Api)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for (verb, times) in [("ENABLE", &mut with), ("DISABLE", &mut without)] {
            admin
                .batch_execute(&format!(
                    "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT c.oid FROM pg_class c \
                        WHERE c.relnamespace = 'rm_inventory'::regnamespace AND c.relkind = 'r' LOOP \
                        EXECUTE format('ALTER TABLE %s {verb} ROW LEVEL SECURITY', t); END LOOP; END $$"
                ))
                .await?;
            // The first ones of a turn plan anew.
            ask(&pool, requests / 10 + 1, &mut Vec::new()).await?;
            ask(&pool, requests, times).await?;
        }
    }
    Ok((median(&mut with), median(&mut without)))
}

async fn ask(pool: &Pool, requests: usize, times: &mut Vec<f64>) -> Result<(), Failure> {
    let today = NaiveDate::from_ymd_opt(2026, 9, 25).ok_or("no such day")?;
    for index in 0..requests {
        let product = world::product(1 + index as i64 % ARTICLES);
        let began = Instant::now();
        let mut session = pool.tenant(world::TENANT).await?;
        let transaction = session.begin().await?;
        let found = queries::product(&transaction, product, today).await?;
        transaction.commit().await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if found.is_none() {
            return Err("a product that should be there is not".into());
        }
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
