//! What Stripe sends becomes contracts and payments, whatever is repeated, late, missing, foreign or wrong.

mod leaving;
mod missed;
mod shop;

use chrono::TimeDelta;
use events::subscription::{Plan, SubscriptionStatus};
use simulators::stripe::{Card, EndpointConfig, Failure, PRICE_PRO, PRICE_STARTER, Version};

use shop::{Shop, row};

#[tokio::test]
async fn a_paid_checkout_is_one_contract_and_one_payment_however_often_it_is_told() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.deliver_all().await;
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
    assert_eq!(shop.plan(&anna).await.as_deref(), Some("pro"));
    let happened = shop.happened(&anna).await;
    assert_eq!(happened, ["subscription_started", "payment_succeeded"]);

    // The same news under other ids, as Stripe's dashboard sends it again.
    shop.deliver_as(&shop.events_of("invoice.paid")[0], "evt_another")
        .await;
    shop.deliver_all().await;
    shop.handled().await;
    assert_eq!(shop.happened(&anna).await, happened);
}

#[tokio::test]
async fn an_update_before_the_creation_stays_active() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.deliver(&shop.events_of("checkout.session.completed")[0])
        .await;
    shop.handled().await;
    let active = [row(&anna, Plan::Pro, SubscriptionStatus::Active)];
    assert_eq!(shop.contracts().await, active);
    let created = shop.events_of("customer.subscription.created");
    shop.deliver_changed(&created[0], "\"active\"", "\"incomplete\"")
        .await;
    shop.handled().await;
    assert_eq!(shop.contracts().await, active, "an old copy says nothing");
}

#[tokio::test]
async fn the_end_of_an_old_subscription_never_takes_a_newer_one_away() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    let old = shop.buys(&anna, PRICE_STARTER, Card::Pays).await;
    shop.deliver_all().await;
    shop.handled().await;
    shop.cancels(&old).await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    let ends = shop.events_of("customer.subscription.deleted");
    for event in shop.events() {
        if event != ends[0] {
            shop.deliver(&event).await;
        }
    }
    shop.handled().await;
    let newer = [row(&anna, Plan::Pro, SubscriptionStatus::Active)];
    assert_eq!(shop.contracts().await, newer);
    shop.deliver(&ends[0]).await;
    shop.handled().await;
    assert_eq!(shop.contracts().await, newer);
    assert_eq!(shop.plan(&anna).await.as_deref(), Some("pro"));
}

#[tokio::test]
async fn an_attempt_that_failed_is_recorded_once_also_after_the_invoice_was_paid() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::PaysThenDeclines).await;
    shop.advance(TimeDelta::days(32));
    shop.stripe.card(&anna.customer, Some(Card::Pays));
    shop.advance(TimeDelta::days(4));
    let failed = shop.events_of("invoice.payment_failed");
    assert!(!failed.is_empty(), "the renewal was declined");
    for event in shop.events().iter().rev() {
        shop.deliver(event).await;
    }
    for event in &failed {
        shop.deliver_as(event, &format!("{event}x")).await;
    }
    shop.handled().await;
    let happened = shop.happened(&anna).await;
    let times = |kind: &str| happened.iter().filter(|event| *event == kind).count();
    assert_eq!(times("payment_failed"), failed.len());
    assert_eq!(times("payment_succeeded"), shop.events_of("invoice.paid").len());
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
}

#[tokio::test]
async fn what_is_not_ours_is_stored_ignored_and_its_body_destroyed() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.stripe.foreign_subscription();
    shop.stripe.foreign_invoice(None);
    shop.stripe.foreign_invoice(Some(&anna.customer));
    shop.deliver_all().await;
    shop.handled().await;
    let stored = shop.inbox().await;
    assert!(!stored.is_empty());
    for event in stored {
        assert_eq!(
            (event.state.as_str(), event.body),
            ("ignored", false),
            "{event:?}"
        );
    }
    assert!(shop.contracts().await.is_empty());
    assert!(shop.happened(&anna).await.is_empty());
}

#[tokio::test]
async fn an_event_that_names_another_tenant_counts_for_the_one_whose_customer_it_is() {
    let shop = Shop::open().await;
    let (anna, boris) = (
        shop.seller("anna@example.com").await,
        shop.seller("boris@example.com").await,
    );
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    let (ours, theirs) = (anna.tenant_id.to_string(), boris.tenant_id.to_string());
    for event in shop.events() {
        shop.deliver_changed(&event, &ours, &theirs).await;
    }
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
    assert!(shop.happened(&boris).await.is_empty());
}

