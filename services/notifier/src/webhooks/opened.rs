//! Addresses and secrets, opened from the vault and kept for a minute. What is under an id in the vault
//! changes only when a command is repeated after a crash; the minute bounds that, and how long something
//! stays in memory that its owner has removed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use application::App;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::webhooks::{Secret, SecretError, Target, TargetError};
use events::ids::{CredentialId, TenantId};
use notifications::webhooks::Opening;
use secrecy::{ExposeSecret as _, SecretString};

/// How long an opened text is used.
const FRESH: TimeDelta = TimeDelta::minutes(1);

/// Why a message has no address or no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The vault did not open it.
    #[error("address or secret could not be opened")]
    Vault(#[from] application::VaultError),
    /// The address is not called any more: the setting changed.
    #[error("the address is not called")]
    Target(#[from] TargetError),
    /// It is no secret; nobody here has written it.
    #[error("the vault has no webhook secret under that id")]
    Secret(#[from] SecretError),
}

/// What is needed to call a receiver.
pub(super) struct Opened {
    pub(super) target: Target,
    pub(super) secrets: Vec<Secret>,
}

/// The texts that are open.
#[derive(Default)]
pub(super) struct Cache {
    texts: Mutex<HashMap<CredentialId, (DateTime<Utc>, SecretString)>>,
}

impl Cache {
    /// Opens what is not open yet.
    pub(super) async fn open(
        &self,
        app: &App,
        tenant: TenantId,
        opening: &Opening,
        now: DateTime<Utc>,
    ) -> Result<Opened, OpenError> {
        let address = self.text(app, tenant, opening.address_id, now).await?;
        let target = Target::parse(address.expose_secret(), &app.targets)?;
        let mut secrets = Vec::with_capacity(2);
        for id in [Some(opening.secret_id), opening.former_id].into_iter().flatten() {
            let text = self.text(app, tenant, id, now).await?;
            secrets.push(Secret::parse(text.expose_secret())?);
        }
        Ok(Opened { target, secrets })
    }

    async fn text(
        &self,
        app: &App,
        tenant: TenantId,
        id: CredentialId,
        now: DateTime<Utc>,
    ) -> Result<SecretString, OpenError> {
        let is_fresh = |at: DateTime<Utc>| now - at < FRESH;
        {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.retain(|_, (at, _)| is_fresh(*at));
            if let Some((_, text)) = texts.get(&id) {
                return Ok(text.clone());
            }
        }
        let text = app.vault.open(tenant, id).await?;
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert(id, (now, text.clone()));
        Ok(text)
    }
}
