//! Two reports tell the same orders: whichever is asked, and however it spells their ids, the count of a day
//! stays what it was.

use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::product::{Details, OrderLine, ProductSize, SizeUnits, StockLevel};
use proptest::prelude::*;

use super::{at, fbo, level, order, seen, tell};
use crate::product::{Card, Observation, Product};

fn ordered(id: &str, minute: i64) -> OrderLine {
    OrderLine {
        ordered_at: at(minute),
        changed_at: at(minute),
        ..order(id, 0, "created")
    }
}

fn with(orders: Vec<OrderLine>) -> Observation {
    Observation {
        orders,
        at: at(3_000),
        ..seen()
    }
}

/// Ids that were recorded.
fn recorded(happened: &[ProductEvent]) -> Vec<String> {
    happened
        .iter()
        .filter_map(|event| match event {
            ProductEvent::OrdersObserved(observed) => Some(&observed.orders),
            _ => None,
        })
        .flatten()
        .map(|order| order.order_id.clone())
        .collect()
}

fn hex(number: u64) -> String {
    format!("{number:032x}.0.0")
}

fn prefixed(number: u64) -> String {
    format!("eBw.r{number:032x}.0.0")
}

#[test]
fn the_other_report_spells_every_id_in_another_way_and_no_day_doubles() {
    for (first, then) in [
        (prefixed as fn(u64) -> String, hex as fn(u64) -> String),
        (hex, prefixed),
        (hex, |number| format!("other-{number}")),
    ] {
        let mut product = Product::default();
        let orders = |spelt: fn(u64) -> String| (0..40).map(|n| ordered(&spelt(n), 60 * n as i64)).collect();
        assert_eq!(recorded(&tell(&mut product, with(orders(first)))).len(), 40);
        let again = with(orders(then));
        assert_eq!(
            product.orders_held_back(&again),
            0,
            "the second says that they are the same"
        );
        assert_eq!(recorded(&tell(&mut product, again)), Vec::<String>::new());
        // And what is new is new in either spelling.
        let mut more: Vec<OrderLine> = orders(then);
        more.push(ordered(&then(77), 2_900));
        assert_eq!(recorded(&tell(&mut product, with(more))), [then(77)]);
    }
}

#[test]
fn a_prefix_before_a_known_id_is_the_same_order_and_its_cancellation_is_recorded_under_the_known_id() {
    let mut product = Product::default();
    tell(&mut product, with(vec![ordered(&hex(5), 0), ordered(&hex(6), 9)]));
    let cancelled = OrderLine {
        changed_at: at(50),
        ..order(&prefixed(5), 0, "cancel")
    };
    let happened = tell(&mut product, with(vec![cancelled, ordered(&prefixed(6), 9)]));
    assert_eq!(recorded(&happened), [hex(5)]);
    assert_eq!(product.orders.len(), 2);
}

#[test]
fn ids_and_seconds_that_never_meet_are_held_back_as_far_as_they_would_double_a_day() {
    let mut product = Product::default();
    let known = (0..10).map(|n| ordered(&format!("a{n}"), 60 * n)).collect();
    tell(&mut product, with(known));
    let shifted: Vec<OrderLine> = (0..12)
        .map(|n| ordered(&format!("b{n:02}"), 60 * n + 7))
        .collect();
    let again = with(shifted);
    assert_eq!(product.orders_held_back(&again), 10);
    let news = recorded(&tell(&mut product, again));
    assert_eq!(news.len(), 2, "only what exceeds the day's known count: {news:?}");
}

#[test]
fn where_known_ids_are_told_a_new_one_of_that_day_is_new() {
    let mut product = Product::default();
    tell(&mut product, with(vec![ordered("a", 0), ordered("b", 60)]));
    // The row of `b` could not be read this time.
    let news = tell(&mut product, with(vec![ordered("a", 0), ordered("c", 90)]));
    assert_eq!(recorded(&news), ["c"]);
}

