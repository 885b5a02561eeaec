//! A login. Who it is (address, name, password) is in side tables; here is only what happened to it.

use events::StreamType;
use events::catalog::UserEvent;
use events::ids::TenantId;
use events::user::{
    AdminGranted, AdminRevoked, PasswordChanged, TelegramLinked, TelegramUnlinked, TelegramUnreachable,
    UserDeactivated, UserErased, UserReactivated, UserRegistered,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// What the user aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whether it was ever registered.
    pub registered: bool,
    /// Whether it may not be used for now.
    pub deactivated: bool,
    /// Whether it is a platform administrator.
    pub admin: bool,
    /// Whether its personal data were destroyed.
    pub erased: bool,
    /// Whether a Telegram account is linked.
    pub telegram: bool,
    /// Whether Telegram refuses to deliver to the linked account.
    #[serde(default)]
    pub telegram_unreachable: bool,
}

/// What a user can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCommand {
    /// Sign up.
    Register {
        /// The tenant signed up with.
        tenant_id: TenantId,
    },
    /// The password in the side table changed.
    ChangePassword,
    /// Stop all use.
    Deactivate,
    /// Allow use again.
    Reactivate,
    /// Make it a platform administrator.
    GrantAdmin,
    /// Make it an ordinary user again.
    RevokeAdmin,
    /// Link a Telegram account, whose id is in the side table; also another one than before.
    LinkTelegram,
    /// Unlink the Telegram account.
    UnlinkTelegram,
    /// Telegram does not deliver to the account: `blocked`, `deactivated` or `kicked`.
    MissOnTelegram {
        /// Which of them.
        reason: String,
    },
    /// Destroy its personal data; for ever.
    Erase {
        /// Reference of the request.
        request: String,
    },
}

/// Why a user refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserRefusal {
    /// Already there.
    #[error("the user is already registered")]
    AlreadyRegistered,
    /// Never registered, or erased.
    #[error("there is no such user")]
    NotRegistered,
    /// Not while deactivated.
    #[error("the user is deactivated")]
    Deactivated,
    /// No Telegram account to do this with.
    #[error("no Telegram account is linked")]
    TelegramNotLinked,
}

impl Decider for User {
    const STREAM: StreamType = StreamType::User;
    const FOLD_VERSION: i32 = 2;
    type Command = UserCommand;
    type Happened = UserEvent;
    type Refusal = UserRefusal;

    fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserRefusal> {
        match command {
            UserCommand::Register { .. } if self.registered => Err(UserRefusal::AlreadyRegistered),
            UserCommand::Register { tenant_id } => Ok(vec![UserRegistered { tenant_id }.into()]),
            _ if !self.registered || self.erased => Err(UserRefusal::NotRegistered),
            UserCommand::ChangePassword if self.deactivated => Err(UserRefusal::Deactivated),
            UserCommand::ChangePassword => Ok(vec![PasswordChanged {}.into()]),
            UserCommand::Deactivate if self.deactivated => Ok(vec![]),
            UserCommand::Deactivate => Ok(vec![UserDeactivated {}.into()]),
            UserCommand::Reactivate if self.deactivated => Ok(vec![UserReactivated {}.into()]),
            UserCommand::Reactivate => Ok(vec![]),
            UserCommand::GrantAdmin if self.admin => Ok(vec![]),
            UserCommand::GrantAdmin if self.deactivated => Err(UserRefusal::Deactivated),
            UserCommand::GrantAdmin => Ok(vec![AdminGranted {}.into()]),
            UserCommand::RevokeAdmin if self.admin => Ok(vec![AdminRevoked {}.into()]),
            UserCommand::RevokeAdmin => Ok(vec![]),
            UserCommand::LinkTelegram if self.deactivated => Err(UserRefusal::Deactivated),
            UserCommand::LinkTelegram => Ok(vec![TelegramLinked {}.into()]),
            UserCommand::UnlinkTelegram if self.telegram => Ok(vec![TelegramUnlinked {}.into()]),
            UserCommand::UnlinkTelegram => Err(UserRefusal::TelegramNotLinked),
            UserCommand::MissOnTelegram { .. } if !self.telegram => Err(UserRefusal::TelegramNotLinked),
            UserCommand::MissOnTelegram { .. } if self.telegram_unreachable => Ok(vec![]),
            UserCommand::MissOnTelegram { reason } => Ok(vec![TelegramUnreachable { reason }.into()]),
            UserCommand::Erase { request } => Ok(vec![UserErased { request }.into()]),
        }
    }

    fn evolve(&mut self, event: &UserEvent) {
        match event {
            UserEvent::UserRegistered(_) => self.registered = true,
            UserEvent::PasswordChanged(_) => {}
            UserEvent::TelegramLinked(_) => {
                self.telegram = true;
                self.telegram_unreachable = false;
            }
            UserEvent::TelegramUnlinked(_) => {
                self.telegram = false;
                self.telegram_unreachable = false;
            }
            UserEvent::TelegramUnreachable(_) => self.telegram_unreachable = true,
            UserEvent::UserDeactivated(_) => self.deactivated = true,
            UserEvent::UserReactivated(_) => self.deactivated = false,
            UserEvent::AdminGranted(_) => self.admin = true,
            UserEvent::AdminRevoked(_) => self.admin = false,
            UserEvent::UserErased(_) => self.erased = true,
        }
    }
}

aggregate!(User, "user");

#[cfg(test)]
mod tests;
