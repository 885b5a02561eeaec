//! One sync: take it up, read every source, judge, record what differs, say how it ended.
//!
//! The order matters. Nothing is recorded before all sources have answered or failed, because an answer is
//! judged by what the others say. What is implausible is held back, and the rest is recorded. Whatever is
//! recorded is recorded under ids that follow from the attempt, so a repetition adds nothing. And the end is
//! told last, under the attempt's number, so that a worker which was given up for dead cannot speak for the
//! one that took over.

pub mod compose;
pub mod doubled;
mod facts;
pub mod held;
mod key;
mod labels;
mod marks;
pub mod plausible;
mod record;
pub mod sources;

use std::time::Duration;

use application::domain::sync::{Sync as SyncState, SyncRefusal, is_put_back};
use application::judge_credential::Verdict;
use application::{App, Context, record_observations, sync_attempt};
use chrono::TimeDelta;
use connectors::marketplace::MarketplaceClient;
use events::ids::{CommandId, SyncId};
use events::sync::{SourceOutcome, SourceReport, SyncCompleted, SyncFailed, SyncQuarantined};
use runtime::Clock;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::payloads::Payloads;
use crate::sync::key::Key;
use crate::sync::labels::{class_label, outcomes};
use crate::sync::plausible::Judgement;
use crate::sync::sources::Failure;
use crate::{Marketplaces, SyncJob, check};

/// How long a sync waits for a key to be tried.
const CHECK: Duration = Duration::from_secs(20);

/// How often a sync is taken up at most, being put back for a limit's sake included: hours of a marketplace
/// that refuses everything. Then the next one of the schedule tries.
const MOST_PUT_BACK: u32 = 200;

/// How long a sync may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// After this, sources that have not answered count as failed and the sync ends with what it has.
    pub soft: Duration,
    /// After this, the attempt is given up whatever it is doing.
    pub hard: Duration,
    /// Failed attempts before a sync is given up. Being put back for a limit's sake is no failure.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles with each. The marketplace's own delay is obeyed if
    /// longer.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            soft: Duration::from_secs(540),
            hard: Duration::from_secs(600),
            attempts: 5,
            pause: Duration::from_secs(15),
        }
    }
}

/// How a job ended, from the queue's point of view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The sync is over.
    Done,
    /// The log says when it is tried again.
    WillRetry,
    /// It is over and could not be done.
    GivenUp {
        /// Why.
        reason: String,
    },
    /// Our own store did not answer, so nothing is known to be recorded.
    Undecided,
}

/// Runs syncs; cheap to clone.
#[derive(Clone)]
pub struct Syncs {
    /// Use cases, with the worker's rights.
    pub app: App,
    /// Clients.
    pub marketplaces: Marketplaces,
    /// What was recorded less than five minutes ago.
    pub cache: std::sync::Arc<messaging::Cache>,
    /// Now.
    pub clock: Clock,
    /// Limits.
    pub limits: Limits,
    /// Whose request goes next; without, everybody's at once.
    pub turns: Option<connectors::http::Turns>,
    /// How many days of orders are asked for.
    pub order_days: i64,
    /// Told when a sync has ended: outcome and how long it took.
    pub observer: Option<Observer>,
    /// Told how each source of an ended sync came out.
    pub source_observer: Option<SourceObserver>,
    /// Where raw answers are kept, if they are.
    pub payloads: Option<Payloads>,
}

/// Called with marketplace, source and outcome (`complete`, `partial`, `failed`, `cached`, `degraded`).
pub type SourceObserver = std::sync::Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

/// Called with marketplace, outcome and duration of every ended sync.
pub type Observer = std::sync::Arc<dyn Fn(&str, &str, Duration) + Send + Sync>;

/// One attempt under way.
struct Attempt<'a> {
    syncs: &'a Syncs,
    job: &'a SyncJob,
    attempt: sync_attempt::Attempt,
}

impl Syncs {
    /// Runs the job. `sequence` and `deliveries` name this delivery, so that taking it up twice counts once.
    pub async fn run(&self, job: &SyncJob, sequence: u64, deliveries: i64) -> End {
        self.run_traced(job, sequence, deliveries)
            .instrument(runtime::trace::job("sync"))
            .await
    }

