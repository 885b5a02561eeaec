//! Which of a customer's subscriptions counts, and as which contract.

use connectors::stripe::{Invoice, PriceId, Subscription};
use events::subscription::{Plan, SubscriptionStatus};
use proptest::prelude::{Just, prop_oneof};
use serde_json::json;

use super::{Counting, Unusable, contract, standing};
use crate::billing::Prices;

const DAY: i64 = 86_400;

fn prices() -> Prices {
    let price = |id: &str| PriceId::parse(id).unwrap();
    Prices::new([
        (Plan::Starter, price("price_starter")),
        (Plan::Pro, price("price_pro")),
        (Plan::Enterprise, price("price_enterprise")),
    ])
}

fn subscription(id: &str, status: &str, price: &str, created: i64) -> Subscription {
    let item = json!({"id": "si_1", "price": {"id": price}, "current_period_start": created,
        "current_period_end": created + 30 * DAY});
    serde_json::from_value(json!({"id": id, "status": status, "created": created,
        "items": {"data": [item]}}))
    .unwrap()
}

/// The id, plan and state of what counts, and the ids of what is too much.
fn found(all: &[Subscription]) -> (Option<(&str, Plan, SubscriptionStatus)>, Vec<&str>) {
    let prices = prices();
    let standing = standing(all, &prices).unwrap();
    let counts = standing
        .counts
        .map(|counts| (counts.subscription.id.as_str(), counts.plan, counts.status));
    (
        counts,
        standing.surplus.iter().map(|one| one.id.as_str()).collect(),
    )
}

#[test]
fn the_end_of_an_old_subscription_takes_nothing_from_a_newer_one() {
    let all = [
        subscription("sub_new", "active", "price_pro", 200),
        subscription("sub_old", "canceled", "price_enterprise", 100),
    ];
    assert_eq!(
        found(&all),
        (Some(("sub_new", Plan::Pro, SubscriptionStatus::Active)), vec![])
    );
}

#[test]
fn of_several_that_live_the_one_that_gives_most_counts_and_the_others_are_too_much() {
    let all = [
        subscription("sub_late", "unpaid", "price_enterprise", 100),
        subscription("sub_b", "active", "price_pro", 300),
        subscription("sub_a", "active", "price_pro", 200),
        subscription("sub_small", "active", "price_starter", 50),
    ];
    let (counts, surplus) = found(&all);
    assert_eq!(counts, Some(("sub_a", Plan::Pro, SubscriptionStatus::Active)));
    assert_eq!(surplus, ["sub_b", "sub_small", "sub_late"]);
}

#[test]
fn what_is_not_paid_yet_counts_where_nothing_else_lives() {
    let all = [subscription("sub_1", "incomplete", "price_pro", 100)];
    assert_eq!(
        found(&all).0,
        Some(("sub_1", Plan::Pro, SubscriptionStatus::Incomplete))
    );
}

#[test]
fn when_all_is_over_the_newest_says_why() {
    let all = [
        subscription("sub_2", "incomplete_expired", "price_pro", 200),
        subscription("sub_1", "canceled", "price_pro", 100),
    ];
    let prices = prices();
    let standing = standing(&all, &prices).unwrap();
    assert_eq!((standing.counts, standing.reason), (None, "incomplete_expired"));
}

#[test]
fn another_product_is_passed_over_and_alone_it_is_an_error_that_names_its_price() {
    let other = subscription("sub_other", "active", "price_course", 300);
    let ours = subscription("sub_ours", "active", "price_pro", 100);
    let all = [other.clone(), ours];
    let (counts, surplus) = found(&all);
    assert_eq!(counts.unwrap().0, "sub_ours");
    assert!(surplus.is_empty(), "{surplus:?}");

    let all = [other];
    let error = standing(&all, &prices()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the subscription sub_other has the price price_course, which is no plan's"
    );
}

#[test]
fn a_state_that_nobody_knew_changes_nothing_and_is_named() {
    let all = [subscription("sub_1", "hibernating", "price_pro", 100)];
    let error = standing(&all, &prices()).unwrap_err();
    assert!(
        matches!(&error, Unusable::Status { status, .. } if status == "hibernating"),
        "{error}"
    );
}

#[test]
fn a_late_payment_is_borne_for_seven_days_from_its_invoice() {
    let late = subscription("sub_1", "past_due", "price_pro", 30 * DAY);
    let counting = Counting {
        subscription: &late,
        plan: Plan::Pro,
        status: SubscriptionStatus::PastDue,
    };
    let invoice: Invoice = serde_json::from_value(json!({"id": "in_1", "created": 31 * DAY})).unwrap();
    let until = |invoice: Option<&Invoice>| contract(counting, invoice).grace_until.unwrap().timestamp();
    assert_eq!(until(Some(&invoice)), 38 * DAY);
    assert_eq!(
        until(None),
        37 * DAY,
        "without the invoice, from the period it is for"
    );
}

#[test]
fn a_payment_in_time_has_no_grace() {
    let paid = subscription("sub_1", "active", "price_pro", 0);
    let counting = Counting {
        subscription: &paid,
        plan: Plan::Pro,
        status: SubscriptionStatus::Active,
    };
    let contract = contract(counting, None);
    assert_eq!(contract.grace_until, None);
    assert_eq!(contract.period_end.unwrap().timestamp(), 30 * DAY);
    assert_eq!(contract.reference.as_deref(), Some("sub_1"));
}

proptest::proptest! {
    /// However Stripe orders its list, the same subscription counts.
    #[test]
    fn the_order_of_the_list_does_not_matter(
        all in proptest::collection::vec(
            (
                prop_oneof![Just("active"), Just("trialing"), Just("past_due"), Just("unpaid"), Just("paused"),
                    Just("incomplete"), Just("canceled")],
                prop_oneof![Just("price_starter"), Just("price_pro"), Just("price_course")],
                0_i64..3,
            ),
            1..6,
        ),
        turn in 0_usize..6,
    ) {
        let all: Vec<Subscription> = (0..)
            .zip(&all)
            .map(|(number, (status, price, created))| {
                subscription(&format!("sub_{number}"), status, price, *created)
            })
            .collect();
        let mut turned = all.clone();
        turned.rotate_left(turn % all.len());
        let prices = prices();
        let counts = |all: &[Subscription]| {
            standing(all, &prices)
                .ok()
                .map(|standing| standing.counts.map(|counts| counts.subscription.id.clone()))
        };
        proptest::prop_assert_eq!(counts(&all), counts(&turned));
    }
}
