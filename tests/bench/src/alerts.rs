//! How fast the alert policy goes through a log with syncs in it, and what it costs the projector when both
//! have the same backlog on the same machine. With and without it take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use alerts::{AlertPolicy, Notice, Options};
use application::App;
use base64::Engine as _;
use chrono::TimeDelta;
use database::Role;
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::cabinet::{CabinetConnected, CredentialFacts, Marketplace, TokenKind};
use events::catalog::{CabinetEvent, ProductEvent, SyncEvent};
use events::ids::{CabinetId, CommandId, CredentialId, EventId, ProductId, SyncId};
use events::sync::{SourceOutcome, SourceReport, SyncCompleted};
use events::{Event, Metadata, NewEvent};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

use crate::append::Rate;
use crate::reading::Projecting;
use crate::report::{Row, Target};
use crate::world::{self, Database, Servers, TENANT};
use crate::{Failure, Sizes};

/// Cabinets of the log; each syncs once a round.
const CABINETS: i64 = 20;
/// Rounds, half an hour apart.
const ROUNDS: i64 = 30;
/// Turns with the policy, and as many without.
const TURNS: usize = 3;

/// The policy alone, then projector and policy on one backlog.
///
/// # Errors
/// When a server refuses, or nothing moves any more.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let database = servers.database().await?;
    let count = fill(&database, sizes.log).await?;
    let (mut alone, mut raised) = (Rate::default(), 0);
    for _ in 0..2 {
        let copy = servers.copy(&database).await?;
        let began = Instant::now();
        let policy = Judging::start(&copy)?;
        policy.reach(count).await?;
        alone.add(Rate {
            count: count.unsigned_abs(),
            time: began.elapsed(),
        });
        raised = policy.end().await?;
        servers.finish(copy).await?;
    }
    let (mut with, mut without) = (Rate::default(), Rate::default());
    for turn in 0..2 * TURNS {
        let copy = servers.copy(&database).await?;
        let (nats, broker) = world::broker().await?;
        let policy = (turn % 2 == 1).then(|| Judging::start(&copy)).transpose()?;
        let began = Instant::now();
        let projector = Projecting::start(&copy, &broker, &Wake::default());
        projector.reach(count).await?;
        let rate = Rate {
            count: count.unsigned_abs(),
            time: began.elapsed(),
        };
        if policy.is_some() { &mut with } else { &mut without }.add(rate);
        if let Some(policy) = policy {
            policy.end().await?;
        }
        projector.end().await?;
        drop(nats);
        servers.finish(copy).await?;
    }
    servers.finish(database).await?;
    let slower = without.per_second() / with.per_second();
    Ok(vec![
        Row::new("alerts.judged", alone.per_second(), "events/s")
            .note(format!(
                "{count} events of {CABINETS} cabinets, {} syncs, {raised} alerts written, from the first event on",
                CABINETS * (ROUNDS - 1)
            ))
            .target(Target::AtLeast { figure: 20_000.0 }),
        Row::new("alerts.beside_projector", slower, "x")
            .note(format!(
                "time of both projections for one backlog, with the policy on the same backlog and without: {:.0} \
                 and {:.0} events/s",
                with.per_second(),
                without.per_second()
            ))
            .target(Target::AtMost { figure: 1.10 }),
    ])
}

/// A policy whose progress can be seen.
struct Judging {
    stop: CancellationToken,
    task: JoinHandle<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    judged: AtomicI64,
    raised: AtomicU64,
    moved: Notify,
}

impl Judging {
    fn start(database: &Database) -> Result<Self, Failure> {
        let pool = database.pool(Role::Notifier)?;
        let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
        let ring = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        let keys = MasterKeys::parse(&format!("v1:{ring}").into())?;
        let (stop, seen) = (CancellationToken::new(), Arc::new(Seen::default()));
        let book = Arc::clone(&seen);
        let policy = AlertPolicy {
            app: App::new(store.clone(), Vault::new(pool.clone(), keys)),
            reader: GlobalReader::new(pool),
            database_url: database.url.clone(),
            options: Options::default(),
            observer: Arc::new(move |notice| match notice {
                Notice::Raised(_) => {
                    book.raised.fetch_add(1, Ordering::AcqRel);
                }
                Notice::Judged(position) => {
                    book.judged.store(position, Ordering::Release);
                    book.moved.notify_one();
                }
            }),
        };
        let (wake, own) = (store.wake().subscribe(), stop.clone());
        let task = tokio::spawn(async move { policy.run(wake, own).await });
        Ok(Self { stop, task, seen })
    }

