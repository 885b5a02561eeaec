//! How a process lives and ends, so that a stop loses nothing and a crash is never taken for a stop.
//!
//! Every long-lived task is spawned here by name. The first signal, or a crash of any task, asks all tasks to
//! take no new work and finish what they hold (*soft*). The second signal, or the deadline, asks them to drop
//! it (*hard*); what then still runs is abandoned. [`Lifecycle::wait`] returns when the last task has ended,
//! and tells how it went.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time between the soft and the hard request.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Time after the hard request in which a task may still put things down.
const GRACE: Duration = Duration::from_secs(2);

/// The tasks of this process and the two requests to end. Clones are the same lifecycle.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    tasks: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
    deadline: Duration,
    failures: Arc<Mutex<Vec<Failure>>>,
}

/// A task that did not end as it should.
#[derive(Debug)]
pub struct Failure {
    /// Name of the task.
    pub task: &'static str,
    /// How it ended.
    pub cause: FailureCause,
}

/// How a task ended that did not end as it should.
#[derive(Debug)]
pub enum FailureCause {
    /// It returned an error.
    Failed(Box<dyn Error + Send + Sync>),
    /// It panicked, with this message.
    Panicked(String),
    /// It did not end in time and was dropped.
    Abandoned,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "task {} ", self.task)?;
        match &self.cause {
            FailureCause::Panicked(message) => write!(out, "panicked: {message}"),
            FailureCause::Abandoned => out.write_str("did not end in time and was abandoned"),
            FailureCause::Failed(error) => {
                write!(out, "failed: {error}")?;
                let mut cause = error.source();
                while let Some(inner) = cause {
                    write!(out, ": {inner}")?;
                    cause = inner.source();
                }
                Ok(())
            }
        }
    }
}

/// How the process went.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    /// Tasks that did not end as they should, first one first; empty after an orderly end.
    pub failures: Vec<Failure>,
}

impl Outcome {
    /// Whether every task ended as it should.
    pub fn is_orderly(&self) -> bool {
        self.failures.is_empty()
    }

    /// 0 after an orderly end, 1 after a crash or when a task had to be abandoned.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_orderly())
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A lifecycle with the usual [`DEADLINE`].
    pub fn new() -> Self {
        Self::with_deadline(DEADLINE)
    }

    /// A lifecycle whose hard request follows the soft one after `deadline`.
    pub fn with_deadline(deadline: Duration) -> Self {
        Self {
            tasks: TaskTracker::new(),
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            deadline,
            failures: Arc::default(),
        }
    }

    /// Cancelled when tasks should take no new work and finish what they hold.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when tasks should drop what they hold.
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Whether the end has been asked for.
    pub fn is_ending(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Asks for the end: softly when called for the first time, hard from then on.
    pub fn request_end(&self) {
        if self.soft.is_cancelled() {
            self.hard.cancel();
        } else {
            self.soft.cancel();
        }
    }

    /// Makes SIGINT (Ctrl-C) and SIGTERM call [`Lifecycle::request_end`]. The second one no longer waits.
    ///
    /// # Errors
    /// If the operating system refuses the handlers.
    pub fn end_on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let lifecycle = self.clone();
        // Not one of the tracked tasks: it waits for signals until the process is gone.
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                };
                tracing::info!(
                    signal.name = name,
                    repeated = lifecycle.is_ending(),
                    "asked to stop"
                );
                lifecycle.request_end();
            }
        });
        Ok(())
    }

    /// Runs a long-lived task. If it fails or panics the whole process ends in order; if it returns `Ok`,
    /// only itself has ended.
    pub fn spawn<Task, Err>(&self, name: &'static str, task: Task)
    where
        Task: Future<Output = Result<(), Err>> + Send + 'static,
        Err: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let lifecycle = self.clone();
        self.tasks.spawn(async move {
            let mut running = tokio::spawn(task);
            let cause = tokio::select! {
                ended = &mut running => match ended {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(FailureCause::Failed(error.into())),
                    Err(ended) => Some(panic_of(ended)),
                },
                () = lifecycle.out_of_time() => {
                    running.abort();
                    Some(FailureCause::Abandoned)
                }
            };
            match cause {
                None => tracing::debug!(task.name = name, "task ended"),
                Some(cause) => lifecycle.report(Failure { task: name, cause }),
            }
        });
    }

    /// Waits until all tasks have ended, and asks hard for it when the deadline after the soft request has
    /// passed.
    pub async fn wait(&self) -> Outcome {
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = self.press() => {}
        }
        let failures = std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        Outcome { failures }
    }

    /// Ends only after the tasks do: turns soft into hard after the deadline.
    async fn press(&self) {
        self.soft.cancelled().await;
        tokio::select! {
            () = tokio::time::sleep(self.deadline) => {
                tracing::warn!(deadline_s = self.deadline.as_secs(), "deadline passed with work in hand");
                self.hard.cancel();
            }
            () = self.hard.cancelled() => {}
        }
        self.tasks.wait().await;
    }

    async fn out_of_time(&self) {
        self.hard.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    fn report(&self, failure: Failure) {
        tracing::error!(task.name = failure.task, error = %failure, "task did not end as it should");
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
        self.soft.cancel();
    }
}

