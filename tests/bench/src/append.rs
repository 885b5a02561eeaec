//! How fast the log takes commands, beside what PostgreSQL takes at all and what `postgres-es` makes of it.
//! The contenders take turns, so that a disturbance hits all of them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use database::Role;
use event_store::{EventStore, Wake};
use futures_util::SinkExt as _;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::report::{Row, Target};
use crate::world::{self, Articles, Servers};
use crate::{Failure, Sizes, postgres_es};

/// Turns of each contender.
const TURNS: u32 = 3;

/// Counted work and the time it took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    /// How much.
    pub(crate) count: u64,
    /// In how long.
    pub(crate) time: Duration,
}

impl Rate {
    /// Counts more.
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.time += other.time;
    }

    /// A second.
    #[must_use]
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Batches of 1, 100 and 500, concurrent single commands, and the yardsticks.
///
/// # Errors
/// When a server refuses.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let database = servers.database().await?;
    let (store, _combiner) = EventStore::start(database.pool(Role::Worker)?, Wake::default());
    let raw = Raw::new(database.admin().await?).await?;
    let mut articles = Articles::new(1, sizes.streams, 0);
    let mut others = Articles::new(1, sizes.streams, 0);
    let slice = sizes.slice / TURNS;
    let mut rows = Vec::new();
    let payload = events::Event::from(world::stock(1, 0, 2)).to_json()?.len();
    let mut best = Rate::default();
    let mut limit = Rate::default();
    for batch in [1, 100, 500] {
        let (mut ours, mut bare, mut indexed) = (Rate::default(), Rate::default(), Rate::default());
        for _ in 0..TURNS {
            ours.add(batched(&store, &mut articles, batch, slice).await?);
            bare.add(raw.unnest("raw", &mut others, batch, slice).await?);
            indexed.add(raw.unnest("raw_indexed", &mut others, batch, slice).await?);
        }
        let row = Row::new(format!("append.batch_{batch}"), ours.per_second(), "commands/s")
            .beside(bare.per_second(), "raw unnest, primary key only")
            .note(format!("payload {payload} B"));
        rows.push(if batch == 500 {
            row.target(Target::RatioAtLeast { ratio: 0.35 })
        } else {
            row
        });
        rows.push(
            Row::new(
                format!("append.batch_{batch}_indexed"),
                ours.per_second(),
                "commands/s",
            )
            .beside(indexed.per_second(), "raw unnest, our two unique indexes"),
        );
        (best, limit) = (ours, bare);
    }
    let copied = raw.copy(&mut others, sizes.copied).await?;
    rows.push(Row::new("append.copy", limit.per_second(), "events/s").beside(
        copied.per_second(),
        "COPY into the same table; the figure is raw unnest at 500",
    ));
    for callers in [64, 256, 1_000] {
        let rate = concurrent(&store, callers, sizes).await?;
        rows.push(
            Row::new(
                format!("append.callers_{callers}"),
                rate.per_second(),
                "commands/s",
            )
            .beside(best.per_second(), "batches of 500"),
        );
    }
    let (theirs, connections) = postgres_es::best(servers, sizes).await?;
    rows.push(
        Row::new("append.over_postgres_es", best.per_second(), "commands/s")
            .beside(
                theirs.per_second(),
                format!("postgres-es at its best, {connections} connections"),
            )
            .target(Target::RatioAtLeast { ratio: 10.0 }),
    );
    drop(store);
    servers.finish(database).await?;
    Ok(rows)
}

async fn batched(
    store: &EventStore,
    articles: &mut Articles,
    batch: usize,
    time: Duration,
) -> Result<Rate, Failure> {
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < time {
        for answer in store.append_many(articles.take(batch)).await {
            answer?;
            count += 1;
        }
    }
    Ok(Rate {
        count,
        time: began.elapsed(),
    })
}

/// Every caller has streams of its own and waits for each answer, as a request does.
async fn concurrent(store: &EventStore, callers: usize, sizes: &Sizes) -> Result<Rate, Failure> {
    let began = Instant::now();
    let end = began + sizes.slice;
    let mut running = Vec::new();
    for caller in 0..callers {
        let store = store.clone();
        let first = ((callers + 1) * 100_000 + caller * 20) as i64;
        running.push(tokio::spawn(async move {
            let mut articles = Articles::new(first, 20, 0);
            let mut count = 0;
            while Instant::now() < end {
                store.append(articles.one()).await?;
                count += 1;
            }
            Ok::<u64, event_store::AppendError>(count)
        }));
    }
    let mut count = 0;
    for caller in running {
        count += caller.await??;
    }
    Ok(Rate {
        count,
        time: began.elapsed(),
    })
}

