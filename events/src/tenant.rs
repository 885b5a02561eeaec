//! The life of a tenant and its membership. A business's name may be a person's name, so it lives in a side
//! table; events carry ids only.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// What a member may do. Ordered: each role may do what the ones below it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Role {
    /// May look.
    Viewer,
    /// May look and start syncs.
    Member,
    /// May change settings and credentials.
    Admin,
    /// May do everything, including erasing the tenant.
    Owner,
}

/// A business signed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantRegistered {
    /// The first member; becomes owner.
    pub owner: UserId,
    /// Language of titles and messages (BCP 47, `ru` or `en`).
    pub language: String,
    /// IANA time zone of daily things.
    pub time_zone: String,
}

/// The business changed its name. The name itself is in the side table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantRenamed {}

/// The tenant may not use the service for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantSuspended {
    /// Why, as a short code.
    pub reason: String,
}

/// The suspension ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantReactivated {}

/// A user joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberAdded {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
}

/// A member got another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberRoleChanged {
    /// Who.
    pub user_id: UserId,
    /// The new role.
    pub role: Role,
}

/// A member left or was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberRemoved {
    /// Who.
    pub user_id: UserId,
}

/// The business keeps its days by another clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantTimeZoneChanged {
    /// IANA time zone of daily things.
    pub time_zone: String,
}

/// The tenant's personal data and keys were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantErased {
    /// Reference of the request under which it was done.
    pub request: String,
}
