//! A tenant's cabinets follow its plan: the oldest that it allows work, the others rest until it allows more
//! or an older one leaves. Nothing is taken away, and what a person has paused stays paused.

use billing::Uncompared;
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};

use crate::{App, Context, ExecuteError};

/// Why a tenant's cabinets do not follow its plan yet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables of billing failed.
    #[error("the tenant's cabinets could not be listed")]
    Store(#[from] billing::StoreError),
    /// The log failed.
    #[error("a cabinet could not be paused or resumed")]
    Execute(#[from] ExecuteError<CabinetRefusal>),
}

/// What changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// Cabinets that rest from now on.
    pub paused: u32,
    /// Cabinets that go on.
    pub resumed: u32,
}

/// Pauses and resumes what the plan asks for: of cabinets that have to rest the newest first, of those that
/// may go on the oldest first. Doing it again changes nothing.
///
/// # Errors
/// [`Error`]; what was paused or resumed before stays.
pub async fn execute(app: &App, context: &Context, tenant: &Uncompared) -> Result<Followed, Error> {
    let most = app
        .plans
        .allowance(tenant.plan)
        .and_then(|allowance| allowance.cabinets);
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let cabinets = app.places.cabinets(tenant.tenant_id).await?;
    let ranked = || cabinets.iter().enumerate();
    let too_many = ranked()
        .rev()
        .filter(|(rank, cabinet)| *rank >= most && !cabinet.paused);
    let allowed = ranked().filter(|(rank, cabinet)| *rank < most && cabinet.paused);
    let mut followed = Followed::default();
    for (rank, cabinet) in too_many.chain(allowed) {
        let id = cabinet.cabinet_id.uuid();
        let command = CabinetCommand::FollowPlan { allowed: rank < most };
        let part = context.part(&id.to_string());
        match app.execute::<Cabinet>(&part, id, command, |_| None).await {
            Ok(_) if rank < most => followed.resumed += 1,
            Ok(_) => followed.paused += 1,
            // It left meanwhile, which is a change of its own.
            Err(ExecuteError::Refused(CabinetRefusal::NotConnected)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(followed)
}
