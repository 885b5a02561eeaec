//! Damaged answers of Ozon, source by source.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use connectors::error::CallError;
use connectors::marketplace::{Fetched, Marketplace, OrderObservation, Period, SizeRef, StockSnapshot};
use connectors::ozon::{Options, Ozon};
use serde_json::Value;
use simulators::{Fault, OzonSellerConfig};

use super::{Copies, ROUNDS, Read, answer, available, damaged, number, rows, says_why, sum, units};
use crate::ozon_world::{self, World};

const ATTRIBUTES: &str = "/v4/product/info/attributes";
const TREE: &str = "/v1/description-category/tree";
const LIST: &str = "/v3/product/list";
const INFO: &str = "/v3/product/info/list";
const STOCKS: &str = "/v1/analytics/stocks";
const WAREHOUSES: &str = "/v2/warehouse/list";
const OWN: &str = "/v2/product/info/stocks-by-warehouse/fbs";
const FBO: &str = "/v3/posting/fbo/list";
const FBS: &str = "/v4/posting/fbs/list";

/// Products of the cabinet.
const PRODUCTS: usize = 6;

/// Units that are neither for sale nor on the road to or from buyers.
const BUCKETS: [&str; 16] = [
    "valid_stock_count",
    "requested_stock_count",
    "transit_stock_count",
    "inbound_replenishment",
    "other_stock_count",
    "excess_stock_count",
    "expiring_stock_count",
    "transit_defect_stock_count",
    "stock_defect_stock_count",
    "waiting_docs_stock_count",
    "waiting_docs_to_export_stock_count",
    "return_to_seller_stock_count",
    "outbound_returns_picking",
    "outbound_returns_ready_to_ship",
    "outbound_returns_return_to_seller",
    "stock_not_being_sold",
];

/// What is asked of which source.
#[derive(Clone, Copy)]
enum What {
    List,
    Cards,
    Prices,
    Stock,
    Warehouses,
    Own,
    Orders { fbs: bool },
}

async fn begin() -> (World, Asking) {
    let seller = OzonSellerConfig {
        products: PRODUCTS,
        fbs_warehouses: 1,
        // A week of them is one page.
        orders_per_day: 3,
        ..OzonSellerConfig::default()
    };
    let world = World::start(seller).await;
    let sizes = ozon_world::sizes(&ozon_world::cards(&world.client()).await);
    let options = Options {
        // What it remembers of the catalogue is not the next round's.
        catalogue_age: Duration::ZERO,
        description_age: Duration::ZERO,
        ..ozon_world::options()
    };
    let key = world.simulator.api_key(world.client_id());
    let asking = Asking {
        client: world.client_with(&key, options),
        sizes,
        week: world.week(),
    };
    (world, asking)
}

struct Asking {
    client: Ozon,
    sizes: Vec<SizeRef>,
    week: Period,
}

impl Asking {
    /// The same questions, by a client whose answers are kept.
    fn keeping(&self, world: &World, copies: &Copies) -> Self {
        let options = Options {
            description_age: Duration::ZERO,
            ..ozon_world::options()
        };
        let key = world.simulator.api_key(world.client_id());
        let client = world.client_with(&key, options);
        Self {
            client: client.keeping(Arc::new(copies.clone())),
            sizes: self.sizes.clone(),
            week: self.week,
        }
    }

    /// What every source gives, for a comparison.
    async fn everything(&self) -> [String; 5] {
        let mut cards = Vec::new();
        self.client.cards(&mut |page| cards.extend(page)).await.unwrap();
        [
            format!("{cards:?}"),
            format!("{:?}", self.client.prices().await.unwrap().items),
            format!("{:?}", self.client.fbo_stock().await.unwrap().items),
            format!("{:?}", self.client.fbs_stock(&self.sizes).await.unwrap().items),
            format!("{:?}", self.client.orders(self.week).await.unwrap().items),
        ]
    }

