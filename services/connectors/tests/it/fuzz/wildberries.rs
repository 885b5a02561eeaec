//! Damaged answers of Wildberries, source by source.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::error::CallError;
use connectors::marketplace::{Fetched, Marketplace, OrderObservation, Period, SizeRef, StockSnapshot};
use connectors::wildberries::{Options, Sellers, Wildberries};
use serde_json::{Value, json};
use simulators::wildberries::{Limits, TokenKind, scope};
use simulators::{Clock, Fault, SellerConfig, WildberriesConfig};

use super::{
    Copies, ROUNDS, Read, answer, available, damaged, rows, says_what_is_left_out, says_why, sum, units,
};
use crate::world::{self, World};

const CARDS: &str = "/content-api/content/v2/get/cards/list";
const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
const REMAINS: &str = "/seller-analytics-api/api/v1/warehouse_remains";
const STATUS: &str = "/status";
const DOWNLOAD: &str = "/download";
const OWN_REPORT: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/seller-warehouses";
const OWN_WAREHOUSES: &str = "/marketplace-api/api/v3/warehouses";
const OWN_STOCK: &str = "/marketplace-api/api/v3/stocks";
const FEED: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
const SUPPLIER: &str = "/statistics-api/api/v1/supplier/orders";
const PRICES: &str = "/discounts-prices-api/api/v2/list/goods/filter";

/// The limits of base tokens are hours; at this speed they are nothing.
const SPEED: f64 = 10_000_000.0;

async fn begin() -> World {
    let now: DateTime<Utc> = "2026-10-15T09:00:00Z".parse().unwrap();
    let config = WildberriesConfig {
        sellers: vec![SellerConfig {
            articles: 6,
            warehouses: 3,
            fbs_warehouses: 1,
            // A week of them is one page.
            orders_per_day: 4,
            ..SellerConfig::default()
        }],
        clock: Clock::manual(now),
        limits: Limits::Off,
        polls_until_done: 0,
        ..WildberriesConfig::default()
    };
    World {
        simulator: simulators::Wildberries::start(config).await.unwrap(),
        sellers: Sellers::new(SPEED),
        now,
    }
}

/// Clients for every way there is to the sources.
struct Clients {
    personal: Wildberries,
    base: Wildberries,
    /// Has no way to the order feed.
    older: Wildberries,
    week: Period,
    sizes: Vec<SizeRef>,
}

impl Clients {
    fn of(world: &World, sizes: &[SizeRef]) -> Self {
        let options = || Options {
            report_poll: Duration::from_millis(1),
            ..world::options()
        };
        let simulator = &world.simulator;
        let seller = simulator.sellers()[0];
        let until = world.now + TimeDelta::days(30);
        let older = simulator.token(seller, TokenKind::Personal, scope::STATISTICS, until);
        Self {
            personal: world.client(&simulator.personal_token(seller), options()),
            base: world.client(&simulator.base_token(seller), options()),
            older: world.client(&older, options()),
            week: world.week(),
            sizes: sizes.to_vec(),
        }
    }

    fn keeping(self, copies: &Copies) -> Self {
        let keep = |client: Wildberries| client.keeping(Arc::new(copies.clone()));
        Self {
            personal: keep(self.personal),
            base: keep(self.base),
            older: keep(self.older),
            ..self
        }
    }

    /// What every source gives, for a comparison.
    async fn everything(&self) -> [String; 8] {
        let mut cards = Vec::new();
        self.personal.cards(&mut |page| cards.extend(page)).await.unwrap();
        // A base token reads the background report, and the seller's own stock warehouse by warehouse.
        [
            format!("{cards:?}"),
            format!("{:?}", self.personal.fbo_stock().await.unwrap().items),
            format!("{:?}", self.base.fbo_stock().await.unwrap().items),
            format!("{:?}", self.personal.fbs_stock(&self.sizes).await.unwrap().items),
            format!("{:?}", self.base.fbs_stock(&self.sizes).await.unwrap().items),
            format!("{:?}", self.personal.orders(self.week).await.unwrap().items),
            format!("{:?}", self.older.orders(self.week).await.unwrap().items),
            format!("{:?}", self.personal.prices().await.unwrap().items),
        ]
    }

