//! A warning once, at the change, and not again until it is over.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use events::alert::{
    AlertCause, AlertClosed, AlertEnd, Lost, Seen, StockBecameLow, StockOut, StockRecovered,
};
use events::catalog::AlertEvent;
use events::ids::CabinetId;
use uuid::Uuid;

use super::{Alert, AlertCommand, Look, is_enough, is_low};
use crate::Fact;
use crate::alert_rules::{DEFAULT, Rule};

fn at(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)
}

/// Numbers of the whole product on a day: units and days of stock.
fn look(day: i64, available: i64, days: Option<i64>) -> Look {
    let seen = Seen {
        cabinet_id: CabinetId(Uuid::from_u128(1)),
        nm_id: 7,
        warehouse: None,
        warehouse_name: None,
        available,
        orders: Some(7),
        days_tenths: days.map(|days| days * 10),
        position: day,
        at: at(day),
        cause: AlertCause::Sync,
        sync_id: None,
        rule_id: None,
    };
    Look {
        seen,
        rule: DEFAULT,
        pace_milli: Some(2_000),
        price_minor: Some(50_000),
        currency: Some("RUB".into()),
    }
}

fn low(look: &Look, lost: Option<Lost>) -> Fact<AlertEvent> {
    let low = StockBecameLow {
        seen: look.seen.clone(),
        low: look.rule.low,
        lost,
    };
    Fact(low.into())
}

fn out(look: &Look) -> Fact<AlertEvent> {
    let out = StockOut {
        seen: look.seen.clone(),
        pace_milli: look.pace_milli,
        price_minor: look.price_minor,
        currency: look.currency.clone(),
    };
    Fact(out.into())
}

fn gives(given: Vec<Fact<AlertEvent>>, look: &Look, expected: Vec<Fact<AlertEvent>>) {
    TestFramework::<Alert>::with(())
        .given(given)
        .when(AlertCommand::Look(vec![look.clone()]))
        .then_expect_events(expected);
}

#[test]
fn stock_below_a_week_is_low_once() {
    let first = look(1, 12, Some(6));
    gives(vec![], &first, vec![low(&first, None)]);
    gives(vec![low(&first, None)], &look(2, 10, Some(5)), vec![]);
}

#[test]
fn stock_at_the_border_does_not_alternate() {
    let first = look(1, 12, Some(6));
    gives(vec![low(&first, None)], &look(2, 16, Some(8)), vec![]);
    let enough = look(3, 20, Some(10));
    let recovered = StockRecovered {
        seen: enough.seen.clone(),
        since: at(1),
        lost: None,
    };
    gives(vec![low(&first, None)], &enough, vec![Fact(recovered.into())]);
}

#[test]
fn what_was_lost_is_counted_when_it_is_over() {
    let (first, gone) = (look(1, 12, Some(6)), look(2, 0, None));
    let back = look(5, 100, Some(50));
    let recovered = StockRecovered {
        seen: back.seen.clone(),
        since: at(1),
        lost: Some(Lost {
            since: at(2),
            seconds: 3 * 86_400,
            orders_tenths: Some(60),
            turnover_minor: Some(300_000),
            currency: Some("RUB".into()),
        }),
    };
    gives(
        vec![low(&first, None), out(&gone)],
        &back,
        vec![Fact(recovered.into())],
    );
}

#[test]
fn stock_that_comes_back_too_small_is_low_and_no_longer_out() {
    let gone = look(2, 0, None);
    let back = look(3, 4, Some(2));
    let mut facts = vec![out(&gone)];
    let lost = Lost {
        since: at(2),
        seconds: 86_400,
        orders_tenths: Some(20),
        turnover_minor: Some(100_000),
        currency: Some("RUB".into()),
    };
    gives(facts.clone(), &back, vec![low(&back, Some(lost.clone()))]);
    facts.push(low(&back, Some(lost)));
    gives(facts, &look(4, 4, Some(2)), vec![]);
}

#[test]
fn total_and_warehouses_are_judged_apart() {
    let total = look(1, 100, Some(50));
    let mut place = look(1, 0, None);
    place.seen.warehouse = Some("fbo:507".into());
    TestFramework::<Alert>::with(())
        .given(vec![])
        .when(AlertCommand::Look(vec![total, place.clone()]))
        .then_expect_events(vec![out(&place)]);
}

#[test]
fn an_alert_that_is_not_watched_any_more_is_closed_and_says_why() {
    let close = AlertCommand::Close {
        places: vec![String::new(), "fbo:507".into()],
        reason: AlertEnd::Delisted,
        position: 9,
        at: at(9),
    };
    let closed = AlertClosed {
        warehouse: None,
        reason: AlertEnd::Delisted,
        position: 9,
        at: at(9),
    };
    TestFramework::<Alert>::with(())
        .given(vec![out(&look(1, 0, None))])
        .when(close)
        .then_expect_events(vec![Fact(closed.into())]);
}

#[test]
fn one_of_two_thresholds_makes_low_and_both_make_enough() {
    let mut rule = Rule { ..DEFAULT };
    rule.low.below_units = Some(5);
    rule.enough.from_units = Some(8);
    assert!(is_low(rule.low, 4, Some(1_000)));
    assert!(is_low(rule.low, 100, Some(60)));
    assert!(!is_low(rule.low, 5, Some(70)));
    assert!(is_enough(rule.enough, 8, Some(100)));
    assert!(!is_enough(rule.enough, 7, Some(100)));
    assert!(!is_enough(rule.enough, 8, Some(99)));
    assert!(is_enough(rule.enough, 8, None), "nothing is ordered");
}
