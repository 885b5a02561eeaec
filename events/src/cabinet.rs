//! The life of a cabinet: one seller account at one marketplace. The credential itself is in the vault;
//! events carry its reference and a fingerprint, by which a rotation can be told from a repetition.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::CredentialId;

/// Where the cabinet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Marketplace {
    /// wildberries.ru
    Wildberries,
    /// ozon.ru
    Ozon,
}

impl Marketplace {
    /// The name used in JSON, SQL, subjects and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wildberries => "wildberries",
            Self::Ozon => "ozon",
        }
    }
}

/// What kind of key the marketplace issued; it decides which methods and limits apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TokenKind {
    /// Wildberries `acc` 1: everybody's, reduced limits.
    Base,
    /// Wildberries `acc` 2: sandbox only.
    Test,
    /// Wildberries `acc` 3: the seller's own.
    Personal,
    /// Wildberries `acc` 4: bound to a service in the catalogue.
    Service,
    /// Ozon Client-Id and Api-Key.
    ApiKey,
}

/// What is known of a credential without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialFacts {
    /// Reference into the vault.
    pub credential_id: CredentialId,
    /// Keyed hash of the secret, to recognise the same one again; not invertible.
    pub fingerprint: String,
    /// Kind of the key.
    pub token_kind: TokenKind,
    /// The marketplace's own id of the seller account (`sid` at Wildberries), when the key tells it.
    pub seller_id: Option<String>,
    /// When the key ends, when it tells that.
    pub expires_at: Option<DateTime<Utc>>,
    /// Categories the key opens, as the marketplace names them, sorted.
    pub scopes: Vec<String>,
}

/// A cabinet was connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CabinetConnected {
    /// Where.
    pub marketplace: Marketplace,
    /// The key, without the key.
    pub credential: CredentialFacts,
}

/// The key was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialRotated {
    /// The new key, without the key.
    pub credential: CredentialFacts,
}

/// The marketplace took the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialAccepted {
    /// Which key.
    pub credential_id: CredentialId,
    /// When it was tried.
    pub checked_at: DateTime<Utc>,
}

/// The marketplace refused the key; the cabinet pauses until another one is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialRejected {
    /// Which key.
    pub credential_id: CredentialId,
    /// `unauthorized`, `forbidden`, `expired`, `payment_required`.
    pub reason: String,
    /// When it was tried.
    pub checked_at: DateTime<Utc>,
}

/// The cabinet's rhythm changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScheduleChanged {
    /// Seconds between scheduled syncs.
    pub interval_seconds: u32,
    /// Whether the schedule rests.
    pub paused: bool,
}

/// The cabinet was taken away; its history stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CabinetDisconnected {}
