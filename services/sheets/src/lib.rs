//! Keeps every linked spreadsheet equal to the read model: bursts of events become one reading and one atomic
//! batch of the cells that changed.
//!
//! | part | what |
//! |---|---|
//! | [`wire`] | the two questions other processes ask |
//! | `follow` | which sheets are behind, from the log |
//! | `states` | what is remembered, in `core.sheet_states` |
//! | `source` | what a sheet should show, from the read model |
//! | `structure` | what it shows, from Google |
//! | `migrate` | sheets of earlier layouts |
//! | `write` | the batch between the two, and the record of it |
//! | `decorate`, `refusal` | values before decorations, and what Google refuses |
//! | `bins` | whether the file lies in the bin, where Google takes every write |
//! | `fence` | what makes Google refuse a batch when the sheet has moved since it was read |
//! | `accounts`, `trouble` | with which key, and what to tell when it does not work |
//!
//! # What holds
//!
//! * The sheet shows a state of the read model as it was at one position, never a mixture. Only a write of
//!   more than [`SheetsOptions::bytes_per_batch`] comes in several batches, and then each ends with whole
//!   rows; a worksheet that is made so stays hidden until it is whole.
//! * What would show what is there already costs no call; a change costs one reading and one batch; a first
//!   write two readings and one batch.
//! * Any number of processes may run. One follows the log (a lease in `core.sheet_position`, fenced by the
//!   position itself); each sheet is written by one at a time (a lease in `core.sheet_states`, confirmed
//!   before every batch).
//! * A process may be killed at any line. A batch whose outcome was not recorded makes the next round read
//!   all managed cells; it waits until Google has certainly ended the request ([`SheetsOptions::settle`]).
//! * One tenant's trouble delays no other: failing sheets get at most half of the slots, and no slot waits
//!   for a quota.
//! * At Moscow's midnight the seven days move on, so sheets are written then without an event.

mod accounts;
mod bins;
mod decorate;
mod fence;
mod follow;
mod migrate;
mod protect;
mod queues;
mod refusal;
mod requests;
mod serve;
mod source;
mod states;
mod structure;
mod trouble;
mod write;

pub mod wire;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use database::{DatabaseError, Pool};
use events::ids::TenantId;
use messaging::{Broker, EventsConsumer, rpc};
use read_models::QueryError;
use read_models::measure::moscow_day;
use runtime::Clock;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::Vault;

pub use accounts::GoogleMeans;
pub use migrate::{Choice, MigrateError, Moved, MovedSheet};
pub use queues::Queues;

use accounts::Clients;
use bins::Bins;
use follow::Follower;
use states::{Due, States};
use write::{Written, later};

/// How late a due sheet may be noticed when no event tells of it.
const POLL: Duration = Duration::from_millis(500);
/// Pause after a failure of the database.
const PAUSE: Duration = Duration::from_secs(1);

/// Something worth a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A batch is in a sheet.
    Sent {
        /// Cells it wrote.
        cells: usize,
    },
    /// A sheet was not written.
    Failed {
        /// Why, in one of a dozen words.
        class: &'static str,
    },
}

/// Is told what happens. Must not block.
pub type Observer = Arc<dyn Fn(Notice) + Send + Sync>;

/// The role's means and choices.
#[derive(Clone)]
pub struct SheetsOptions {
    /// Acts as [`database::Role::Sheets`].
    pub pool: Pool,
    /// Brings events and questions.
    pub broker: Broker,
    /// Opens tenants' own service accounts; over the same pool.
    pub vault: Vault,
    /// Now.
    pub clock: Clock,
    /// How Google is reached.
    pub google: GoogleMeans,
    /// Id of this process, different from that of every other one.
    pub instance: Uuid,
    /// A burst is over when nothing has changed for so long (`ST_SHEET_COALESCE_MS`).
    pub coalesce: Duration,
    /// A burst is not waited out for longer than this.
    pub coalesce_at_most: Duration,
    /// Time in which Google has certainly ended a request, plus what the way takes. Google's own limit is 180
    /// s (Sheets usage limits), and our client gives up after 185 s.
    pub settle: Duration,
    /// Sheets written at the same time.
    pub concurrency: usize,
    /// Cells in one batch of new rows.
    pub cells_per_batch: usize,
    /// Bytes in one batch, as far as one row allows; Google recommends 2 MB at most.
    pub bytes_per_batch: usize,
    /// Told about every batch and every failure.
    pub observer: Observer,
}

impl SheetsOptions {
    /// The usual choices.
    #[must_use]
    pub fn new(
        pool: Pool,
        broker: Broker,
        vault: Vault,
        clock: Clock,
        google: GoogleMeans,
        instance: Uuid,
    ) -> Self {
        Self {
            pool,
            broker,
            vault,
            clock,
            google,
            instance,
            coalesce: Duration::from_secs(2),
            coalesce_at_most: Duration::from_secs(10),
            settle: Duration::from_secs(240),
            concurrency: 16,
            cells_per_batch: 30_000,
            bytes_per_batch: 1_900_000,
            observer: Arc::new(|_notice| {}),
        }
    }
}

