//! A person wants to be forgotten. Login, sessions and keys go; what they did stays in the log under an id
//! that leads nowhere.

use auth::erasures::{Erasure, Subject};
use events::ids::UserId;
use serde_json::Value;

use crate::erasure::{self, Error};
use crate::{App, Context};

/// Erases the user and returns the act. Whoever asks has shown their password.
///
/// # Errors
/// [`domain::tenant::TenantRefusal::LastOwner`] for the last owner, who can only erase the whole tenant; else
/// [`Error`]. Once the request is in the ledger, the worker finishes what is not done here.
pub async fn execute(app: &App, context: &Context, user: UserId) -> Result<Option<Value>, Error> {
    let wanted = Erasure {
        tenant_id: context.tenant_id,
        erasure_id: context.command_id.uuid(),
        subject: Subject::User(user),
        requested_by: context.actor.clone(),
        requested_at: context.now,
    };
    let entry = erasure::ledger(app).request(&wanted).await?;
    erasure::carry_out(app, &entry.erasure, context.now).await?;
    Ok(erasure::ledger(app)
        .act(context.tenant_id, wanted.subject)
        .await?)
}
