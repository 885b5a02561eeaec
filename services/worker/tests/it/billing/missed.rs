//! What was not delivered is found out by asking.

use chrono::TimeDelta;
use connectors::stripe::{Item, PriceChange, PriceId, Proration};
use events::subscription::{Plan, SubscriptionStatus};
use simulators::stripe::{Card, Failure, PRICE_PRO, PRICE_STARTER};

use super::shop::{Shop, row};

#[tokio::test]
async fn events_that_were_missed_are_found_by_listing_them() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    let missed = shop.deliveries.fetch_missed().await.unwrap();
    assert!(missed > 0);
    shop.handled().await;
    assert_eq!(
        shop.contracts().await,
        [row(&anna, Plan::Pro, SubscriptionStatus::Active)]
    );
    assert_eq!(
        shop.happened(&anna).await,
        ["subscription_started", "payment_succeeded"]
    );
    assert_eq!(
        shop.deliveries.fetch_missed().await.unwrap(),
        0,
        "all are known by now"
    );

    shop.advance(TimeDelta::days(31));
    assert!(shop.deliveries.fetch_missed().await.unwrap() > 0, "the renewal");
    shop.handled().await;
    let happened = shop.happened(&anna).await;
    assert_eq!(
        happened
            .iter()
            .filter(|event| *event == "payment_succeeded")
            .count(),
        2
    );
}

#[tokio::test]
async fn more_events_than_a_page_holds_are_all_found() {
    let shop = Shop::open().await;
    for _ in 0..60 {
        shop.stripe.foreign_invoice(None);
    }
    let all = shop.events().len();
    assert!(all > 100, "{all} events");
    let counting = shop.stripe.events().into_iter();
    let counting = counting.filter(|(_, kind)| connectors::stripe::Kind::parse(kind).is_some());
    let missed = shop.deliveries.fetch_missed().await.unwrap();
    assert_eq!(usize::try_from(missed).unwrap(), counting.count());
}

#[tokio::test]
async fn a_listing_that_broke_off_is_repeated_from_where_it_began() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    shop.stripe.fail(Failure {
        path: "/v1/events".to_owned(),
        status: 500,
        should_retry: Some(false),
        ..Failure::default()
    });
    shop.deliveries.fetch_missed().await.unwrap_err();
    assert!(shop.deliveries.fetch_missed().await.unwrap() > 0);
}

#[tokio::test]
async fn the_daily_comparison_finds_what_differs_and_corrects_it() {
    let shop = Shop::open().await;
    let (anna, boris) = (
        shop.seller("anna@example.com").await,
        shop.seller("boris@example.com").await,
    );
    let of_anna = shop.buys(&anna, PRICE_STARTER, Card::Pays).await;
    shop.buys(&boris, PRICE_STARTER, Card::Pays).await;
    shop.deliver_all().await;
    shop.handled().await;
    let first = shop.deliveries.compare().await.unwrap();
    assert_eq!((first.looked_at, first.differed), (2, 0));
    let [Item { id, .. }] = &shop.client.subscription(&of_anna).await.unwrap().items[..] else {
        panic!("one line expected");
    };
    let change = PriceChange {
        subscription: &of_anna,
        item: id,
        price: &PriceId::parse(PRICE_PRO).unwrap(),
        proration: Proration::AlwaysInvoice,
        counted_from: None,
    };
    let key = "an upgrade that nobody told of".replace(' ', "-");
    let key = connectors::stripe::IdempotencyKey::new(key).unwrap();
    shop.client.change_price(&key, &change).await.unwrap();
    let same_day = shop.deliveries.compare().await.unwrap();
    assert_eq!(same_day.looked_at, 0, "once a day");
    shop.advance(TimeDelta::hours(25));
    let second = shop.deliveries.compare().await.unwrap();
    assert_eq!((second.looked_at, second.differed), (2, 1));
    let mut expected = [
        row(&anna, Plan::Pro, SubscriptionStatus::Active),
        row(&boris, Plan::Starter, SubscriptionStatus::Active),
    ];
    if anna.user_id > boris.user_id {
        expected.reverse();
    }
    assert_eq!(shop.contracts().await, expected);
}
