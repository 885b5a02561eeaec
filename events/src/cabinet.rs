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

/// How one category of methods answered to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RightStatus {
    /// The key opens it.
    Open,
    /// The key was made without it; nobody was asked.
    NotInCredential,
    /// The marketplace does not take the key there.
    Unauthorized,
    /// The marketplace knows the key and says that it may not.
    Forbidden,
    /// The marketplace asks for payment first.
    PaymentRequired,
    /// The marketplace said nothing about the key.
    NoAnswer,
}

impl RightStatus {
    /// Whether the category is closed to the key. Silence is no refusal.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        !matches!(self, Self::Open | Self::NoAnswer)
    }
}

/// What a key may do in one category of methods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Right {
    /// The category, as the marketplace names it.
    pub category: String,
    /// Whether products, stock or orders cannot be read without it.
    pub needed: bool,
    /// How it answered.
    pub status: RightStatus,
}

/// A key was tried category by category; nothing but the trying was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialChecked {
    /// Which key.
    pub credential_id: CredentialId,
    /// The marketplace's own id of the seller account.
    pub seller_id: Option<String>,
    /// When the key ends, where the key or the marketplace tells it.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key can only read, where that is known.
    pub read_only: Option<bool>,
    /// One entry per category, in a fixed order.
    pub rights: Vec<Right>,
    /// When it was tried.
    pub checked_at: DateTime<Utc>,
}

/// Another key was given. It is tried before it takes the place of the one in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialOffered {
    /// The new key, without the key.
    pub credential: CredentialFacts,
}

/// The key that was offered is no good; the one in use stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialOfferRefused {
    /// Which key.
    pub credential_id: CredentialId,
    /// `unauthorized`, `forbidden`, `expired`, `payment_required`, `other_seller`.
    pub reason: String,
    /// When it was tried.
    pub checked_at: DateTime<Utc>,
}

/// The key ends soon. Told once per key and number of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialExpiring {
    /// Which key.
    pub credential_id: CredentialId,
    /// 14, 3 or 1: it ends within so many days.
    pub days_left: u32,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
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

/// A cabinet that was taken away is connected again: the same seller account, with a key of its own. Its
/// products and their history go on; its schedule no longer rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CabinetReconnected {
    /// The new key, without the key.
    pub credential: CredentialFacts,
}

/// A seller leaves a warehouse out of what can be sold. Its stock goes on being recorded; totals do not count
/// it. Told again with another reason while it is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WarehouseExcluded {
    /// Key of the warehouse inside the cabinet, as in levels.
    pub warehouse: String,
    /// Why, in the seller's words: 1 to 200 characters.
    pub reason: String,
}

/// A warehouse that was left out counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WarehouseIncluded {
    /// The key under which it was left out.
    pub warehouse: String,
}

/// The cabinet rests until the reason is gone. A pause that a person chose is `schedule_changed`; the two do
/// not touch each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CabinetPaused {
    /// `plan`: the tenant has more cabinets than its plan allows, and this is one of the newest.
    pub reason: PauseReason,
}

/// The reason is gone, and the cabinet goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CabinetResumed {
    /// The reason for which it rested.
    pub reason: PauseReason,
}

/// Why a cabinet rests although nobody chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PauseReason {
    /// The tenant's plan allows fewer cabinets.
    Plan,
}
