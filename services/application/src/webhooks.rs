//! Endpoints for outgoing webhooks. Address and signing secrets go to the vault; the stream has their ids and
//! the host. What is sent there, and when, is decided in `notifier`.

mod add;
mod change;
mod plan;
mod remove;
mod rotate;
mod switch;

use connectors::webhooks::{Secret, TargetError};
use domain::plans::Limit;
use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointRefusal};
use event_store::ReadError;
use events::ids::CredentialId;
use notifications::webhooks::MOST_ENDPOINTS;
use secrecy::SecretString;
use uuid::Uuid;
use vault::VaultError;

use crate::{App, Context, ExecuteError, Folded, allowance};

pub use add::{Added, NewEndpoint, add};
pub use change::{Wanted, change};
pub use plan::follow_plan;
pub use remove::remove;
pub use rotate::{FORMER_VALID, Rotated, rotate};
pub use switch::{disable, enable};

/// What an address is called in the vault.
const ADDRESS: &str = "webhook_address";
/// What a signing secret is called there.
const SECRET: &str = "webhook_secret";
/// Length of a signing secret, in bytes.
const SECRET_BYTES: usize = 24;

/// Why nothing was done with an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not called.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The endpoint refused, or the log failed.
    #[error("the endpoint was not changed")]
    Execute(#[from] ExecuteError<WebhookEndpointRefusal>),
    /// The tenant has as many endpoints as there may be.
    #[error("there are {MOST_ENDPOINTS} endpoints already")]
    TooMany,
    /// The plan has no webhooks, or it is not known.
    #[error(transparent)]
    Allowance(#[from] allowance::Error),
    /// The log could not be read.
    #[error("the endpoint could not be read")]
    Read(#[from] ReadError),
    /// The tables failed.
    #[error("the tables of webhooks could not be used")]
    Store(#[from] notifications::StoreError),
    /// The vault failed.
    #[error("address or secret of the endpoint could not be sealed")]
    Vault(#[from] VaultError),
    /// No secret could be made.
    #[error("the operating system gave no randomness")]
    NoRandomness(#[source] getrandom::Error),
    /// What was made is no secret.
    #[error("no signing secret could be made")]
    Secret(#[from] connectors::webhooks::SecretError),
}

/// The endpoint as it is before a command.
async fn endpoint(app: &App, context: &Context, id: Uuid) -> Result<WebhookEndpoint, ReadError> {
    let loaded = app.states.load::<Folded<WebhookEndpoint>>(context.tenant_id, id);
    Ok(loaded.await?.state.0)
}

/// Whether the plan has webhooks, and room for one more beside the others that are there.
async fn room(app: &App, context: &Context, id: Uuid) -> Result<(), Error> {
    let endpoints = app.webhooks.of(context.tenant_id).await?;
    let others = endpoints.iter().filter(|endpoint| endpoint.endpoint_id != id);
    let others = others.count();
    if others >= MOST_ENDPOINTS {
        return Err(Error::TooMany);
    }
    Ok(allowance::check(app, context.tenant_id, Limit::Webhooks, others as u64, 1).await?)
}

/// Seals an address under an id that belongs to the command.
async fn seal_address(app: &App, context: &Context, address: &str) -> Result<CredentialId, VaultError> {
    let id = CredentialId(context.new_id("webhook address"));
    let address = SecretString::from(address);
    app.vault.seal(context.tenant_id, id, ADDRESS, &address).await?;
    Ok(id)
}

/// Makes a secret and seals it under an id that belongs to the command. Repeating the command makes another
/// one in its place: it was shown to nobody who still has the first answer.
async fn seal_secret(app: &App, context: &Context) -> Result<(CredentialId, Secret), Error> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; SECRET_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::NoRandomness)?;
    let secret = Secret::from_bytes(bytes.as_slice())?;
    let id = CredentialId(context.new_id("webhook secret"));
    let sealed = SecretString::from(secret.expose());
    app.vault.seal(context.tenant_id, id, SECRET, &sealed).await?;
    Ok((id, secret))
}
