//! A tenant always has an owner.

use cqrs_es::test::TestFramework;
use events::catalog::TenantEvent;
use events::ids::UserId;
use events::tenant::{
    MemberAdded, MemberRemoved, MemberRoleChanged, Role, TenantErased, TenantRegistered, TenantSuspended,
};
use uuid::Uuid;

use super::{Tenant, TenantCommand, TenantRefusal};
use crate::{Decider as _, Fact};

const OWNER: UserId = UserId(Uuid::from_u128(1));
const OTHER: UserId = UserId(Uuid::from_u128(2));

fn registered() -> Fact<TenantEvent> {
    Fact(
        TenantRegistered {
            owner: OWNER,
            language: "ru".into(),
            time_zone: "Europe/Moscow".into(),
        }
        .into(),
    )
}

#[test]
fn a_tenant_registers_once() {
    let register = || TenantCommand::Register {
        owner: OWNER,
        language: "ru".into(),
        time_zone: "Europe/Moscow".into(),
    };
    TestFramework::<Tenant>::with(())
        .given_no_previous_events()
        .when(register())
        .then_expect_events(vec![registered()]);
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(register())
        .then_expect_error(TenantRefusal::AlreadyRegistered);
}

#[test]
fn the_last_owner_can_neither_leave_nor_step_down() {
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(TenantCommand::RemoveMember {
            by: OWNER,
            user_id: OWNER,
        })
        .then_expect_error(TenantRefusal::LastOwner);
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(TenantCommand::ChangeRole {
            by: OWNER,
            user_id: OWNER,
            role: Role::Viewer,
        })
        .then_expect_error(TenantRefusal::LastOwner);
}

#[test]
fn an_owner_steps_down_once_there_is_another() {
    TestFramework::<Tenant>::with(())
        .given(vec![
            registered(),
            Fact(
                MemberAdded {
                    user_id: OTHER,
                    role: Role::Owner,
                }
                .into(),
            ),
        ])
        .when(TenantCommand::ChangeRole {
            by: OWNER,
            user_id: OWNER,
            role: Role::Viewer,
        })
        .then_expect_events(vec![Fact(
            MemberRoleChanged {
                user_id: OWNER,
                role: Role::Viewer,
            }
            .into(),
        )]);
}

#[test]
fn a_suspended_tenant_changes_nothing() {
    TestFramework::<Tenant>::with(())
        .given(vec![
            registered(),
            Fact(
                TenantSuspended {
                    reason: "abuse".into(),
                }
                .into(),
            ),
        ])
        .when(TenantCommand::Rename)
        .then_expect_error(TenantRefusal::Suspended);
}

#[test]
fn an_erased_tenant_is_gone_for_every_command_also_when_it_was_suspended() {
    let suspended = || Fact(TenantSuspended { reason: "x".into() }.into());
    let erased = || Fact(TenantErased { request: "r".into() }.into());
    let erase = || TenantCommand::Erase { request: "r".into() };
    TestFramework::<Tenant>::with(())
        .given(vec![registered(), suspended()])
        .when(erase())
        .then_expect_events(vec![erased()]);
    for command in [erase(), TenantCommand::Rename, TenantCommand::Reactivate] {
        TestFramework::<Tenant>::with(())
            .given(vec![registered(), suspended(), erased()])
            .when(command)
            .then_expect_error(TenantRefusal::NotRegistered);
    }
}

const SUBJECT: UserId = UserId(Uuid::from_u128(3));
const ROLES: [Role; 4] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];

/// A tenant with another owner, somebody with this role, and somebody to decide about.
fn with(actor: Role, subject: Option<Role>) -> Tenant {
    let mut tenant = Tenant {
        registered: true,
        ..Tenant::default()
    };
    tenant.members.insert(OWNER, Role::Owner);
    tenant.members.insert(OTHER, actor);
    tenant.members.extend(subject.map(|role| (SUBJECT, role)));
    tenant
}

#[test]
fn members_are_decided_about_by_administrators_and_owners_up_to_their_own_role() {
    for actor in ROLES {
        for role in ROLES {
            let may = actor >= Role::Admin && role <= actor;
            let verdict = |tenant: Tenant, command| match tenant.decide(command) {
                Ok(_) => true,
                Err(TenantRefusal::AboveOwnRole) => false,
                Err(other) => panic!("{actor:?} {role:?}: {other}"),
            };
            let add = TenantCommand::AddMember {
                by: OTHER,
                user_id: SUBJECT,
                role,
            };
            assert_eq!(verdict(with(actor, None), add), may, "{actor:?} adds {role:?}");
            let remove = TenantCommand::RemoveMember {
                by: OTHER,
                user_id: SUBJECT,
            };
            assert_eq!(
                verdict(with(actor, Some(role)), remove),
                may,
                "{actor:?} removes {role:?}"
            );
            for new in ROLES {
                let change = TenantCommand::ChangeRole {
                    by: OTHER,
                    user_id: SUBJECT,
                    role: new,
                };
                assert_eq!(
                    verdict(with(actor, Some(role)), change),
                    may && new <= actor,
                    "{actor:?} makes {role:?} {new:?}"
                );
            }
        }
    }
}

#[test]
fn nobody_raises_himself() {
    for own in ROLES {
        for new in ROLES.into_iter().filter(|new| *new > own) {
            let raise = TenantCommand::ChangeRole {
                by: OTHER,
                user_id: OTHER,
                role: new,
            };
            assert_eq!(with(own, None).decide(raise), Err(TenantRefusal::AboveOwnRole));
        }
    }
}

#[test]
fn whoever_left_decides_about_nobody() {
    let tenant = with(Role::Owner, None);
    let add = TenantCommand::AddMember {
        by: UserId(Uuid::from_u128(9)),
        user_id: SUBJECT,
        role: Role::Viewer,
    };
    assert_eq!(tenant.decide(add), Err(TenantRefusal::AboveOwnRole));
}

#[test]
fn whoever_is_a_member_may_leave_but_not_as_the_last_owner() {
    let leave = |user_id| TenantCommand::Leave { user_id };
    let added = MemberAdded {
        user_id: OTHER,
        role: Role::Viewer,
    };
    TestFramework::<Tenant>::with(())
        .given(vec![registered(), Fact(added.into())])
        .when(leave(OTHER))
        .then_expect_events(vec![Fact(MemberRemoved { user_id: OTHER }.into())]);
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(leave(OTHER))
        .then_expect_error(TenantRefusal::NotMember);
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(leave(OWNER))
        .then_expect_error(TenantRefusal::LastOwner);
}
