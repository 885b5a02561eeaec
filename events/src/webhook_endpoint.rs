//! Where a tenant wants to be called. Address and signing secrets are in the vault: an address often contains
//! a key of its own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::CredentialId;

/// An endpoint was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEndpointAdded {
    /// Host of the address, without port and path.
    pub host: String,
    /// Types of messages it gets, such as `stock.low`, ascending; empty for all.
    pub types: Vec<String>,
    /// The address in the vault.
    pub address_id: CredentialId,
    /// The signing secret in the vault.
    pub secret_id: CredentialId,
}

/// Address or filter changed; both, as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEndpointChanged {
    /// Host of the address, without port and path.
    pub host: String,
    /// Types of messages it gets, ascending; empty for all.
    pub types: Vec<String>,
    /// The address in the vault.
    pub address_id: CredentialId,
}

/// The signing secret was replaced. Until the former one ends, messages carry both signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookSecretRotated {
    /// The new secret in the vault.
    pub secret_id: CredentialId,
    /// When the former secret ends.
    pub former_until: DateTime<Utc>,
}

/// Why an endpoint is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DisableReason {
    /// A person wanted it.
    Person,
    /// The receiver answered 410.
    Gone,
    /// For days nothing was delivered.
    Failing,
    /// The tenant's plan has no webhooks.
    Plan,
}

impl DisableReason {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Person, Self::Gone, Self::Failing, Self::Plan];

    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Plan => "plan",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Nothing is sent until it is switched on again; what happens meanwhile can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEndpointDisabled {
    /// Why.
    pub reason: DisableReason,
}

/// It is switched on again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEndpointEnabled {}

/// The endpoint was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEndpointRemoved {}
