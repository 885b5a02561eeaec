//! A seller business and who belongs to it. It always has an owner.

use std::collections::BTreeMap;

use events::StreamType;
use events::catalog::TenantEvent;
use events::ids::UserId;
use events::tenant::{
    MemberAdded, MemberRemoved, MemberRoleChanged, Role, TenantErased, TenantReactivated, TenantRegistered,
    TenantRenamed, TenantSuspended, TenantTimeZoneChanged,
};
use serde::{Deserialize, Serialize};

use crate::decider::aggregate;
use crate::{Decider, schedule};

/// What the tenant aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Whether it was ever registered.
    pub registered: bool,
    /// Whether it may not use the service for now.
    pub suspended: bool,
    /// Whether its data were destroyed.
    pub erased: bool,
    /// IANA time zone of daily things.
    #[serde(default)]
    pub time_zone: String,
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
    /// Keep days by another clock.
    SetTimeZone {
        /// IANA time zone.
        time_zone: String,
    },
    /// Stop all use.
    Suspend {
        /// Why, as a short code.
        reason: String,
    },
    /// Allow use again.
    Reactivate,
    /// Let a user in.
    AddMember {
        /// Who lets them in.
        by: UserId,
        /// Who.
        user_id: UserId,
        /// As what.
        role: Role,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who gives it.
        by: UserId,
        /// Who.
        user_id: UserId,
        /// The new role.
        role: Role,
    },
    /// Take a member out.
    RemoveMember {
        /// Who takes them out.
        by: UserId,
        /// Who.
        user_id: UserId,
    },
    /// Go by oneself, in whatever role.
    Leave {
        /// Who.
        user_id: UserId,
    },
    /// Destroy its data; for ever.
    Erase {
        /// Reference of the request.
        request: String,
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
    /// No clock goes by that name.
    #[error("there is no time zone of that name")]
    UnknownTimeZone,
    /// Not while suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// Already a member.
    #[error("the user already is a member")]
    AlreadyMember,
    /// Not a member.
    #[error("the user is not a member")]
    NotMember,
    /// Only administrators and owners decide about members, and nobody about a role above their own.
    #[error("members are decided about by administrators and owners, up to their own role")]
    AboveOwnRole,
    /// Somebody must own it.
    #[error("the last owner cannot leave or step down")]
    LastOwner,
}

impl Tenant {
    /// Whether `by` may decide about a member with this role, or give this role. It is the one rule by which
    /// administrators make no owners, touch none, and nobody raises anybody, himself included, above himself.
    ///
    /// # Errors
    /// [`TenantRefusal::AboveOwnRole`].
    pub fn may_decide(&self, by: UserId, role: Role) -> Result<(), TenantRefusal> {
        match self.members.get(&by) {
            Some(own) if *own >= Role::Admin && *own >= role => Ok(()),
            _ => Err(TenantRefusal::AboveOwnRole),
        }
    }

    fn owners(&self) -> usize {
        self.members.values().filter(|role| **role == Role::Owner).count()
    }

    fn is_last_owner(&self, user_id: UserId) -> bool {
        self.members.get(&user_id) == Some(&Role::Owner) && self.owners() == 1
    }

    fn add(&self, by: UserId, user_id: UserId, role: Role) -> Result<Vec<TenantEvent>, TenantRefusal> {
        if self.members.contains_key(&user_id) {
            return Err(TenantRefusal::AlreadyMember);
        }
        self.may_decide(by, role)?;
        Ok(vec![MemberAdded { user_id, role }.into()])
    }

    fn change_role(
        &self,
        by: UserId,
        user_id: UserId,
        role: Role,
    ) -> Result<Vec<TenantEvent>, TenantRefusal> {
        let current = *self.members.get(&user_id).ok_or(TenantRefusal::NotMember)?;
        self.may_decide(by, current.max(role))?;
        if current == role {
            return Ok(vec![]);
        }
        if self.is_last_owner(user_id) {
            return Err(TenantRefusal::LastOwner);
        }
        Ok(vec![MemberRoleChanged { user_id, role }.into()])
    }

    fn leave(&self, user_id: UserId) -> Result<Vec<TenantEvent>, TenantRefusal> {
        if !self.members.contains_key(&user_id) {
            return Err(TenantRefusal::NotMember);
        }
        if self.is_last_owner(user_id) {
            return Err(TenantRefusal::LastOwner);
        }
        Ok(vec![MemberRemoved { user_id }.into()])
    }

    fn remove(&self, by: UserId, user_id: UserId) -> Result<Vec<TenantEvent>, TenantRefusal> {
        let current = *self.members.get(&user_id).ok_or(TenantRefusal::NotMember)?;
        self.may_decide(by, current)?;
        if self.is_last_owner(user_id) {
            return Err(TenantRefusal::LastOwner);
        }
        Ok(vec![MemberRemoved { user_id }.into()])
    }
}

impl Decider for Tenant {
    const STREAM: StreamType = StreamType::Tenant;
    const FOLD_VERSION: i32 = 2;
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
            // Also while suspended: whoever may not use the service may still be forgotten.
            TenantCommand::Leave { user_id } => self.leave(user_id),
            TenantCommand::Erase { request } => Ok(vec![TenantErased { request }.into()]),
            _ if self.suspended => Err(TenantRefusal::Suspended),
            TenantCommand::SetTimeZone { time_zone } if time_zone == self.time_zone => Ok(vec![]),
            TenantCommand::SetTimeZone { time_zone } if schedule::zone(&time_zone).is_none() => {
                Err(TenantRefusal::UnknownTimeZone)
            }
            TenantCommand::SetTimeZone { time_zone } => Ok(vec![TenantTimeZoneChanged { time_zone }.into()]),
            TenantCommand::Rename => Ok(vec![TenantRenamed {}.into()]),
            TenantCommand::AddMember { by, user_id, role } => self.add(by, user_id, role),
            TenantCommand::ChangeRole { by, user_id, role } => self.change_role(by, user_id, role),
            TenantCommand::RemoveMember { by, user_id } => self.remove(by, user_id),
        }
    }

    fn evolve(&mut self, event: &TenantEvent) {
        match event {
            TenantEvent::TenantRegistered(registered) => {
                self.registered = true;
                self.time_zone.clone_from(&registered.time_zone);
                self.members.insert(registered.owner, Role::Owner);
            }
            TenantEvent::TenantRenamed(_) => {}
            TenantEvent::TenantTimeZoneChanged(changed) => self.time_zone.clone_from(&changed.time_zone),
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
