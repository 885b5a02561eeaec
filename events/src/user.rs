//! The life of a login. E-mail, name and chat ids are personal data and live in side tables under the user's
//! id; nothing here identifies a person.

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name {}
    )*};
}

/// Somebody signed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserRegistered {
    /// The tenant the user signed up with.
    pub tenant_id: TenantId,
}

plain! {
    /// The password was changed; all sessions but the acting one end.
    PasswordChanged;
    /// A Telegram account was linked; its id is in the side table.
    TelegramLinked;
    /// The Telegram account was unlinked.
    TelegramUnlinked;
    /// The login may not be used for now.
    UserDeactivated;
    /// The login may be used again.
    UserReactivated;
    /// The user became a platform administrator.
    AdminGranted;
    /// The user is no longer a platform administrator.
    AdminRevoked;
}

/// Telegram delivers nothing to the linked account any more, until it is linked again or writes to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TelegramUnreachable {
    /// `blocked`, `deactivated` or `kicked`.
    pub reason: String,
}

/// The user's personal data were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserErased {
    /// Reference of the request under which it was done.
    pub request: String,
}
