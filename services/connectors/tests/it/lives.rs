//! Shops that live while they are read and sources that fail now and then: whatever an answer claims to be
//! complete is exactly what the marketplace has, and every order comes out as it stands.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use connectors::error::CallError;
use connectors::marketplace::{Card, Fetched, Marketplace, OrderObservation, Period, SizeRef, StockSnapshot};
use simulators::ozon::OzonLimits;
use simulators::wildberries::Limits;
use simulators::{Ledger, LedgerOrder, Life, OzonSellerConfig, SellerConfig, Units, Weather};

use crate::{ozon_world, world};

const DAYS: i64 = 60;
const WEATHER: Weather = Weather {
    seed: 3,
    per_mille: 50,
};

/// A life in which warehouses come and go every few days.
fn life() -> Life {
    Life {
        openings: 20,
        closings: 20,
        warehouse_renames: 30,
        clearances: 3,
        ..Life::default()
    }
}

/// How often which source answered completely.
#[derive(Debug, Default)]
struct Answered {
    whole: BTreeMap<&'static str, i64>,
    failed: i64,
}

impl Answered {
    /// What was read, if it claims to be everything.
    fn take<T>(&mut self, source: &'static str, answer: Result<Fetched<T>, CallError>) -> Option<T> {
        match answer {
            Ok(fetched) if fetched.complete => {
                *self.whole.entry(source).or_default() += 1;
                // The older report knows neither purchases nor returns.
                (fetched.outcome.source != "wb.orders.supplier").then_some(fetched.items)
            }
            _ => {
                self.failed += 1;
                None
            }
        }
    }

    fn assert_often(&self) {
        assert!(self.whole.values().all(|days| *days > DAYS * 6 / 10), "{self:?}");
        assert!(self.whole.len() == 4 && self.failed > 3, "{self:?}");
    }
}

/// Reads every source once and compares what is complete.
async fn read(client: &impl Marketplace, ledger: &Ledger, answered: &mut Answered) {
    let mut cards: Vec<Card> = Vec::new();
    let whole = client.cards(&mut |page| cards.extend(page)).await;
    let listed = answered.take("cards", whole);
    if listed.is_some() {
        let told: BTreeSet<(i64, [&str; 4])> = cards
            .iter()
            .map(|card| {
                let names = [&card.vendor_code, &card.title, &card.brand, &card.subject];
                (card.nm_id, names.map(String::as_str))
            })
            .collect();
        let truth: BTreeSet<(i64, [&str; 4])> = ledger
            .listed()
            .map(|product| {
                let names = [
                    &product.vendor_code,
                    &product.title,
                    &product.brand,
                    &product.subject,
                ];
                (product.article, names.map(String::as_str))
            })
            .collect();
        assert_eq!(told, truth, "the catalogue at {}", ledger.now);
    }
    if let Some(stock) = answered.take("fbo", client.fbo_stock().await) {
        assert_eq!(levels(&stock), scheme(ledger, "fbo"), "stock at {}", ledger.now);
    }
    // The seller's own stock can only be asked for by size.
    if listed.is_some() {
        let sizes: Vec<SizeRef> = cards
            .iter()
            .flat_map(|card| {
                card.sizes.iter().map(|size| SizeRef {
                    chrt_id: size.chrt_id,
                    nm_id: card.nm_id,
                })
            })
            .collect();
        if let Some(stock) = answered.take("fbs", client.fbs_stock(&sizes).await) {
            assert_eq!(
                levels(&stock),
                scheme(ledger, "fbs"),
                "own stock at {}",
                ledger.now
            );
        }
    }
    let (from, to) = (ledger.now - TimeDelta::days(30), ledger.now);
    if let Some(orders) = answered.take("orders", client.orders(Period { from, to }).await) {
        orders_equal(&orders, ledger, from);
    }
}

fn orders_equal(orders: &[OrderObservation], ledger: &Ledger, from: DateTime<Utc>) {
    type Order = (i64, DateTime<Utc>, i64, String);
    let told: BTreeMap<&str, Order> = orders
        .iter()
        .filter(|order| order.ordered_at >= from && order.ordered_at < ledger.now)
        .map(|order| {
            let state = (
                order.nm_id,
                order.ordered_at,
                i64::from(order.quantity),
                order.status.as_str().to_owned(),
            );
            (order.srid.as_str(), state)
        })
        .collect();
    let of = |order: &LedgerOrder| {
        (
            order.article,
            order.ordered_at,
            order.quantity,
            order.status.clone(),
        )
    };
    let truth: BTreeMap<&str, Order> = ledger
        .orders
        .iter()
        .filter(|order| order.ordered_at >= from && order.ordered_at < ledger.now)
        .map(|order| (order.id.as_str(), of(order)))
        .collect();
    assert_eq!(told, truth, "orders at {}", ledger.now);
}

type Stock = BTreeMap<i64, BTreeMap<String, Units>>;

fn levels(snapshot: &StockSnapshot) -> Stock {
    let mut stock = Stock::new();
    for row in snapshot.levels() {
        let level = row.level;
        let units = [level.available, level.in_way_to_client, level.in_way_from_client];
        if units != [0; 3] {
            stock
                .entry(row.nm_id)
                .or_default()
                .insert(row.warehouse.key.clone(), units);
        }
    }
    stock
}

/// The truth about one scheme; of the seller's own stock only that of listed articles can be asked for.
fn scheme(ledger: &Ledger, scheme: &str) -> Stock {
    let mut stock = ledger.stock();
    for levels in stock.values_mut() {
        levels.retain(|key, _| key.starts_with(scheme));
    }
    stock.retain(|_, levels| !levels.is_empty());
    stock
}

#[tokio::test]
async fn two_months_of_a_wildberries_shop_come_out_as_they_were() {
    let world = world::World::start(SellerConfig {
        articles: 60,
        fbs_warehouses: 2,
        orders_per_day: 10,
        life: life(),
        ..SellerConfig::default()
    })
    .await;
    let simulator = &world.simulator;
    simulator.limits(Limits::Off);
    simulator.weather(WEATHER);
    let mut answered = Answered::default();
    for day in 0..DAYS {
        simulator.live(24);
        simulator.mask((20..40).contains(&day));
        let ledger = simulator.ledger(simulator.sellers()[0], None).unwrap();
        let options = connectors::wildberries::Options {
            stock_page: 10_000,
            ..world::options()
        };
        let token = simulator.personal_token(simulator.sellers()[0]);
        let client = world.client(&token, options);
        read(&client, &ledger, &mut answered).await;
    }
    answered.assert_often();
}

#[tokio::test]
async fn two_months_of_an_ozon_shop_come_out_as_they_were() {
    let world = ozon_world::World::start(OzonSellerConfig {
        products: 60,
        fbs_warehouses: 3,
        orders_per_day: 10,
        life: life(),
        ..OzonSellerConfig::default()
    })
    .await;
    let simulator = &world.simulator;
    simulator.limits(OzonLimits::Off);
    simulator.weather(WEATHER);
    let mut answered = Answered::default();
    let key = simulator.api_key(world.client_id());
    for _day in 0..DAYS {
        simulator.live(24);
        let ledger = simulator.ledger(world.client_id(), None).unwrap();
        let client = world.client_with(&key, ozon_world::options());
        read(&client, &ledger, &mut answered).await;
    }
    answered.assert_often();
}