    /// What only a decoder that skips what it does not need can read is not accounted for.
    async fn only_read(&self, path: &str) -> Result<(), CallError> {
        match path {
            CARDS => self.personal.cards(&mut |_| {}).await.map(drop),
            STOCK => self.personal.fbo_stock().await.map(drop),
            REMAINS => self.base.fbo_stock().await.map(drop),
            OWN_REPORT => self.personal.fbs_stock(&self.sizes).await.map(drop),
            OWN_WAREHOUSES | OWN_STOCK => self.base.fbs_stock(&self.sizes).await.map(drop),
            FEED => self.personal.orders(self.week).await.map(drop),
            SUPPLIER => self.older.orders(self.week).await.map(drop),
            _ => self.personal.prices().await.map(drop),
        }
    }

    /// Asks the source and accounts for what it was sent.
    async fn ask(&self, path: &str, part: &str, sent: Option<&Value>, round: u64) -> Result<(), CallError> {
        let Some(sent) = sent else {
            return self.only_read(path).await;
        };
        match path {
            CARDS => {
                // The page that was sent comes first; the next ones are whole.
                let mut pages = Vec::new();
                let fetched = self.personal.cards(&mut |page| pages.push(page)).await?;
                let told = rows(sent, "/cards");
                let first = pages.first().map_or(&[][..], Vec::as_slice);
                let left_out = usize::try_from(fetched.outcome.left_out).unwrap();
                assert_eq!(first.len() + left_out, told.len(), "round {round}: {sent}");
                let cards: usize = pages.iter().map(Vec::len).sum();
                assert_eq!(fetched.outcome.rows, (cards + left_out) as u64, "round {round}");
                if says_what_is_left_out(&fetched, round) {
                    return Ok(());
                }
                let sizes: usize = told.iter().map(|row| rows(row, "/sizes").len()).sum();
                let taken: usize = first.iter().map(|card| card.sizes.len()).sum();
                assert_eq!(taken, sizes, "round {round}: {sent}");
            }
            STOCK => stock(
                &self.personal.fbo_stock().await?,
                rows(sent, "/data/items"),
                round,
            ),
            REMAINS => {
                let fetched = self.base.fbo_stock().await?;
                if part == DOWNLOAD {
                    remains(&fetched, rows(sent, ""), round);
                }
                says_why(&fetched, round);
            }
            OWN_REPORT => {
                let fetched = self.personal.fbs_stock(&self.sizes).await?;
                let told = rows(sent, "/data/items");
                assert_eq!(fetched.outcome.rows, told.len() as u64, "round {round}: {sent}");
                if !says_what_is_left_out(&fetched, round) {
                    let taken = available(&fetched.items);
                    assert_eq!(taken, sum(told, "quantity"), "round {round}: {sent}");
                }
                says_why(&fetched, round);
            }
            OWN_WAREHOUSES => {
                let fetched = self.base.fbs_stock(&self.sizes).await?;
                let known = fetched.items.warehouses.len() as u64;
                assert_eq!(
                    known + fetched.outcome.left_out,
                    rows(sent, "").len() as u64,
                    "round {round}"
                );
                says_why(&fetched, round);
            }
            OWN_STOCK => {
                let fetched = self.base.fbs_stock(&self.sizes).await?;
                let told = rows(sent, "/stocks");
                assert_eq!(
                    fetched.outcome.rows,
                    told.len() as u64 + 1,
                    "round {round}: {sent}"
                );
                if !says_what_is_left_out(&fetched, round) {
                    assert_eq!(
                        available(&fetched.items),
                        sum(told, "amount"),
                        "round {round}: {sent}"
                    );
                }
            }
            FEED => orders(
                &self.personal.orders(self.week).await?,
                rows(sent, "/data/orders"),
                round,
            ),
            SUPPLIER => {
                // Moscow's time, and what was ordered after the period was not asked for.
                let told = rows(sent, "").iter();
                let in_time = told.filter(|row| row["date"].as_str() < Some("2026-10-15T12:01:00"));
                let fetched = self.older.orders(self.week).await?;
                orders(&fetched, &in_time.cloned().collect::<Vec<_>>(), round);
            }
            _ => self.prices(rows(sent, "/data/listGoods"), round).await?,
        }
        Ok(())
    }

