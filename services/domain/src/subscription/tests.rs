//! A contract is told whole, once, and ends once.

use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use events::subscription::{
    Plan, SubscriptionChanged, SubscriptionEnded, SubscriptionStarted, SubscriptionStatus,
};

use super::{Contract, Subscription, SubscriptionCommand, SubscriptionRefusal};
use crate::Fact;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn pro() -> Contract {
    Contract {
        plan: Plan::Pro,
        status: SubscriptionStatus::Active,
        period_end: Some(at("2026-12-01T00:00:00Z")),
        cancel_at: None,
    }
}

fn set(contract: Contract) -> SubscriptionCommand {
    SubscriptionCommand::Set {
        contract,
        at: at("2026-11-01T00:00:00Z"),
    }
}

fn started() -> Fact<events::catalog::SubscriptionEvent> {
    let Contract {
        plan,
        status,
        period_end,
        cancel_at,
    } = pro();
    Fact(
        SubscriptionStarted {
            plan,
            status,
            period_end,
            cancel_at,
        }
        .into(),
    )
}

fn ended(reason: &str) -> Fact<events::catalog::SubscriptionEvent> {
    Fact(
        SubscriptionEnded {
            reason: reason.to_owned(),
        }
        .into(),
    )
}

#[test]
fn the_first_news_starts_a_contract_the_same_again_changes_nothing_and_another_plan_changes_it() {
    TestFramework::<Subscription>::with(())
        .given_no_previous_events()
        .when(set(pro()))
        .then_expect_events(vec![started()]);
    TestFramework::<Subscription>::with(())
        .given(vec![started()])
        .when(set(pro()))
        .then_expect_events(vec![]);
    let changed = SubscriptionChanged {
        plan: Plan::Enterprise,
        status: SubscriptionStatus::Active,
        period_end: pro().period_end,
        cancel_at: None,
    };
    TestFramework::<Subscription>::with(())
        .given(vec![started()])
        .when(set(Contract {
            plan: Plan::Enterprise,
            ..pro()
        }))
        .then_expect_events(vec![Fact(changed.into())]);
}

#[test]
fn an_ended_contract_ends_once_and_another_one_may_be_started() {
    let end = || SubscriptionCommand::End {
        reason: "revoked".to_owned(),
    };
    TestFramework::<Subscription>::with(())
        .given(vec![started()])
        .when(end())
        .then_expect_events(vec![ended("revoked")]);
    TestFramework::<Subscription>::with(())
        .given(vec![started(), ended("revoked")])
        .when(end())
        .then_expect_events(vec![]);
    TestFramework::<Subscription>::with(())
        .given(vec![started(), ended("revoked")])
        .when(set(pro()))
        .then_expect_events(vec![started()]);
}

#[test]
fn a_contract_that_nobody_prolonged_lapses_three_days_after_its_end_and_not_before() {
    let lapse = |now: &str| SubscriptionCommand::Lapse { at: at(now) };
    TestFramework::<Subscription>::with(())
        .given(vec![started()])
        .when(lapse("2026-12-03T23:59:59Z"))
        .then_expect_events(vec![]);
    TestFramework::<Subscription>::with(())
        .given(vec![started()])
        .when(lapse("2026-12-04T00:00:00Z"))
        .then_expect_events(vec![ended("lapsed")]);
}

#[test]
fn a_contract_that_was_to_end_ends_to_the_second() {
    let given = Contract {
        cancel_at: Some(at("2026-11-20T12:00:00Z")),
        ..pro()
    };
    assert_eq!(given.over_at(at("2026-11-20T11:59:59Z")), None);
    assert_eq!(given.over_at(at("2026-11-20T12:00:00Z")), Some("canceled"));
}

#[test]
fn a_contract_that_is_over_is_not_begun() {
    TestFramework::<Subscription>::with(())
        .given_no_previous_events()
        .when(set(Contract {
            cancel_at: Some(at("2026-10-31T00:00:00Z")),
            ..pro()
        }))
        .then_expect_error(SubscriptionRefusal::Over);
}
