//! An endpoint's life.

use chrono::DateTime;
use cqrs_es::test::TestFramework;
use events::catalog::WebhookEndpointEvent;
use events::ids::CredentialId;
use events::webhook_endpoint::{
    DisableReason, WebhookEndpointAdded, WebhookEndpointDisabled, WebhookEndpointEnabled,
    WebhookEndpointRemoved, WebhookSecretRotated,
};
use uuid::Uuid;

use super::{WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointRefusal};
use crate::{Decider, Fact};

fn added(types: &[&str]) -> WebhookEndpointAdded {
    WebhookEndpointAdded {
        host: "hooks.example.com".into(),
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        address_id: CredentialId(Uuid::from_u128(1)),
        secret_id: CredentialId(Uuid::from_u128(2)),
    }
}

fn there() -> Vec<Fact<WebhookEndpointEvent>> {
    vec![Fact(added(&[]).into())]
}

#[test]
fn the_filter_is_kept_in_one_order_and_knows_its_types() {
    TestFramework::<WebhookEndpoint>::with(())
        .given(vec![])
        .when(WebhookEndpointCommand::Add(added(&[
            "stock.out",
            "stock.low",
            "stock.out",
        ])))
        .then_expect_events(vec![Fact(added(&["stock.low", "stock.out"]).into())]);
    TestFramework::<WebhookEndpoint>::with(())
        .given(vec![])
        .when(WebhookEndpointCommand::Add(added(&["stock.gone"])))
        .then_expect_error(WebhookEndpointRefusal::UnknownType("stock.gone".into()));
}

#[test]
fn switching_off_and_on_are_events_and_repetitions_are_none() {
    let off = WebhookEndpointDisabled {
        reason: DisableReason::Gone,
    };
    TestFramework::<WebhookEndpoint>::with(())
        .given(there())
        .when(WebhookEndpointCommand::Disable(DisableReason::Gone))
        .then_expect_events(vec![Fact(off.clone().into())]);
    let mut disabled = there();
    disabled.push(Fact(off.into()));
    TestFramework::<WebhookEndpoint>::with(())
        .given(disabled.clone())
        .when(WebhookEndpointCommand::Disable(DisableReason::Gone))
        .then_expect_events(vec![]);
    TestFramework::<WebhookEndpoint>::with(())
        .given(disabled)
        .when(WebhookEndpointCommand::Enable)
        .then_expect_events(vec![Fact(WebhookEndpointEnabled {}.into())]);
}

#[test]
fn after_a_rotation_the_former_secret_is_known_with_its_end() {
    let former_until = DateTime::UNIX_EPOCH;
    let secret_id = CredentialId(Uuid::from_u128(3));
    let mut endpoint = WebhookEndpoint::default();
    endpoint.evolve(&added(&[]).into());
    let rotated = WebhookSecretRotated {
        secret_id,
        former_until,
    };
    endpoint.evolve(&rotated.into());
    let active = endpoint.active.unwrap();
    assert_eq!(active.secret_id, secret_id);
    assert_eq!(
        active.former,
        Some((CredentialId(Uuid::from_u128(2)), former_until))
    );
}

#[test]
fn an_endpoint_that_was_removed_never_comes_back() {
    let mut gone = there();
    gone.push(Fact(WebhookEndpointRemoved {}.into()));
    TestFramework::<WebhookEndpoint>::with(())
        .given(gone.clone())
        .when(WebhookEndpointCommand::Enable)
        .then_expect_error(WebhookEndpointRefusal::NotFound);
    TestFramework::<WebhookEndpoint>::with(())
        .given(gone)
        .when(WebhookEndpointCommand::Add(added(&[])))
        .then_expect_error(WebhookEndpointRefusal::Exists);
}

#[test]
fn the_plan_switches_on_again_only_what_it_has_switched_off() {
    let off = |reason| Fact(WebhookEndpointDisabled { reason }.into());
    let with = |reason| there().into_iter().chain([off(reason)]).collect::<Vec<_>>();
    let plan = |allowed| WebhookEndpointCommand::FollowPlan { allowed };
    TestFramework::<WebhookEndpoint>::with(())
        .given(there())
        .when(plan(false))
        .then_expect_events(vec![off(DisableReason::Plan)]);
    TestFramework::<WebhookEndpoint>::with(())
        .given(with(DisableReason::Plan))
        .when(plan(true))
        .then_expect_events(vec![Fact(WebhookEndpointEnabled {}.into())]);
    for (reason, allowed) in [
        (DisableReason::Person, true),
        (DisableReason::Person, false),
        (DisableReason::Gone, true),
    ] {
        TestFramework::<WebhookEndpoint>::with(())
            .given(with(reason))
            .when(plan(allowed))
            .then_expect_events(vec![]);
    }
}

#[test]
fn a_persons_wish_replaces_another_reason_and_is_replaced_by_none() {
    let off = |reason| Fact(WebhookEndpointDisabled { reason }.into());
    let with = |reason| there().into_iter().chain([off(reason)]).collect::<Vec<_>>();
    TestFramework::<WebhookEndpoint>::with(())
        .given(with(DisableReason::Plan))
        .when(WebhookEndpointCommand::Disable(DisableReason::Person))
        .then_expect_events(vec![off(DisableReason::Person)]);
    TestFramework::<WebhookEndpoint>::with(())
        .given(with(DisableReason::Person))
        .when(WebhookEndpointCommand::Disable(DisableReason::Failing))
        .then_expect_events(vec![]);
}
