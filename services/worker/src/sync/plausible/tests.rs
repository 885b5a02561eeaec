//! Old facts, new facts and the time give the verdict: a table for each source.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Against, Beliefs, CatalogueSeen, Decision, Facts, Finding, OrdersSeen, PricesSeen, StockSeen, Told,
    UNCONTRADICTED, judge,
};

const FBO: &[(&str, i64)] = &[("fbo:1", 600), ("fbo:2", 700), ("fbo:3", 5)];

fn noon() -> DateTime<Utc> {
    "2026-10-15T12:00:00Z".parse().unwrap()
}

fn hours(hours: i64) -> DateTime<Utc> {
    noon() + TimeDelta::hours(hours)
}

/// Stock by warehouse; a warehouse without units is listed and has no rows.
fn stock(warehouses: &[(&str, i64)]) -> Option<StockSeen> {
    let told = |(key, units): &(&str, i64)| {
        let told = Told {
            name: format!("Склад {}", &key[4..]),
            units: *units,
            has_rows: *units > 0,
        };
        ((*key).to_owned(), told)
    };
    Some(StockSeen {
        warehouses: warehouses.iter().map(told).collect(),
        stocked: 10,
        known: i64::from(!warehouses.is_empty()) * 10,
        unknown: 0,
        catalogue_speaks: true,
    })
}

/// Orders of single units: warehouse, hour after noon, how many.
fn ordered(orders: &[(&str, i64, usize)]) -> Option<OrdersSeen> {
    let mut seen = OrdersSeen {
        days: BTreeMap::from([(noon().date_naive(), 30)]),
        from: noon().date_naive() - TimeDelta::days(29),
        ..OrdersSeen::default()
    };
    for (key, hour, units) in orders {
        let each = std::iter::repeat_n((hours(*hour), 1), *units);
        seen.by_warehouse
            .entry((*key).to_owned())
            .or_default()
            .extend(each);
    }
    Some(seen)
}

fn fbo(warehouses: &[(&str, i64)]) -> Facts {
    Facts {
        fbo: stock(warehouses),
        orders: ordered(&[]),
        ..Facts::default()
    }
}

fn fbs(warehouses: &[(&str, i64)]) -> Facts {
    Facts {
        fbs: stock(warehouses),
        orders: ordered(&[]),
        ..Facts::default()
    }
}

fn cards(articles: i64, strays: i64, is_witnessed: bool) -> Facts {
    Facts {
        catalogue: Some(CatalogueSeen {
            articles,
            strays,
            is_witnessed,
        }),
        ..Facts::default()
    }
}

/// What is believed after these facts, seen at noon.
fn believed(facts: &Facts) -> Beliefs {
    let judged = judge(&Beliefs::default(), facts, noon());
    assert_eq!(judged.findings, [], "the first answer is believed");
    judged.after
}

/// Rule and verdict of each finding.
fn verdicts(findings: &[Finding]) -> Vec<(&'static str, Decision)> {
    findings
        .iter()
        .map(|found| (found.rule, found.decision))
        .collect()
}

fn one(before: &Facts, now: &Facts) -> Vec<(&'static str, Decision)> {
    verdicts(&judge(&believed(before), now, hours(1)).findings)
}

