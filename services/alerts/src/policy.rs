//! The policy at work. One instance is active: it holds a lock for as long as its connection lives, and
//! every write is fenced by the position that was there before. It reads the log page by page, the next one
//! while it folds this one, and keeps what it knows now and then, together with its position. Whatever is
//! lost between two times is folded again; the commands that were given meanwhile are answered as
//! duplicates.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use application::raise_alerts::{self, Raise, Raised};
use application::{App, Context};
use database::{DatabaseError, Role};
use event_store::{GlobalReader, ReadError, Subscription};
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{Cursor, Store};
use crate::watch::{Read, Watch};

/// Why a term ended; the next one begins with what is kept.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The database failed.
    #[error("the policy's tables cannot be used")]
    Database(#[from] DatabaseError),
    /// The log cannot be read.
    #[error("the policy cannot read the log")]
    Read(#[from] ReadError),
    /// Alerts cannot be appended.
    #[error("the policy cannot raise alerts")]
    Raise(#[from] raise_alerts::Error),
    /// What is kept of a cabinet cannot be used; everything is folded anew.
    #[error("what is kept of cabinet {cabinet} cannot be used")]
    State {
        /// Which; all zeros for a tenant's rules.
        cabinet: Uuid,
        /// Why; none where another version of the program wrote it.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// Another instance is active.
    #[error("another instance of the policy has taken over")]
    Fenced,
    /// Reading a page panicked.
    #[error("a page of the log could not be looked into")]
    Page(#[source] tokio::task::JoinError),
}

impl From<tokio_postgres::Error> for PolicyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// How the policy works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Events of one page.
    pub page: i64,
    /// What is known is kept after so many events at the latest.
    pub keep_after: i64,
    /// And after so much time, if anything changed.
    pub keep_every: Duration,
    /// Products in memory, beyond those that a page needs.
    pub most_products: usize,
    /// Floor beneath the wakes: how late the policy may notice an event whose hint was lost.
    pub poll: Duration,
    /// How often a standby asks whether it is needed.
    pub candidacy: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page: 5_000,
            keep_after: 100_000,
            keep_every: Duration::from_secs(10),
            // About 1 kB each with twenty warehouses.
            most_products: 200_000,
            poll: Duration::from_millis(500),
            candidacy: Duration::from_secs(1),
        }
    }
}

/// What the policy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It wrote an event of this type.
    Raised(&'static str),
    /// It has taken everything in up to this position, and what follows from it is in the log.
    Judged(i64),
}

/// Is told what the policy does.
pub type Observer = Arc<dyn Fn(Notice) + Send + Sync>;

/// The policy and its means.
#[derive(Clone)]
pub struct AlertPolicy {
    /// Appends; acts as the notifier.
    pub app: App,
    /// Reads the log; acts as the notifier.
    pub reader: GlobalReader,
    /// Where the connection that holds the lock leads to.
    pub database_url: SecretString,
    /// How it works.
    pub options: Options,
    /// Who is told.
    pub observer: Observer,
}

/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl AlertPolicy {
    /// Runs until told to stop. Any number of processes may; one at a time works.
    pub async fn run(&self, mut wake: Subscription, stop: CancellationToken) {
        let mut pause = self.options.poll;
        while !stop.is_cancelled() {
            match self.term(&mut wake, &stop).await {
                Ok(()) => return,
                Err(PolicyError::Fenced) => tracing::info!("another instance of the alert policy is active"),
                Err(error) => {
                    tracing::warn!(error = ?error, "alert policy failed; it goes on from what is kept");
                    if matches!(error, PolicyError::State { .. })
                        && let Err(error) = self.store().spoil().await
                    {
                        tracing::warn!(error = ?error, "the alert policy cannot begin anew yet");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn store(&self) -> Store {
        Store::new(self.reader.pool().clone())
    }

    /// One term: from candidacy to the first failure or the end.
    async fn term(&self, wake: &mut Subscription, stop: &CancellationToken) -> Result<(), PolicyError> {
        let Some(lock) = self.elected(stop).await? else {
            return Ok(());
        };
        let store = self.store();
        let cursor = store.take_over().await?;
        tracing::info!(position = cursor.position, "alert policy active");
        let mut term = Term {
            policy: self,
            store,
            cursor,
            watch: Watch::new(cursor.quiet_until),
            position: cursor.position,
            kept_at: Instant::now(),
        };
        term.go_on(&lock, wake, stop).await
    }

    /// Waits for the lock. Returns the connection that holds it, or none when the end came first.
    async fn elected(&self, stop: &CancellationToken) -> Result<Option<Client>, PolicyError> {
        let client = database::connect(&self.database_url, Some(Role::Notifier)).await?;
        let sql = "SELECT pg_try_advisory_lock(hashtextextended('policy:alerts', 0))";
        loop {
            if client.query_one(sql, &[]).await?.try_get(0)? {
                return Ok(Some(client));
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(self.options.candidacy) => {}
            }
        }
    }
}

/// The active instance.
struct Term<'a> {
    policy: &'a AlertPolicy,
    store: Store,
    cursor: Cursor,
    watch: Watch,
    /// Of the last event that is taken in; ahead of what is kept.
    position: i64,
    kept_at: Instant,
}

impl Term<'_> {
    async fn go_on(
        &mut self,
        lock: &Client,
        wake: &mut Subscription,
        stop: &CancellationToken,
    ) -> Result<(), PolicyError> {
        let policy = self.policy;
        let mut page = policy.page_after(self.position).await?;
        while !stop.is_cancelled() {
            let Some(last) = page.last().map(|read| read.event.position) else {
                if lock.is_closed() {
                    return Err(PolicyError::Fenced);
                }
                self.keep_now_and_then().await?;
                tokio::select! {
                    () = stop.cancelled() => break,
                    _woken = wake.changed_or(policy.options.poll) => {}
                }
                page = policy.page_after(self.position).await?;
                continue;
            };
            let (following, taken) = tokio::join!(policy.page_after(last), self.take(page));
            taken?;
            self.position = last;
            (policy.observer)(Notice::Judged(last));
            self.keep_now_and_then().await?;
            page = following?;
        }
        self.keep().await
    }

    /// Takes a page in. Alerts are appended many at a time, each cabinet's before it is judged again.
    async fn take(&mut self, page: Vec<Read>) -> Result<(), PolicyError> {
        self.bring(&page).await?;
        let mut raises: Vec<(Context, Raise)> = Vec::new();
        let mut products: HashSet<Uuid> = HashSet::new();
        for read in &page {
            // What comes next may depend on what the log says of the ones before.
            let more = self.watch.take(read);
            if more
                .iter()
                .any(|(_, raise)| products.contains(&raise.product_id.uuid()))
            {
                self.raise(&mut raises).await?;
                products.clear();
            }
            products.extend(more.iter().map(|(_, raise)| raise.product_id.uuid()));
            raises.extend(more);
        }
        self.raise(&mut raises).await
    }

    /// Brings what a page needs into memory.
    async fn bring(&mut self, page: &[Read]) -> Result<(), PolicyError> {
        let needs = self.watch.needs(page);
        if !needs.products.is_empty() {
            for (product, cabinet) in self.store.cabinets_of(&needs.products).await? {
                self.watch.put_product(product, cabinet);
            }
        }
        let needs = self.watch.needs(page);
        self.store
            .load(&mut self.watch, needs.tenants, needs.cabinets)
            .await?;
        let ruled = page.iter().filter(|read| read.is_rule());
        let absent: HashSet<_> = ruled
            .flat_map(|read| self.watch.absent_of(read.event.metadata.tenant_id))
            .collect();
        self.store.load(&mut self.watch, HashSet::new(), absent).await
    }

    async fn raise(&mut self, raises: &mut Vec<(Context, Raise)>) -> Result<(), PolicyError> {
        if raises.is_empty() {
            return Ok(());
        }
        let answers = raise_alerts::execute(&self.policy.app, raises).await?;
        for ((_, raise), answer) in raises.drain(..).zip(answers) {
            match answer {
                Raised::Known { new: true } => {
                    for event in &raise.events {
                        (self.policy.observer)(Notice::Raised(event.event_type()));
                    }
                }
                Raised::Known { new: false } => {}
                Raised::Other { alert, version } => {
                    tracing::warn!(
                        product.id = %raise.product_id,
                        position = raise.position,
                        "the log has other alerts than are judged now; it counts"
                    );
                    self.watch.adopt(raise.product_id.uuid(), alert, version);
                }
            }
        }
        Ok(())
    }

    async fn keep_now_and_then(&mut self) -> Result<(), PolicyError> {
        let options = &self.policy.options;
        let is_due = self.position - self.cursor.position >= options.keep_after
            || self.watch.products() > options.most_products
            || (self.position > self.cursor.position && self.kept_at.elapsed() >= options.keep_every);
        if is_due { self.keep().await } else { Ok(()) }
    }

    async fn keep(&mut self) -> Result<(), PolicyError> {
        self.kept_at = Instant::now();
        if self.position == self.cursor.position {
            return Ok(());
        }
        self.cursor = self.store.keep(&self.watch, self.cursor, self.position).await?;
        self.watch.is_kept();
        self.watch.shrink_to(self.policy.options.most_products);
        Ok(())
    }
}

impl AlertPolicy {
    /// The next events, looked into.
    async fn page_after(&self, position: i64) -> Result<Vec<Read>, PolicyError> {
        let page = self.reader.read_after(position, self.options.page).await?;
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let reading = tokio::task::spawn_blocking(move || page.into_iter().map(Read::of).collect());
        reading.await.map_err(PolicyError::Page)
    }
}
