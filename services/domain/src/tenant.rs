//! A seller business and who belongs to it. It always has an owner.

use std::collections::BTreeMap;

use events::StreamType;
use events::catalog::TenantEvent;
use events::ids::UserId;
use events::tenant::{
    MemberAdded, MemberRemoved, MemberRoleChanged, Role, TenantReactivated, TenantRegistered, TenantRenamed,
    TenantSuspended,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// What the tenant aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Whether it was ever registered.
    pub registered: bool,
    /// Whether it may not use the service for now.
    pub suspended: bool,
    /// Whether its data were destroyed.
    pub erased: bool,
    /// Who may do what.
    pub members: BTreeMap<UserId, Role>,
}

/// What a tenant can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantCommand {
    /// Sign up.
    Register {
        /// First member.
        owner: UserId,
        /// Language of titles, `ru` or `en`.
        language: String,
        /// IANA time zone.
        time_zone: String,
    },
    /// The name in the side table changed.
    Rename,
    /// Stop all use.
    Suspend {
        /// Why, as a short code.
        reason: String,
    },
    /// Allow use again.
    Reactivate,
    /// Let a user in.
    AddMember {
        /// Who.
        user_id: UserId,
        /// As what.
        role: Role,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        user_id: UserId,
        /// The new role.
        role: Role,
    },
    /// Take a member out.
    RemoveMember {
        /// Who.
        user_id: UserId,
    },
}

/// Why a tenant refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantRefusal {
    /// Already there.
    #[error("the tenant is already registered")]
    AlreadyRegistered,
    /// Never registered, or erased.
    #[error("there is no such tenant")]
    NotRegistered,
    /// Not while suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// Already a member.
    #[error("the user already is a member")]
    AlreadyMember,
    /// Not a member.
    #[error("the user is not a member")]
    NotMember,
    /// Somebody must own it.
    #[error("the last owner cannot leave or step down")]
    LastOwner,
}

impl Tenant {
    fn owners(&self) -> usize {
        self.members.values().filter(|role| **role == Role::Owner).count()
    }

    fn is_last_owner(&self, user_id: UserId) -> bool {
        self.members.get(&user_id) == Some(&Role::Owner) && self.owners() == 1
    }
}

impl Decider for Tenant {
    const STREAM: StreamType = StreamType::Tenant;
    const FOLD_VERSION: i32 = 1;
    type Command = TenantCommand;
    type Happened = TenantEvent;
    type Refusal = TenantRefusal;

    fn decide(&self, command: TenantCommand) -> Result<Vec<TenantEvent>, TenantRefusal> {
        if let TenantCommand::Register {
            owner,
            language,
            time_zone,
        } = command
        {
            if self.registered {
                return Err(TenantRefusal::AlreadyRegistered);
            }
            return Ok(vec![
                TenantRegistered {
                    owner,
                    language,
                    time_zone,
                }
                .into(),
            ]);
        }
        if !self.registered || self.erased {
            return Err(TenantRefusal::NotRegistered);
        }
        match command {
            TenantCommand::Register { .. } => Err(TenantRefusal::AlreadyRegistered),
            TenantCommand::Suspend { .. } if self.suspended => Ok(vec![]),
            TenantCommand::Suspend { reason } => Ok(vec![TenantSuspended { reason }.into()]),
            TenantCommand::Reactivate if self.suspended => Ok(vec![TenantReactivated {}.into()]),
            TenantCommand::Reactivate => Ok(vec![]),
            _ if self.suspended => Err(TenantRefusal::Suspended),
            TenantCommand::Rename => Ok(vec![TenantRenamed {}.into()]),
            TenantCommand::AddMember { user_id, .. } if self.members.contains_key(&user_id) => {
                Err(TenantRefusal::AlreadyMember)
            }
            TenantCommand::AddMember { user_id, role } => Ok(vec![MemberAdded { user_id, role }.into()]),
            TenantCommand::ChangeRole { user_id, role } => match self.members.get(&user_id) {
                None => Err(TenantRefusal::NotMember),
                Some(current) if *current == role => Ok(vec![]),
                Some(_) if self.is_last_owner(user_id) => Err(TenantRefusal::LastOwner),
                Some(_) => Ok(vec![MemberRoleChanged { user_id, role }.into()]),
            },
            TenantCommand::RemoveMember { user_id } if !self.members.contains_key(&user_id) => {
                Err(TenantRefusal::NotMember)
            }
            TenantCommand::RemoveMember { user_id } if self.is_last_owner(user_id) => {
                Err(TenantRefusal::LastOwner)
            }
            TenantCommand::RemoveMember { user_id } => Ok(vec![MemberRemoved { user_id }.into()]),
        }
    }

    fn evolve(&mut self, event: &TenantEvent) {
        match event {
            TenantEvent::TenantRegistered(registered) => {
                self.registered = true;
                self.members.insert(registered.owner, Role::Owner);
            }
            TenantEvent::TenantRenamed(_) => {}
            TenantEvent::TenantSuspended(_) => self.suspended = true,
            TenantEvent::TenantReactivated(_) => self.suspended = false,
            TenantEvent::MemberAdded(added) => {
                self.members.insert(added.user_id, added.role);
            }
            TenantEvent::MemberRoleChanged(changed) => {
                self.members.insert(changed.user_id, changed.role);
            }
            TenantEvent::MemberRemoved(removed) => {
                self.members.remove(&removed.user_id);
            }
            TenantEvent::TenantErased(_) => {
                self.erased = true;
                self.members.clear();
            }
        }
    }
}

aggregate!(Tenant, "tenant");

#[cfg(test)]
mod tests;