    /// What only a decoder that skips what it does not need can read is not accounted for.
    async fn only_read(&self, what: What) -> Result<(), CallError> {
        match what {
            What::List | What::Cards => self.client.cards(&mut |_| {}).await.map(drop),
            What::Prices => self.client.prices().await.map(drop),
            What::Stock => self.client.fbo_stock().await.map(drop),
            What::Warehouses | What::Own => self.client.fbs_stock(&self.sizes).await.map(drop),
            What::Orders { .. } => self.client.orders(self.week).await.map(drop),
        }
    }

    /// Asks the source and accounts for what it was sent.
    async fn ask(&self, what: What, sent: Option<&Value>, round: u64) -> Result<(), CallError> {
        let Some(sent) = sent else {
            return self.only_read(what).await;
        };
        match what {
            What::List => {
                let mut cards = 0;
                let fetched = self.client.cards(&mut |page| cards += page.len()).await?;
                if !says_why(&fetched, round) {
                    assert_eq!(cards, PRODUCTS, "round {round}: {sent}");
                }
            }
            What::Cards => {
                let mut cards = 0;
                let fetched = self.client.cards(&mut |page| cards += page.len() as u64).await?;
                let told = rows(sent, "/items");
                let for_sale = told.iter().filter(|row| has_sku(row)).count() as u64;
                let outcome = &fetched.outcome;
                assert!(
                    cards <= for_sale && cards + outcome.left_out >= for_sale,
                    "round {round}: {cards} {outcome:?} {sent}"
                );
                if fetched.complete {
                    let known = cards + outcome.unread.len() as u64;
                    assert!(known >= for_sale, "round {round}: {outcome:?} {sent}");
                }
                let both = (PRODUCTS + told.len()) as u64;
                assert_eq!(outcome.rows, both, "round {round}: {sent}");
                says_why(&fetched, round);
            }
            What::Prices => {
                let fetched = self.client.prices().await?;
                let told = rows(sent, "/items").iter().filter(|row| has_sku(row));
                let priced = told.filter(|row| is_amount(&row["price"])).count();
                if says_why(&fetched, round) {
                    assert!(fetched.items.len() <= PRODUCTS, "round {round}: {sent}");
                } else {
                    assert_eq!(fetched.items.len(), priced, "round {round}: {sent}");
                }
            }
            What::Stock => {
                let fetched = self.client.fbo_stock().await?;
                stock(&fetched, rows(sent, "/items"), round);
            }
            What::Warehouses => {
                let fetched = self.client.fbs_stock(&self.sizes).await?;
                let told: HashSet<i64> = rows(sent, "/warehouses")
                    .iter()
                    .map(|row| number(&row["warehouse_id"]))
                    .collect();
                // Stock may name another one.
                let left_out = usize::try_from(fetched.outcome.left_out).unwrap();
                assert!(
                    fetched.items.warehouses.len() + left_out >= told.len(),
                    "round {round}: {sent}"
                );
                says_why(&fetched, round);
            }
            What::Own => {
                let fetched = self.client.fbs_stock(&self.sizes).await?;
                let told = rows(sent, "/products");
                assert_eq!(
                    fetched.outcome.rows,
                    told.len() as u64 + 1,
                    "round {round}: {sent}"
                );
                let taken = [available(&fetched.items), kinds(&fetched.items)];
                let wanted = [sum(told, "free_stock"), sum(told, "reserved")];
                if is_read(&fetched, round) {
                    assert_eq!(taken, wanted, "round {round}: {sent}");
                }
                says_why(&fetched, round);
            }
            What::Orders { fbs } => {
                let fetched = self.client.orders(self.week).await?;
                let told = match rows(sent, "/postings") {
                    [] => rows(sent, "/result/postings"),
                    told => told,
                };
                orders(&fetched, fbs, told, round);
            }
        }
        Ok(())
    }
}

/// Whether every row was read. What was left out is counted: its level is unknown, or no absence is proven.
fn is_read(fetched: &Fetched<StockSnapshot>, round: u64) -> bool {
    let outcome = &fetched.outcome;
    if outcome.left_out == 0 {
        return true;
    }
    let products = &fetched.items.products;
    let unknown = products
        .iter()
        .any(|product| product.torn || !product.unread.is_empty());
    assert!(outcome.trouble.is_some(), "round {round}: {outcome:?}");
    assert!(unknown || !fetched.complete, "round {round}: {outcome:?}");
    false
}