    async fn run_traced(&self, job: &SyncJob, sequence: u64, deliveries: i64) -> End {
        let began = tokio::time::Instant::now();
        let context = self.context(job, &format!("start:{sequence}:{deliveries}"));
        let attempt = match sync_attempt::start(&self.app, &context, job.cabinet_id, job.sync_id).await {
            Ok(attempt) => attempt,
            Err(application::ExecuteError::Refused(SyncRefusal::NotOutstanding)) => return End::Done,
            Err(error) => {
                tracing::warn!(error = ?error, sync.id = %job.sync_id, "sync could not be taken up");
                return End::Undecided;
            }
        };
        let marketplace = attempt
            .marketplace
            .map_or("none", events::cabinet::Marketplace::as_str);
        let attempt = self.with_tried_key(job, attempt).await;
        let running = Attempt {
            syncs: self,
            job,
            attempt,
        };
        // Boxed: the future of a whole sync is large, and it lives on this task's heap once.
        let (end, outcome) = match tokio::time::timeout(self.limits.hard, Box::pin(running.run())).await {
            Ok(ended) => ended,
            Err(_elapsed) => {
                let detail = format!("not done after {} s", self.limits.hard.as_secs());
                running.fail("timeout", &detail, None, vec![], true).await
            }
        };
        tracing::Span::current().record("outcome", outcome);
        if let Some(observer) = &self.observer {
            observer(marketplace, outcome, began.elapsed());
        }
        end
    }

    /// Tries a key that nobody has tried yet, or that waits to take the place of the one in use. Whatever
    /// comes of it, the sync goes on with the key that is in use then.
    async fn with_tried_key(&self, job: &SyncJob, attempt: sync_attempt::Attempt) -> sync_attempt::Attempt {
        let is_tried = attempt.rights.is_some() || attempt.rejected || attempt.credential.is_none();
        if attempt.released || attempt.marketplace.is_none() || (attempt.offered.is_none() && is_tried) {
            return attempt;
        }
        let context = self.context(job, &format!("attempt:{}:check", attempt.attempt));
        let checking = Box::pin(check::run(self, &context, job.cabinet_id));
        match tokio::time::timeout(CHECK, checking).await {
            Ok(Ok(checked)) => sync_attempt::Attempt {
                rejected: checked.cabinet.rejected.is_some(),
                credential: checked.cabinet.credential,
                rights: checked.cabinet.rights,
                offered: None,
                ..attempt
            },
            Ok(Err(error)) => {
                tracing::info!(error = ?error, cabinet.id = %job.cabinet_id, "the key could not be tried");
                attempt
            }
            Err(_elapsed) => attempt,
        }
    }

    fn context(&self, job: &SyncJob, name: &str) -> Context {
        Context {
            tenant_id: job.tenant_id,
            actor: "worker".to_owned(),
            command_id: CommandId::derived(job.sync_id.uuid(), name),
            correlation_id: job.sync_id.uuid(),
            causation_id: Some(job.sync_id.uuid()),
            traceparent: runtime::trace::current(),
            now: self.clock.now(),
        }
    }
}

