//! Reading one's own writes: waiting until a read model has read up to a position. In the projector's process
//! a watch tells it at once; from any other process the position's row is polled, which costs one primary-key
//! read.

use std::sync::Arc;
use std::time::Duration;

use database::Pool;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Inventory, Operations, Projection, QueryError};

/// How often another process's projection is looked at.
const POLL: Duration = Duration::from_millis(15);

/// How far the projections of this process are known to have read. Cheap to clone; clones share what they
/// know.
#[derive(Debug, Clone)]
pub struct Positions {
    known: Arc<[(&'static str, watch::Sender<i64>)]>,
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
                (Inventory::NAME, watch::Sender::new(0)),
                (Operations::NAME, watch::Sender::new(0)),
            ]),
        }
    }
}

impl Positions {
    /// The projection has committed everything up to `position`. For the projector.
    pub fn reached(&self, projection: &str, position: i64) {
        if let Some(sender) = self.of(projection) {
            sender.send_if_modified(|known| std::mem::replace(known, position) != position);
        }
    }

    /// What this process knows: 0 unless it runs the projection itself.
    #[must_use]
    pub fn known(&self, projection: &str) -> i64 {
        self.of(projection).map_or(0, |sender| *sender.borrow())
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
        let deadline = Instant::now() + patience;
        let mut changes = self.of(P::NAME).map(watch::Sender::subscribe);
        loop {
            let known = self.known(P::NAME);
            if known >= position {
                return Ok(Reached::Yes(known));
            }
            let stored = stored::<P>(pool).await?;
            if stored >= position {
                return Ok(Reached::Yes(stored));
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Reached::NotYet(stored));
            }
            let pause = POLL.min(deadline - now);
            match &mut changes {
                // Woken or not: both are looked at again.
                Some(changes) => drop(tokio::time::timeout(pause, changes.changed()).await),
                None => tokio::time::sleep(pause).await,
            }
        }
    }

    fn of(&self, projection: &str) -> Option<&watch::Sender<i64>> {
        self.known
            .iter()
            .find(|(name, _)| *name == projection)
            .map(|(_, sender)| sender)
    }
}

async fn stored<P: Projection>(pool: &Pool) -> Result<i64, QueryError> {
    let session = pool.get().await.map_err(QueryError::Database)?;
    Ok(crate::position::<P>(&session)
        .await?
        .map_or(0, |(position, _)| position))
}
