//! A seller connects an account at a marketplace. An account whose cabinet was taken away gets that cabinet
//! back, with its products and their history; a second cabinet would show every product twice.

use auth::StoreError;
use auth::profiles::Subject;
use auth::sellers::Account;
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use domain::plans::Limit;
use event_store::ReadError;
use events::cabinet::{CredentialFacts, Marketplace};
use events::ids::CabinetId;
use secrecy::SecretString;

use crate::credential::{self, CredentialError};
use crate::retired::cabinet;
use crate::{App, Context, ExecuteError, Receipt, allowance};

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
    /// The plan allows no further cabinet, or what it allows is not known.
    #[error(transparent)]
    Allowance(#[from] allowance::Error),
}

/// A connected cabinet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Which.
    pub cabinet_id: CabinetId,
    /// Whether it had been connected before and was taken away.
    pub reconnected: bool,
    /// What its key says about itself.
    pub credential: CredentialFacts,
    /// For the caller.
    pub receipt: Receipt,
}

/// Seals the credential and opens the cabinet's stream, or goes on with that of the account's former cabinet.
/// The id of a new cabinet belongs to the command, so repeating the command finds the same cabinet.
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
    let new = CabinetId(context.new_id("cabinet"));
    let cabinet_id = match place(app, context, marketplace, &credential, new).await? {
        Place::New => new,
        Place::Former(former) => former,
        Place::Taken(holder) => return Err(refused(app, context, &credential, holder).await?),
    };
    if let Err(error) = room_for(app, context, cabinet_id).await {
        // What was executed before stays, whatever the plan allows by now.
        let known = app
            .store
            .find_command(context.tenant_id, context.command_id.uuid());
        if known.await?.is_none() {
            app.vault
                .destroy(context.tenant_id, credential.credential_id)
                .await
                .map_err(CredentialError::from)?;
            return Err(error.into());
        }
    }
    let command = CabinetCommand::Connect {
        marketplace,
        credential: credential.clone(),
    };
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await;
    let executed = match executed {
        // Of two requests for a former cabinet, the other one was faster.
        Err(ExecuteError::Refused(CabinetRefusal::AlreadyConnected)) => {
            return Err(refused(app, context, &credential, cabinet_id).await?);
        }
        executed => executed?,
    };
    // Of requests that came at once and all found room, those that were written last have none.
    if !executed.receipt.duplicate
        && let Err(error) = has_room(app, context, cabinet_id).await
    {
        let late = context.part("beyond the plan");
        app.execute::<Cabinet>(&late, cabinet_id.uuid(), CabinetCommand::Disconnect, |_| None)
            .await?;
        app.vault
            .destroy(context.tenant_id, credential.credential_id)
            .await
            .map_err(CredentialError::from)?;
        return Err(error.into());
    }
    if let Some(title) = title {
        app.profiles
            .set(context.tenant_id, Subject::Cabinet, cabinet_id.uuid(), title)
            .await?;
    }
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
        reconnected: cabinet_id != new,
        credential: executed.state.credential.unwrap_or(credential),
        receipt: executed.receipt,
    })
}

/// Whether the plan has room for this cabinet beside the others.
async fn room_for(app: &App, context: &Context, cabinet_id: CabinetId) -> Result<(), allowance::Error> {
    let connected = app.places.cabinets(context.tenant_id).await?;
    let others = connected.iter().filter(|place| place.cabinet_id != cabinet_id);
    let others = others.count() as u64;
    allowance::check(app, context.tenant_id, Limit::Cabinets, others, 1).await
}

/// Whether the plan has room for this cabinet after those that were connected before it.
async fn has_room(app: &App, context: &Context, cabinet_id: CabinetId) -> Result<(), allowance::Error> {
    let connected = app.places.cabinets(context.tenant_id).await?;
    let before = connected
        .iter()
        .take_while(|place| place.cabinet_id != cabinet_id);
    let before = before.count() as u64;
    allowance::check(app, context.tenant_id, Limit::Cabinets, before, 1).await
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

/// Where a seller account goes on.
enum Place {
    /// In a new cabinet.
    New,
    /// In the cabinet that it had before and that was taken away.
    Former(CabinetId),
    /// Nowhere: this cabinet has it.
    Taken(CabinetId),
}

/// Finds the account's place. A cabinet that has the account and was never connected is overtaken: it never
/// was, or is about to be. The latter is looked for on both sides: here once more after the account was taken
/// over, and by the other one after it was connected ([`overtaker`]); of the two one always sees the other.
async fn place(
    app: &App,
    context: &Context,
    marketplace: Marketplace,
    credential: &CredentialFacts,
    new: CabinetId,
) -> Result<Place, Error> {
    let Some(seller_id) = &credential.seller_id else {
        return Ok(Place::New);
    };
    let account = account(context, marketplace, seller_id);
    let holder = app.sellers.take(account, new).await?;
    if holder == new {
        return Ok(Place::New);
    }
    let held = cabinet(app, context, holder).await?;
    if held.disconnected {
        return Ok(Place::Former(holder));
    }
    if held.marketplace.is_some() {
        // A repeated command finds the cabinet connected that it connected itself.
        return Ok(if repeats(app, context, new).await? {
            Place::Former(holder)
        } else {
            Place::Taken(holder)
        });
    }
    if !app.sellers.take_over(account, holder, new).await? {
        return Ok(Place::Taken(holder));
    }
    if cabinet(app, context, holder).await?.marketplace.is_some() {
        app.sellers.take_over(account, new, holder).await?;
        return Ok(Place::Taken(holder));
    }
    Ok(Place::New)
}

/// Whether the command was executed before, and not on a cabinet of its own.
async fn repeats(app: &App, context: &Context, new: CabinetId) -> Result<bool, ReadError> {
    let known = app
        .store
        .find_command(context.tenant_id, context.command_id.uuid())
        .await?;
    Ok(known.is_some() && cabinet(app, context, new).await?.marketplace.is_none())
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
