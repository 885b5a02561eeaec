//! Tells readers of the same process that the log grew. It carries the newest position known, never an event:
//! a missed wake costs a poll, nothing else.

use std::time::Duration;

use tokio::sync::watch;

/// The sending side; cheap to clone.
#[derive(Debug, Clone)]
pub struct Wake {
    sender: watch::Sender<i64>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            sender: watch::Sender::new(0),
        }
    }
}

impl Wake {
    /// The log is known to reach `position`.
    pub fn notify(&self, position: i64) {
        self.sender.send_if_modified(|known| {
            let newer = position > *known;
            if newer {
                *known = position;
            }
            newer
        });
    }

    /// A receiver of its own.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription {
            receiver: self.sender.subscribe(),
        }
    }
}

/// One receiver.
#[derive(Debug, Clone)]
pub struct Subscription {
    receiver: watch::Receiver<i64>,
}

impl Subscription {
    /// Waits until the log is known to have grown since the last call, at most `floor` long. Returns the
    /// newest position known, or none when the time was up.
    pub async fn changed_or(&mut self, floor: Duration) -> Option<i64> {
        match tokio::time::timeout(floor, self.receiver.changed()).await {
            Ok(Ok(())) => Some(*self.receiver.borrow_and_update()),
            // Nobody can notify any more; fall back to the poll.
            Ok(Err(_closed)) => {
                tokio::time::sleep(floor).await;
                None
            }
            Err(_elapsed) => None,
        }
    }
}
