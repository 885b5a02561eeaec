//! What a sync finds becomes an alert once, at the change.

use chrono::TimeDelta;
use events::alert::{AlertCause, Lost};
use events::catalog::AlertEvent;

use crate::world::{World, at, order};

#[tokio::test]
async fn stock_that_is_little_in_the_first_sync_is_told_as_seen_for_the_first_time() {
    let mut world = World::new().await;
    for nm_id in [1, 2] {
        world.list(nm_id).await;
        world.stock(nm_id, &[("fbo:1", 5 * nm_id * nm_id)]).await;
        world.orders(nm_id, 0, 7).await;
    }
    let position = world.sync(0).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1, "twenty days of stock are enough: {alerts:?}");
    let told = world.of_first().await;
    let [AlertEvent::StockBecameLow(low)] = told.as_slice() else {
        panic!("{told:?}")
    };
    let seen = &low.seen;
    assert_eq!(seen.cause, AlertCause::FirstSync);
    assert_eq!(
        (seen.available, seen.orders, seen.days_tenths),
        (5, Some(7), Some(50))
    );
    assert_eq!((seen.position, seen.at), (position, at(0)));
}

#[tokio::test]
async fn stock_falls_runs_out_and_recovers_and_each_is_told_once() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 100)]).await;
    world.orders(1, 0, 7).await;
    world.sync(0).await;
    for (day, units) in [(1, 6), (1, 5), (2, 0), (2, 0), (5, 200), (5, 190)] {
        world.stock(1, &[("fbo:1", units)]).await;
        world.sync(day).await;
    }
    let told = world.of_first().await;
    let [
        AlertEvent::StockBecameLow(low),
        AlertEvent::StockOut(out),
        AlertEvent::StockRecovered(back),
    ] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    assert_eq!((low.seen.available, low.seen.cause), (6, AlertCause::Sync));
    assert_eq!((out.pace_milli, out.price_minor), (Some(1_000), Some(100_000)));
    let lost = Lost {
        since: at(2),
        seconds: TimeDelta::days(3).num_seconds(),
        orders_tenths: Some(30),
        turnover_minor: Some(300_000),
        currency: Some("RUB".to_owned()),
    };
    assert_eq!((back.since, back.lost.clone()), (at(1), Some(lost)));
}

#[tokio::test]
async fn a_product_that_never_had_stock_and_never_sold_does_not_run_out() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 0)]).await;
    world.list(2).await;
    world.list(3).await;
    world.orders(3, 0, 1).await;
    world.sync(0).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(
        alerts.contains_key(&crate::world::product(3)),
        "it was ordered, so it was there"
    );
}

#[tokio::test]
async fn days_pass_and_a_product_that_nobody_orders_any_more_has_enough() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 5)]).await;
    world.orders(1, 0, 7).await;
    for day in 0..9 {
        world.sync(day).await;
    }
    let told = world.of_first().await;
    let [AlertEvent::StockBecameLow(_), AlertEvent::StockRecovered(back)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((back.seen.at, back.seen.orders), (at(7), Some(0)));
}

#[tokio::test]
async fn an_order_that_is_cancelled_no_longer_counts() {
    let mut world = World::new().await;
    world.list(1).await;
    world.stock(1, &[("fbo:1", 7)]).await;
    world.orders(1, 0, 6).await;
    world.sync(0).await;
    // The seventh order makes a week of stock, the eighth less.
    let mut lines = vec![order("x", 0, "fbo:1"), order("y", 0, "fbo:1")];
    lines[1].cancelled = true;
    world.ordered(1, lines.clone()).await;
    world.sync(0).await;
    assert_eq!(world.told().await, Vec::<String>::new());
    lines[1].cancelled = false;
    world.ordered(1, lines).await;
    world.sync(0).await;
    assert_eq!(world.told().await, ["low"]);
}

#[tokio::test]
async fn warehouses_are_judged_apart_where_the_rule_says_so() {
    let mut world = World::new().await;
    world.rule(10, true, true).await;
    world.list(1).await;
    world
        .stock(1, &[("fbo:1", 50), ("fbo:2", 50), ("fbo:3", 0)])
        .await;
    world.sync(0).await;
    world.stock(1, &[("fbo:1", 9), ("fbo:2", 0)]).await;
    world.sync(0).await;
    world.stock(1, &[("fbo:1", 19)]).await;
    world.sync(0).await;
    world.stock(1, &[("fbo:1", 20)]).await;
    world.sync(0).await;
    assert_eq!(
        world.told().await,
        ["low", "low fbo:1", "out fbo:2", "recovered", "recovered fbo:1"]
    );
}
