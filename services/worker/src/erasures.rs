//! Erasures that nobody finished: a process that died after the request, and what can only be done a while
//! later, when no request and no policy of before the erasure is under way any more. Everything here is found
//! in the ledger and may be done twice, by any number of workers.

use std::time::Duration;

use application::App;
use application::billing::farewell::FarewellError;
use application::erasure::{self, Error};
use auth::StoreError;
use auth::erasures::{Erasure, Subject, Unfinished};
use billing::FormerCustomers;
use chrono::TimeDelta;
use messaging::{Broker, WorkError, forget};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

use crate::billing::Deliveries;

/// How often the ledger is looked at; it is almost always empty.
const EVERY: Duration = Duration::from_secs(5);
/// Requests taken up in one round.
const BATCH: i32 = 20;
/// The process that was asked may still be at it.
const THEIRS: TimeDelta = TimeDelta::seconds(10);
/// No request that was let in before lives so long.
const ALL_ENDED: TimeDelta = TimeDelta::seconds(120);

/// Why a round did not work; the next one starts from the same place.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The ledger failed.
    #[error("the ledger of erasures cannot be used")]
    Ledger(#[from] StoreError),
    /// The log failed.
    #[error("an erasure was not carried out")]
    Erasure(#[from] Error),
    /// A customer could not be deleted at Stripe.
    #[error("Stripe may still know somebody who was erased")]
    Stripe(#[from] FarewellError),
    /// The tables of billing failed.
    #[error("the tables of billing failed")]
    Billing(#[from] billing::StoreError),
    /// The broker failed.
    #[error("the broker still keeps something of an erased tenant")]
    Broker(#[from] WorkError),
}

/// Finishes erasures.
#[derive(Clone)]
pub struct Erasures {
    /// The use cases, as the worker.
    pub app: App,
    /// Where jobs and kept answers are.
    pub broker: Broker,
    /// Now.
    pub clock: Clock,
}

impl Erasures {
    /// Runs until told to stop.
    pub async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.round().await {
                tracing::warn!(error = ?error, "erasures are finished later");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// One look at the ledger. One request that fails does not keep the others back.
    ///
    /// # Errors
    /// The last [`FinishError`].
    pub async fn round(&self) -> Result<(), FinishError> {
        // Stripe first: an act is closed only when it knows nobody of it any more.
        let billing = Deliveries::new(self.app.clone(), self.clock.clone());
        let mut outcome = billing.say_farewell().await.map(drop).map_err(Into::into);
        for entry in erasure::ledger(&self.app).unfinished(BATCH).await? {
            if let Err(error) = self.one(&entry).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn one(&self, entry: &Unfinished) -> Result<(), FinishError> {
        let now = self.clock.now();
        let wanted = &entry.erasure;
        let age = now - wanted.requested_at;
        if age < THEIRS {
            return Ok(());
        }
        match erasure::carry_out(&self.app, wanted, now).await {
            Ok(()) => {}
            // Taken back: the last owner of a tenant stays until the tenant goes.
            Err(Error::Tenant(application::ExecuteError::Refused(refusal))) => {
                tracing::info!(erasure.id = %wanted.erasure_id, reason = %refusal, "an erasure was refused");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        self.clean_broker(wanted).await?;
        if self.known_at_stripe(wanted).await? {
            return Ok(());
        }
        if age >= ALL_ENDED && erasure::ledger(&self.app).finish(wanted, now).await? {
            tracing::info!(erasure.id = %wanted.erasure_id, "an erasure is complete");
        }
        Ok(())
    }

    async fn known_at_stripe(&self, wanted: &Erasure) -> Result<bool, FinishError> {
        let user = match wanted.subject {
            Subject::Tenant(_) => None,
            Subject::User(user) => Some(user),
        };
        let former = FormerCustomers::new(self.app.store.pool().clone());
        Ok(former.has_leaving(wanted.tenant_id, user).await?)
    }

    async fn clean_broker(&self, wanted: &Erasure) -> Result<(), FinishError> {
        let Subject::Tenant(tenant) = wanted.subject else {
            return Ok(());
        };
        let cabinets = erasure::ledger(&self.app).cabinets(tenant).await?;
        let cabinets: Vec<String> = cabinets.iter().map(ToString::to_string).collect();
        forget::tenant(&self.broker, &tenant.to_string(), &cabinets).await?;
        Ok(())
    }
}
