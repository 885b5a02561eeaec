//! A seller connects an account at a marketplace.

use auth::StoreError;
use auth::profiles::Subject;
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::cabinet::{CredentialFacts, Marketplace};
use events::ids::CabinetId;
use secrecy::SecretString;

use crate::credential::{self, CredentialError};
use crate::{App, Context, ExecuteError, Receipt};

/// Why a cabinet was not connected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential was not taken.
    #[error("the credential was not taken")]
    Credential(#[from] CredentialError),
    /// The cabinet refused, or the log failed.
    #[error("the cabinet was not connected")]
    Execute(#[from] ExecuteError<CabinetRefusal>),
    /// The side table failed.
    #[error("the cabinet's title could not be stored")]
    Store(#[from] StoreError),
}

/// A connected cabinet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Which.
    pub cabinet_id: CabinetId,
    /// What its key says about itself.
    pub credential: CredentialFacts,
    /// For the caller.
    pub receipt: Receipt,
}

/// Seals the credential and opens the cabinet's stream. The cabinet's id belongs to the command, so repeating
/// the command finds the same cabinet.
///
/// # Errors
/// [`Error`].
pub async fn execute(
    app: &App,
    context: &Context,
    marketplace: Marketplace,
    secret: &SecretString,
    title: Option<&str>,
) -> Result<Connected, Error> {
    let credential = credential::admit(app, context, marketplace, secret).await?;
    let cabinet_id = CabinetId(context.new_id("cabinet"));
    if let Some(title) = title {
        app.profiles
            .set(context.tenant_id, Subject::Cabinet, cabinet_id.uuid(), title)
            .await?;
    }
    let command = CabinetCommand::Connect {
        marketplace,
        credential: credential.clone(),
    };
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?;
    Ok(Connected {
        cabinet_id,
        credential: executed.state.credential.unwrap_or(credential),
        receipt: executed.receipt,
    })
}
