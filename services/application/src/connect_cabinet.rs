//! A seller connects an account at a marketplace.

use auth::StoreError;
use auth::profiles::Subject;
use auth::sellers::Account;
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use event_store::{Loaded, ReadError};
use events::cabinet::{CredentialFacts, Marketplace};
use events::ids::CabinetId;
use secrecy::SecretString;

use crate::credential::{self, CredentialError};
use crate::{App, Context, ExecuteError, Folded, Receipt};

/// Why a cabinet was not connected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential was not taken.
    #[error("the credential was not taken")]
    Credential(#[from] CredentialError),
    /// The cabinet refused, or the log failed.
    #[error("the cabinet was not connected")]
    Execute(#[from] ExecuteError<CabinetRefusal>),
    /// The seller account is connected already; a second time, every number would count double.
    #[error("the seller account is already connected as the cabinet {cabinet_id}")]
    SellerConnected {
        /// As which.
        cabinet_id: CabinetId,
    },
    /// A side table failed.
    #[error("the cabinet's side tables could not be used")]
    Store(#[from] StoreError),
    /// The log could not be read.
    #[error("the cabinet that has the seller account could not be read")]
    Read(#[from] ReadError),
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
    if let Some(holder) = other_holder(app, context, marketplace, &credential, cabinet_id).await? {
        return Err(refused(app, context, &credential, holder).await?);
    }
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
    if let Some(holder) = overtaker(app, context, marketplace, &credential, cabinet_id).await? {
        let overtaken = context.part("overtaken");
        app.execute::<Cabinet>(&overtaken, cabinet_id.uuid(), CabinetCommand::Disconnect, |_| {
            None
        })
        .await?;
        return Err(refused(app, context, &credential, holder).await?);
    }
    Ok(Connected {
        cabinet_id,
        credential: executed.state.credential.unwrap_or(credential),
        receipt: executed.receipt,
    })
}

/// The key is of no use to anybody: the cabinet that has the account has its own.
async fn refused(
    app: &App,
    context: &Context,
    credential: &CredentialFacts,
    holder: CabinetId,
) -> Result<Error, CredentialError> {
    app.vault
        .destroy(context.tenant_id, credential.credential_id)
        .await?;
    Ok(Error::SellerConnected { cabinet_id: holder })
}

const fn account<'a>(context: &Context, marketplace: Marketplace, seller_id: &'a str) -> Account<'a> {
    Account {
        tenant: context.tenant_id,
        marketplace,
        seller_id,
    }
}

/// The connected cabinet that has the seller account already, if it is another one. A cabinet that has the
/// account and is not connected is overtaken: it never was, is gone, or is about to be. The last of these is
/// looked for on both sides: here once more after the account was taken over, and by the other one after it
/// was connected ([`overtaker`]); of the two one always sees the other.
async fn other_holder(
    app: &App,
    context: &Context,
    marketplace: Marketplace,
    credential: &CredentialFacts,
    cabinet_id: CabinetId,
) -> Result<Option<CabinetId>, Error> {
    let Some(seller_id) = &credential.seller_id else {
        return Ok(None);
    };
    let account = account(context, marketplace, seller_id);
    let holder = app.sellers.take(account, cabinet_id).await?;
    if holder == cabinet_id {
        return Ok(None);
    }
    if stands(app, context, holder).await? || !app.sellers.take_over(account, holder, cabinet_id).await? {
        return Ok(Some(holder));
    }
    if stands(app, context, holder).await? {
        app.sellers.take_over(account, cabinet_id, holder).await?;
        return Ok(Some(holder));
    }
    Ok(None)
}

/// Who took the account over while this cabinet was being connected.
async fn overtaker(
    app: &App,
    context: &Context,
    marketplace: Marketplace,
    credential: &CredentialFacts,
    cabinet_id: CabinetId,
) -> Result<Option<CabinetId>, Error> {
    let Some(seller_id) = &credential.seller_id else {
        return Ok(None);
    };
    let holder = app
        .sellers
        .take(account(context, marketplace, seller_id), cabinet_id)
        .await?;
    Ok((holder != cabinet_id).then_some(holder))
}

async fn stands(app: &App, context: &Context, cabinet_id: CabinetId) -> Result<bool, ReadError> {
    let Loaded {
        state: Folded(cabinet),
        ..
    } = app
        .states
        .load::<Folded<Cabinet>>(context.tenant_id, cabinet_id.uuid())
        .await?;
    Ok(cabinet.marketplace.is_some() && !cabinet.disconnected)
}