#[test]
fn units_of_one_cart_are_orders_of_their_own() {
    let mut product = Product::default();
    tell(&mut product, with(vec![ordered("a", 0)]));
    let cart = vec![ordered("a", 0), ordered("b", 0), ordered("c", 0)];
    assert_eq!(recorded(&tell(&mut product, with(cart))), ["b", "c"]);
}

#[test]
fn of_two_rows_with_one_time_the_cancelled_one_holds_whichever_comes_first() {
    let (open, cancelled) = (order("x", 5, "created"), order("x", 5, "cancel"));
    for rows in [[open.clone(), cancelled.clone()], [cancelled, open]] {
        let happened = tell(&mut Product::default(), with(rows.to_vec()));
        let Some(ProductEvent::OrdersObserved(observed)) = happened.last() else {
            panic!("{happened:?}")
        };
        assert!(observed.orders[0].cancelled);
    }
}

#[test]
fn parcels_of_ozon_are_told_apart_by_their_ids_alone() {
    let ozon = |orders| Observation {
        marketplace: Marketplace::Ozon,
        ..with(orders)
    };
    let mut product = Product::default();
    tell(&mut product, ozon(vec![ordered("1-1", 0)]));
    assert_eq!(
        recorded(&tell(&mut product, ozon(vec![ordered("2-1", 0)]))),
        ["2-1"]
    );
}

fn sized(sizes: &[(i64, i64)]) -> StockLevel {
    StockLevel {
        sizes: sizes
            .iter()
            .map(|(size_id, available)| SizeUnits {
                size_id: *size_id,
                name: String::new(),
                available: *available,
            })
            .collect(),
        ..level("fbo:1", sizes.iter().map(|size| size.1).sum())
    }
}

#[test]
fn a_level_that_lacks_one_of_its_sizes_counts_only_in_an_answer_that_is_whole() {
    let size = |size_id: i64| ProductSize {
        size_id,
        name: size_id.to_string(),
        barcodes: vec![],
    };
    let told = |levels, complete| Observation {
        card: Card::Seen(Details {
            sizes: vec![size(42), size(44)],
            ..Details::default()
        }),
        stock: vec![fbo(levels, complete, &[])],
        ..seen()
    };
    let mut product = Product::default();
    tell(&mut product, told(vec![sized(&[(42, 5), (44, 7)])], true));
    assert_eq!(tell(&mut product, told(vec![sized(&[(42, 4)])], false)), []);
    assert_eq!(product.available(), 12);
    tell(&mut product, told(vec![sized(&[(42, 4), (44, 6)])], false));
    assert_eq!(product.available(), 10, "all of its sizes were told");
    tell(&mut product, told(vec![sized(&[(42, 4)])], true));
    assert_eq!(product.available(), 4);
}

fn count_by_day(product: &Product) -> std::collections::BTreeMap<i64, usize> {
    let mut days = std::collections::BTreeMap::new();
    for known in product.orders.values() {
        *days.entry((known.0 + 10_800).div_euclid(86_400)).or_default() += 1;
    }
    days
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_reports_take_turns_a_day_counts_what_it_had(
        minutes in prop::collection::vec(0_i64..2_900, 1..30),
        turns in prop::collection::vec(0_usize..3, 1..6),
    ) {
        let spelt = |turn: usize, n: usize| match turn {
            0 => prefixed(n as u64),
            1 => hex(n as u64),
            _ => format!("z{n}"),
        };
        let told = |turn: usize| {
            let rows = minutes.iter().enumerate();
            with(rows.map(|(n, minute)| ordered(&spelt(turn, n), *minute)).collect())
        };
        let mut product = Product::default();
        tell(&mut product, told(0));
        let days = count_by_day(&product);
        for turn in turns {
            tell(&mut product, told(turn));
            prop_assert_eq!(&count_by_day(&product), &days);
        }
    }
}