#[tokio::test]
async fn an_unknown_price_changes_nothing_says_why_and_counts_once_it_is_set() {
    let mut shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.prices(&[(Plan::Starter, PRICE_STARTER)]);
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.deliver_all().await;
    shop.rounds().await;
    assert!(shop.contracts().await.is_empty());
    let stored = shop.inbox().await;
    let waiting: Vec<_> = stored.iter().filter(|event| event.state == "pending").collect();
    assert!(!waiting.is_empty());
    for event in &waiting {
        assert!(event.why.contains(PRICE_PRO), "{event:?}");
    }
    shop.prices(&[(Plan::Starter, PRICE_STARTER), (Plan::Pro, PRICE_PRO)]);
    shop.advance(TimeDelta::hours(1));
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
    assert_eq!(
        shop.happened(&anna).await,
        ["subscription_started", "payment_succeeded"]
    );
}

#[tokio::test]
async fn while_stripe_cannot_be_asked_events_wait_and_then_count() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.stripe.fail(Failure {
        path: "/v1/subscriptions".to_owned(),
        status: 503,
        should_retry: Some(false),
        times: 1,
        ..Failure::default()
    });
    shop.deliver_all().await;
    shop.rounds().await;
    assert!(shop.contracts().await.is_empty());
    assert!(shop.inbox().await.iter().all(|event| event.state != "failed"));
    shop.advance(TimeDelta::seconds(5));
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
}

#[tokio::test]
async fn a_thin_event_and_the_snapshot_of_the_same_change_are_one() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    let thin = shop.stripe.add_endpoint(EndpointConfig {
        thin: true,
        ..EndpointConfig::default()
    });
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    for event in shop.events() {
        shop.deliver_from(&event, thin).await;
    }
    shop.handled().await;
    assert_eq!(
        shop.happened(&anna).await,
        ["subscription_started", "payment_succeeded"]
    );
    shop.deliver_all().await;
    shop.handled().await;
    assert_eq!(
        shop.happened(&anna).await,
        ["subscription_started", "payment_succeeded"]
    );
}

#[tokio::test]
async fn every_version_of_an_event_says_the_same() {
    for version in [Version::Legacy, Version::Basil, Version::Clover, Version::Endive] {
        let shop = Shop::open().await;
        let anna = shop.seller("anna@example.com").await;
        let endpoint = shop.stripe.add_endpoint(EndpointConfig {
            version,
            ..EndpointConfig::default()
        });
        shop.buys(&anna, PRICE_PRO, Card::Pays).await;
        for event in shop.events() {
            shop.deliver_from(&event, endpoint).await;
        }
        shop.handled().await;
        let happened = shop.happened(&anna).await;
        assert_eq!(
            happened,
            ["subscription_started", "payment_succeeded"],
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn what_a_dead_process_had_taken_up_comes_again() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.deliver_all().await;
    let now = shop.clock.now();
    let inbox = &shop.deliveries.taking.inbox;
    let mut together = 0;
    loop {
        let claimed = inbox.claim(now, now + TimeDelta::minutes(10), 100).await.unwrap();
        together = together.max(claimed.len());
        if claimed.is_empty() {
            break;
        }
    }
    assert!(together > 1, "events of one customer are taken up together");
    shop.rounds().await;
    assert!(
        shop.contracts().await.is_empty(),
        "another process leaves them alone"
    );
    shop.advance(TimeDelta::minutes(11));
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
}

#[tokio::test]
async fn a_body_that_is_no_event_fails_with_the_reason() {
    let shop = Shop::open().await;
    shop.store("evt_broken", "customer.subscription.updated", b"[1, 2]")
        .await;
    let no_object = br#"{"id": "evt_empty", "type": "invoice.paid", "data": {"object": {}}}"#;
    shop.store("evt_empty", "invoice.paid", no_object).await;
    let no_customer = br#"{"id": "evt_bare", "type": "customer.deleted", "data": {}}"#;
    shop.store("evt_bare", "customer.deleted", no_customer).await;
    shop.rounds().await;
    let mut ends: Vec<_> = (shop.inbox().await.into_iter())
        .map(|event| (event.id, event.state, event.why))
        .collect();
    ends.sort();
    assert_eq!(ends[0].1, "failed");
    assert!(ends[0].2.contains("names no object"), "{ends:?}");
    assert_eq!(ends[1].1, "failed");
    assert!(ends[1].2.contains("no JSON object"), "{ends:?}");
    assert_eq!(ends[2].1, "ignored", "{ends:?}");
    let backlog = shop.deliveries.taking.inbox.backlog().await.unwrap();
    assert_eq!((backlog.pending, backlog.failed), (0, 2));
}

#[tokio::test]
async fn the_end_of_a_trial_at_stripe_is_announced_once() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.tries(&anna, PRICE_PRO, 14).await;
    shop.advance(TimeDelta::days(12));
    let will_end = shop.events_of("customer.subscription.trial_will_end");
    shop.deliver_all().await;
    shop.deliver_as(&will_end[0], "evt_another").await;
    shop.handled().await;
    assert_eq!(
        shop.happened(&anna).await,
        ["subscription_started", "trial_ending"]
    );
}
