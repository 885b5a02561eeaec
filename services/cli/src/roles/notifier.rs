//! The role `notifier`: the alert policy, and what is sent to members and webhooks.

mod alerts;
mod notices;
mod webhooks;

use database::Role;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs the policy and the senders.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Notifier)?;
    let app = assembly.app(pool)?;
    alerts::start(assembly, &app)?;
    notices::start(assembly, &app)?;
    webhooks::start(assembly, &app)
}
