//! A tenant always has an owner.

use cqrs_es::test::TestFramework;
use events::catalog::TenantEvent;
use events::ids::UserId;
use events::tenant::{MemberAdded, MemberRoleChanged, Role, TenantRegistered, TenantSuspended};
use uuid::Uuid;

use super::{Tenant, TenantCommand, TenantRefusal};
use crate::Fact;

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
        .when(TenantCommand::RemoveMember { user_id: OWNER })
        .then_expect_error(TenantRefusal::LastOwner);
    TestFramework::<Tenant>::with(())
        .given(vec![registered()])
        .when(TenantCommand::ChangeRole {
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
