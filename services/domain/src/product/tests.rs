//! A failed fetch never becomes a zero, masking moves no stock, and no order counts twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, SyncId};
use events::product::{Details, Fulfilment, InWay, OrderLine, StockLevel};
use proptest::prelude::*;
use uuid::Uuid;

use super::{Card, MASKED_WAREHOUSE, Observation, Product, ProductCommand, Scope, StockSeen};
use crate::Decider;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn level(warehouse: &str, available: i64) -> StockLevel {
    StockLevel {
        warehouse: warehouse.into(),
        name: format!("name of {warehouse}"),
        fulfilment: super::fulfilment_of(warehouse),
        available,
        in_way_to_client: 0,
        in_way_from_client: 0,
        buckets: BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

fn order(id: &str, changed: i64, status: &str) -> OrderLine {
    OrderLine {
        order_id: id.into(),
        ordered_at: at(0),
        changed_at: at(changed),
        warehouse: "fbo:name:A".into(),
        warehouse_name: "A".into(),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: status.into(),
        cancelled: status == "cancel",
        price_minor: Some(100),
        currency: Some("RUB".into()),
        size_id: None,
        cluster: None,
    }
}

fn seen() -> Observation {
    Observation {
        sync_id: SyncId(Uuid::from_u128(7)),
        cabinet_id: CabinetId(Uuid::from_u128(8)),
        marketplace: Marketplace::Wildberries,
        nm_id: 100,
        card: Card::Seen(Details {
            vendor_code: "A-1".into(),
            ..Details::default()
        }),
        price: None,
        stock: vec![],
        orders: vec![],
        orders_source: "orders".into(),
        at: at(10),
    }
}

fn fbo(levels: Vec<StockLevel>, complete: bool, also_visible: &[&str]) -> StockSeen {
    let visible: BTreeSet<String> = levels
        .iter()
        .map(|level| level.warehouse.clone())
        .chain(also_visible.iter().map(ToString::to_string))
        .collect();
    StockSeen {
        source: "stock_fbo".into(),
        fulfilment: Fulfilment::Fbo,
        as_of: at(9),
        complete,
        levels,
        unassigned_in_way: None,
        turnover: None,
        visible: Arc::new(visible),
        unread: BTreeSet::new(),
        scope: Scope::All,
    }
}

fn tell(product: &mut Product, observation: Observation) -> Vec<ProductEvent> {
    let happened = product
        .decide(ProductCommand::Observe(Box::new(observation)))
        .unwrap();
    for event in &happened {
        product.evolve(event);
    }
    happened
}

fn with_stock(levels: Vec<StockLevel>) -> Product {
    let mut product = Product::default();
    tell(
        &mut product,
        Observation {
            stock: vec![fbo(levels, true, &[])],
            ..seen()
        },
    );
    product
}

#[test]
fn the_same_observation_again_records_nothing() {
    let mut product = Product::default();
    let observation = Observation {
        stock: vec![fbo(vec![level("fbo:1", 5), level("fbo:2", 0)], true, &[])],
        orders: vec![order("x", 0, "created")],
        ..seen()
    };
    assert_eq!(tell(&mut product, observation.clone()).len(), 3);
    assert_eq!(tell(&mut product, observation), vec![]);
}

#[test]
fn what_is_absent_from_an_incomplete_answer_keeps_its_last_value() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let happened = tell(
        &mut product,
        Observation {
            stock: vec![fbo(vec![level("fbo:1", 4)], false, &[])],
            ..seen()
        },
    );
    let [ProductEvent::StockObserved(observed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert_eq!(observed.levels, vec![level("fbo:1", 4)]);
    assert_eq!(product.available(), 7);
}

#[test]
fn a_source_that_failed_changes_nothing() {
    let mut product = with_stock(vec![level("fbo:1", 5)]);
    assert_eq!(
        tell(
            &mut product,
            Observation {
                card: Card::Unknown,
                ..seen()
            }
        ),
        vec![]
    );
    assert_eq!(product.available(), 5);
}

#[test]
fn what_is_absent_from_a_complete_answer_becomes_zero() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let happened = tell(
        &mut product,
        Observation {
            stock: vec![fbo(vec![level("fbo:1", 5)], true, &[])],
            ..seen()
        },
    );
    let [ProductEvent::StockObserved(observed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert_eq!(observed.levels, vec![level("fbo:2", 0)]);
    assert!(observed.regrouped.is_empty());
}

#[test]
fn one_fulfilments_answer_says_nothing_about_the_other() {
    let mut product = with_stock(vec![level("fbo:1", 5)]);
    let fbs = StockSeen {
        source: "stock_fbs".into(),
        fulfilment: Fulfilment::Fbs,
        ..fbo(vec![level("fbs:9", 2)], true, &[])
    };
    tell(
        &mut product,
        Observation {
            stock: vec![fbs],
            ..seen()
        },
    );
    assert_eq!(product.available(), 7);
}

#[test]
fn masking_and_unmasking_move_no_stock() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let masked = fbo(vec![level(MASKED_WAREHOUSE, 8)], true, &[]);
    let happened = tell(
        &mut product,
        Observation {
            stock: vec![masked],
            ..seen()
        },
    );
    let [ProductEvent::StockObserved(observed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert_eq!(observed.regrouped, vec!["fbo:1".to_owned(), "fbo:2".to_owned()]);
    assert_eq!(observed.levels, vec![level(MASKED_WAREHOUSE, 8)]);
    assert_eq!(product.available(), 8);

    let unmasked = fbo(vec![level("fbo:1", 5), level("fbo:2", 3)], true, &[]);
    let happened = tell(
        &mut product,
        Observation {
            stock: vec![unmasked],
            ..seen()
        },
    );
    let [ProductEvent::StockObserved(observed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert_eq!(observed.regrouped, vec![MASKED_WAREHOUSE.to_owned()]);
    assert_eq!(product.available(), 8);
}

#[test]
fn a_warehouse_that_stays_named_while_others_are_masked_can_still_run_empty() {
    let mut product = with_stock(vec![level("fbo:1", 5), level("fbo:2", 3)]);
    let answer = fbo(vec![level(MASKED_WAREHOUSE, 5)], true, &["fbo:2"]);
    tell(
        &mut product,
        Observation {
            stock: vec![answer],
            ..seen()
        },
    );
    assert_eq!(
        product.levels.get("fbo:2").map(|known| known.level.available),
        Some(0)
    );
    assert!(!product.levels.contains_key("fbo:1"));
}

#[test]
fn an_order_told_by_two_pages_counts_once_and_a_later_state_wins() {
    let mut product = Product::default();
    let orders = vec![
        order("x", 0, "created"),
        order("x", 5, "cancel"),
        order("x", 0, "created"),
    ];
    let happened = tell(&mut product, Observation { orders, ..seen() });
    let Some(ProductEvent::OrdersObserved(observed)) = happened.last() else {
        panic!("{happened:?}")
    };
    assert_eq!(observed.orders, vec![order("x", 5, "cancel")]);
    let stale = Observation {
        orders: vec![order("x", 0, "created")],
        ..seen()
    };
    assert_eq!(tell(&mut product, stale), vec![]);
}

#[test]
fn a_cancellation_of_a_known_order_is_recorded() {
    let mut product = Product::default();
    tell(
        &mut product,
        Observation {
            orders: vec![order("x", 0, "created")],
            ..seen()
        },
    );
    let happened = tell(
        &mut product,
        Observation {
            orders: vec![order("x", 3, "cancel")],
            ..seen()
        },
    );
    let [ProductEvent::OrdersObserved(observed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert!(observed.orders.iter().all(|order| order.cancelled));
}

#[test]
fn a_forgotten_order_does_not_come_back() {
    let mut product = Product::default();
    tell(
        &mut product,
        Observation {
            orders: vec![order("x", 0, "created")],
            ..seen()
        },
    );
    let later = at(0) + TimeDelta::days(super::ORDER_MEMORY_DAYS + 1);
    let other = OrderLine {
        order_id: "y".into(),
        ordered_at: later,
        changed_at: later,
        ..order("y", 0, "created")
    };
    tell(
        &mut product,
        Observation {
            orders: vec![other],
            at: later,
            ..seen()
        },
    );
    assert_eq!(product.orders.len(), 1);
    let again = Observation {
        orders: vec![order("x", 0, "created")],
        at: later,
        ..seen()
    };
    assert_eq!(tell(&mut product, again), vec![]);
}

#[test]
fn an_article_is_delisted_only_by_a_complete_catalogue_and_comes_back() {
    let mut product = with_stock(vec![]);
    assert_eq!(
        tell(
            &mut product,
            Observation {
                card: Card::Unknown,
                ..seen()
            }
        ),
        vec![]
    );
    assert!(matches!(
        tell(
            &mut product,
            Observation {
                card: Card::Missing,
                ..seen()
            }
        )
        .as_slice(),
        [ProductEvent::ProductDelisted(_)]
    ));
    assert!(matches!(
        tell(&mut product, seen()).as_slice(),
        [ProductEvent::ProductRelisted(_)]
    ));
}

#[test]
fn stock_of_an_article_no_catalogue_has_shown_counts() {
    let mut product = Product::default();
    let stock = vec![fbo(vec![level("fbo:1", 5)], true, &[])];
    tell(
        &mut product,
        Observation {
            card: Card::Unknown,
            stock,
            ..seen()
        },
    );
    assert_eq!(product.available(), 5);
    assert_eq!(product.details, Some(Details::default()));
}

/// It came, was ordered and was taken off the list between two syncs.
#[test]
fn an_article_that_a_whole_catalogue_does_not_show_is_not_on_the_list() {
    let mut product = Product::default();
    tell(
        &mut product,
        Observation {
            card: Card::Missing,
            orders: vec![order("x", 0, "created")],
            ..seen()
        },
    );
    assert!(product.details.is_some() && product.delisted);
}

#[test]
fn unassigned_units_on_the_way_are_recorded_when_they_change() {
    let mut product = with_stock(vec![]);
    let mut stock = fbo(vec![], true, &[]);
    stock.unassigned_in_way = Some(InWay {
        to_client: 3,
        from_client: 1,
    });
    assert_eq!(
        tell(
            &mut product,
            Observation {
                stock: vec![stock.clone()],
                ..seen()
            }
        )
        .len(),
        1
    );
    assert_eq!(
        tell(
            &mut product,
            Observation {
                stock: vec![stock],
                ..seen()
            }
        ),
        vec![]
    );
}

fn any_answer() -> impl Strategy<Value = StockSeen> {
    (
        prop::collection::btree_map(0_u8..6, 0_i64..4, 0..6),
        any::<bool>(),
    )
        .prop_map(|(levels, complete)| {
            let levels = levels
                .into_iter()
                .map(|(key, available)| {
                    if key == 0 {
                        level(MASKED_WAREHOUSE, available)
                    } else {
                        level(&format!("fbo:{key}"), available)
                    }
                })
                .collect();
            fbo(levels, complete, &[])
        })
}

mod further;
mod parts;
mod sources;

proptest! {
    /// Whatever was told before: after a complete answer the product knows exactly what that answer says.
    #[test]
    fn after_a_complete_answer_the_totals_are_the_answers(
        answers in prop::collection::vec(any_answer(), 1..12)
    ) {
        let mut product = Product::default();
        for answer in answers {
            let told: i64 = answer.levels.iter().map(|level| level.available).sum();
            let complete = answer.complete;
            tell(&mut product, Observation { stock: vec![answer], ..seen() });
            if complete {
                prop_assert_eq!(product.available(), told);
            }
        }
    }

    /// A kept state is as good as the fold: writing it out and reading it back changes nothing.
    #[test]
    fn a_kept_state_survives_being_written_and_read(answers in prop::collection::vec(any_answer(), 0..6)) {
        let mut product = Product::default();
        for answer in answers {
            tell(&mut product, Observation { stock: vec![answer], orders: vec![order("x", 1, "created")], ..seen() });
        }
        let text = serde_json::to_string(&product).unwrap();
        prop_assert_eq!(serde_json::from_str::<Product>(&text).unwrap(), product);
    }
}
