//! The log on its way into tables. Per projection one task: it gets itself elected, reads events from the
//! broker as they come and from the store what the broker does not deliver, and commits rows and position
//! together.
//!
//! - [`run`] keeps both projections going for ever, whatever fails;
//! - [`rebuild`] folds the whole log into a new schema beside the live one and trades their names;
//! - [`unpark`] catches a parked stream up when its reason is gone.
//!
//! Any number of processes may run this; one per projection is active. The lock that elects it lives as long
//! as a connection, and is only a courtesy: what keeps two of them apart is the epoch in the position's row,
//! which every commit has to match.

mod consume;
mod elect;
mod pages;
mod rebuild;
mod unpark;

use std::sync::Arc;
use std::time::Duration;

use database::{DatabaseError, Pool, Role};
use event_store::{GlobalReader, ReadError, Wake};
use messaging::Broker;
use read_models::apply::{Applied, ApplyError};
use read_models::{Inventory, Operations, Positions, Projection};
use runtime::clock::Clock;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

pub use rebuild::{RebuildError, Rebuilt, rebuild, rebuild_with};
pub use unpark::{UnparkError, unpark};

/// Connections: a session per projection, and readers of the log.
const POOL_SIZE: usize = 6;
/// Of each projection: the lock of whoever is active, and, while it is built anew, the rebuild's lock and
/// writer.
const OF_PROJECTION: usize = 3;
/// Most connections that one process opens for all projections.
pub const CONNECTIONS: usize = POOL_SIZE + 2 * OF_PROJECTION;
/// Pauses after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the projector needs to be told.
#[derive(Debug, Clone)]
pub struct ProjectorOptions {
    /// Any login that is a member of `st_projector`.
    pub database_url: SecretString,
    /// For ages; nothing that is written depends on it.
    pub clock: Clock,
    /// So long the broker may be silent before the store is asked whether there is something to be read.
    pub silence: Duration,
    /// The same while the broker is known to be away.
    pub poll: Duration,
    /// How often a standby tries to become active.
    pub candidacy: Duration,
}

impl ProjectorOptions {
    /// One second of silence, a poll of 250 ms, a candidacy of 500 ms.
    #[must_use]
    pub const fn new(database_url: SecretString, clock: Clock) -> Self {
        Self {
            database_url,
            clock,
            silence: Duration::from_secs(1),
            poll: Duration::from_millis(250),
            candidacy: Duration::from_millis(500),
        }
    }
}

/// Where events were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The broker: the usual way.
    Broker,
    /// The store: a hole, a backlog, or no broker.
    Store,
}

/// Something worth a metric or a log line.
#[derive(Debug)]
pub enum Notice<'a> {
    /// This process is the projection's active instance now, or no longer.
    Active(bool),
    /// A batch is in.
    Applied {
        /// What became of it.
        applied: Applied,
        /// Where it was read.
        source: Source,
        /// Between the recording of its last event and now.
        latency: Duration,
    },
    /// How far the projection is behind.
    Lag {
        /// In events.
        events: u64,
        /// Age of the last event applied; zero when none is missing.
        age: Duration,
    },
    /// A new copy took the place of the live one.
    Rebuilt(Rebuilt),
    /// Something failed and will be tried again.
    Trouble(&'a ProjectorError),
}

/// Is told what happens, with the projection's name. Must not block.
pub type Observer = Arc<dyn Fn(&'static str, &Notice<'_>) + Send + Sync>;

/// What stops a projection for a moment, or, from [`run`], for good.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The database cannot be reached or refused.
    #[error("the projector's database failed")]
    Database(#[from] DatabaseError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// A batch was not applied.
    #[error("events cannot be applied")]
    Apply(#[from] ApplyError),
    /// The rebuild that the projection needs failed.
    #[error("the projection cannot be rebuilt")]
    Rebuild(#[source] Box<RebuildError>),
    /// The copy was made by a newer program.
    #[error("the read model was made by a newer program")]
    Newer,
    /// The broker delivers an event that is not in the log, as after a restore or a failover.
    #[error("the broker delivers another event at position {position} than the log has there")]
    NotInLog {
        /// Where.
        position: i64,
    },
    /// The log ended earlier than it had said.
    #[error("the log was at position {asked}, and ends at {read}")]
    Shortened {
        /// Length of the log when it was asked.
        asked: i64,
        /// Position of its last event.
        read: i64,
    },
}

/// What every task of the projector shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) options: ProjectorOptions,
    pub(crate) pool: Pool,
    pub(crate) reader: GlobalReader,
    pub(crate) broker: Broker,
    pub(crate) wake: Wake,
    pub(crate) positions: Positions,
    pub(crate) shutdown: CancellationToken,
    pub(crate) observer: Observer,
}

impl Shared {
    pub(crate) fn tell<P: Projection>(&self, notice: &Notice<'_>) {
        (self.observer)(P::NAME, notice);
    }
}

/// Keeps both projections going until `shutdown`. `positions` is told every commit; hand a clone to whoever
/// waits for its own writes. `wake` is only used while the broker is away.
///
/// # Errors
/// [`ProjectorError::Database`] when the address cannot be understood. Everything else is reported to the
/// observer and tried again.
pub async fn run(
    options: ProjectorOptions,
    broker: Broker,
    wake: Wake,
    positions: Positions,
    shutdown: CancellationToken,
    observer: Observer,
) -> Result<(), ProjectorError> {
    let pool = Pool::open(&options.database_url, Role::Projector, POOL_SIZE)?;
    let reader = GlobalReader::new(pool.clone());
    let shared = Shared {
        options,
        pool,
        reader,
        broker,
        wake,
        positions,
        shutdown,
        observer,
    };
    let inventory = tokio::spawn(keep_going::<Inventory>(shared.clone()));
    let operations = tokio::spawn(keep_going::<Operations>(shared));
    for task in [inventory, operations] {
        if let Err(error) = task.await {
            tracing::error!(%error, "a projection's task ended");
        }
    }
    Ok(())
}

/// Elected, active, failed, elected again, until the end.
async fn keep_going<P: Projection>(shared: Shared) {
    let mut pause = FIRST_PAUSE;
    while !shared.shutdown.is_cancelled() {
        let mut worked = false;
        let Err(error) = elect::term::<P>(&shared, &mut worked).await else {
            continue;
        };
        if matches!(&error, ProjectorError::Apply(ApplyError::Fenced(_))) {
            tracing::info!(projection = P::NAME, "fenced; looks again");
        } else {
            tracing::warn!(projection = P::NAME, error = %chain(&error), "projection interrupted");
        }
        shared.tell::<P>(&Notice::Trouble(&error));
        pause = if worked {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
