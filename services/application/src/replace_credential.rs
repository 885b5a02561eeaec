//! A seller gives a cabinet another key; the old one is used until the new one is recorded.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use event_store::Loaded;
use events::cabinet::CredentialFacts;
use events::ids::CabinetId;
use secrecy::SecretString;

pub use crate::connect_cabinet::Error;
use crate::credential;
use crate::{App, Context, ExecuteError, Folded, Receipt};

/// Seals the new key and records it.
///
/// # Errors
/// [`Error`]; a key of another seller account is refused.
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    secret: &SecretString,
) -> Result<(CredentialFacts, Receipt), Error> {
    let Loaded {
        state: Folded(cabinet),
        ..
    } = app
        .states
        .load::<Folded<Cabinet>>(context.tenant_id, cabinet_id.uuid())
        .await
        .map_err(ExecuteError::Read)?;
    let Some(marketplace) = cabinet.marketplace.filter(|_| !cabinet.disconnected) else {
        return Err(ExecuteError::Refused(CabinetRefusal::NotConnected).into());
    };
    let credential = credential::admit(app, context, marketplace, secret).await?;
    let command = CabinetCommand::RotateCredential {
        credential: credential.clone(),
    };
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?;
    Ok((executed.state.credential.unwrap_or(credential), executed.receipt))
}