    async fn prices(&self, told: &[Value], round: u64) -> Result<(), CallError> {
        let fetched = self.personal.prices().await?;
        assert_eq!(fetched.outcome.rows, told.len() as u64, "round {round}: {told:?}");
        let has_price = |row: &&Value| {
            let asked = rows(row, "/sizes").iter().map(|size| size["price"].as_f64());
            asked.flatten().any(|price| price > 0.0)
        };
        let priced: HashSet<String> = told
            .iter()
            .filter(has_price)
            .map(|row| row["nmID"].to_string())
            .collect();
        if says_why(&fetched, round) {
            assert!(fetched.items.len() < told.len(), "round {round}: {told:?}");
        } else {
            assert_eq!(fetched.items.len(), priced.len(), "round {round}: {told:?}");
        }
        Ok(())
    }
}

fn stock(fetched: &Fetched<StockSnapshot>, told: &[Value], round: u64) {
    let stock = &fetched.items;
    assert_eq!(fetched.outcome.rows, told.len() as u64, "round {round}: {told:?}");
    if says_what_is_left_out(fetched, round) {
        return;
    }
    assert_eq!(available(stock), sum(told, "quantity"), "round {round}: {told:?}");
    let taken = [
        units(stock, |product| product.in_way_total().to_client),
        units(stock, |product| product.in_way_total().from_client),
    ];
    let ways = [sum(told, "inWayToClient"), sum(told, "inWayFromClient")];
    assert_eq!(taken, ways, "round {round}: {told:?}");
    says_why(fetched, round);
}

/// The background report lists units on the way among the warehouses.
fn remains(fetched: &Fetched<StockSnapshot>, told: &[Value], round: u64) {
    let entries: Vec<Value> = told
        .iter()
        .flat_map(|row| rows(row, "/warehouses"))
        .cloned()
        .collect();
    let of = |wanted: &dyn Fn(&str) -> bool| {
        let wanted = entries
            .iter()
            .filter(|entry| wanted(entry["warehouseName"].as_str().unwrap_or("")));
        sum(&wanted.cloned().collect::<Vec<_>>(), "quantity")
    };
    let special = [
        "В пути до получателей",
        "В пути возвраты на склад WB",
        "Всего находится на складах",
    ];
    let stock = &fetched.items;
    assert_eq!(fetched.outcome.rows, told.len() as u64, "round {round}: {told:?}");
    if says_what_is_left_out(fetched, round) {
        return;
    }
    let taken = [
        available(stock),
        units(stock, |product| product.in_way_total().to_client),
        units(stock, |product| product.in_way_total().from_client),
    ];
    let wanted = [
        of(&|name| !special.contains(&name)),
        of(&|name| name == special[0]),
        of(&|name| name == special[1]),
    ];
    assert_eq!(taken, wanted, "round {round}: {told:?}");
}

fn orders(fetched: &Fetched<Vec<OrderObservation>>, told: &[Value], round: u64) {
    let ids: HashSet<&str> = told.iter().filter_map(|row| row["srid"].as_str()).collect();
    let taken: HashSet<&str> = fetched.items.iter().map(|order| order.srid.as_str()).collect();
    if says_what_is_left_out(fetched, round) {
        assert!(taken.is_subset(&ids), "round {round}");
    } else {
        assert_eq!(taken, ids, "round {round}");
    }
    assert_eq!(fetched.items.len(), taken.len(), "round {round}");
    says_why(fetched, round);
}

