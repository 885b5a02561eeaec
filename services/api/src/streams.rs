//! Streams of events that are open in this process: how many, whose, and one look at the log for all of them.
//!
//! A stream waits for news of its tenant. One task looks for all: it waits until both read models have moved
//! (so that whoever is told of an event finds it in every answer), asks once for which of the tenants with
//! open streams there is something new, and tells their streams how far to read. A stream without news costs
//! no query but that of its rights at each heartbeat. The task begins with the first stream and ends with the
//! last.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web::Data;
use auth::Principal;
use events::ids::{TenantId, UserId};
use read_models::{Inventory, Operations, QueryError, Reached};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Silence after which a comment is sent, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Time between two looks at a busy log.
const PACE: Duration = Duration::from_millis(100);
/// How long whoever finds no place waits for one that is given back.
const MOMENT: Duration = Duration::from_millis(500);
/// Time until the next look after one that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Positions that one query looks through.
pub(crate) const WINDOW: i64 = 10_000;

/// The streams of this process. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    most: limits::Streams,
    heartbeat: Duration,
    open: Mutex<Open>,
    /// Position up to which was looked for everybody.
    looked: AtomicI64,
    /// A place was given back.
    freed: Notify,
}

#[derive(Default)]
struct Open {
    users: HashMap<UserId, u32>,
    tenants: HashMap<TenantId, Listened>,
    is_looking: bool,
}

struct Listened {
    streams: u32,
    news: watch::Sender<News>,
}

/// What a tenant's streams are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// There may be something up to this position.
    pub(crate) position: i64,
    /// Changes when somebody's rights may have ended, or a connection may be dead.
    checks: u64,
}

/// One stream's place among those that may be open; given back when it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    user: UserId,
    tenant: TenantId,
    news: watch::Receiver<News>,
    checks: u64,
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// There is news.
    News,
    /// Nothing came for the time of a heartbeat, or the stream shall show that it is alive.
    Silence,
}

impl Default for Streams {
    fn default() -> Self {
        Self::new(limits::Streams::default())
    }
}

impl Streams {
    /// At most so many.
    #[must_use]
    pub fn new(most: limits::Streams) -> Self {
        Self {
            shared: Arc::new(Shared {
                most,
                heartbeat: HEARTBEAT,
                open: Mutex::default(),
                looked: AtomicI64::new(0),
                freed: Notify::new(),
            }),
        }
    }

