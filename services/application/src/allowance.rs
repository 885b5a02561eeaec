//! What a tenant's plan allows: the one place where a use case asks. Decisions follow from the log alone: the
//! plan and what it counts stand in tables that each append keeps up.

use auth::StoreError;
use domain::plans::{Allowance, Limit, PlanLimit};
use events::ids::TenantId;
use events::subscription::Plan;

use crate::App;

/// Why something is not allowed, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan does not allow it.
    #[error(transparent)]
    Limit(#[from] PlanLimit),
    /// The tenant's plan is not known.
    #[error("the tenant's plan could not be read")]
    Terms(#[from] StoreError),
    /// What the tenant uses is not known.
    #[error("what the tenant uses could not be read")]
    Usage(#[from] billing::StoreError),
}

/// A tenant's plan and what it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// The plan that counts.
    pub plan: Plan,
    /// What it allows.
    pub allowance: Allowance,
}

/// What a tenant is allowed now; none where the installation sells nothing and limits nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn of(app: &App, tenant: TenantId) -> Result<Option<Allowed>, StoreError> {
    // Without a table of plans nothing has to be asked.
    if app.plans.sold().next().is_none() {
        return Ok(None);
    }
    let plan = app.plans.in_force(app.terms.of(tenant).await?.plan);
    Ok(plan.and_then(|plan| {
        let allowance = *app.plans.allowance(Some(plan))?;
        Some(Allowed { plan, allowance })
    }))
}

/// Whether the plan has room for `more` of something beside what is used.
///
/// # Errors
/// [`Error::Limit`] where it has not.
pub async fn check(app: &App, tenant: TenantId, limit: Limit, used: u64, more: u64) -> Result<(), Error> {
    match of(app, tenant).await? {
        Some(allowed) => Ok(app.plans.check(Some(allowed.plan), limit, used, more)?),
        None => Ok(()),
    }
}