#[test]
fn what_jumps_is_held_back_by_name_and_no_wider_than_it_has_to() {
    use Decision::Hold;
    let small = &[("fbo:1", 10), ("fbo:2", 8)];
    let own = &[("fbs:1", 10), ("fbs:2", 8)];
    for (before, now, expected) in [
        (fbo(FBO), fbo(&[]), vec!["all_stock_gone"]),
        (
            fbo(FBO),
            fbo(&[("fbo:1", 0), ("fbo:2", 700), ("fbo:3", 5)]),
            vec!["warehouse_empty"],
        ),
        (
            fbo(FBO),
            fbo(&[("fbo:1", 59), ("fbo:2", 700), ("fbo:3", 5)]),
            vec!["warehouse_fell"],
        ),
        (
            fbo(FBO),
            fbo(&[("fbo:1", 20), ("fbo:2", 20)]),
            vec!["most_stock_gone"],
        ),
        (fbo(FBO), fbo(&[("fbo:1", 90_000)]), vec!["stock_multiplied"]),
        // A very small seller: an answer without a row is doubted all the same.
        (fbo(small), fbo(&[]), vec!["all_stock_gone"]),
        (fbs(own), fbs(&[]), vec!["all_stock_gone"]),
        (
            fbs(own),
            fbs(&[("fbs:1", 0), ("fbs:2", 0)]),
            vec!["all_stock_gone"],
        ),
        (
            fbs(own),
            fbs(&[("fbs:1", 0), ("fbs:2", 8)]),
            vec!["warehouse_empty"],
        ),
        // The list of own warehouses lost one.
        (fbs(own), fbs(&[("fbs:2", 8)]), vec!["warehouse_empty"]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|rule| (rule, Hold)).collect();
        assert_eq!(one(&before, &now), expected, "{now:?}");
    }
}

#[test]
fn ordinary_days_are_believed() {
    let small = &[("fbo:1", 10), ("fbo:2", 8)];
    for (before, now) in [
        (fbo(FBO), fbo(&[("fbo:1", 120), ("fbo:2", 650)])),
        (fbo(FBO), fbo(&[("fbo:1", 600), ("fbo:2", 700), ("fbo:4", 900)])),
        (fbo(small), fbo(&[("fbo:1", 10)])),
        (fbo(&[]), fbo(&[])),
        (fbo(&[]), fbo(FBO)),
        (fbs(&[("fbs:1", 0)]), fbs(&[])),
        (cards(50, 0, true), cards(48, 2, true)),
        (cards(3, 0, true), cards(2, 1, true)),
        (fbo(FBO), cards(1, 0, false)),
    ] {
        assert_eq!(one(&before, &now), [], "{now:?}");
    }
}

#[test]
fn masking_renaming_and_regrouping_move_no_units() {
    for now in [
        &[("fbo:masked", 1_300)][..],
        &[("fbo:masked", 1_200), ("fbo:3", 5)],
        &[("fbo:901", 600), ("fbo:902", 700), ("fbo:3", 5)],
    ] {
        assert_eq!(one(&fbo(FBO), &fbo(now)), [], "{now:?}");
        assert_eq!(one(&fbo(now), &fbo(FBO)), [], "{now:?}");
    }
    // Masked before and after, and one more is masked now.
    let before = &[("fbo:masked", 500), ("fbo:2", 700)];
    assert_eq!(one(&fbo(before), &fbo(&[("fbo:masked", 1_190)])), []);
    let gone = one(&fbo(before), &fbo(&[("fbo:masked", 20), ("fbo:3", 10)]));
    assert_eq!(gone, [("most_stock_gone", Decision::Hold)]);
}

/// The same fall, looked at again and again.
fn again(before: &Facts, answers: &[(i64, Facts)]) -> Vec<Vec<(&'static str, Decision)>> {
    let mut beliefs = believed(before);
    let judged = answers.iter().map(|(hour, facts)| {
        let judged = judge(&beliefs, facts, hours(*hour));
        beliefs = judged.after;
        verdicts(&judged.findings)
    });
    judged.collect()
}

#[test]
fn repetition_proves_nothing_and_time_without_contradiction_does() {
    let gone = || fbo(&[]);
    let judged = again(
        &fbo(FBO),
        &[(1, gone()), (2, gone()), (6, gone()), (7, gone()), (8, gone())],
    );
    let held = vec![("all_stock_gone", Decision::Hold)];
    let marked = vec![("all_stock_gone", Decision::Mark)];
    assert_eq!(judged, [held.clone(), held.clone(), held, marked, vec![]]);
}

