//! A contract is given whole, once, and ends once; the two contracts of a user do not disturb each other.

use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use events::catalog::SubscriptionEvent;
use events::subscription::{
    Basis, PaymentFailed, Plan, Slot, SubscriptionChanged, SubscriptionEnded, SubscriptionStarted,
    SubscriptionStatus, TrialEnding,
};

use super::{Contract, Subscription, SubscriptionCommand, SubscriptionRefusal, over_at};
use crate::{Decider as _, Fact};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn granted() -> Contract {
    Contract {
        plan: Plan::Pro,
        status: SubscriptionStatus::Active,
        period_end: Some(at("2026-12-01T00:00:00Z")),
        cancel_at: None,
        basis: Basis::Grant,
        reference: None,
        trial_end: None,
        grace_until: None,
        note: Some("paid by bank transfer".to_owned()),
    }
}

fn at_stripe(reference: &str, plan: Plan) -> Contract {
    Contract {
        plan,
        basis: Basis::Stripe,
        reference: Some(reference.to_owned()),
        note: None,
        ..granted()
    }
}

fn trial() -> Contract {
    let end = Some(at("2026-11-15T00:00:00Z"));
    Contract {
        status: SubscriptionStatus::Trialing,
        period_end: end,
        cancel_at: end,
        basis: Basis::Trial,
        trial_end: end,
        note: None,
        ..granted()
    }
}

fn grant(contract: Contract) -> SubscriptionCommand {
    SubscriptionCommand::Grant {
        contract,
        at: at("2026-11-01T00:00:00Z"),
    }
}

fn observe(contract: Option<Contract>) -> SubscriptionCommand {
    SubscriptionCommand::Observe {
        contract,
        reason: "canceled".to_owned(),
        at: at("2026-11-01T00:00:00Z"),
    }
}

fn pass(now: &str) -> SubscriptionCommand {
    SubscriptionCommand::Pass { at: at(now) }
}

fn started(contract: Contract) -> Fact<SubscriptionEvent> {
    Fact(SubscriptionStarted { contract }.into())
}

fn changed(contract: Contract) -> Fact<SubscriptionEvent> {
    Fact(SubscriptionChanged { contract }.into())
}

fn ended(contract: &Contract, reason: &str) -> Fact<SubscriptionEvent> {
    let ended = SubscriptionEnded {
        slot: contract.basis.slot(),
        reference: contract.reference.clone(),
        reason: reason.to_owned(),
    };
    Fact(ended.into())
}

fn given(facts: &[Fact<SubscriptionEvent>], command: SubscriptionCommand) -> Vec<Fact<SubscriptionEvent>> {
    let mut state = Subscription::default();
    for fact in facts {
        state.evolve(&fact.0);
    }
    state.decide(command).unwrap().into_iter().map(Fact).collect()
}

#[test]
fn the_first_grant_starts_a_contract_the_same_again_changes_nothing_and_another_plan_changes_it() {
    TestFramework::<Subscription>::with(())
        .given_no_previous_events()
        .when(grant(granted()))
        .then_expect_events(vec![started(granted())]);
    TestFramework::<Subscription>::with(())
        .given(vec![started(granted())])
        .when(grant(granted()))
        .then_expect_events(vec![]);
    let better = Contract {
        plan: Plan::Enterprise,
        ..granted()
    };
    TestFramework::<Subscription>::with(())
        .given(vec![started(granted())])
        .when(grant(better.clone()))
        .then_expect_events(vec![changed(better)]);
}

#[test]
fn a_revoked_contract_ends_once_and_another_one_may_be_granted() {
    let revoke = || SubscriptionCommand::Revoke {
        reason: "revoked".to_owned(),
    };
    let over = ended(&granted(), "revoked");
    assert_eq!(given(&[started(granted())], revoke()), vec![over.clone()]);
    assert_eq!(given(&[started(granted()), over.clone()], revoke()), vec![]);
    assert_eq!(
        given(&[started(granted()), over], grant(granted())),
        vec![started(granted())]
    );
}

#[test]
fn a_contract_that_is_over_is_not_begun_and_a_paying_user_is_granted_nothing() {
    let past = Contract {
        cancel_at: Some(at("2026-10-31T00:00:00Z")),
        ..granted()
    };
    TestFramework::<Subscription>::with(())
        .given_no_previous_events()
        .when(grant(past))
        .then_expect_error(SubscriptionRefusal::Over);
    TestFramework::<Subscription>::with(())
        .given(vec![started(at_stripe("sub_1", Plan::Starter))])
        .when(grant(granted()))
        .then_expect_error(SubscriptionRefusal::PaidElsewhere);
}

#[test]
fn a_contract_without_news_lapses_three_days_after_its_period_and_not_before() {
    let contract = started(granted());
    assert_eq!(
        given(std::slice::from_ref(&contract), pass("2026-12-03T23:59:59Z")),
        vec![]
    );
    assert_eq!(
        given(&[contract], pass("2026-12-04T00:00:00Z")),
        vec![ended(&granted(), "lapsed")]
    );
}

