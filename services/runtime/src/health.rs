//! Whether this process can do its work: a list of named checks that roles add to and the API answers from.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A check that has not answered after this has failed.
const LIMIT: Duration = Duration::from_secs(2);
/// A report is given to everybody who asks within this time: anybody may ask, as often as they like, and must
/// not make work for the servers that are asked.
const SHARED: Duration = Duration::from_millis(250);

type Asking = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
/// A report and when it was made.
type Latest = (Instant, Vec<CheckReport>);
type Check = Arc<dyn Fn() -> Asking + Send + Sync>;

/// The readiness checks of this process. Clones share one list.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<Vec<(&'static str, Check)>>>,
    latest: Arc<tokio::sync::Mutex<Option<Latest>>>,
}

/// What one check said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CheckReport {
    /// Name of the check, such as `database`.
    pub name: &'static str,
    /// Why the process is not ready as far as this check goes; `None` if it is.
    pub problem: Option<String>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        out.debug_list()
            .entries(checks.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Health {
    /// Adds a check; one of the same name is replaced. The reason of a failure is shown to whoever asks for
    /// health, so it must hold no secret.
    pub fn register<Checking>(&self, name: &'static str, check: impl Fn() -> Checking + Send + Sync + 'static)
    where
        Checking: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.retain(|(known, _)| *known != name);
        checks.push((name, check));
        // Whoever holds it is making a report already.
        if let Ok(mut latest) = self.latest.try_lock() {
            *latest = None;
        }
    }

    /// Asks all checks at once; each has two seconds. Whoever asks while they are being asked, or right
    /// after, gets the same report.
    pub async fn report(&self) -> Vec<CheckReport> {
        let mut latest = self.latest.lock().await;
        if let Some((at, report)) = &*latest
            && at.elapsed() < SHARED
        {
            return report.clone();
        }
        let report = self.ask().await;
        *latest = Some((Instant::now(), report.clone()));
        report
    }

    async fn ask(&self) -> Vec<CheckReport> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = checks.into_iter().map(async |(name, check)| {
            let problem = match tokio::time::timeout(LIMIT, check()).await {
                Ok(answer) => answer.err(),
                Err(_elapsed) => Some(format!("no answer within {} s", LIMIT.as_secs())),
            };
            CheckReport { name, problem }
        });
        futures_util::future::join_all(asked).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_check_answers_for_itself_and_one_that_hangs_counts_as_failed() {
        let health = Health::default();
        health.register("database", async || Ok(()));
        health.register("broker", async || Err("not connected".to_owned()));
        health.register("sheets", std::future::pending);
        let report = health.report().await;
        let said: Vec<_> = report
            .iter()
            .map(|check| (check.name, check.problem.as_deref()))
            .collect();
        assert_eq!(
            said,
            [
                ("database", None),
                ("broker", Some("not connected")),
                ("sheets", Some("no answer within 2 s"))
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_make_no_more_work_than_one() {
        let health = Health::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        health.register("database", move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        });
        let many = (0..50).map(|_| health.report());
        futures_util::future::join_all(many).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(SHARED).await;
        health.report().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_check_of_the_same_name_is_replaced() {
        let health = Health::default();
        health.register("database", async || Err("down".to_owned()));
        health.register("database", async || Ok(()));
        assert_eq!(
            health.report().await,
            [CheckReport {
                name: "database",
                problem: None
            }]
        );
    }
}