#[test]
fn orders_that_come_after_contradict_and_then_only_a_person_decides() {
    let at = |orders: &[(&str, i64, usize)]| Facts {
        orders: ordered(orders),
        ..fbo(&[("fbo:1", 0), ("fbo:2", 700), ("fbo:3", 5)])
    };
    let judged = again(
        &fbo(FBO),
        &[
            (1, at(&[])),
            (3, at(&[("fbo:1", 2, 3)])),
            (48, at(&[("fbo:1", 2, 3)])),
        ],
    );
    let held = vec![("warehouse_empty", Decision::Hold)];
    assert_eq!(judged, [held.clone(), held.clone(), held.clone()]);
    // From another warehouse they say nothing.
    let judged = again(&fbo(FBO), &[(1, at(&[])), (8, at(&[("fbo:2", 2, 3)]))]);
    assert_eq!(judged, [held, vec![("warehouse_empty", Decision::Mark)]]);
}

#[test]
fn a_fall_that_orders_explain_is_believed_at_once() {
    let sold = |units| Facts {
        orders: ordered(&[("fbs:1", 0, 1), ("fbs:1", 1, units)]),
        ..fbs(&[("fbs:1", 0)])
    };
    let before = fbs(&[("fbs:1", 14)]);
    let judged = |facts: &Facts| verdicts(&judge(&believed(&before), facts, hours(2)).findings);
    assert_eq!(judged(&sold(14)), []);
    assert_eq!(judged(&sold(3)), [("all_stock_gone", Decision::Hold)]);
    // What was ordered after the doubt cannot explain it.
    let later = |units| Facts {
        orders: ordered(&[("fbs:1", 3, units)]),
        ..fbs(&[("fbs:1", 0)])
    };
    let held = vec![("all_stock_gone", Decision::Hold)];
    assert_eq!(
        again(&before, &[(2, later(0)), (9, later(14))]),
        [held.clone(), held]
    );
}

#[test]
fn orders_that_could_not_be_read_confirm_nothing() {
    let deaf = || Facts {
        orders: None,
        ..fbo(&[])
    };
    let held = vec![("all_stock_gone", Decision::Hold)];
    let marked = vec![("all_stock_gone", Decision::Mark)];
    assert_eq!(
        again(&fbo(FBO), &[(1, deaf()), (30, deaf()), (48, deaf())]),
        [held.clone(), held.clone(), held.clone()]
    );
    // An honest end arrives all the same, two days after it was first doubted.
    assert_eq!(
        again(&fbo(FBO), &[(1, deaf()), (49, deaf())]),
        [held.clone(), marked]
    );
    // A key that opens no orders is no reason to wait for ever.
    let never = Facts {
        orders: None,
        ..fbo(FBO)
    };
    let marked = vec![("all_stock_gone", Decision::Mark)];
    assert_eq!(again(&never, &[(1, deaf()), (7, deaf())]), [held.clone(), marked]);
    // Orders that are doubtful themselves are no better.
    let empty = || Facts {
        orders: Some(OrdersSeen {
            from: noon().date_naive() - TimeDelta::days(29),
            ..OrdersSeen::default()
        }),
        ..fbo(&[])
    };
    let mut beliefs = believed(&fbo(FBO));
    let orders = beliefs.orders.as_mut().unwrap();
    orders.days = BTreeMap::from([(noon().date_naive() - TimeDelta::days(3), 40)]);
    let judged = judge(&beliefs, &empty(), hours(1));
    assert_eq!(
        verdicts(&judged.findings),
        [held, vec![("orders_empty", Decision::Leave)]].concat()
    );
    assert_eq!(judged.findings[0].against, Against::Unheard);
}

