//! Answers of which not everything is taken: levels that make no sense or could not be read, warehouses that
//! are held back, and warehouses that vanish beside the masked one.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::product::{OrderLine, StockObserved};

use super::{
    MASKED_WAREHOUSE, Observation, Product, ProductEvent, Scope, StockLevel, StockSeen, fbo, level, order,
    seen, tell, with_stock,
};
use crate::product::ProductRefusal;

fn with(stock: StockSeen) -> Observation {
    Observation {
        stock: vec![stock],
        ..seen()
    }
}

fn keys(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn units(product: &Product, warehouse: &str) -> Option<i64> {
    product.levels.get(warehouse).map(|known| known.level.available)
}

fn observed(happened: Vec<ProductEvent>) -> StockObserved {
    match happened.into_iter().next() {
        Some(ProductEvent::StockObserved(observed)) => observed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_level_that_makes_no_sense_keeps_its_last_number_and_the_others_are_taken() {
    let negative_size = StockLevel {
        sizes: vec![events::product::SizeUnits {
            size_id: 2,
            name: "44".into(),
            available: -1,
        }],
        ..level("fbo:1", 6)
    };
    for bad in [
        vec![level("fbo:1", -1)],
        vec![negative_size],
        vec![level("fbo:1", 4), level("fbo:1", 9)],
    ] {
        let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3), level("fbo:3", 2)]);
        let levels = [bad, vec![level("fbo:2", 1)]].concat();
        let observation = with(fbo(levels, true, &[]));
        let refused: Vec<_> = observation
            .refusals()
            .into_iter()
            .map(|refusal| match refusal {
                ProductRefusal::NegativeCount { warehouse, .. }
                | ProductRefusal::ToldTwice { warehouse, .. } => warehouse,
            })
            .collect();
        assert_eq!(refused, ["fbo:1"]);
        tell(&mut product, observation);
        let now = ["fbo:1", "fbo:2", "fbo:3"].map(|key| units(&product, key));
        assert_eq!(now, [Some(5), Some(1), Some(0)]);
    }
}

#[test]
fn a_level_that_could_not_be_read_is_no_empty_warehouse() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let stock = StockSeen {
        unread: keys(&["fbo:1"]),
        ..fbo(vec![level("fbo:2", 1)], true, &["fbo:1"])
    };
    tell(&mut product, with(stock));
    assert_eq!(
        (units(&product, "fbo:1"), units(&product, "fbo:2")),
        (Some(5), Some(1))
    );
}

#[test]
fn warehouses_that_are_held_back_keep_their_numbers_until_they_are_released() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let held = Arc::new(keys(&["fbo:1"]));
    let answer = |scope| {
        with(StockSeen {
            scope,
            ..fbo(vec![level("fbo:2", 1)], true, &["fbo:1"])
        })
    };
    tell(&mut product, answer(Scope::Except(Arc::clone(&held))));
    assert_eq!(
        (units(&product, "fbo:1"), units(&product, "fbo:2")),
        (Some(5), Some(1))
    );
    tell(
        &mut product,
        with(fbo(vec![level("fbo:1", 5), level("fbo:2", 7)], true, &[])),
    );
    tell(&mut product, answer(Scope::Only(held)));
    assert_eq!(
        (units(&product, "fbo:1"), units(&product, "fbo:2")),
        (Some(0), Some(7)),
        "nothing but the held warehouse is taken from the old answer"
    );
}

#[test]
fn a_named_warehouse_that_sells_out_beside_the_masked_one_is_zero_unless_its_units_moved() {
    let masked = |units| level(MASKED_WAREHOUSE, units);
    for (masked_before, masked_now, moved) in [
        (10, 10, false), // it sold out
        (10, 8, false),  // and so did some of the masked ones
        (10, 15, true),  // it was masked as well
        (10, 13, true),  // and two were sold meanwhile
        (0, 2, true),    // the first that was masked; three were sold
        (0, 0, false),
    ] {
        let mut product = with_stock(vec![level("fbo:1", 5), masked(masked_before)]);
        let answer = fbo(vec![masked(masked_now)], true, &[]);
        let observed = observed(tell(&mut product, with(answer)));
        let zeroed = observed.levels.contains(&level("fbo:1", 0));
        let regrouped = observed.regrouped == ["fbo:1"];
        assert_eq!(
            (zeroed, regrouped),
            (!moved, moved),
            "{masked_before} -> {masked_now}"
        );
        assert_eq!(product.available(), masked_now);
    }
}

#[test]
fn a_masked_warehouse_that_vanishes_is_zero_unless_named_ones_have_its_units() {
    for (named_now, moved) in [(3, false), (8, true)] {
        let mut product = with_stock(vec![level("fbo:1", 3), level(MASKED_WAREHOUSE, 5)]);
        let answer = fbo(vec![level("fbo:1", named_now)], true, &[]);
        let observed = observed(tell(&mut product, with(answer)));
        assert_eq!(observed.regrouped == [MASKED_WAREHOUSE], moved, "{named_now}");
        assert_eq!(product.available(), named_now);
    }
}

#[test]
fn of_two_rows_of_one_order_at_one_moment_the_cancelled_one_counts_whichever_comes_first() {
    let created = order("x", 0, "created");
    let cancelled = OrderLine {
        changed_at: created.changed_at,
        ..order("x", 0, "cancel")
    };
    assert!(cancelled.cancelled && !created.cancelled);
    for orders in [
        vec![cancelled.clone(), created.clone()],
        vec![created, cancelled.clone()],
    ] {
        let mut product = Product::default();
        let happened = tell(&mut product, Observation { orders, ..seen() });
        let Some(ProductEvent::OrdersObserved(observed)) = happened.last() else {
            panic!("{happened:?}")
        };
        assert_eq!(observed.orders, std::slice::from_ref(&cancelled));
    }
}
