//! A login is registered once and can rest.

use cqrs_es::test::TestFramework;
use events::ids::TenantId;
use events::user::{UserDeactivated, UserRegistered};
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
