//! The marketplace took or refused a cabinet's key; a sync tells us.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::ids::{CabinetId, CredentialId};

use crate::{App, Context, ExecuteError, Receipt};

/// What the marketplace said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It answered.
    Accepted,
    /// It refused: `unauthorized`, `forbidden`, `expired`, `payment_required`.
    Rejected(String),
}

/// Records it, unless the cabinet uses another key by now or it is known already.
///
/// # Errors
/// [`ExecuteError`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    credential_id: CredentialId,
    verdict: Verdict,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let checked_at = context.now;
    let command = match verdict {
        Verdict::Accepted => CabinetCommand::AcceptCredential {
            credential_id,
            checked_at,
        },
        Verdict::Rejected(reason) => CabinetCommand::RejectCredential {
            credential_id,
            reason,
            checked_at,
        },
    };
    Ok(app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