#[test]
fn a_contract_that_was_to_end_ends_to_the_second() {
    let contract = Contract {
        cancel_at: Some(at("2026-11-20T12:00:00Z")),
        ..granted()
    };
    assert_eq!(over_at(&contract, at("2026-11-20T11:59:59Z")), None);
    assert_eq!(over_at(&contract, at("2026-11-20T12:00:00Z")), Some("canceled"));
}

#[test]
fn a_trial_is_given_once_lasts_fourteen_days_and_is_announced_once_three_days_before() {
    let begin = || SubscriptionCommand::Try {
        at: at("2026-11-01T00:00:00Z"),
    };
    assert_eq!(given(&[], begin()), vec![started(trial())]);
    assert_eq!(given(&[started(trial())], begin()), vec![]);
    let over = ended(&trial(), "trial_ended");
    assert_eq!(
        given(&[started(trial()), over.clone()], begin()),
        vec![],
        "once per user"
    );

    assert_eq!(given(&[started(trial())], pass("2026-11-11T23:59:59Z")), vec![]);
    let ending = TrialEnding {
        slot: Slot::Manual,
        trial_end: at("2026-11-15T00:00:00Z"),
    };
    let ending = Fact(SubscriptionEvent::from(ending));
    assert_eq!(
        given(&[started(trial())], pass("2026-11-12T00:00:00Z")),
        vec![ending.clone()]
    );
    let announced = || vec![started(trial()), ending.clone()];
    assert_eq!(given(&announced(), pass("2026-11-14T00:00:00Z")), vec![]);
    assert_eq!(given(&announced(), pass("2026-11-15T00:00:00Z")), vec![over]);
}

#[test]
fn a_paid_subscription_takes_the_place_of_the_trial_and_an_incomplete_one_does_not() {
    let paid = at_stripe("sub_1", Plan::Starter);
    let incomplete = Contract {
        status: SubscriptionStatus::Incomplete,
        ..paid.clone()
    };
    assert_eq!(
        given(&[started(trial())], observe(Some(incomplete.clone()))),
        vec![started(incomplete.clone())]
    );
    assert_eq!(
        given(
            &[started(trial()), started(incomplete)],
            observe(Some(paid.clone()))
        ),
        vec![changed(paid), ended(&trial(), "replaced")]
    );
}

#[test]
fn what_stripe_ends_leaves_the_granted_contract_and_the_better_one_counts() {
    let mut state = Subscription::default();
    for fact in [started(granted()), started(at_stripe("sub_1", Plan::Enterprise))] {
        state.evolve(&fact.0);
    }
    assert_eq!(state.contract().unwrap().plan, Plan::Enterprise);
    let happened = state.decide(observe(None)).unwrap();
    assert_eq!(happened.len(), 1);
    for event in &happened {
        state.evolve(event);
    }
    assert_eq!(state.contract().unwrap().basis, Basis::Grant);
    assert_eq!(
        state.decide(observe(None)).unwrap(),
        vec![],
        "the end is recorded once"
    );
}

#[test]
fn a_late_payment_takes_nothing_away_for_its_grace_and_stops_counting_after_it() {
    let late = Contract {
        status: SubscriptionStatus::PastDue,
        grace_until: Some(at("2026-11-08T00:00:00Z")),
        ..at_stripe("sub_1", Plan::Pro)
    };
    let overdue = Contract {
        status: SubscriptionStatus::Unpaid,
        ..late.clone()
    };
    assert_eq!(
        given(&[started(late.clone())], pass("2026-11-07T23:59:59Z")),
        vec![]
    );
    assert_eq!(
        given(&[started(late.clone())], pass("2026-11-08T00:00:00Z")),
        vec![changed(overdue.clone())]
    );
    let again = SubscriptionCommand::Observe {
        contract: Some(late.clone()),
        reason: String::new(),
        at: at("2026-11-09T00:00:00Z"),
    };
    assert_eq!(
        given(&[started(late), changed(overdue)], again),
        vec![],
        "Stripe still says past_due; the grace is over all the same"
    );
}

#[test]
fn a_failed_payment_is_recorded_and_changes_no_contract() {
    let failure = PaymentFailed {
        invoice: "in_1".to_owned(),
        amount_minor: 2_990,
        currency: "USD".to_owned(),
        attempt: 1,
        next_attempt_at: None,
        action_required: false,
    };
    let mut state = Subscription::default();
    state.evolve(&started(granted()).0);
    let before = state.clone();
    let happened = state
        .decide(SubscriptionCommand::RecordFailure(failure.clone()))
        .unwrap();
    assert_eq!(happened, vec![failure.into()]);
    state.evolve(&happened[0]);
    assert_eq!(state, before);
}
