//! Waits for the turn that [`super::limits`] gives. One [`Pace`] stands for one bot token: whatever sends
//! with this token in a process shares it. Several processes have a pace each; what they do together may be
//! too much, and then Telegram's 429 is obeyed by the one that gets it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::limits::{Lane, Limits, Next, Turns};

/// The turns of a token in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pace {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Moments are counted from here.
    start: Instant,
    turns: Mutex<Turns<oneshot::Sender<Turn>>>,
    /// Something changed: look again who may go. Its own pointer, because waiting for it must not keep the
    /// rest.
    changed: Arc<Notify>,
}

/// Permission for one call to a chat; the call ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    inner: Option<Arc<Inner>>,
    chat: i64,
}

impl Pace {
    /// Keeps these limits. Has to be called inside a tokio runtime, where a task gives the turns out until
    /// the last clone is dropped.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let changed = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            start: Instant::now(),
            turns: Mutex::new(Turns::new(limits)),
            changed: Arc::clone(&changed),
        });
        tokio::spawn(give_out(Arc::downgrade(&inner), changed));
        Self { inner }
    }

    /// Waits until a message may go to this chat. Cancelled, it leaves nothing behind.
    pub async fn turn(&self, chat: i64, lane: Lane) -> Turn {
        let (sender, receiver) = oneshot::channel();
        let now = self.inner.now();
        self.inner.lock().push(chat, lane, sender, now);
        self.inner.changed.notify_one();
        match receiver.await {
            Ok(turn) => turn,
            // The runtime shuts down; a turn for nothing is harmless then.
            Err(_closed) => Turn { inner: None, chat },
        }
    }

    /// Messages that wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.lock().waiting()
    }
}

impl Turn {
    /// Telegram answered 429. The pause begins now.
    pub(super) fn refused(&self, retry_after: Duration) {
        if let Some(inner) = &self.inner {
            let now = inner.now();
            inner.lock().refused(self.chat, retry_after, now);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        let now = inner.now();
        inner.lock().ended(self.chat, now);
        inner.changed.notify_one();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

impl Inner {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Turns<oneshot::Sender<Turn>>> {
        // Nothing in a critical section can panic half-way through a change.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives turns out as they become free.
async fn give_out(inner: Weak<Inner>, changed: Arc<Notify>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let now = strong.now();
        let next = strong.lock().next(now, |sender| !sender.is_closed());
        match next {
            Next::Go { chat, item } => {
                let turn = Turn {
                    inner: Some(strong),
                    chat,
                };
                // Refused, it went away this moment: the turn is dropped and ends.
                drop(item.send(turn));
            }
            Next::At(at) => {
                let at = strong.start.checked_add(at);
                drop(strong);
                match at {
                    Some(at) => tokio::select! {
                        () = sleep_until(at) => {}
                        () = changed.notified() => {}
                    },
                    None => changed.notified().await,
                }
            }
            Next::Idle => {
                drop(strong);
                changed.notified().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;
    use crate::telegram::limits::{Lane, Limits};

    #[tokio::test(start_paused = true)]
    async fn a_chat_gets_its_next_turn_a_second_after_the_end_of_its_last_one() {
        let pace = Pace::new(Limits::default());
        let start = Instant::now();
        let first = pace.turn(1, Lane::Answer).await;
        let other = pace.turn(2, Lane::Answer).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        tokio::time::advance(Duration::from_millis(300)).await;
        drop(first);
        drop(pace.turn(1, Lane::Answer).await);
        assert_eq!(start.elapsed(), Duration::from_millis(1_300));
        drop(other);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_turn_makes_its_chat_wait_as_told() {
        let pace = Pace::new(Limits::default());
        let start = Instant::now();
        let turn = pace.turn(1, Lane::Answer).await;
        turn.refused(Duration::from_secs(86_400 * 3));
        drop(turn);
        drop(pace.turn(1, Lane::Answer).await);
        assert_eq!(start.elapsed(), Duration::from_secs(86_400 * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_leaves_the_turn_to_the_next() {
        let pace = Pace::new(Limits::default());
        let start = Instant::now();
        let held = pace.turn(1, Lane::Answer).await;
        let gone = tokio::time::timeout(Duration::from_secs(1), pace.turn(1, Lane::Answer)).await;
        assert!(gone.is_err());
        drop(held);
        drop(pace.turn(1, Lane::Answer).await);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        assert_eq!(pace.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broadcast_to_300_chats_takes_ten_seconds() {
        let pace = Pace::new(Limits::default());
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for chat in 1..=300 {
            let pace = pace.clone();
            tasks.spawn(async move { drop(pace.turn(chat, Lane::Notice).await) });
        }
        tasks.join_all().await;
        assert_eq!(start.elapsed(), Duration::from_secs(9));
    }
}
