//! What Stripe sent is taken up: a few lanes claim events by customer, ask Stripe, record, and note in the
//! inbox what became of each. The inbox is a table, so neither the broker nor the process that stored the
//! event is needed, any number of workers may do this, and what a dead one had taken up comes again by
//! itself.

use std::time::Duration;

use application::billing::farewell::{FarewellError, say_farewell};
use application::billing::reconcile::{self, Compared, ReconcileError};
use application::billing::take::{TakeError, Taken, Taking};
use billing::{Claimed, End, FormerCustomers, Inbox, Reconciliation, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

/// Customers that are asked for at the same time by one process. Stripe allows 100 requests a second.
const LANES: usize = 4;
/// Events of one customer that are taken up together, at most.
const TOGETHER: i64 = 100;
/// How long an event that was taken up is left to its lane. Each of its events may need a few calls of ten
/// seconds.
const CLAIM: TimeDelta = TimeDelta::minutes(10);
/// How often an empty inbox is looked into.
const POLL: Duration = Duration::from_millis(500);
/// Pause after the table or Stripe could not be asked.
const PAUSE: Duration = Duration::from_secs(5);
/// How often missed events are asked for until it worked once.
const AGAIN: Duration = Duration::from_secs(60);
/// How soon an event comes again whose customer is read by somebody else.
const SOON: TimeDelta = TimeDelta::seconds(1);
/// First and longest time after which an event comes again that could not be handled.
const FIRST: TimeDelta = TimeDelta::seconds(5);
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// For how long an operator may correct what makes an event useless, such as a price that is not set here.
const CORRECTABLE: TimeDelta = TimeDelta::days(3);

/// Handles what Stripe sent.
#[derive(Clone)]
pub struct Deliveries {
    /// What an event means.
    pub taking: Taking,
    /// Now.
    pub clock: Clock,
}

impl Deliveries {
    /// Over the use cases, as the worker.
    #[must_use]
    pub fn new(app: application::App, clock: Clock) -> Self {
        let pool = app.store.pool().clone();
        Self {
            taking: Taking {
                app,
                inbox: Inbox::new(pool.clone()),
                former: FormerCustomers::new(pool),
            },
            clock,
        }
    }

    /// Runs until told to stop; what was missed while nobody ran is asked for first.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.catch_up(stop), self.handle(stop));
    }

    /// Handles what is in the inbox, and what comes into it, until told to stop.
    pub async fn handle(&self, stop: &CancellationToken) {
        let lanes = (0..LANES).map(|_| self.lane(stop));
        futures_util::future::join_all(lanes).await;
    }

    async fn catch_up(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.fetch_missed().await {
                Ok(_) => return,
                Err(error) => tracing::warn!(error = ?error, "Stripe's events are listed later"),
            }
            wait(AGAIN, stop).await;
        }
    }

    async fn lane(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(0) => wait(POLL, stop).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = ?error, "Stripe's events are handled later");
                    wait(PAUSE, stop).await;
                }
            }
        }
    }

    /// Takes up what is due longest, with what else concerns the same customer. Returns how many events
    /// that were.
    ///
    /// # Errors
    /// [`StoreError`]; what was taken up comes again.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let inbox = &self.taking.inbox;
        let claimed = inbox.claim(now, now + CLAIM, TOGETHER).await?;
        for (taken, claimed) in self.taking.take(&claimed, now).await.iter().zip(&claimed) {
            self.note(taken, claimed, now).await?;
        }
        Ok(claimed.len())
    }

    async fn note(&self, taken: &Taken, claimed: &Claimed, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Taken {
            event_id, customer, ..
        } = taken;
        let given_up;
        let end = match &taken.outcome {
            Ok(end) => end,
            Err(error) if error.is_lasting() && claimed.received_at + CORRECTABLE <= now => {
                given_up = End::Failed(chain(error));
                &given_up
            }
            Err(error) => return self.put_off(error, claimed, now).await,
        };
        if let End::Failed(why) = end {
            tracing::error!(stripe.event = %event_id, why, "an event of Stripe's cannot be used");
        }
        let inbox = &self.taking.inbox;
        inbox.finish(event_id, customer.as_deref(), end, now).await
    }

    async fn put_off(
        &self,
        error: &TakeError,
        claimed: &Claimed,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let event_id = &claimed.event_id;
        let delay = if error.is_busy() {
            SOON
        } else if error.is_lasting() {
            tracing::error!(error = ?error, stripe.event = %event_id, "an event of Stripe's has no meaning here");
            backoff(claimed.attempts)
        } else {
            tracing::warn!(error = ?error, stripe.event = %event_id, "an event of Stripe's comes again");
            backoff(claimed.attempts)
        };
        let inbox = &self.taking.inbox;
        inbox.put_off(event_id, now + delay, &chain(error)).await
    }

    /// Lists what happened at Stripe since the last time; see [`reconcile::fetch_missed`].
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn fetch_missed(&self) -> Result<u64, ReconcileError> {
        let Taking { app, inbox, .. } = &self.taking;
        let missed = reconcile::fetch_missed(app, inbox, &self.reconciliation(), self.clock.now()).await?;
        if missed > 0 {
            tracing::warn!(
                events = missed,
                "events were found at Stripe that were not delivered"
            );
        }
        Ok(missed)
    }

    /// Compares contracts with Stripe that were not compared for a day; see [`reconcile::compare`].
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn compare(&self) -> Result<Compared, ReconcileError> {
        reconcile::compare(&self.taking.app, &self.reconciliation(), self.clock.now()).await
    }

    /// Deletes at Stripe who was erased here; see [`say_farewell`].
    ///
    /// # Errors
    /// [`FarewellError`].
    pub async fn say_farewell(&self) -> Result<u64, FarewellError> {
        let Taking { app, inbox, former } = &self.taking;
        say_farewell(app, inbox, former, self.clock.now()).await
    }

    fn reconciliation(&self) -> Reconciliation {
        Reconciliation::new(self.taking.inbox.pool().clone())
    }
}

/// Doubled with each attempt.
fn backoff(attempts: i32) -> TimeDelta {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(16);
    LONGEST.min(FIRST * 2_i32.pow(doublings))
}

/// An error with its causes, for a column that operators read. Errors here quote nothing of a body.
fn chain(error: &TakeError) -> String {
    let first: Option<&dyn std::error::Error> = Some(error);
    let causes = std::iter::successors(first, |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn wait(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
