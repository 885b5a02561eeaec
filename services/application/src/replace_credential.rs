//! A seller gives a cabinet another key. The old one is used until the new one was tried and found good; one
//! that the marketplace refuses anyway is replaced at once.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::cabinet::{CredentialFacts, Marketplace};
use events::ids::CabinetId;
use secrecy::{ExposeSecret as _, SecretString};

pub use crate::connect_cabinet::Error;
use crate::{App, Context, ExecuteError, Receipt, credential, retired};

/// A key that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// What it says about itself.
    pub credential: CredentialFacts,
    /// Whether the cabinet uses it; else it is to be tried first.
    pub in_use: bool,
    /// For the caller.
    pub receipt: Receipt,
}

/// Seals the new key and records it.
///
/// # Errors
/// [`Error`]; a key of another seller account is refused.
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    secret: &SecretString,
) -> Result<Given, Error> {
    let cabinet = retired::cabinet(app, context, cabinet_id)
        .await
        .map_err(ExecuteError::Read)?;
    let Some(marketplace) = cabinet.marketplace.filter(|_| !cabinet.disconnected) else {
        return Err(ExecuteError::Refused(CabinetRefusal::NotConnected).into());
    };
    let credential = credential::admit(app, context, marketplace, &whole(&cabinet, secret)).await?;
    let command = CabinetCommand::OfferCredential {
        credential: credential.clone(),
    };
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?;
    let sealed = Some(credential.credential_id);
    retired::destroy(app, context, &cabinet, sealed, &executed.state).await;
    let is_given = |facts: &CredentialFacts| facts.fingerprint == credential.fingerprint;
    let in_use = executed.state.credential.filter(is_given);
    Ok(Given {
        in_use: in_use.is_some(),
        credential: in_use.or(executed.state.offered).unwrap_or(credential),
        receipt: executed.receipt,
    })
}

/// An Ozon key that was given alone belongs to the account that the cabinet is.
fn whole(cabinet: &Cabinet, secret: &SecretString) -> SecretString {
    let text = secret.expose_secret();
    let client_id = cabinet
        .credential
        .as_ref()
        .and_then(|facts| facts.seller_id.as_deref())
        .filter(|_| cabinet.marketplace == Some(Marketplace::Ozon) && !text.contains(':'));
    match client_id {
        Some(client_id) => format!("{client_id}:{text}").into(),
        None => secret.clone(),
    }
}