/// What all parts of the role share.
pub(crate) struct Shared {
    pub(crate) pool: Pool,
    pub(crate) broker: Broker,
    pub(crate) states: States,
    pub(crate) clients: Clients,
    pub(crate) clock: Clock,
    pub(crate) changed: Notify,
    pub(crate) observer: Observer,
    pub(crate) options: Choices,
    pub(crate) bins: Bins,
    /// Tenants in whose sheets Google makes no marks of rows.
    unmarked: Mutex<HashSet<TenantId>>,
    /// Tenants in whose sheets Google does not do what fences are made of.
    unfenced: Mutex<HashSet<TenantId>>,
}

impl Shared {
    /// Whether batches to this tenant's sheet are sent behind fences.
    pub(crate) fn fences_hold(&self, tenant: TenantId) -> bool {
        !has(&self.unfenced, tenant)
    }

    /// Batches are sent to it without fences until this process ends.
    pub(crate) fn give_up_fences(&self, tenant: TenantId) {
        tracing::error!(%tenant, "Google refuses fences around batches though nothing has moved; they are left out");
        add(&self.unfenced, tenant);
    }

    /// Whether marks are hung on rows of this tenant's sheet.
    pub(crate) fn marks_rows(&self, tenant: TenantId) -> bool {
        !has(&self.unmarked, tenant)
    }

    /// Google refuses them, perhaps because others have used up the room for metadata.
    pub(crate) fn stop_marking_rows(&self, tenant: TenantId) {
        tracing::warn!(%tenant, "Google makes no marks on rows of this sheet; they are left out");
        add(&self.unmarked, tenant);
    }
}

fn has(tenants: &Mutex<HashSet<TenantId>>, tenant: TenantId) -> bool {
    let tenants = tenants.lock().unwrap_or_else(PoisonError::into_inner);
    tenants.contains(&tenant)
}

fn add(tenants: &Mutex<HashSet<TenantId>>, tenant: TenantId) {
    let mut tenants = tenants.lock().unwrap_or_else(PoisonError::into_inner);
    tenants.insert(tenant);
}

/// The numbers among the options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    pub(crate) coalesce: Duration,
    pub(crate) coalesce_at_most: Duration,
    pub(crate) settle: Duration,
    pub(crate) concurrency: usize,
    pub(crate) cells_per_batch: usize,
    pub(crate) bytes_per_batch: usize,
}

/// A round could not be done at all; the next one starts from the same place.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The role's own tables.
    #[error("the sheets' state cannot be used")]
    States(#[from] DatabaseError),
    /// The read model's position.
    #[error("the read model cannot be read")]
    Model(#[from] QueryError),
}

/// How a round ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Batches sent.
    pub batches: u32,
    /// Sheets to which something was written.
    pub written: u32,
    /// Sheets that showed everything already.
    pub unchanged: u32,
    /// Sheets that failed; the reason is in their state.
    pub failed: u32,
    /// Sheets that were unlinked or taken over meanwhile.
    pub dropped: u32,
}

impl Round {
    fn add(&mut self, written: Written) {
        match written {
            Written::Sent(batches) => {
                self.batches += batches;
                self.written += 1;
            }
            Written::Unchanged => self.unchanged += 1,
            Written::Failed => self.failed += 1,
            Written::NotOurs => self.dropped += 1,
        }
    }
}

/// The role. [`run`] is all a program needs; tests drive its parts one by one.
pub struct Sheets {
    shared: Arc<Shared>,
    follower: Follower,
}

impl Sheets {
    /// Prepares the role; nothing is asked of anybody yet.
    #[must_use]
    pub fn new(options: SheetsOptions) -> Self {
        let shared = Shared {
            states: States::new(options.pool.clone(), options.instance),
            clients: Clients::new(options.google, options.vault),
            broker: options.broker,
            clock: options.clock.clone(),
            changed: Notify::new(),
            observer: options.observer,
            options: Choices {
                coalesce: options.coalesce,
                coalesce_at_most: options.coalesce_at_most,
                settle: options.settle,
                concurrency: options.concurrency.max(1),
                cells_per_batch: options.cells_per_batch.max(1),
                bytes_per_batch: options.bytes_per_batch.max(1),
            },
            bins: Bins::default(),
            unmarked: Mutex::default(),
            unfenced: Mutex::default(),
            pool: options.pool.clone(),
        };
        Self {
            follower: Follower::new(options.pool, options.clock, options.instance),
            shared: Arc::new(shared),
        }
    }

