//! The clock of the cabinets: asks over NATS which ones are due and requests their syncs, both answered by
//! the gateway. Starting late is no stampede: due cabinets are taken a few at a time, the longest waiting
//! first and one of each tenant before the second of any, and no more than the workers have room for; a
//! cabinet that missed many syncs gets one. Running twice is harmless, because a cabinet has one
//! outstanding sync. It also queues the installation's maintenance, at its start and every hour.

use std::time::Duration;

use application::wire::{CommandHead, DueCabinet, DueCabinets, RequestSync};
use events::ids::CommandId;
use messaging::rpc;
use messaging::{Broker, WorkQueue};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::maintenance;

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Cabinets taken up per tick.
const PER_TICK: u32 = 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The schedule and its means.
pub struct Scheduler {
    /// Link to the broker.
    pub broker: Broker,
    /// New ids.
    pub ids: runtime::Ids,
    /// Syncs that may wait for the workers or be with them before more are requested by the clock.
    pub most_outstanding: u32,
}

impl Scheduler {
    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let queue = WorkQueue::new(&self.broker);
        let mut maintenance_at = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
            if let Err(error) = self.tick().await {
                tracing::debug!(error = ?error, "the schedule could not be looked at");
            }
            if Instant::now() >= maintenance_at {
                match maintenance::queue_all(&queue, &self.ids).await {
                    Ok(()) => maintenance_at = Instant::now() + maintenance::EVERY,
                    Err(error) => tracing::debug!(error = ?error, "maintenance could not be queued"),
                }
            }
        }
    }

    /// Requests what is due now; returns how many syncs that were.
    ///
    /// # Errors
    /// [`rpc::RpcError`] when the gateway does not answer.
    pub async fn tick(&self) -> Result<usize, rpc::RpcError> {
        let question = DueCabinets {
            limit: PER_TICK,
            most_outstanding: self.most_outstanding,
        };
        let due: Vec<DueCabinet> = self.ask("queries.due_cabinets", &question).await?;
        for cabinet in &due {
            let command_id = CommandId(self.ids.next());
            let request = RequestSync {
                head: CommandHead {
                    command_id,
                    tenant_id: cabinet.tenant_id,
                    actor: "scheduler".to_owned(),
                    correlation_id: command_id.uuid(),
                },
                cabinet_id: cabinet.cabinet_id,
                trigger: if cabinet.never_synced {
                    events::sync::Trigger::Connected
                } else {
                    events::sync::Trigger::Schedule
                },
                forced: false,
            };
            // One cabinet's refusal (disconnected this moment, say) is not the others' business.
            let asked = self.ask::<_, serde_json::Value>("commands.request_sync", &request);
            if let Err(error) = asked.instrument(runtime::trace::job("schedule")).await {
                tracing::info!(error = ?error, cabinet.id = %cabinet.cabinet_id, "scheduled sync not requested");
            }
        }
        Ok(due.len())
    }

    async fn ask<Q: Serialize + Sync, A: serde::de::DeserializeOwned>(
        &self,
        subject: &'static str,
        question: &Q,
    ) -> Result<A, rpc::RpcError> {
        let failed = |source: serde_json::Error| rpc::RpcError::Failed {
            subject: subject.to_owned(),
            source: Box::new(source),
        };
        let body = serde_json::to_vec(question).map_err(failed)?;
        let answer = rpc::request_traced(
            &self.broker,
            subject,
            body.into(),
            runtime::trace::current().as_deref(),
            PATIENCE,
        )
        .await?;
        serde_json::from_slice(&answer).map_err(failed)
    }
}
