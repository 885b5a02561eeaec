//! A seller names the spreadsheet that shall be kept right. Whether it can be written is for the caller to
//! try before; here it is recorded.

use domain::sheet::{Sheet, SheetCommand, SheetRefusal};
use events::ids::CredentialId;
use secrecy::SecretString;
use vault::VaultError;

use crate::{App, Context, ExecuteError, Receipt, retired};

/// Worksheet that is managed unless another title is given.
pub const DEFAULT_WORKSHEET: &str = "Products";

/// Why a spreadsheet was not linked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service account could not be sealed.
    #[error("the service account could not be sealed")]
    Vault(#[from] VaultError),
    /// The log failed.
    #[error("the spreadsheet was not linked")]
    Execute(#[from] ExecuteError<SheetRefusal>),
}

/// What to link.
pub struct Input {
    /// Google's id of the spreadsheet.
    pub spreadsheet_id: String,
    /// Title of the managed worksheet.
    pub worksheet: String,
    /// The tenant's own service account, a checked key file; none to use the service's own.
    pub service_account: Option<SecretString>,
}

/// Seals the key file, if there is one, and records the link.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, context: &Context, input: Input) -> Result<Receipt, Error> {
    let credential_id = match &input.service_account {
        None => None,
        Some(secret) => {
            let id = CredentialId(context.new_id("service-account"));
            app.vault
                .seal(context.tenant_id, id, "google_service_account", secret)
                .await?;
            Some(id)
        }
    };
    let command = SheetCommand::Link {
        spreadsheet_id: input.spreadsheet_id,
        worksheet: input.worksheet,
        credential_id,
    };
    let before = retired::sheet(app, context).await.map_err(ExecuteError::Read)?;
    let executed = app
        .execute::<Sheet>(context, context.tenant_id.uuid(), command, |_| None)
        .await?;
    retired::destroy(app, context, &before, credential_id, &executed.state).await;
    Ok(executed.receipt)
}
