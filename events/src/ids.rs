//! One registry of typed ids, so that a cabinet's id can never be passed where a tenant's is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(pub Uuid);

        impl $name {
            /// The bare uuid, for SQL parameters and subjects.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// One seller business; the unit of isolation.
    TenantId;
    /// One login.
    UserId;
    /// One seller account at one marketplace.
    CabinetId;
    /// One attempt to bring a cabinet up to date; also the id of its public operation.
    SyncId;
    /// One marketplace article of one cabinet.
    ProductId;
    /// One secret in the vault.
    CredentialId;
    /// One rule of a tenant's for alerts.
    AlertRuleId;
    /// One address that a tenant wants to be called at.
    WebhookEndpointId;
    /// One command; the key under which its first answer is kept.
    CommandId;
    /// One event.
    EventId;
}

impl ProductId {
    /// The product of an article in a cabinet. Derived (UUIDv5), so that a sync finds the stream without
    /// asking any read model, and two syncs of one article can never open two streams.
    #[must_use]
    pub fn of(cabinet: CabinetId, nm_id: i64) -> Self {
        Self(Uuid::new_v5(&cabinet.0, &nm_id.to_be_bytes()))
    }
}

impl AlertRuleId {
    /// The rule of a scope. Derived (UUIDv5), so that a tenant has one rule a scope and setting it again
    /// replaces it.
    #[must_use]
    pub fn of(tenant: TenantId, scope: &crate::alert_rule::AlertScope) -> Self {
        use crate::alert_rule::AlertScope as Scope;
        let name = match scope {
            Scope::Tenant => "tenant".to_owned(),
            Scope::Cabinet { cabinet_id } => format!("cabinet:{cabinet_id}"),
            Scope::Subject { subject } => format!("subject:{subject}"),
            Scope::Product { product_id } => format!("product:{product_id}"),
        };
        Self(Uuid::new_v5(&tenant.0, name.as_bytes()))
    }
}

impl CommandId {
    /// A command that follows from another one (a chunk of a sync, a policy's reaction). The same parent and
    /// name always give the same id, so a repeated attempt is answered as a duplicate instead of acting
    /// twice.
    #[must_use]
    pub fn derived(parent: Uuid, name: &str) -> Self {
        Self(Uuid::new_v5(&parent, name.as_bytes()))
    }
}
