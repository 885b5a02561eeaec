//! What becomes of a subscription: another price, its end, and that being taken back.

use chrono::TimeDelta;
use connectors::error::FailureClass;
use connectors::stripe::{
    PriceChange, PriceId, Proration, Status, StripeError, Subscription, SubscriptionId,
};
use simulators::stripe::{Card, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER};

use super::{World, key, price, start_of_time};

fn change<'a>(subscription: &'a Subscription, price: &'a PriceId, proration: Proration) -> PriceChange<'a> {
    PriceChange {
        subscription: &subscription.id,
        item: &subscription.items[0].id,
        price,
        proration,
        counted_from: None,
    }
}

#[tokio::test]
async fn a_price_changes_for_what_its_preview_said() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    world.simulator.advance(TimeDelta::days(10));
    let enterprise = price(PRICE_ENTERPRISE);
    let mut upgrade = change(&subscription, &enterprise, Proration::AlwaysInvoice);
    upgrade.counted_from = Some(start_of_time() + TimeDelta::days(10));
    let preview = world.stripe.preview_price(&upgrade).await.unwrap();
    let settled: i64 = preview
        .lines
        .iter()
        .filter(|line| line.is_proration())
        .filter_map(|line| line.amount)
        .sum();
    assert!(settled > 0, "{preview:?}");
    let unchanged = world.stripe.subscription(&subscription.id).await.unwrap();
    assert_eq!(
        unchanged.price(),
        subscription.price(),
        "a preview changes nothing"
    );
    let changed = world
        .stripe
        .change_price(&key("upgrade"), &upgrade)
        .await
        .unwrap();
    assert_eq!(changed.price(), Some(&enterprise));
    assert_eq!(changed.status, Some(Status::Active));
    let invoice = world
        .stripe
        .invoice(&changed.latest_invoice.unwrap())
        .await
        .unwrap();
    assert_eq!(invoice.amount_paid, Some(settled));
    assert_eq!(invoice.subscription(), Some(&subscription.id));
}

#[tokio::test]
async fn an_upgrade_that_is_not_paid_changes_nothing() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    let customer = subscription.customer.clone().unwrap();
    world.simulator.advance(TimeDelta::days(10));
    assert!(world.simulator.card(customer.as_str(), Some(Card::Declines)));
    let enterprise = price(PRICE_ENTERPRISE);
    let upgrade = change(&subscription, &enterprise, Proration::AlwaysInvoice);
    let error = world
        .stripe
        .change_price(&key("upgrade"), &upgrade)
        .await
        .unwrap_err();
    assert_eq!(
        error.refusal().unwrap().kind.as_deref(),
        Some("card_error"),
        "{error}"
    );
    let after = world.stripe.subscription(&subscription.id).await.unwrap();
    assert_eq!(after.price(), subscription.price());
    assert_eq!(after.status, Some(Status::Active));
}

#[tokio::test]
async fn a_downgrade_is_settled_on_the_next_invoice() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_ENTERPRISE).await;
    let starter = price(PRICE_STARTER);
    let downgrade = change(&subscription, &starter, Proration::CreateProrations);
    let changed = world
        .stripe
        .change_price(&key("downgrade"), &downgrade)
        .await
        .unwrap();
    assert_eq!(changed.price(), Some(&starter));
    assert_eq!(changed.latest_invoice, subscription.latest_invoice);
}

#[tokio::test]
async fn an_end_can_be_taken_back_until_it_has_come() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    let ending = world
        .stripe
        .cancel_at_period_end(&key("end"), &subscription.id)
        .await
        .unwrap();
    assert_eq!(ending.ends_at(), subscription.period_end());
    assert!(ending.ends_at().is_some());
    let kept = world.stripe.keep(&key("keep"), &ending).await.unwrap();
    assert_eq!(kept.ends_at(), None);
    world
        .stripe
        .cancel_at_period_end(&key("end-2"), &subscription.id)
        .await
        .unwrap();
    world.simulator.advance(TimeDelta::days(31));
    let ended = world.stripe.subscription(&subscription.id).await.unwrap();
    assert_eq!(ended.status, Some(Status::Canceled));
    let error = world.stripe.keep(&key("keep-2"), &ended).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Refused, "{error}");
}

#[tokio::test]
async fn an_end_now_is_no_error_the_second_time() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    let ended = world
        .stripe
        .cancel_now(&key("now"), &subscription.id)
        .await
        .unwrap();
    assert_eq!(ended.status, Some(Status::Canceled));
    let again = world
        .stripe
        .cancel_now(&key("now"), &subscription.id)
        .await
        .unwrap();
    assert_eq!(again.status, Some(Status::Canceled));
    let unknown = SubscriptionId::parse("sub_Unknown").unwrap();
    let error = world
        .stripe
        .cancel_now(&key("unknown"), &unknown)
        .await
        .unwrap_err();
    assert!(error.is_missing(), "{error}");
}

#[tokio::test]
async fn all_subscriptions_of_a_customer_are_listed_the_ended_ones_too() {
    let world = World::start().await;
    let customer = world.customer().await;
    assert!(world.stripe.subscriptions(&customer.id).await.unwrap().is_empty());
    let pro = price(PRICE_PRO);
    for number in 0..3 {
        let checkout = world.checkout(&customer, &pro);
        let session = world
            .stripe
            .create_checkout(&key(&format!("c{number}")), &checkout)
            .await
            .unwrap();
        assert!(world.simulator.complete_checkout(session.id.as_str(), Card::Pays));
        let session = world.stripe.checkout(&session.id).await.unwrap();
        let ended = key(&format!("e{number}"));
        world
            .stripe
            .cancel_now(&ended, &session.subscription.unwrap())
            .await
            .unwrap();
        world.simulator.advance(TimeDelta::hours(1));
    }
    let all = world.stripe.subscriptions(&customer.id).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one.status == Some(Status::Canceled)));
    assert!(all.is_sorted_by(|newer, older| newer.created >= older.created));
}

#[tokio::test]
async fn what_is_not_paused_is_not_resumed() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    let error = world
        .stripe
        .resume(&key("resume"), &subscription.id)
        .await
        .unwrap_err();
    assert!(matches!(error, StripeError::Refused { .. }), "{error}");
}