/// Tables with the log's columns and nothing that guards them.
struct Raw {
    client: Client,
}

impl Raw {
    async fn new(client: Client) -> Result<Self, Failure> {
        for table in ["raw", "raw_indexed"] {
            client
                .batch_execute(&format!(
                    "CREATE TABLE public.{table} (LIKE core.events INCLUDING DEFAULTS); \
                     CREATE SEQUENCE public.{table}_position OWNED BY public.{table}.position; \
                     ALTER TABLE public.{table} ALTER position SET DEFAULT nextval('public.{table}_position'), \
                        ADD PRIMARY KEY (position)"
                ))
                .await?;
        }
        client
            .batch_execute(
                "ALTER TABLE public.raw_indexed ADD UNIQUE (aggregate_type, aggregate_id, sequence)",
            )
            .await?;
        Ok(Self { client })
    }

    async fn unnest(
        &self,
        table: &str,
        articles: &mut Articles,
        batch: usize,
        time: Duration,
    ) -> Result<Rate, Failure> {
        // The indexed table must not meet a stream's version twice: what other turns took is another version.
        let sql = format!(
            "INSERT INTO public.{table} (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                metadata, event_id, tenant_id, command_id, correlation_id, actor) \
             SELECT a, b, c, d, e, f::json, g::json, h, i, j, k, l FROM unnest($1::text[], $2::text[], $3::bigint[], \
                $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], \
                $12::text[]) AS t(a, b, c, d, e, f, g, h, i, j, k, l)"
        );
        let statement = self.client.prepare(&sql).await?;
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < time {
            let columns = Columns::of(articles, batch)?;
            count += self
                .client
                .execute(
                    &statement,
                    &[
                        &columns.stream,
                        &columns.id,
                        &columns.sequence,
                        &columns.event_type,
                        &columns.event_version,
                        &columns.payload,
                        &columns.metadata,
                        &columns.event_id,
                        &columns.tenant,
                        &columns.command,
                        &columns.correlation,
                        &columns.actor,
                    ],
                )
                .await?;
        }
        Ok(Rate {
            count,
            time: began.elapsed(),
        })
    }

    async fn copy(&self, articles: &mut Articles, count: usize) -> Result<Rate, Failure> {
        let began = Instant::now();
        let sink = self
            .client
            .copy_in::<_, Bytes>(
                "COPY public.raw (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                 metadata, event_id, tenant_id, command_id, correlation_id, actor) FROM STDIN",
            )
            .await?;
        let mut sink = Box::pin(sink);
        let mut rows = String::new();
        for _ in 0..count {
            world::push_row(&mut rows, None, &articles.one())?;
            if rows.len() > 1 << 16 {
                sink.send(Bytes::from(std::mem::take(&mut rows))).await?;
            }
        }
        sink.send(Bytes::from(rows)).await?;
        let count = sink.as_mut().finish().await?;
        Ok(Rate {
            count,
            time: began.elapsed(),
        })
    }
}

#[derive(Default)]
struct Columns {
    stream: Vec<&'static str>,
    id: Vec<String>,
    sequence: Vec<i64>,
    event_type: Vec<&'static str>,
    event_version: Vec<String>,
    payload: Vec<String>,
    metadata: Vec<&'static str>,
    event_id: Vec<Uuid>,
    tenant: Vec<Uuid>,
    command: Vec<Uuid>,
    correlation: Vec<Uuid>,
    actor: Vec<String>,
}

impl Columns {
    fn of(articles: &mut Articles, batch: usize) -> Result<Self, Failure> {
        let mut columns = Self::default();
        for append in articles.take(batch) {
            for new in append.events {
                columns.stream.push(append.stream.stream.as_str());
                columns.id.push(append.stream.id.to_string());
                columns.sequence.push(append.expected + 1);
                columns.event_type.push(new.event.event_type());
                columns.event_version.push(new.event.event_version().to_string());
                columns.payload.push(new.event.to_json()?);
                columns.metadata.push("{}");
                columns.event_id.push(new.event_id.uuid());
                columns.tenant.push(append.metadata.tenant_id.uuid());
                columns.command.push(append.metadata.command_id.uuid());
                columns.correlation.push(append.metadata.correlation_id);
                columns.actor.push(append.metadata.actor.clone());
            }
        }
        Ok(columns)
    }
}
