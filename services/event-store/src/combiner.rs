//! The combiner: one task gathers what has queued while the last batch was being written and writes it as the
//! next one. There is no timer: alone, a command goes out at once; under load, batches grow by themselves.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use database::Pool;
use events::ids::TenantId;
use events::{Recorded, StreamType};
use tokio::sync::mpsc;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::append::{self, Answer, Append};
use crate::reply::Reply;
use crate::{AppendError, Appended, ReadError, StreamId, Wake, read};

/// Commands in one batch, at most. A batch holds the lock for about 25 µs a command, so nobody waits longer
/// than some 15 ms for it.
const BATCH: usize = 500;
/// Events in one batch, at most, for the same reason.
const BATCH_EVENTS: usize = 2_000;
/// Senders that may wait before further ones are held back; each sends all its commands at once.
const QUEUE: usize = 10_000;
/// How often a batch whose answer was lost is sent again before its senders are told so.
const ATTEMPTS: u32 = 4;
/// Pause before the first repetition; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

struct Waiting {
    append: Append,
    reply: Reply,
}

/// Called after every batch with the number of commands in it.
pub type BatchObserver = Arc<dyn Fn(usize) + Send + Sync>;

/// The log's write side; cheap to clone.
#[derive(Clone)]
pub struct EventStore {
    queue: mpsc::Sender<Vec<Waiting>>,
    pool: Pool,
    wake: Wake,
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStore")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// The combiner's loop; run it until it ends, which it does when every [`EventStore`] is dropped.
pub struct CombinerTask {
    queue: mpsc::Receiver<Vec<Waiting>>,
    pool: Pool,
    wake: Wake,
    observer: Option<BatchObserver>,
}

impl EventStore {
    /// A store and the loop that must be run for it.
    #[must_use]
    pub fn new(pool: Pool, wake: Wake, observer: Option<BatchObserver>) -> (Self, CombinerTask) {
        let appends = pool.clone();
        Self::with_appends_over(appends, pool, wake, observer)
    }

    /// As [`EventStore::new`], with connections of the combiner's own: however many readers wait for
    /// `pool`, an append has its connection.
    #[must_use]
    pub fn with_appends_over(
        appends: Pool,
        pool: Pool,
        wake: Wake,
        observer: Option<BatchObserver>,
    ) -> (Self, CombinerTask) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = CombinerTask {
            queue: receiver,
            pool: appends,
            wake: wake.clone(),
            observer,
        };
        (
            Self {
                queue: sender,
                pool,
                wake,
            },
            task,
        )
    }

    /// A store whose loop runs as a task of the current runtime until every clone is dropped.
    #[must_use]
    pub fn start(pool: Pool, wake: Wake) -> (Self, tokio::task::JoinHandle<()>) {
        let (store, task) = Self::new(pool, wake, None);
        (store, tokio::spawn(task.run()))
    }

    /// The connections this store uses.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The signal that is given when the log grew.
    #[must_use]
    pub const fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Appends one command's events.
    ///
    /// # Errors
    /// [`AppendError`]; after [`AppendError::Unknown`] the same command may be sent again.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let answer = self.append_many(vec![append]).await.pop();
        answer.unwrap_or(Err(AppendError::Closed))
    }

    /// Appends many commands' events; each is answered for itself, in the order given.
    pub async fn append_many(&self, appends: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
        if appends.is_empty() {
            return vec![];
        }
        self.append_all(appends)
            .instrument(runtime::trace::part("append"))
            .await
    }

    async fn append_all(&self, appends: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
        let count = appends.len();
        let (replies, told) = Reply::for_many(count);
        let waiting = appends
            .into_iter()
            .zip(replies)
            .map(|(append, reply)| Waiting { append, reply })
            .collect();
        // All at once: one by one, the first would be written alone, and the others wait for its commit. A
        // closed queue drops the replies inside, which counts as their answer.
        if self.queue.send(waiting).await.is_err() {
            tracing::debug!("append after the combiner ended");
        }
        told.await
            .unwrap_or_else(|_closed| vec![Err(AppendError::Closed); count])
    }

    /// The first answer to a command, if it is in: how a caller finds out about a commit whose reply never
    /// came.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn find_command(
        &self,
        tenant: TenantId,
        command_id: Uuid,
    ) -> Result<Option<Appended>, ReadError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "SELECT version, position, result FROM core.commands WHERE tenant_id = $1 AND command_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&statement, &[&tenant.uuid(), &command_id])
            .await?;
        transaction.commit().await?;
        Ok(row.map(|row| Appended {
            version: row.get(0),
            position: row.get(1),
            duplicate: true,
            result: row.get(2),
        }))
    }

    /// A stream's events after a version, in order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_stream(
        &self,
        tenant: TenantId,
        stream: StreamId,
        after_version: i64,
    ) -> Result<Vec<Recorded>, ReadError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let events = read::stream_tail(&transaction, stream.stream, stream.id, after_version).await?;
        transaction.commit().await?;
        Ok(events)
    }

    /// Events of a tenant in streams of these kinds, after position `after` up to `up_to`, in order, at most
    /// `limit`. What lies between the positions is looked through, so the two should not be far apart.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_tenant(
        &self,
        tenant: TenantId,
        kinds: &[StreamType],
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<Recorded>, ReadError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let events = read::of_tenant(&transaction, kinds, after, up_to, limit).await?;
        transaction.commit().await?;
        Ok(events)
    }

    /// The tenants among these for whose syncs, products or alerts something was recorded after position
    /// `after` up to `up_to`, each with the last position. Needs the role `st_api`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn touches(
        &self,
        after: i64,
        up_to: i64,
        among: &[TenantId],
    ) -> Result<Vec<(TenantId, i64)>, ReadError> {
        let session = self.pool.get().await?;
        read::touches(&session, after, up_to, among).await
    }

    /// The tails of many streams of one kind: all events whose version is above the one given for their
    /// stream, ordered by stream and version.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_tails(
        &self,
        tenant: TenantId,
        stream: StreamType,
        after: &[(Uuid, i64)],
    ) -> Result<Vec<Recorded>, ReadError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let events = read::tails(&transaction, stream, after).await?;
        transaction.commit().await?;
        Ok(events)
    }
}

