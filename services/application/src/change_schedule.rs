//! A seller changes a cabinet's rhythm, within what the tenant's plan allows.

use auth::StoreError;
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use domain::plans::{Limit, PlanLimit};
use events::ids::CabinetId;

use crate::{App, Context, ExecuteError, Receipt};

/// Why the rhythm did not change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cabinet refused, or the log failed.
    #[error("the schedule was not changed")]
    Execute(#[from] ExecuteError<CabinetRefusal>),
    /// The tenant's plan is not known.
    #[error("the tenant's plan could not be read")]
    Terms(#[from] StoreError),
    /// The plan does not allow a rhythm that short.
    #[error(transparent)]
    Limit(PlanLimit),
}

/// What shall be otherwise; what is left out stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Seconds between scheduled syncs; the plan's rhythm for a cabinet that never had one of its own.
    pub interval_seconds: Option<u32>,
    /// Whether the schedule rests.
    pub paused: bool,
}

/// Records it.
///
/// # Errors
/// [`Error`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    wanted: Wanted,
) -> Result<Receipt, Error> {
    let plan = app.terms.of(context.tenant_id).await?.plan;
    let interval_seconds = wanted
        .interval_seconds
        .unwrap_or_else(|| app.plans.usual_seconds(plan));
    let command = CabinetCommand::ChangeSchedule {
        interval_seconds,
        paused: wanted.paused,
        shortest_seconds: app.plans.shortest_seconds(plan),
    };
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await;
    if let Err(ExecuteError::Refused(CabinetRefusal::IntervalBelowPlan { shortest_seconds })) = executed {
        let wanted = u64::from(interval_seconds);
        if let Err(limit) = app.plans.check(plan, Limit::SyncInterval, wanted, 0) {
            // The installation may allow every plan a shorter one than its table says.
            let allowed = u64::from(shortest_seconds);
            return Err(Error::Limit(PlanLimit { allowed, ..limit }));
        }
    }
    Ok(executed?.receipt)
}