impl Attempt<'_> {
    async fn run(&self) -> (End, &'static str) {
        if self.attempt.failures >= self.syncs.limits.attempts {
            let detail = format!("given up after {} attempts", self.attempt.failures);
            return self.fail("attempts", &detail, None, vec![], false).await;
        }
        if self.attempt.released {
            let ended = Box::pin(self.record_held()).await;
            return self.or_failed(ended).await;
        }
        let client = match self.client().await {
            Ok(client) => client,
            Err((class, detail)) => {
                return self.fail(class, &detail, None, vec![], class == "internal").await;
            }
        };
        let seen = Box::pin(sources::read(self.syncs, self.job, self.attempt.forced, &client)).await;
        let key = self.judge_credential(&seen, &client).await;
        if let Some(failure) = seen.nothing_usable() {
            let reports = seen.reports();
            let retry = failure.class.is_retryable() || key == Key::Contradicted;
            return self
                .fail(
                    failure.name,
                    &failure.detail,
                    failure.told_delay(),
                    reports,
                    retry,
                )
                .await;
        }
        let ended = Box::pin(self.record(seen)).await;
        self.or_failed(ended).await
    }

    /// Our own side's trouble is a failed attempt.
    async fn or_failed(&self, ended: Result<(End, &'static str), Trouble>) -> (End, &'static str) {
        match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(error = ?error, sync.id = %self.job.sync_id, "observations not recorded");
                let detail = "the observations could not be recorded";
                self.fail("internal", detail, None, vec![], true).await
            }
        }
    }

    async fn client(&self) -> Result<MarketplaceClient, (&'static str, String)> {
        let Some(marketplace) = self.attempt.marketplace else {
            return Err(("disconnected", "the cabinet was taken away".to_owned()));
        };
        let Some(credential) = self
            .attempt
            .credential
            .as_ref()
            .filter(|_| !self.attempt.rejected)
        else {
            return Err((
                "unauthorized",
                "the marketplace refused the credential".to_owned(),
            ));
        };
        if credential
            .expires_at
            .is_some_and(|at| at <= self.syncs.clock.now())
        {
            self.tell_credential(Verdict::Rejected("expired".to_owned()))
                .await;
            return Err(("expired", "the credential ended".to_owned()));
        }
        let opened = self
            .syncs
            .app
            .vault
            .open(self.job.tenant_id, credential.credential_id)
            .await;
        let secret = opened.map_err(|error| {
            tracing::error!(error = ?error, credential.id = %credential.credential_id, "credential not opened");
            ("internal", "the credential could not be opened".to_owned())
        })?;
        let client = self
            .syncs
            .marketplaces
            .taking_turns(self.syncs.turns.as_ref(), self.job.tenant_id)
            .client(marketplace, &secret)
            .map_err(|error| ("unsupported", error.to_string()))?;
        Ok(match &self.syncs.payloads {
            Some(payloads) => client.keeping(payloads.of(self.job, self.attempt.attempt)),
            None => client,
        })
    }

    fn part(&self, name: &str) -> Context {
        self.syncs
            .context(self.job, &format!("attempt:{}:{name}", self.attempt.attempt))
    }

    async fn complete(&self, seen: u64, changed: u64, sources: Vec<SourceReport>) -> (End, &'static str) {
        let all = sources
            .iter()
            .all(|report| matches!(report.outcome, SourceOutcome::Complete | SourceOutcome::Cached));
        let end = sync_attempt::End::Completed(SyncCompleted {
            sync_id: self.job.sync_id,
            attempt: self.attempt.attempt,
            completed_at: self.syncs.clock.now(),
            sources: sources.clone(),
            products_seen: seen,
            products_changed: changed,
        });
        let told = self.tell(end, End::Done).await;
        // What a person released was read long ago.
        if told.is_recorded && !self.attempt.released {
            marks::make(&self.syncs.cache, self.job, &sources).await;
        }
        (told.end, if all { "completed" } else { "partial" })
    }

    async fn quarantine(&self, judgement: &Judgement, reports: Vec<SourceReport>) -> (End, &'static str) {
        let evidence: Vec<String> = judgement.held().map(|held| held.doubt().evidence).collect();
        let end = sync_attempt::End::Quarantined(SyncQuarantined {
            sync_id: self.job.sync_id,
            attempt: self.attempt.attempt,
            quarantined_at: self.syncs.clock.now(),
            reason: (judgement.held().next()).map_or_else(String::new, |held| held.rule.to_owned()),
            evidence: evidence.join(" "),
            sources: reports,
        });
        (self.tell(end, End::Done).await.end, "quarantined")
    }

    /// Tells that the attempt failed: to be tried again while attempts are left, else given up.
    async fn fail(
        &self,
        class: &str,
        detail: &str,
        told_delay: Option<Duration>,
        sources: Vec<SourceReport>,
        retryable: bool,
    ) -> (End, &'static str) {
        let limits = &self.syncs.limits;
        let left = retryable
            && (if is_put_back(class) {
                self.attempt.attempt < MOST_PUT_BACK
            } else {
                self.attempt.failures + 1 < limits.attempts
            });
        let doubled = limits.pause * 2_u32.saturating_pow(self.attempt.failures.min(10));
        let delay = told_delay.unwrap_or_default().max(self.jittered(doubled));
        let now = self.syncs.clock.now();
        let retry_at = left.then(|| now + TimeDelta::from_std(delay).unwrap_or(TimeDelta::hours(1)));
        let end = sync_attempt::End::Failed(SyncFailed {
            sync_id: self.job.sync_id,
            attempt: self.attempt.attempt,
            failed_at: now,
            class: class.to_owned(),
            detail: detail.to_owned(),
            retry_at,
            sources,
        });
        let after = if left {
            End::WillRetry
        } else {
            End::GivenUp {
                reason: format!("{class}: {detail}"),
            }
        };
        (self.tell(end, after).await.end, class_label(class))
    }

    fn observe_sources(&self, outcomes: &[(String, &'static str)], state: &SyncState) {
        let (Some(observer), Some(marketplace)) = (&self.syncs.source_observer, self.attempt.marketplace)
        else {
            return;
        };
        for (source, outcome) in outcomes {
            let degraded = state.health.get(source).is_some_and(|health| health.degraded);
            let outcome = if degraded && *outcome != "cached" {
                "degraded"
            } else {
                outcome
            };
            observer(marketplace.as_str(), source, outcome);
        }
    }

    /// Up to a quarter longer, by the cabinet: many cabinets that failed together do not come back together.
    fn jittered(&self, pause: Duration) -> Duration {
        let spread = Uuid::new_v5(&self.job.cabinet_id.uuid(), &self.attempt.attempt.to_be_bytes());
        let quarter = pause / 4;
        pause + quarter * u32::from(spread.as_bytes()[0]) / 256
    }

    /// Destroys what is held no longer. The next sync does what this one could not.
    async fn forget_holds(&self, state: &SyncState) {
        let mut held: Vec<SyncId> = state.held.iter().map(|held| held.sync_id).collect();
        // A released one that is tried again needs what is held.
        held.extend(state.outstanding.as_ref().map(|outstanding| outstanding.sync_id));
        if let Err(error) = self.holds().keep_only(&held).await {
            tracing::warn!(error = ?error, cabinet.id = %self.job.cabinet_id, "old results not destroyed");
        }
    }

    async fn tell(&self, end: sync_attempt::End, after: End) -> Told {
        let context = self.part("end");
        let outcomes = outcomes(&end);
        match sync_attempt::end(&self.syncs.app, &context, self.job.cabinet_id, end).await {
            Ok(ended) => {
                self.observe_sources(&outcomes, &ended.state);
                self.forget_holds(&ended.state).await;
                Told {
                    end: after,
                    is_recorded: true,
                }
            }
            // Another worker has it, or it is over: nothing of ours counts any more.
            Err(application::ExecuteError::Refused(refusal)) => {
                tracing::info!(reason = %refusal, sync.id = %self.job.sync_id, "superseded");
                Told {
                    end: End::Done,
                    is_recorded: false,
                }
            }
            Err(error) => {
                tracing::warn!(error = ?error, sync.id = %self.job.sync_id, "end of sync not recorded");
                Told {
                    end: End::Undecided,
                    is_recorded: false,
                }
            }
        }
    }
}

/// What came of reporting the end of an attempt.
struct Told {
    /// For the queue.
    end: End,
    /// Whether the log has this attempt's end.
    is_recorded: bool,
}

/// Our own side failed while recording.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the cabinet's memory cannot be used")]
    Memory(#[from] database::DatabaseError),
    #[error("the observations cannot be recorded")]
    Record(#[from] record_observations::Error),
    #[error("the held result cannot be used")]
    Hold(#[from] held::HoldError),
    #[error("the key of the held result cannot be used")]
    Key(#[from] vault::VaultError),
}

impl Failure {
    fn told_delay(&self) -> Option<Duration> {
        match self.class {
            connectors::error::FailureClass::Wait { delay } => Some(delay),
            _ => None,
        }
    }
}