    /// Takes up from the store what the log has behind the stored position, without the broker. Answers the
    /// position reached; none while another process follows.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn catch_up_once(&self) -> Result<Option<i64>, DatabaseError> {
        Ok(self.follower.catch_up_once().await?.map(|(position, _)| position))
    }

    /// Takes up what the broker tells next, or after a second of its silence what the store has; `consumer`
    /// is the link to the broker, none at first. Does nothing while another process follows.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn follow_once(&self, consumer: &mut Option<EventsConsumer>) -> Result<(), DatabaseError> {
        self.follower.round(&self.shared, consumer).await.map(drop)
    }

    /// Writes every sheet that is due now, once, and waits for all of them.
    ///
    /// # Errors
    /// [`RoundError`] when it is not known which ones are due; failures of single sheets are in their state.
    pub async fn write_due_once(&self) -> Result<Round, RoundError> {
        let mut round = Round::default();
        let limit = i64::try_from(self.shared.options.concurrency).unwrap_or(i64::MAX);
        let mut seen = std::collections::HashSet::new();
        loop {
            let claims = self.claim(true, limit).await?;
            let mut tasks = JoinSet::new();
            for claim in claims {
                if seen.insert(claim.tenant.uuid()) {
                    let shared = Arc::clone(&self.shared);
                    tasks.spawn(async move { Box::pin(write::write(&shared, claim)).await });
                } else {
                    self.shared.states.release(claim.tenant).await?;
                }
            }
            if tasks.is_empty() {
                return Ok(round);
            }
            for written in tasks.join_all().await {
                round.add(written);
            }
        }
    }

    /// Answers `sheets.test` without the broker.
    ///
    /// # Errors
    /// The problem that the service would answer.
    pub async fn test(&self, question: wire::Test) -> Result<wire::TestAnswer, rpc::Problem> {
        serve::test(&self.shared, question).await
    }

    /// Answers `sheets.sync` without the broker.
    ///
    /// # Errors
    /// The problem that the service would answer.
    pub async fn sync(&self, question: wire::Sync) -> Result<wire::SyncAnswer, rpc::Problem> {
        serve::sync(&self.shared, question).await
    }

    async fn claim(&self, failing: bool, limit: i64) -> Result<Vec<states::Claim>, RoundError> {
        let now = self.shared.clock.now();
        let Choices {
            coalesce,
            coalesce_at_most,
            settle,
            ..
        } = self.shared.options;
        let due = Due {
            now,
            today: moscow_day(now),
            model_position: source::model_position(&self.shared.pool).await?,
            quiet_before: before(now, coalesce),
            burst_before: before(now, coalesce_at_most),
            overdue_before: before(now, coalesce_at_most.saturating_mul(3)),
            lease_until: later(now, settle),
            failing,
            limit,
        };
        Ok(self.shared.states.claim(&due).await?)
    }

    /// Writes what is due as it becomes due. A slot that hangs on one sheet is that sheet's alone.
    async fn write_all(&self, stop: &CancellationToken) {
        let slots = self.shared.options.concurrency;
        let mut tasks: JoinSet<bool> = JoinSet::new();
        let mut failing = 0_usize;
        while !stop.is_cancelled() {
            let free = slots.saturating_sub(tasks.len());
            let mut pause = POLL;
            if free > 0 {
                // One at a time, so that the count of failing ones is right for each.
                match self.claim(failing < slots.div_ceil(2), 1).await {
                    Ok(claims) if claims.is_empty() => {}
                    Ok(claims) => {
                        for claim in claims {
                            let failed_before = claim.attempts > 0;
                            failing += usize::from(failed_before);
                            let shared = Arc::clone(&self.shared);
                            tasks.spawn(async move {
                                Box::pin(write::write(&shared, claim)).await;
                                failed_before
                            });
                        }
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(error = ?error, "it is not known which sheets are due");
                        pause = PAUSE;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.shared.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
                Some(ended) = tasks.join_next() => failing = failing.saturating_sub(ended_failing(&ended)),
            }
        }
        // What is in hand is finished: a batch that was sent shall be recorded.
        while let Some(ended) = tasks.join_next().await {
            ended_failing(&ended);
        }
    }

    /// Serves the questions until told to stop; announced again when the broker refuses.
    async fn serve(&self, stop: &CancellationToken) {
        loop {
            match rpc::serve(&self.shared.broker, serve::service(&self.shared)).await {
                Ok(_serving) => {
                    stop.cancelled().await;
                    return;
                }
                Err(error) => tracing::warn!(error = ?error, "the service `sheets` could not be announced"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// 1 when the ended one counted as failing. One that panicked is told; its lease ends by itself.
fn ended_failing(ended: &Result<bool, tokio::task::JoinError>) -> usize {
    match ended {
        Ok(failed_before) => usize::from(*failed_before),
        Err(error) => {
            tracing::error!(error = ?error, "writing a sheet ended in a defect");
            0
        }
    }
}

fn before(now: chrono::DateTime<chrono::Utc>, by: Duration) -> chrono::DateTime<chrono::Utc> {
    chrono::TimeDelta::from_std(by)
        .ok()
        .and_then(|by| now.checked_sub_signed(by))
        .unwrap_or(now)
}

/// The sheets role until `stop`; what is in hand then is finished.
pub async fn run(options: SheetsOptions, stop: CancellationToken) {
    let sheets = Sheets::new(options);
    tokio::join!(
        sheets.follower.run(&sheets.shared, &stop),
        sheets.write_all(&stop),
        sheets.serve(&stop),
    );
}
