//! A business wants to be forgotten. Its keys and everything that tells who it is are destroyed with the
//! event that says so; nobody can come in afterwards.

use auth::erasures::{Erasure, Subject};
use serde_json::Value;

use crate::erasure::{self, Error};
use crate::{App, Context};

/// Erases `context.tenant_id` and returns the act. Whoever asks has shown their password.
///
/// # Errors
/// [`Error`]. Once the request is in the ledger, the worker finishes what is not done here.
pub async fn execute(app: &App, context: &Context) -> Result<Option<Value>, Error> {
    let wanted = Erasure {
        tenant_id: context.tenant_id,
        erasure_id: context.command_id.uuid(),
        subject: Subject::Tenant(context.tenant_id),
        requested_by: context.actor.clone(),
        requested_at: context.now,
    };
    let entry = erasure::ledger(app).request(&wanted).await?;
    erasure::carry_out(app, &entry.erasure, context.now).await?;
    Ok(erasure::ledger(app)
        .act(context.tenant_id, wanted.subject)
        .await?)
}
