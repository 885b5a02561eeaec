//! A login is registered once and can rest.

use cqrs_es::test::TestFramework;
use events::ids::TenantId;
use events::user::{AdminGranted, AdminRevoked, UserDeactivated, UserErased, UserRegistered};
use uuid::Uuid;

use super::{User, UserCommand, UserRefusal};
use crate::Fact;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));

#[test]
fn a_user_registers_once() {
    TestFramework::<User>::with(())
        .given(vec![Fact(UserRegistered { tenant_id: TENANT }.into())])
        .when(UserCommand::Register { tenant_id: TENANT })
        .then_expect_error(UserRefusal::AlreadyRegistered);
}

#[test]
fn a_deactivated_user_cannot_change_the_password_and_deactivating_again_changes_nothing() {
    let given = || {
        vec![
            Fact(UserRegistered { tenant_id: TENANT }.into()),
            Fact(UserDeactivated {}.into()),
        ]
    };
    TestFramework::<User>::with(())
        .given(given())
        .when(UserCommand::ChangePassword)
        .then_expect_error(UserRefusal::Deactivated);
    TestFramework::<User>::with(())
        .given(given())
        .when(UserCommand::Deactivate)
        .then_expect_events(vec![]);
}

#[test]
fn an_erased_user_is_gone_for_every_command_also_when_it_was_deactivated() {
    let registered = || Fact(UserRegistered { tenant_id: TENANT }.into());
    let erased = || Fact(UserErased { request: "r".into() }.into());
    let erase = || UserCommand::Erase { request: "r".into() };
    TestFramework::<User>::with(())
        .given(vec![registered(), Fact(UserDeactivated {}.into())])
        .when(erase())
        .then_expect_events(vec![erased()]);
    for command in [erase(), UserCommand::Reactivate, UserCommand::ChangePassword] {
        TestFramework::<User>::with(())
            .given(vec![registered(), erased()])
            .when(command)
            .then_expect_error(UserRefusal::NotRegistered);
    }
}

#[test]
fn administration_is_granted_once_taken_once_and_never_to_a_login_that_rests() {
    let registered = || Fact(UserRegistered { tenant_id: TENANT }.into());
    TestFramework::<User>::with(())
        .given(vec![registered()])
        .when(UserCommand::GrantAdmin)
        .then_expect_events(vec![Fact(AdminGranted {}.into())]);
    TestFramework::<User>::with(())
        .given(vec![registered(), Fact(AdminGranted {}.into())])
        .when(UserCommand::GrantAdmin)
        .then_expect_events(vec![]);
    TestFramework::<User>::with(())
        .given(vec![registered(), Fact(AdminGranted {}.into())])
        .when(UserCommand::RevokeAdmin)
        .then_expect_events(vec![Fact(AdminRevoked {}.into())]);
    TestFramework::<User>::with(())
        .given(vec![registered(), Fact(UserDeactivated {}.into())])
        .when(UserCommand::GrantAdmin)
        .then_expect_error(UserRefusal::Deactivated);
}