#[test]
fn what_is_held_keeps_what_was_believed_and_the_rest_moves_on() {
    let judged = judge(
        &believed(&fbo(FBO)),
        &fbo(&[("fbo:1", 0), ("fbo:2", 650), ("fbo:3", 9)]),
        hours(1),
    );
    let units = |beliefs: &Beliefs, key: &str| {
        let known = beliefs.fbo.as_ref().unwrap().warehouses.get(key);
        known.map(|warehouse| (warehouse.units, warehouse.at))
    };
    assert_eq!(units(&judged.after, "fbo:1"), Some((600, noon())));
    assert_eq!(units(&judged.after, "fbo:2"), Some((650, hours(1))));
    // A sync that did not see the stock leaves the doubt open.
    let unseen = judge(&judged.after, &cards(5, 0, false), hours(2));
    assert_eq!(unseen.after.open, judged.after.open);
    // A person releases it: that warehouse is empty, the others are as a later sync saw them.
    let mut released = judged.after;
    released.take(&judged.seen, "stock_fbo", judged.findings[0].keys.as_ref());
    assert_eq!(
        (units(&released, "fbo:1"), units(&released, "fbo:2")),
        (None, Some((650, hours(1))))
    );
    assert_eq!(released.open, []);
}

#[test]
fn an_answer_that_is_plausible_again_ends_the_doubt() {
    let judged = again(
        &fbo(FBO),
        &[(1, fbo(&[])), (2, fbo(FBO)), (9, fbo(&[])), (10, fbo(&[]))],
    );
    let held = vec![("all_stock_gone", Decision::Hold)];
    assert_eq!(judged, [held.clone(), vec![], held.clone(), held]);
}

#[test]
fn stock_of_articles_that_no_one_knows_waits_for_a_person() {
    let mut strange = fbo(FBO);
    if let Some(stock) = &mut strange.fbo {
        (stock.known, stock.unknown) = (0, 10);
    }
    let held = vec![("unknown_articles", Decision::Hold)];
    assert_eq!(
        again(&fbo(FBO), &[(1, strange.clone()), (48, strange)]),
        [held.clone(), held]
    );
}

#[test]
fn half_of_the_articles_gone_from_stock_is_doubted_unless_orders_explain_it() {
    let with = |articles, units, orders: &[(&str, i64, usize)]| {
        let mut facts = Facts {
            orders: ordered(orders),
            ..fbo(&[("fbo:1", units)])
        };
        if let Some(stock) = &mut facts.fbo {
            stock.stocked = articles;
        }
        facts
    };
    let held = vec![("most_articles_out_of_stock", Decision::Hold)];
    for (now, expected) in [
        (with(24, 500, &[]), held),
        (with(25, 500, &[]), vec![]),
        (with(24, 590, &[("fbo:1", 0, 10)]), vec![]),
    ] {
        assert_eq!(one(&with(50, 600, &[]), &now), expected, "{now:?}");
    }
}

#[test]
fn a_catalogue_is_judged_by_what_the_other_sources_name() {
    use Decision::{Hold, Mark};
    for (before, now, expected, later) in [
        // All of a very small seller's cards.
        ((3, 0), (0, 0, false), Some("catalogue_empty"), Some(Mark)),
        ((3, 0), (0, 3, true), Some("catalogue_empty"), Some(Hold)),
        // Half of them, and prices do not name them either: they are gone.
        ((50, 0), (24, 0, false), Some("catalogue_halved"), Some(Mark)),
        ((50, 0), (24, 26, true), Some("catalogue_halved"), Some(Hold)),
        ((50, 0), (24, 0, true), None, None),
        // The second page came empty.
        (
            (150, 4),
            (100, 50, true),
            Some("catalogue_contradicted"),
            Some(Hold),
        ),
        ((150, 50), (100, 50, true), None, None),
    ] {
        let before = cards(before.0, before.1, true);
        let now = cards(now.0, now.1, now.2);
        let of = |decision: Option<Decision>| -> Vec<_> { expected.into_iter().zip(decision).collect() };
        let judged = again(&before, &[(1, now.clone()), (7, now.clone())]);
        assert_eq!(judged, [of(Some(Hold)), of(later)], "{now:?}");
    }
}