#[tokio::test]
async fn damaged_answers_of_wildberries_are_named_or_read_whole() {
    let world = begin().await;
    let sizes = world::sizes(&world::cards(&world.personal()).await);
    let copies = Copies::default();
    let whole = Clients::of(&world, &sizes).keeping(&copies);
    whole.everything().await;
    let task = "0b7e5d0c-6a6e-4f0b-9a59-3f4f1f1d2c11";
    let sources = [
        ("cards", CARDS, "", copies.page("wb.cards", "nmID")),
        ("stock", STOCK, "", copies.page("wb.stock.sync", "quantity")),
        (
            "the report",
            REMAINS,
            DOWNLOAD,
            copies.page("wb.stock.remains", "quantity"),
        ),
        (
            "the report's state",
            REMAINS,
            STATUS,
            json!({"data": {"id": task, "status": "processing"}}),
        ),
        (
            "own stock",
            OWN_REPORT,
            "",
            copies.page("wb.stock.seller", "quantity"),
        ),
        (
            "own warehouses",
            OWN_WAREHOUSES,
            "",
            copies.page("wb.stock.fbs", "isDeleting"),
        ),
        (
            "own stock by warehouse",
            OWN_STOCK,
            "",
            copies.page("wb.stock.fbs", "amount"),
        ),
        ("orders", FEED, "", copies.page("wb.orders.feed", "srid")),
        (
            "older orders",
            SUPPLIER,
            "",
            copies.page("wb.orders.supplier", "srid"),
        ),
        ("prices", PRICES, "", copies.page("wb.prices", "listGoods")),
    ];
    let clients = Clients::of(&world, &sizes);
    let mut read = Read::default();
    for round in 0..ROUNDS {
        for (name, path, part, page) in &sources {
            let body = damaged(page, round);
            let sent = serde_json::from_slice::<Value>(&body).ok();
            let Some(effect) = answer(body) else { continue };
            let fault = Fault {
                // The next question is answered, and then the report is ready.
                count: (*part == STATUS || *path == CARDS).then_some(1),
                ..Fault::on(path, effect).containing(part)
            };
            world.simulator.script(fault);
            let result = clients.ask(path, part, sent.as_ref(), round).await;
            world.simulator.clear_faults();
            read.count(name, &result, round);
        }
    }
    read.assert_both(sources.len());
}

#[tokio::test]
async fn what_is_kept_of_an_answer_of_wildberries_reads_like_the_answer() {
    let world = begin().await;
    let sizes = world::sizes(&world::cards(&world.personal()).await);
    let copies = Copies::default();
    let clients = Clients::of(&world, &sizes).keeping(&copies);
    let told = clients.everything().await;
    for (path, part, source, field) in [
        (CARDS, "", "wb.cards", "nmID"),
        (STOCK, "", "wb.stock.sync", "quantity"),
        (REMAINS, DOWNLOAD, "wb.stock.remains", "quantity"),
        (OWN_REPORT, "", "wb.stock.seller", "quantity"),
        (OWN_WAREHOUSES, "", "wb.stock.fbs", "isDeleting"),
        (OWN_STOCK, "", "wb.stock.fbs", "amount"),
        (FEED, "", "wb.orders.feed", "srid"),
        (SUPPLIER, "", "wb.orders.supplier", "srid"),
        (PRICES, "", "wb.prices", "listGoods"),
    ] {
        let kept = answer(copies.page(source, field).to_string().into_bytes()).unwrap();
        let fault = Fault {
            // The catalogue goes on behind its first page, and base tokens are refused the report.
            count: (path == CARDS || path == STOCK).then_some(1),
            ..Fault::on(path, kept).containing(part)
        };
        world.simulator.script(fault);
    }
    for (kept, told) in clients.everything().await.iter().zip(&told) {
        assert_eq!(kept, told);
    }
}