    async fn reach(&self, position: i64) -> Result<(), Failure> {
        let reached = async {
            while self.seen.judged.load(Ordering::Acquire) < position {
                self.seen.moved.notified().await;
            }
        };
        Ok(tokio::time::timeout(world::PATIENCE, reached).await?)
    }

    /// Ends it; returns how many alerts it wrote.
    async fn end(self) -> Result<u64, Failure> {
        self.stop.cancel();
        self.task.await?;
        Ok(self.seen.raised.load(Ordering::Acquire))
    }
}

/// Fills a log of about `wanted` events: cabinets with articles, and rounds in which every article is told
/// something before its cabinet's sync ends. Returns how many there are.
async fn fill(database: &Database, wanted: i64) -> Result<i64, Failure> {
    let articles = (wanted / CABINETS / ROUNDS).max(1);
    let count = CABINETS + CABINETS * ROUNDS * articles + CABINETS * (ROUNDS - 1);
    let connected = (0..CABINETS).map(|cabinet| {
        let connected = CabinetConnected {
            marketplace: Marketplace::Wildberries,
            credential: CredentialFacts {
                credential_id: CredentialId(Uuid::from_u128(1)),
                fingerprint: String::new(),
                token_kind: TokenKind::Personal,
                seller_id: None,
                expires_at: None,
                scopes: vec![],
            },
        };
        append(id(cabinet).uuid(), 0, CabinetEvent::from(connected).into())
    });
    let rounds = (0..ROUNDS).flat_map(|round| (0..CABINETS).map(move |cabinet| (round, cabinet)));
    let told = rounds.flat_map(|(round, cabinet)| {
        let seen = (1..=articles).map(move |nm_id| {
            let stream = ProductId::of(id(cabinet), nm_id).uuid();
            append(stream, round, article(cabinet, nm_id, round).into())
        });
        let ended = (round > 0).then(|| {
            let done = SyncEvent::from(completed(cabinet, round));
            append(id(cabinet).uuid(), round - 1, done.into())
        });
        seen.chain(ended)
    });
    world::write_log(database, count, connected.chain(told)).await?;
    Ok(count)
}

fn id(cabinet: i64) -> CabinetId {
    CabinetId(Uuid::from_u128(0xC00 + u128::from(cabinet.unsigned_abs())))
}

fn article(cabinet: i64, nm_id: i64, round: i64) -> ProductEvent {
    match round {
        0 => match world::listed(nm_id) {
            ProductEvent::ProductListed(listed) => events::product::ProductListed {
                cabinet_id: id(cabinet),
                ..listed
            }
            .into(),
            other => other,
        },
        _ if (nm_id + round) % 7 == 0 => match world::ordered(nm_id, round) {
            ProductEvent::OrdersObserved(mut observed) => {
                for order in &mut observed.orders {
                    order.order_id = format!("{cabinet}.{}", order.order_id);
                }
                observed.into()
            }
            other => other,
        },
        _ => world::stock(nm_id, round, 1 + nm_id % 2),
    }
}

fn completed(cabinet: i64, round: i64) -> SyncCompleted {
    let at = world::at(round);
    let report = |source: &str| SourceReport {
        source: source.to_owned(),
        outcome: SourceOutcome::Complete,
        rows: 1_000,
        left_out: None,
        as_of: Some(at),
        payload_sha256: "0".repeat(64),
        payload_bytes: Some(100_000),
        error: None,
        doubts: vec![],
        covers_since: (source == "orders").then(|| at - TimeDelta::days(28)),
    };
    SyncCompleted {
        sync_id: SyncId(Uuid::from_u64_pair(cabinet.unsigned_abs(), round.unsigned_abs())),
        attempt: 1,
        completed_at: at,
        sources: ["cards", "stock_fbo", "stock_fbs", "orders"].map(report).to_vec(),
        products_seen: 500,
        products_changed: 500,
    }
}

fn append(stream: Uuid, expected: i64, event: Event) -> Append {
    let command_id = CommandId::derived(stream, &format!("{} {expected}", event.event_type()));
    Append {
        stream: StreamId {
            stream: event.stream_type(),
            id: stream,
        },
        expected,
        metadata: Metadata {
            tenant_id: TENANT,
            command_id,
            correlation_id: stream,
            causation_id: None,
            actor: "worker".to_owned(),
            traceparent: None,
        },
        events: vec![NewEvent {
            event_id: EventId(Uuid::new_v5(&command_id.uuid(), &[0])),
            event,
        }],
        result: None,
    }
}
