//! Whose request goes next when a process has more of them than it works on at a time. Tenants take turns,
//! and none holds more than its part, so that one with a million rows, or one whose marketplace hangs,
//! leaves the others theirs. Waiting for a limit or a told delay holds no turn: a request asks for its turn
//! when it may be sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The turns of a process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Turns {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Requests in work at a time.
    most: usize,
    /// Of which one tenant may hold so many.
    most_of_one: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    tenants: BTreeMap<u128, Tenant>,
    /// Tenants with somebody waiting, the next one first.
    order: VecDeque<u128>,
}

#[derive(Debug, Default)]
struct Tenant {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    inner: Option<Arc<Inner>>,
    tenant: u128,
}

impl Turns {
    /// `most` requests at a time. One tenant holds less than half of them (but one), so that the others
    /// keep more than half of what they would have without it.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            inner: Arc::new(Inner {
                most,
                most_of_one: (most.div_ceil(2) - 1).max(1),
                state: Mutex::default(),
            }),
        }
    }

    /// Waits for a turn of a tenant. Cancelled, it leaves nothing behind.
    pub async fn take(&self, tenant: u128) -> Turn {
        let receiver = {
            let mut state = self.inner.lock();
            let (sender, receiver) = oneshot::channel();
            let entry = state.tenants.entry(tenant).or_default();
            entry.waiting.push_back(sender);
            if entry.waiting.len() == 1 {
                state.order.push_back(tenant);
            }
            Inner::hand_out(&self.inner, &mut state);
            receiver
        };
        match receiver.await {
            Ok(turn) => turn,
            // Nobody drops a waiting sender; a turn for nothing would be harmless.
            Err(_closed) => Turn { inner: None, tenant },
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in a critical section can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free turns to tenants in their order; one that has its part is passed over and keeps its place.
    fn hand_out(inner: &Arc<Self>, state: &mut State) {
        let mut passed = 0;
        while state.held < inner.most && passed < state.order.len() {
            let Some(next) = state.order.pop_front() else {
                return;
            };
            let Some(tenant) = state.tenants.get_mut(&next) else {
                continue;
            };
            if tenant.held >= inner.most_of_one {
                state.order.push_back(next);
                passed += 1;
                continue;
            }
            let Some(sender) = tenant.waiting.pop_front() else {
                continue;
            };
            let more = !tenant.waiting.is_empty();
            if !sender.is_closed() {
                tenant.held += 1;
                state.held += 1;
                let turn = Turn {
                    inner: Some(Arc::clone(inner)),
                    tenant: next,
                };
                if let Err(mut refused) = sender.send(turn) {
                    // It went away this moment. Taken back by hand: dropping it would lock what is locked.
                    refused.inner = None;
                    tenant.held -= 1;
                    state.held -= 1;
                }
            }
            if more {
                state.order.push_back(next);
            } else if tenant.held == 0 {
                state.tenants.remove(&next);
            }
            passed = 0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        let mut state = inner.lock();
        state.held = state.held.saturating_sub(1);
        if let Some(tenant) = state.tenants.get_mut(&self.tenant) {
            tenant.held = tenant.held.saturating_sub(1);
            if tenant.held == 0 && tenant.waiting.is_empty() {
                state.tenants.remove(&self.tenant);
            }
        }
        Inner::hand_out(&inner, &mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    use super::Turns;

    const MOST: usize = 6;

    /// One tenant's sync: so many requests, one after the other, each of this length.
    async fn sync(turns: Turns, tenant: u128, requests: u32, each: Duration) -> Duration {
        let began = Instant::now();
        for _ in 0..requests {
            let _turn = turns.take(tenant).await;
            // pause: how long a request takes; the time of these tests is virtual
            sleep(each).await;
        }
        began.elapsed()
    }

    /// How long ten ordinary tenants take, with these others beside them; time is virtual.
    async fn ordinary(others: impl FnOnce(&Turns, &mut JoinSet<Duration>)) -> Duration {
        let turns = Turns::new(MOST);
        let mut background = JoinSet::new();
        others(&turns, &mut background);
        tokio::task::yield_now().await;
        let mut running = JoinSet::new();
        for tenant in 0..10 {
            running.spawn(sync(turns.clone(), tenant, 50, Duration::from_millis(100)));
        }
        let mut longest = Duration::ZERO;
        while let Some(took) = running.join_next().await {
            longest = longest.max(took.unwrap());
        }
        longest
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_with_a_million_rows_slows_the_others_by_less_than_two() {
        let undisturbed = ordinary(|_, _| {}).await;
        // Pages that take a hundred times as long, as many of them side by side as there are turns.
        let disturbed = ordinary(|turns, set| {
            for _ in 0..MOST {
                set.spawn(sync(turns.clone(), 99, 10_000, Duration::from_secs(10)));
            }
        })
        .await;
        let ratio = disturbed.as_secs_f64() / undisturbed.as_secs_f64();
        assert!(ratio < 2.0, "{ratio}");
        assert!(ratio > 1.2, "the other one works as well: {ratio}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_whose_every_request_is_refused_at_once_slows_the_others_by_less_than_two() {
        let undisturbed = ordinary(|_, _| {}).await;
        let disturbed = ordinary(|turns, set| {
            for _ in 0..50 {
                set.spawn(sync(turns.clone(), 99, 100_000, Duration::from_millis(1)));
            }
        })
        .await;
        let ratio = disturbed.as_secs_f64() / undisturbed.as_secs_f64();
        assert!(ratio < 2.0, "{ratio}");
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_take_turns_however_many_requests_one_has_waiting() {
        let turns = Turns::new(1);
        let first = turns.take(1).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = JoinSet::new();
        for tenant in [1, 1, 1, 2, 3] {
            let (turns, told) = (turns.clone(), told.clone());
            waiting.spawn(async move {
                let _turn = turns.take(tenant).await;
                told.send(tenant).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop((first, told));
        let mut seen = Vec::new();
        while let Some(tenant) = order.recv().await {
            seen.push(tenant);
        }
        assert_eq!(seen, [1, 2, 3, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_leaves_his_turn_to_the_next() {
        let turns = Turns::new(1);
        let held = turns.take(1).await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), turns.take(2)).await;
        assert!(given_up.is_err());
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.take(3).await) }
        });
        tokio::task::yield_now().await;
        drop(held);
        waiting.await.unwrap();
        // And nothing is left held by nobody.
        drop(turns.take(4).await);
        assert!(turns.inner.lock().tenants.is_empty());
    }
}