fn has_sku(row: &Value) -> bool {
    number(&row["sku"]) > 0
        || rows(row, "/sources")
            .iter()
            .any(|source| number(&source["sku"]) > 0)
}

fn is_amount(price: &Value) -> bool {
    let text = || price.as_str().and_then(|text| text.parse().ok());
    price
        .as_f64()
        .or_else(text)
        .is_some_and(|amount: f64| amount > 0.0)
}

/// Units of all further kinds.
fn kinds(stock: &StockSnapshot) -> i64 {
    units(stock, |product| {
        product.buckets.iter().map(|bucket| i64::from(bucket.units)).sum()
    })
}

fn stock(fetched: &Fetched<StockSnapshot>, told: &[Value], round: u64) {
    assert_eq!(fetched.outcome.rows, told.len() as u64, "round {round}: {told:?}");
    says_why(fetched, round);
    let sums = |row: &&Value| number(&row["warehouse_id"]) == 0;
    // A damaged sum over a cluster takes no level with it.
    if fetched.outcome.left_out > 0 && told.iter().any(|row| sums(&row)) {
        return;
    }
    if !is_read(fetched, round) {
        return;
    }
    // The others are sums over a cluster.
    let of_warehouses: Vec<Value> = told
        .iter()
        .filter(|row| {
            number(&row["warehouse_id"]) != 0 || !row["warehouse_name"].as_str().unwrap_or("").is_empty()
        })
        .cloned()
        .collect();
    let stock = &fetched.items;
    let taken = [
        available(stock),
        units(stock, |product| product.in_way_total().to_client),
        units(stock, |product| product.in_way_total().from_client),
        kinds(stock),
    ];
    let wanted = [
        sum(&of_warehouses, "available_stock_count"),
        sum(&of_warehouses, "outbound_pending_delivery"),
        sum(&of_warehouses, "return_from_customer_stock_count"),
        BUCKETS.iter().map(|field| sum(&of_warehouses, field)).sum(),
    ];
    assert_eq!(taken, wanted, "round {round}: {told:?}");
    // The marketplace's own turnover: of every article, and of every article in every cluster.
    let articles: HashSet<i64> = told.iter().map(|row| number(&row["sku"])).collect();
    let clusters: HashSet<(i64, i64)> = told
        .iter()
        .map(|row| (number(&row["sku"]), number(&row["cluster_id"])))
        .collect();
    let whole = stock.turnover.iter().filter(|row| row.cluster.is_none()).count();
    assert_eq!(
        (whole, stock.turnover.len() - whole),
        (articles.len(), clusters.len()),
        "round {round}: {told:?}"
    );
}

/// Every product of every parcel of the period is an order.
fn orders(fetched: &Fetched<Vec<OrderObservation>>, fbs: bool, told: &[Value], round: u64) {
    let mut wanted: HashMap<String, i64> = HashMap::new();
    let mut empty = false;
    for posting in told {
        let time = |field: &str| posting[field].as_str().filter(|text| !text.is_empty());
        let ordered_at = time("created_at").or_else(|| time("in_process_at"));
        if ordered_at >= Some("2026-10-16T09:00:00") {
            continue;
        }
        let products = rows(posting, "/products");
        empty |= products.is_empty();
        for product in products {
            let id = format!(
                "{}:{}",
                posting["posting_number"].as_str().unwrap_or(""),
                number(&product["sku"])
            );
            *wanted.entry(id).or_default() += number(&product["quantity"]);
        }
    }
    let of_scheme = fetched.items.iter().filter(|order| order.is_fbs == fbs);
    let taken: HashMap<String, i64> = of_scheme
        .map(|order| (order.srid.clone(), i64::from(order.quantity)))
        .collect();
    if fetched.outcome.left_out > 0 {
        // What is there is right, and it is not all.
        let right = |(id, quantity): (&String, &i64)| wanted.get(id) >= Some(quantity);
        assert!(taken.iter().all(right), "round {round}: {told:?}");
        assert!(says_why(fetched, round), "round {round}: {told:?}");
        return;
    }
    assert_eq!(taken, wanted, "round {round}: {told:?}");
    assert_eq!(says_why(fetched, round), empty, "round {round}: {told:?}");
}

