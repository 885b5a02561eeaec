//! Cabinets and webhook endpoints follow their tenants' plans: a policy that looks for tenants whose plan,
//! cabinets or endpoints have changed and has the use cases pause or resume what differs. The change is
//! marked in the transaction of the append that made it, and unmarked when everything is done, so nothing is
//! lost however the process ends.

use std::time::Duration;

use application::{App, Context, follow_plan, webhooks};
use billing::Uncompared;
use events::ids::CommandId;
use runtime::Clock;
use tokio_util::sync::CancellationToken;

/// Tenants in one round.
const BATCH: i64 = 100;
/// Floor beneath the wakes: how late a change may be noticed whose hint was lost.
const POLL: Duration = Duration::from_secs(2);

/// Why a round did not work; the next one starts from the same place.
#[derive(Debug, thiserror::Error)]
pub enum PlanPolicyError {
    /// The tables of billing failed.
    #[error("tenants whose plan has changed could not be listed")]
    Store(#[from] billing::StoreError),
    /// A tenant's cabinets do not follow its plan yet.
    #[error("a tenant's cabinets do not follow its plan yet")]
    Follow(#[from] follow_plan::Error),
    /// A tenant's webhook endpoints do not follow its plan yet.
    #[error("a tenant's webhook endpoints do not follow its plan yet")]
    Webhooks(#[from] webhooks::Error),
}

/// The policy and its means.
pub struct PlanPolicy {
    /// Use cases, as the worker.
    pub app: App,
    /// Now.
    pub clock: Clock,
}

impl PlanPolicy {
    /// Runs until told to stop. Any number of processes may: what one has done the others find done.
    pub async fn run(&self, mut wake: event_store::Subscription, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(full) if i64::try_from(full).is_ok_and(|full| full >= BATCH) => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(error = ?error, "plan policy round failed"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _woken = wake.changed_or(POLL) => {}
            }
        }
    }

    /// One round; returns how many tenants were compared with their plan.
    ///
    /// # Errors
    /// [`PlanPolicyError`], the last one; the other tenants are done.
    pub async fn round(&self) -> Result<usize, PlanPolicyError> {
        let changed = self.app.places.uncompared(BATCH).await?;
        let mut failed = None;
        for tenant in &changed {
            // One tenant's trouble is not the others'.
            if let Err(error) = self.one(tenant).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(changed.len()), Err)
    }

    async fn one(&self, tenant: &Uncompared) -> Result<(), PlanPolicyError> {
        let followed = follow_plan::execute(&self.app, &self.context(tenant), tenant).await?;
        let switched = webhooks::follow_plan(&self.app, &self.context(tenant), tenant).await?;
        self.app.places.compared(tenant.tenant_id, tenant.change).await?;
        if followed != follow_plan::Followed::default() {
            tracing::info!(
                tenant.id = %tenant.tenant_id, cabinets.paused = followed.paused,
                cabinets.resumed = followed.resumed, "cabinets follow the plan"
            );
        }
        if switched > 0 {
            tracing::info!(tenant.id = %tenant.tenant_id, webhooks.switched = switched, "webhooks follow the plan");
        }
        Ok(())
    }

    fn context(&self, tenant: &Uncompared) -> Context {
        let name = format!("plan:{}", tenant.change);
        let command_id = CommandId::derived(tenant.tenant_id.uuid(), &name);
        Context {
            tenant_id: tenant.tenant_id,
            actor: "worker".to_owned(),
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            traceparent: runtime::trace::current(),
            now: self.clock.now(),
        }
    }
}