#[test]
fn orders_and_prices_are_left_or_held_by_what_they_would_do() {
    let day = noon().date_naive() - TimeDelta::days(5);
    let orders = |count: i64| Facts {
        orders: Some(OrdersSeen {
            days: if count == 0 {
                BTreeMap::new()
            } else {
                BTreeMap::from([(day, count)])
            },
            from: day - TimeDelta::days(20),
            ..OrdersSeen::default()
        }),
        ..Facts::default()
    };
    let prices = |articles, mean_minor| Facts {
        prices: Some(PricesSeen { articles, mean_minor }),
        ..Facts::default()
    };
    for (before, now, expected) in [
        (orders(2), orders(0), Some(("orders_empty", Decision::Leave))),
        (orders(40), orders(19), Some(("orders_halved", Decision::Leave))),
        (
            orders(40),
            orders(81),
            Some(("orders_multiplied", Decision::Hold)),
        ),
        (orders(40), orders(60), None),
        (orders(2), orders(1), None),
        (
            prices(5, 90_000),
            prices(0, 0),
            Some(("prices_empty", Decision::Leave)),
        ),
        (
            prices(5, 90_000),
            prices(5, 900),
            Some(("prices_jumped", Decision::Hold)),
        ),
        (
            prices(5, 90_000),
            prices(5, 900_001),
            Some(("prices_jumped", Decision::Hold)),
        ),
        (prices(5, 90_000), prices(5, 20_000), None),
    ] {
        assert_eq!(one(&before, &now), Vec::from_iter(expected), "{now:?}");
    }
}

#[test]
fn the_evidence_says_what_where_how_much_since_when_and_how_it_ends() {
    let at = |orders: &[(&str, i64, usize)]| Facts {
        orders: ordered(orders),
        ..fbo(&[("fbo:1", 0), ("fbo:2", 700), ("fbo:3", 5)])
    };
    let first = judge(&believed(&fbo(FBO)), &at(&[]), hours(1));
    let said = |finding: &Finding| finding.doubt().evidence;
    assert_eq!(
        said(&first.findings[0]),
        "Stock in the marketplace's warehouses, Склад 1: 600 units before, 0 now, since 2026-10-15 13:00 UTC. \
         Nothing explains it yet; it is taken as true if nothing contradicts it until 2026-10-15 19:00 UTC."
    );
    let second = judge(&first.after, &at(&[("fbo:1", 2, 3)]), hours(3));
    assert_eq!(
        said(&second.findings[0]),
        "Stock in the marketplace's warehouses, Склад 1: 600 units before, 0 now, since 2026-10-15 13:00 UTC. \
         3 units were ordered from there after that, so a person has to decide."
    );
    let third = judge(&first.after, &at(&[]), hours(1) + UNCONTRADICTED);
    assert!(
        said(&third.findings[0]).ends_with("Nothing contradicted it for 6 hours, so it is taken as true.")
    );
}

#[test]
fn a_part_of_the_orders_explains_a_fall_and_contradicts_one_but_its_gaps_say_nothing() {
    let told = |orders: Option<OrdersSeen>, units: &[(&str, i64)]| Facts {
        orders: None,
        some_orders: orders,
        ..fbo(units)
    };
    let gone = &[("fbo:1", 0), ("fbo:2", 700), ("fbo:3", 5)];
    let empty = ("warehouse_empty", Decision::Hold);
    // Sold, as far as is known, and that is enough.
    let sold = told(ordered(&[("fbo:1", 1, 560)]), gone);
    assert_eq!(one(&fbo(FBO), &sold), []);
    // Ordered from there afterwards: that is a fact whatever is missing.
    let silent = || told(ordered(&[]), gone);
    let contradicted = || told(ordered(&[("fbo:1", 2, 3)]), gone);
    let judged = again(
        &fbo(FBO),
        &[(1, silent()), (3, contradicted()), (80, contradicted())],
    );
    assert_eq!(judged, [vec![empty], vec![empty], vec![empty]]);
    // Nothing told is not nothing ordered: it waits as long as without any orders.
    let judged = again(
        &fbo(FBO),
        &[(1, silent()), (8, silent()), (48, silent()), (49, silent())],
    );
    let taken = ("warehouse_empty", Decision::Mark);
    assert_eq!(judged, [vec![empty], vec![empty], vec![empty], vec![taken]]);
}