#[tokio::test]
async fn damaged_attributes_and_trees_cost_nothing_but_brand_and_kind() {
    let (world, asking) = begin().await;
    let copies = Copies::default();
    let keeping = asking.keeping(&world, &copies);
    keeping.everything().await;
    let sources = [
        (ATTRIBUTES, copies.page("ozon.brands", "\"attributes\"")),
        (TREE, copies.page("ozon.categories", "\"children\"")),
    ];
    for round in 0..ROUNDS {
        for (path, page) in &sources {
            let Some(effect) = answer(damaged(page, round)) else {
                continue;
            };
            world.simulator.script(Fault::on(path, effect));
            let mut cards = 0;
            let fetched = asking
                .client
                .cards(&mut |page| cards += page.len())
                .await
                .unwrap();
            world.simulator.clear_faults();
            assert_eq!(
                (cards, fetched.complete),
                (PRODUCTS, true),
                "round {round}: {path}"
            );
            let trouble = fetched.outcome.trouble.unwrap_or_default();
            assert!(!trouble.contains(super::CANARY), "round {round}: {trouble}");
        }
    }
}

#[tokio::test]
async fn damaged_answers_of_ozon_are_named_or_read_whole() {
    let (world, asking) = begin().await;
    let copies = Copies::default();
    let keeping = asking.keeping(&world, &copies);
    keeping.everything().await;
    let info = copies.page("ozon.cards", "\"sources\"");
    let sources = [
        ("list", LIST, What::List, copies.page("ozon.cards", "product_id")),
        ("details", INFO, What::Cards, info.clone()),
        ("prices", INFO, What::Prices, info),
        (
            "stock",
            STOCKS,
            What::Stock,
            copies.page("ozon.stock.fbo", "available_stock_count"),
        ),
        (
            "own warehouses",
            WAREHOUSES,
            What::Warehouses,
            copies.page("ozon.stock.fbs", "\"warehouses\""),
        ),
        (
            "own stock",
            OWN,
            What::Own,
            copies.page("ozon.stock.fbs", "free_stock"),
        ),
        (
            "orders",
            FBO,
            What::Orders { fbs: false },
            copies.page("ozon.orders", "created_at"),
        ),
        (
            "own orders",
            FBS,
            What::Orders { fbs: true },
            copies.page("ozon.orders", "\"warehouse\""),
        ),
    ];
    let mut read = Read::default();
    for round in 0..ROUNDS {
        for (name, path, what, page) in &sources {
            let body = damaged(page, round);
            let sent = serde_json::from_slice::<Value>(&body).ok();
            let Some(effect) = answer(body) else { continue };
            world.simulator.script(Fault::on(path, effect));
            let result = asking.ask(*what, sent.as_ref(), round).await;
            world.simulator.clear_faults();
            read.count(name, &result, round);
        }
    }
    read.assert_both(sources.len());
}

#[tokio::test]
async fn what_is_kept_of_an_answer_of_ozon_reads_like_the_answer() {
    let (world, asking) = begin().await;
    let copies = Copies::default();
    let keeping = asking.keeping(&world, &copies);
    let told = keeping.everything().await;
    for (path, source, field) in [
        (LIST, "ozon.cards", "product_id"),
        (INFO, "ozon.cards", "\"sources\""),
        (ATTRIBUTES, "ozon.brands", "\"attributes\""),
        (TREE, "ozon.categories", "\"children\""),
        (STOCKS, "ozon.stock.fbo", "available_stock_count"),
        (WAREHOUSES, "ozon.stock.fbs", "\"warehouses\""),
        (OWN, "ozon.stock.fbs", "free_stock"),
        (FBO, "ozon.orders", "created_at"),
        (FBS, "ozon.orders", "\"warehouse\""),
    ] {
        let kept = answer(copies.page(source, field).to_string().into_bytes()).unwrap();
        world.simulator.script(Fault::on(path, kept));
    }
    for (kept, told) in asking.everything().await.iter().zip(&told) {
        assert_eq!(kept, told);
    }
}
