//! What happens without being asked over HTTP: policies that turn events into jobs, syncs that turn a
//! marketplace's answers into observations, and the schedule.
//!
//! - [`policy`] reads the log and knows what is outstanding; it puts jobs on the queue, again and again until
//!   the log says that they ended. A wiped broker or a dead worker therefore leaves nothing hanging.
//! - [`plans`] pauses and resumes cabinets as their tenants' plans ask for.
//! - [`jobs`] takes jobs off the queue and runs them with a lease, a soft and a hard limit.
//! - [`sync`] is one such job.
//! - [`check`] tries a cabinet's key before anything depends on it.
//! - [`paused`] counts cabinets that rest, for operators.
//! - [`payloads`] keeps what the marketplaces sent, for audits.
//! - [`billing`] turns what Stripe sent into what is in the log.
//! - [`maintenance`] is what is done now and then for the installation as a whole.
//! - [`scheduler`] asks over NATS which cabinets are due and requests their syncs; it holds no database
//!   password.

pub mod billing;
pub mod check;
pub mod erasures;
pub mod errands;
pub mod gauges;
pub mod jobs;
pub mod lag;
pub mod maintenance;
pub mod marketplaces;
pub mod memory;
pub mod paused;
pub mod payloads;
pub mod plans;
pub mod policy;
pub mod reports;
pub mod scheduler;
pub mod sync;

pub use marketplaces::Marketplaces;

/// A sync's job as it lies in the queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SyncJob {
    /// For whom.
    pub tenant_id: events::ids::TenantId,
    /// Which cabinet.
    pub cabinet_id: events::ids::CabinetId,
    /// Which attempt to bring it up to date.
    pub sync_id: events::ids::SyncId,
}

impl SyncJob {
    /// Its subject: one waiting job per cabinet.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("work.sync.{}.{}", self.tenant_id, self.cabinet_id)
    }
}
