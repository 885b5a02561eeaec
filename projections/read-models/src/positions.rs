//! Reading one's own writes: waiting until a read model has read up to a position. In the projector's process
//! a watch tells it at once; in any other process one of those who wait looks at the position's row, a
//! primary-key read every 15 ms, and tells the others. However many wait, that is one query.

use std::sync::Arc;
use std::time::Duration;

use database::Pool;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::{Inventory, Operations, Projection, QueryError};

/// How often another process's projection is looked at.
const POLL: Duration = Duration::from_millis(15);

/// How far the projections of this process are known to have read. Cheap to clone; clones share what they
/// know.
#[derive(Debug, Clone)]
pub struct Positions {
    known: Arc<[(&'static str, Place)]>,
}

/// What is known of one projection.
#[derive(Debug)]
struct Place {
    /// What this process's projector has committed.
    told: watch::Sender<i64>,
    /// What was last read of the position's row, and when that was asked.
    read: watch::Sender<(i64, Option<Instant>)>,
    /// Held by the one who looks for all.
    looking: Mutex<()>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            told: watch::Sender::new(0),
            read: watch::Sender::new((0, None)),
            looking: Mutex::default(),
        }
    }
}

/// The answer to a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The projection has read at least as far as asked for; it is at this position.
    Yes(i64),
    /// The time was up; it is at this position.
    NotYet(i64),
}

impl Default for Positions {
    fn default() -> Self {
        Self {
            known: Arc::new([
                (Inventory::NAME, Place::default()),
                (Operations::NAME, Place::default()),
            ]),
        }
    }
}

impl Positions {
    /// The projection has committed everything up to `position`. For the projector.
    pub fn reached(&self, projection: &str, position: i64) {
        if let Some(place) = self.of(projection) {
            place
                .told
                .send_if_modified(|known| std::mem::replace(known, position) != position);
        }
    }

    /// What this process knows: 0 unless it runs the projection itself.
    #[must_use]
    pub fn known(&self, projection: &str) -> i64 {
        self.of(projection).map_or(0, |place| *place.told.borrow())
    }

    /// Waits until `P` has read up to `position`, at most `patience`. A projection that has never run is at
    /// 0, so it can not look as if it were up to date.
    ///
    /// # Errors
    /// [`QueryError::Database`] when its position cannot be read.
    pub async fn wait_for<P: Projection>(
        &self,
        pool: &Pool,
        position: i64,
        patience: Duration,
    ) -> Result<Reached, QueryError> {
        let began = Instant::now();
        let deadline = began + patience;
        let Some(place) = self.of(P::NAME) else {
            return Ok(judged(stored::<P>(pool).await?, position));
        };
        let (mut told, mut read) = (place.told.subscribe(), place.read.subscribe());
        loop {
            let known = *told.borrow_and_update();
            if known >= position {
                return Ok(Reached::Yes(known));
            }
            // An older answer may be from before the database was put back.
            let (seen, asked) = *read.borrow_and_update();
            let fresh = asked.is_some_and(|asked| asked >= began);
            if fresh && (seen >= position || Instant::now() >= deadline) {
                return Ok(judged(seen, position));
            }
            tokio::select! {
                _ = told.changed() => {}
                _ = read.changed() => {}
                looking = place.looking.lock() => {
                    let asked = Instant::now();
                    let stored = stored::<P>(pool).await?;
                    place.read.send_replace((stored, Some(asked)));
                    if stored >= position || asked >= deadline {
                        return Ok(judged(stored, position));
                    }
                    let pause = POLL.min(deadline - asked);
                    // Held meanwhile, so that nobody else looks; woken early, it is looked at again.
                    drop(tokio::time::timeout(pause, told.changed()).await);
                    drop(looking);
                }
            }
        }
    }

    fn of(&self, projection: &str) -> Option<&Place> {
        self.known
            .iter()
            .find(|(name, _)| *name == projection)
            .map(|(_, place)| place)
    }
}

const fn judged(at: i64, wanted: i64) -> Reached {
    if at >= wanted {
        Reached::Yes(at)
    } else {
        Reached::NotYet(at)
    }
}

async fn stored<P: Projection>(pool: &Pool) -> Result<i64, QueryError> {
    let session = pool.get().await.map_err(QueryError::Database)?;
    Ok(crate::position::<P>(&session)
        .await?
        .map_or(0, |(position, _)| position))
}