impl CombinerTask {
    /// Writes batches until every store is dropped and the queue is empty.
    pub async fn run(mut self) {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                match self.queue.recv().await {
                    Some(sent) => waiting.extend(sent),
                    None => return,
                }
            }
            // Take what has come meanwhile, without waiting for more.
            while waiting.len() < BATCH
                && let Ok(sent) = self.queue.try_recv()
            {
                waiting.extend(sent);
            }
            let (appends, replies): (Vec<_>, Vec<_>) = next_batch(&mut waiting)
                .into_iter()
                .map(|w| (w.append, w.reply))
                .unzip();
            self.write(&appends, replies).await;
        }
    }

    async fn write(&self, appends: &[Append], replies: Vec<Reply>) {
        let outcome = self.append_with_repetition(appends).await;
        if let Some(observer) = &self.observer {
            observer(appends.len());
        }
        match outcome {
            Ok(told) => {
                let newest = told.iter().flatten().map(|appended| appended.position).max();
                if let Some(position) = newest {
                    self.wake.notify(position);
                }
                for (reply, answer) in replies.into_iter().zip(told) {
                    reply.give(answer);
                }
            }
            // One command that the log refuses must not take its neighbours with it.
            Err(AppendError::Refused(_) | AppendError::Encode(_)) if appends.len() > 1 => {
                for (append, reply) in appends.iter().zip(replies) {
                    let answer = self.append_with_repetition(std::slice::from_ref(append)).await;
                    let answer = answer.and_then(|mut one| one.pop().unwrap_or(Err(AppendError::Closed)));
                    if let Ok(appended) = &answer {
                        self.wake.notify(appended.position);
                    }
                    reply.give(answer);
                }
            }
            Err(error) => {
                tracing::error!(error = ?error, batch.commands = appends.len(), "append failed");
                for reply in replies {
                    reply.give(Err(error.clone()));
                }
            }
        }
    }

    /// Sends a batch, and again when its answer was lost. If it had been committed, every command in it comes
    /// back as a duplicate with its first answer, so nothing is written twice and nobody is told a falsehood.
    async fn append_with_repetition(&self, appends: &[Append]) -> Result<Vec<Answer>, AppendError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let outcome = match self.pool.get().await {
                Ok(session) => append::append(&session, appends).await,
                Err(error) => Err(append::failed(error)),
            };
            match outcome {
                Err(AppendError::Unknown(error)) if attempt < ATTEMPTS => {
                    tracing::warn!(error = ?error, attempt, "no answer from the log, asking again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Ok(mut answers) => {
                    if attempt > 1 {
                        for (append, answer) in appends.iter().zip(&mut answers) {
                            own_first_answer(append, answer);
                        }
                    }
                    return Ok(answers);
                }
                other => return other,
            }
        }
        Err(AppendError::Closed)
    }
}

/// After a repetition of ours: what our own first sending did is the caller's first answer. It did it if the
/// stream ended where this command wanted to bring it; a command that was in before was decided on an older
/// version.
fn own_first_answer(append: &Append, answer: &mut Answer) {
    if let (Ok(appended), Ok(count)) = (answer, i64::try_from(append.events.len()))
        && appended.version == append.expected + count
    {
        appended.duplicate = false;
    }
}

/// Takes the next batch from the front of the queue. A stream or a command occurs in it at most once: the
/// append function judges all commands against the same heads, so a second one for a stream waits for the
/// next batch.
fn next_batch(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut streams: HashSet<StreamId> = HashSet::new();
    let mut commands = HashSet::new();
    let mut events = 0;
    let mut batch = Vec::new();
    let mut later = VecDeque::new();
    while batch.len() < BATCH && events < BATCH_EVENTS {
        let Some(next) = waiting.pop_front() else { break };
        let command = (next.append.metadata.tenant_id, next.append.metadata.command_id);
        // A stream that was passed over stays passed over, or its commands would overtake each other.
        let free_stream = streams.insert(next.append.stream);
        let free_command = commands.insert(command);
        if free_stream && free_command {
            events += next.append.events.len();
            batch.push(next);
        } else {
            later.push_back(next);
        }
    }
    later.append(waiting);
    *waiting = later;
    batch
}