fn panic_of(ended: tokio::task::JoinError) -> FailureCause {
    match ended.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            FailureCause::Panicked(text.unwrap_or_else(|| "(no message)".to_owned()))
        }
        // Nobody aborts these tasks but the runtime that is being torn down.
        Err(_cancelled) => FailureCause::Abandoned,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn a_process_whose_tasks_are_done_has_ended_in_order() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("short", async { Ok::<_, io::Error>(()) });
        let outcome = lifecycle.wait().await;
        assert!(outcome.is_orderly());
        assert_eq!(outcome.exit_code(), 0);
    }

    #[tokio::test]
    async fn the_first_request_lets_a_task_finish_what_it_holds() {
        let lifecycle = Lifecycle::new();
        let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
        let (done, finished) = tokio::sync::oneshot::channel();
        lifecycle.spawn("worker", async move {
            soft.cancelled().await;
            assert!(!hard.is_cancelled());
            done.send("finished").map_err(io::Error::other)
        });
        lifecycle.request_end();
        assert!(lifecycle.wait().await.is_orderly());
        assert_eq!(finished.await.unwrap(), "finished");
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_deadline_tasks_are_asked_hard() {
        let lifecycle = Lifecycle::with_deadline(Duration::from_secs(30));
        let hard = lifecycle.hard();
        let start = tokio::time::Instant::now();
        lifecycle.spawn("slow", async move {
            hard.cancelled().await;
            Ok::<_, io::Error>(())
        });
        lifecycle.request_end();
        assert!(lifecycle.wait().await.is_orderly());
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_request_does_not_wait_for_the_deadline_and_abandons_who_does_not_listen() {
        let lifecycle = Lifecycle::new();
        let start = tokio::time::Instant::now();
        lifecycle.spawn("deaf", std::future::pending::<Result<(), io::Error>>());
        lifecycle.request_end();
        lifecycle.request_end();
        let outcome = lifecycle.wait().await;
        assert_eq!(outcome.exit_code(), 1);
        assert_eq!(
            outcome.failures[0].to_string(),
            "task deaf did not end in time and was abandoned"
        );
        assert!(
            start.elapsed() >= GRACE && start.elapsed() < DEADLINE,
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn a_task_that_fails_ends_the_process_and_is_reported_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("could not copy events")]
        struct RelayError(#[source] io::Error);

        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft();
        lifecycle.spawn("other", async move {
            soft.cancelled().await;
            Ok::<_, io::Error>(())
        });
        lifecycle.spawn("relay", async {
            Err(RelayError(io::Error::other("broker gone")))
        });
        let outcome = lifecycle.wait().await;
        assert_eq!(outcome.exit_code(), 1);
        let reports: Vec<String> = outcome.failures.iter().map(ToString::to_string).collect();
        assert_eq!(reports, ["task relay failed: could not copy events: broker gone"]);
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process_and_is_reported() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("projector", broken());
        let outcome = lifecycle.wait().await;
        assert!(lifecycle.is_ending());
        assert_eq!(
            outcome.failures[0].to_string(),
            "task projector panicked: position went back"
        );
    }

    async fn broken() -> Result<(), io::Error> {
        panic!("position went back");
    }
}
