//! Tries a cabinet's key at its marketplace: one that was offered, else the one in use. Only the worker may
//! open keys, so everybody else asks for it; a sync does it by itself where nobody has.

use std::time::Duration;

use application::domain::cabinet::{Cabinet, CabinetRefusal, CheckOutcome, Findings};
use application::wire::CredentialCheck;
use application::{Context, ExecuteError, Folded, record_check};
use connectors::error::CallFailure;
use connectors::marketplace::{AccountCheck, CategoryStatus, Marketplace as _, MarketplaceClient};
use event_store::ReadError;
use events::cabinet::{CredentialFacts, Marketplace, Right, RightStatus};
use events::ids::CabinetId;
use vault::VaultError;

use crate::sync::Syncs;

/// Why a key was not tried, or nothing was learnt of it.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Never connected, or taken away.
    #[error("there is no such cabinet")]
    NoCabinet,
    /// The marketplace did not say anything about the key; the class of its failure, never its words.
    #[error("the marketplace did not answer: {0}")]
    NoAnswer(&'static str),
    /// The cabinet could not be read.
    #[error("the cabinet could not be read")]
    Read(#[from] ReadError),
    /// The key could not be opened.
    #[error("the key could not be opened")]
    Vault(#[from] VaultError),
    /// No client can be made with it.
    #[error("no client can be made with the key")]
    Client(#[from] crate::marketplaces::Error),
    /// What was found could not be recorded.
    #[error("the findings could not be recorded")]
    Record(#[from] ExecuteError<CabinetRefusal>),
}

/// A key that was tried, and the cabinet as it is since.
#[derive(Debug)]
pub struct Checked {
    /// For whoever asked.
    pub check: CredentialCheck,
    /// The cabinet, with the key that it uses now.
    pub cabinet: Cabinet,
}

/// Tries the key and records what it brought out.
///
/// # Errors
/// [`CheckError`].
pub async fn run(syncs: &Syncs, context: &Context, cabinet_id: CabinetId) -> Result<Checked, CheckError> {
    let loaded = syncs
        .app
        .states
        .load::<Folded<Cabinet>>(context.tenant_id, cabinet_id.uuid())
        .await?;
    let (marketplace, credential) = key_to_try(loaded.state.0).ok_or(CheckError::NoCabinet)?;
    let outcome = if credential.expires_at.is_some_and(|at| at <= context.now) {
        CheckOutcome::Refused("expired".to_owned())
    } else {
        let secret = syncs
            .app
            .vault
            .open(context.tenant_id, credential.credential_id)
            .await?;
        ask(&syncs.marketplaces.client(marketplace, &secret)?).await?
    };
    let findings = match &outcome {
        CheckOutcome::Answered(findings) => Some(findings.clone()),
        CheckOutcome::Refused(_) => None,
    };
    let id = credential.credential_id;
    let recorded = record_check::execute(&syncs.app, context, cabinet_id, id, outcome.clone()).await?;
    let cabinet = recorded.state;
    let in_use = cabinet
        .credential
        .as_ref()
        .is_some_and(|facts| facts.credential_id == id);
    let refused = match (&outcome, in_use) {
        (CheckOutcome::Refused(reason), _) => Some(reason.clone()),
        (CheckOutcome::Answered(_), true) => cabinet.rejected.clone(),
        // Of an offered key that answered, nothing else speaks against it.
        (CheckOutcome::Answered(_), false) => Some("missing_rights".to_owned()),
    };
    let expires_at = findings.as_ref().and_then(|findings| findings.expires_at);
    Ok(Checked {
        check: CredentialCheck {
            credential_id: id,
            in_use,
            refused,
            expires_at: expires_at.or(credential.expires_at),
            read_only: findings.as_ref().and_then(|findings| findings.read_only),
            rights: findings.map(|findings| findings.rights).unwrap_or_default(),
        },
        cabinet,
    })
}

fn key_to_try(cabinet: Cabinet) -> Option<(Marketplace, CredentialFacts)> {
    if cabinet.disconnected {
        return None;
    }
    Some((cabinet.marketplace?, cabinet.offered.or(cabinet.credential)?))
}

/// Between two looks at a key that is refused.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Asks the marketplace what it thinks of a client's key. A refusal, of the key or of one of its rights, is a
/// verdict only when it is repeated: a gate or a probe that fails for a second must not take a cabinet away
/// from its seller.
///
/// # Errors
/// [`CheckError::NoAnswer`].
pub(crate) async fn ask(client: &MarketplaceClient) -> Result<CheckOutcome, CheckError> {
    match look(client).await? {
        CheckOutcome::Answered(first) if first.rights.iter().any(|right| right.status.is_refused()) => {
            tokio::time::sleep(SECOND_LOOK).await;
            let second = match look(client).await {
                Ok(CheckOutcome::Answered(second)) => second.rights,
                Ok(CheckOutcome::Refused(_)) | Err(_) => Vec::new(),
            };
            Ok(CheckOutcome::Answered(confirmed(first, &second)))
        }
        CheckOutcome::Refused(_) => {
            tokio::time::sleep(SECOND_LOOK).await;
            look(client).await
        }
        answered @ CheckOutcome::Answered(_) => Ok(answered),
    }
}

/// The findings, where only what was refused at both looks stays refused.
fn confirmed(mut first: Findings, second: &[Right]) -> Findings {
    for right in first.rights.iter_mut().filter(|right| right.status.is_refused()) {
        let again = second.iter().find(|other| other.category == right.category);
        right.status = again.map_or(RightStatus::NoAnswer, |again| again.status);
    }
    first
}

async fn look(client: &MarketplaceClient) -> Result<CheckOutcome, CheckError> {
    match client.check().await {
        Ok(account) => Ok(CheckOutcome::Answered(findings(account))),
        Err(error) => {
            let reason = match &error.failure {
                CallFailure::Unauthorized { .. } => "unauthorized",
                CallFailure::Forbidden { .. } => "forbidden",
                CallFailure::PaymentRequired { .. } => "payment_required",
                _ => return Err(CheckError::NoAnswer(error.class().as_str())),
            };
            // The marketplace's words can hold anything, the key and buyers included.
            tracing::info!(endpoint = error.endpoint, reason, "a key is refused");
            Ok(CheckOutcome::Refused(reason.to_owned()))
        }
    }
}

/// In our words; the marketplace's own and the seller's name are not kept.
fn findings(account: AccountCheck) -> Findings {
    let rights = account.categories.into_iter().map(|category| Right {
        category: category.category.to_owned(),
        needed: category.needed,
        status: match category.status {
            CategoryStatus::Open => RightStatus::Open,
            CategoryStatus::NotInCredential => RightStatus::NotInCredential,
            CategoryStatus::Unauthorized => RightStatus::Unauthorized,
            CategoryStatus::Forbidden => RightStatus::Forbidden,
            CategoryStatus::PaymentRequired => RightStatus::PaymentRequired,
            CategoryStatus::NoAnswer => RightStatus::NoAnswer,
        },
    });
    Findings {
        seller_id: Some(account.seller_id),
        expires_at: account.expires_at,
        read_only: account.read_only,
        rights: rights.collect(),
    }
}
