//! What a credential says about itself, before anybody is asked. The secret goes to the vault, the facts go
//! into the cabinet's stream.

use chrono::{DateTime, Utc};
use connectors::ozon;
pub use connectors::ozon::CredentialError as PairError;
use connectors::wildberries::{Scope, Token, TokenError, TokenKind as WildberriesKind};
use events::cabinet::{CredentialFacts, Marketplace, TokenKind};
use events::ids::CredentialId;
use secrecy::{ExposeSecret, SecretString};
use vault::VaultError;

use crate::{App, Context};

/// Why a credential is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It is not a token of this marketplace.
    #[error("the credential is not a Wildberries token")]
    NotAToken(#[source] TokenError),
    /// It ended.
    #[error("the credential ended at {expired_at}")]
    Expired {
        /// When.
        expired_at: DateTime<Utc>,
    },
    /// It opens the sandbox only, whose numbers are not the seller's.
    #[error("a test token opens only the marketplace's sandbox")]
    TestToken,
    /// It lacks a category without which nothing can be synced.
    #[error("the credential does not open the categories {missing}")]
    MissingScopes {
        /// Their names, with commas.
        missing: String,
    },
    /// It is not the pair that opens an Ozon cabinet.
    #[error("the credential does not open an Ozon cabinet")]
    NotAPair(#[source] PairError),
    /// The vault failed.
    #[error("the credential could not be sealed")]
    Vault(#[from] VaultError),
}

/// Categories without which a sync cannot see products, stock or orders.
const NEEDED: [(Scope, &str); 3] = [
    (Scope::Content, "content"),
    (Scope::Analytics, "analytics"),
    (Scope::Statistics, "statistics"),
];
/// Categories that are shown to the seller when the token opens them.
const SHOWN: [(Scope, &str); 6] = [
    (Scope::Content, "content"),
    (Scope::Analytics, "analytics"),
    (Scope::Prices, "prices"),
    (Scope::Marketplace, "marketplace"),
    (Scope::Statistics, "statistics"),
    (Scope::ReadOnly, "read_only"),
];

/// Reads the credential, seals it under an id that belongs to the command, and returns the facts.
pub(crate) async fn admit(
    app: &App,
    context: &Context,
    marketplace: Marketplace,
    secret: &SecretString,
) -> Result<CredentialFacts, CredentialError> {
    match marketplace {
        Marketplace::Wildberries => admit_token(app, context, secret).await,
        Marketplace::Ozon => admit_pair(app, context, secret).await,
    }
}

/// Ozon's pair says nothing of itself but whose it is; its roles and its end are told by the marketplace when
/// it is tried.
async fn admit_pair(
    app: &App,
    context: &Context,
    secret: &SecretString,
) -> Result<CredentialFacts, CredentialError> {
    let pair = ozon::Credential::parse(secret.expose_secret()).map_err(CredentialError::NotAPair)?;
    // One form in the vault, however it was typed: else the same pair would have two fingerprints.
    let secret = pair.text();
    let credential_id = CredentialId(context.new_id("credential"));
    app.vault
        .seal(context.tenant_id, credential_id, "ozon_api_key", &secret)
        .await?;
    Ok(CredentialFacts {
        credential_id,
        fingerprint: app.vault.fingerprint(context.tenant_id, &secret).await?,
        token_kind: TokenKind::ApiKey,
        seller_id: Some(pair.client_id().to_string()),
        expires_at: None,
        scopes: vec![],
    })
}

async fn admit_token(
    app: &App,
    context: &Context,
    secret: &SecretString,
) -> Result<CredentialFacts, CredentialError> {
    let token = Token::parse(secret.expose_secret()).map_err(CredentialError::NotAToken)?;
    if token.is_expired(context.now) {
        return Err(CredentialError::Expired {
            expired_at: token.expires_at(),
        });
    }
    let token_kind = match token.kind() {
        WildberriesKind::Base => TokenKind::Base,
        WildberriesKind::Test => return Err(CredentialError::TestToken),
        WildberriesKind::Personal => TokenKind::Personal,
        WildberriesKind::Service => TokenKind::Service,
    };
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(scope, _)| !token.scopes().has(*scope))
        .map(|(_, name)| *name)
        .collect();
    if !missing.is_empty() {
        return Err(CredentialError::MissingScopes {
            missing: missing.join(", "),
        });
    }
    let credential_id = CredentialId(context.new_id("credential"));
    app.vault
        .seal(context.tenant_id, credential_id, "wildberries_token", secret)
        .await?;
    Ok(CredentialFacts {
        credential_id,
        fingerprint: app.vault.fingerprint(context.tenant_id, secret).await?,
        token_kind,
        seller_id: Some(token.seller_id().to_owned()),
        expires_at: Some(token.expires_at()),
        scopes: SHOWN
            .iter()
            .filter(|(scope, _)| token.scopes().has(*scope))
            .map(|(_, name)| (*name).to_owned())
            .collect(),
    })
}