    /// The same with another time between two heartbeats, for tests.
    #[must_use]
    pub fn beating(self, heartbeat: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                most: self.shared.most,
                heartbeat,
                open: Mutex::default(),
                looked: AtomicI64::new(0),
                freed: Notify::new(),
            }),
        }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> u32 {
        let open = self.shared.lock();
        open.tenants.values().map(|listened| listened.streams).sum()
    }

    /// Rights of somebody of this tenant, or of anybody, may have ended: their streams look at once, and
    /// those that go on send a comment.
    pub fn recheck(&self, tenant: Option<TenantId>) {
        let open = self.shared.lock();
        for (whose, listened) in &open.tenants {
            if tenant.is_none_or(|tenant| tenant == *whose) {
                listened.news.send_modify(|news| news.checks += 1);
            }
        }
    }

    /// A place for one more stream of this caller. Where there is none, a stream may have lost its client: it
    /// finds that out by writing, so all are made to, and there is a moment for that.
    ///
    /// # Errors
    /// 429 where there are as many as there may be.
    pub(crate) async fn take(&self, caller: &Principal) -> Result<Place, Problem> {
        let deadline = Instant::now() + MOMENT;
        loop {
            let freed = self.shared.freed.notified();
            let full = match self.try_take(caller) {
                Ok(place) => return Ok(place),
                Err(full) => full,
            };
            if Instant::now() >= deadline {
                return Err(full);
            }
            // The first write to a connection that was closed succeeds, so once is not enough.
            self.recheck(Some(caller.tenant_id));
            drop(timeout(PACE, freed).await);
        }
    }

    fn try_take(&self, caller: &Principal) -> Result<Place, Problem> {
        let mut open = self.shared.lock();
        let most = self.shared.most;
        let of_user = open.users.get(&caller.user_id).copied().unwrap_or(0);
        let of_tenant = (open.tenants.get(&caller.tenant_id)).map_or(0, |listened| listened.streams);
        let full = match () {
            () if of_user >= most.user => Some(("user", most.user)),
            () if of_tenant >= most.tenant => Some(("tenant", most.tenant)),
            () => None,
        };
        if let Some((whose, most)) = full {
            let detail = format!("this {whose} has {most} streams of events open; close one first");
            return Err(Problem::new(Code::TooManyStreams, detail).retry_after(3));
        }
        *open.users.entry(caller.user_id).or_default() += 1;
        let listened = open.tenants.entry(caller.tenant_id).or_insert_with(|| Listened {
            streams: 0,
            news: watch::Sender::new(News::default()),
        });
        listened.streams += 1;
        let news = listened.news.subscribe();
        let checks = news.borrow().checks;
        drop(open);
        Ok(Place {
            shared: self.shared.clone(),
            user: caller.user_id,
            tenant: caller.tenant_id,
            news,
            checks,
        })
    }

    /// Begins to look at the log for all, unless somebody does.
    pub(crate) fn look(&self, state: &Data<ApiState>) {
        let mut open = self.shared.lock();
        if !std::mem::replace(&mut open.is_looking, true) {
            let (shared, state) = (self.shared.clone(), state.clone());
            tokio::spawn(async move { shared.look_for_all(&state).await });
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks until nobody listens or the process stops.
    async fn look_for_all(&self, state: &ApiState) {
        let mut at = None;
        while self.is_wanted(state) {
            let looked = tokio::select! {
                () = state.stopping.cancelled() => continue,
                looked = self.look_once(state, at) => looked,
            };
            let pause = match looked {
                Ok(position) => {
                    at = Some(position);
                    PACE
                }
                Err(error) => {
                    tracing::warn!(error = ?error, "the log cannot be looked at for streams");
                    AGAIN
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn is_wanted(&self, state: &ApiState) -> bool {
        let mut open = self.lock();
        open.is_looking = !open.tenants.is_empty() && !state.stopping.is_cancelled();
        open.is_looking
    }

    /// One look after the last one's position; returns the position up to which was looked.
    async fn look_once(&self, state: &ApiState, at: Option<i64>) -> Result<i64, LookError> {
        let Some(at) = at else {
            // Whoever began to listen before has looked up to an earlier position, and looks once more.
            let position = shown(state).await?;
            let open = self.lock();
            for listened in open.tenants.values() {
                tell(listened, position);
            }
            self.looked.store(position, Ordering::SeqCst);
            return Ok(position);
        };
        let Some(position) = moved(state, at, self.heartbeat).await? else {
            return Ok(at);
        };
        // Listed after the position is known: whoever comes later looks up to there, or further, itself.
        let among: Vec<TenantId> = self.lock().tenants.keys().copied().collect();
        let mut from = at;
        while from < position {
            let up_to = position.min(from + WINDOW);
            for (tenant, last) in state.app.store.touches(from, up_to, &among).await? {
                if let Some(listened) = self.lock().tenants.get(&tenant) {
                    tell(listened, last);
                }
            }
            from = up_to;
        }
        self.looked.store(position, Ordering::SeqCst);
        Ok(position)
    }
}

fn tell(listened: &Listened, position: i64) {
    listened.news.send_if_modified(|news| {
        let newer = position > news.position;
        news.position = news.position.max(position);
        newer
    });
}

/// Why the log could not be looked at.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the positions of the read models cannot be read")]
    Positions(#[from] QueryError),
    #[error("the log cannot be read")]
    Log(#[from] application::ReadError),
}

/// Position up to which every answer shows what happened.
pub(crate) async fn shown(state: &ApiState) -> Result<i64, QueryError> {
    let positions = &state.positions;
    let none = Duration::ZERO;
    let of = |reached| match reached {
        Reached::Yes(position) | Reached::NotYet(position) => position,
    };
    let operations = positions
        .wait_for::<Operations>(&state.reads, i64::MAX, none)
        .await?;
    let inventory = positions
        .wait_for::<Inventory>(&state.reads, i64::MAX, none)
        .await?;
    Ok(of(operations).min(of(inventory)))
}

/// Waits until every answer shows more than up to `at`; none when nothing moved for a while.
async fn moved(state: &ApiState, at: i64, patience: Duration) -> Result<Option<i64>, QueryError> {
    let positions = &state.positions;
    let operations = positions
        .wait_for::<Operations>(&state.reads, at + 1, patience)
        .await?;
    let inventory = positions
        .wait_for::<Inventory>(&state.reads, at + 1, patience)
        .await?;
    Ok(match (operations, inventory) {
        (Reached::Yes(one), Reached::Yes(other)) => Some(one.min(other)),
        _ => None,
    })
}

impl Place {
    /// Silence after which a comment is sent.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.shared.heartbeat
    }

    /// Waits for news of the tenant, at most as long as a heartbeat.
    pub(crate) async fn wait(&mut self) -> Woken {
        let checks = self.news.borrow().checks;
        if std::mem::replace(&mut self.checks, checks) != checks {
            return Woken::Silence;
        }
        match tokio::time::timeout(self.heartbeat(), self.news.changed()).await {
            Ok(Ok(())) => {
                let checks = self.news.borrow().checks;
                match std::mem::replace(&mut self.checks, checks) == checks {
                    true => Woken::News,
                    false => Woken::Silence,
                }
            }
            Ok(Err(_)) | Err(_) => Woken::Silence,
        }
    }

    /// Waits until the stream shall show that it is alive.
    pub(crate) fn rechecked(&self) -> impl Future<Output = ()> + use<> {
        let mut news = self.news.clone();
        let known = news.borrow_and_update().checks;
        async move {
            // The sender lives as long as the place.
            if news.wait_for(|news| news.checks != known).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Up to where there may be something.
    pub(crate) fn news(&mut self) -> i64 {
        self.news.borrow_and_update().position
    }

    /// Up to where there is nothing for this tenant beyond its news. Read before the news.
    pub(crate) fn looked(&self) -> i64 {
        self.shared.looked.load(Ordering::SeqCst)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.lock();
        if let Some(count) = open.users.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.users.remove(&self.user);
            }
        }
        if let Some(listened) = open.tenants.get_mut(&self.tenant) {
            listened.streams = listened.streams.saturating_sub(1);
            if listened.streams == 0 {
                open.tenants.remove(&self.tenant);
            }
        }
        drop(open);
        self.shared.freed.notify_waiters();
    }
}
