//! Damaged answers: what a marketplace really sends, with bytes flipped, cut off, fields taken away, renamed,
//! retyped, there twice, numbers beyond all bounds and values nested without end. Whatever comes, nothing
//! panics, no error quotes a value, and either the trouble is named or every row is accounted for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use connectors::error::{CallError, FailureClass};
use connectors::marketplace::{Fetched, Marketplace, StockSnapshot};
use connectors::payload::{PayloadSink, PayloadWriter};
use serde_json::{Value, json};
use simulators::{Effect, Fault, OzonSellerConfig, SellerConfig};

use crate::{ozon_world, world};

/// Damaged answers per source.
const ROUNDS: u64 = 250;
/// A text that stands in values only.
const CANARY: &str = "канарейка";

/// Keeps what every source answered, page by page.
#[derive(Clone, Default)]
struct Copies(Arc<Mutex<HashMap<&'static str, String>>>);

struct Copy {
    copies: Copies,
    source: &'static str,
    text: Vec<u8>,
}

impl PayloadSink for Copies {
    fn open(&self, source: &'static str) -> Option<Box<dyn PayloadWriter>> {
        Some(Box::new(Copy {
            copies: self.clone(),
            source,
            text: Vec::new(),
        }))
    }
}

impl PayloadWriter for Copy {
    fn write(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
    }

    fn finish(self: Box<Self>, _sha256: &str, _raw_bytes: u64) {
        let text = String::from_utf8(self.text).unwrap();
        self.copies.0.lock().unwrap().insert(self.source, text);
    }
}

impl Copies {
    /// The page of the source that is an answer of this kind: it has the field.
    fn page(&self, source: &str, field: &str) -> Value {
        let copies = self.0.lock().unwrap();
        let page = copies[source].lines().find(|page| page.contains(field)).unwrap();
        serde_json::from_str(page).unwrap()
    }
}

/// A small source of numbers that follow from the round.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % (below.max(1) as u64)).unwrap()
    }
}

/// Every object of a document, by pointer, with its keys.
fn objects(value: &Value, at: &str, found: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            if !fields.is_empty() {
                found.push((at.to_owned(), fields.keys().cloned().collect()));
            }
            for (name, field) in fields {
                objects(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn damaged(page: &Value, round: u64) -> Vec<u8> {
    let mut dice = Dice(round);
    let mut page = page.clone();
    let mut places = Vec::new();
    objects(&page, "", &mut places);
    let (at, keys) = &places[dice.next(places.len())];
    let key = keys[dice.next(keys.len())].clone();
    let fields = page.pointer_mut(at).unwrap().as_object_mut().unwrap();
    let kind = dice.next(10);
    match kind {
        0 => drop(fields.remove(&key)),
        1 => {
            let value = fields.remove(&key).unwrap();
            fields.insert(format!("{key}New"), value);
        }
        2 => drop(fields.insert(key, json!(CANARY))),
        3 => drop(fields.insert(key, json!([CANARY, 1, null]))),
        4 => drop(fields.insert(key, json!({CANARY: CANARY}))),
        5 => drop(fields.insert(key, Value::Null)),
        6 => drop(fields.insert(key, json!(u64::MAX))),
        7 => drop(fields.insert(key, json!(-1.5e300))),
        _ => drop(fields.insert(key, json!("@deep@"))),
    }
    let mut body = page.to_string();
    if kind >= 8 {
        let deep = if kind == 8 {
            "[".repeat(4000) + &"]".repeat(4000)
        } else {
            "1e99999".to_owned()
        };
        body = body.replace("\"@deep@\"", &deep);
    }
    let mut body = body.into_bytes();
    match dice.next(6) {
        0 => {
            let at = dice.next(body.len());
            body[at] = u8::try_from(dice.next(256)).unwrap();
        }
        1 => body.truncate(dice.next(body.len())),
        2 => {
            // The first field of some object once more.
            let text = String::from_utf8(body).unwrap();
            let opened: Vec<usize> = text.match_indices("{\"").map(|(at, _)| at).collect();
            let Some(at) = opened.get(dice.next(opened.len())) else {
                return text.into_bytes();
            };
            let name = text[*at + 2..].split('"').next().unwrap().to_owned();
            body = format!("{}{{\"{name}\":null,{}", &text[..*at], &text[*at + 1..]).into_bytes();
        }
        _ => {}
    }
    body
}

fn answer(body: Vec<u8>) -> Option<Effect> {
    // The simulator sends texts; bytes that are none are the business of the decoders' own tests.
    Some(Effect::Status {
        status: 200,
        body: String::from_utf8(body).ok()?,
        content_type: None,
    })
}

fn assert_named(error: &CallError, round: u64) {
    let words = format!("{error} {error:?}");
    assert!(!words.contains(CANARY), "round {round} quotes a value: {words}");
    assert!(
        matches!(error.class(), FailureClass::Contract | FailureClass::Transient),
        "round {round}: {words}"
    );
}

/// Rows of the list at a pointer.
fn rows<'a>(page: &'a Value, list: &str) -> &'a [Value] {
    page.pointer(list)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn units(stock: &StockSnapshot) -> i128 {
    stock
        .products
        .iter()
        .map(|product| i128::from(product.available()))
        .sum()
}

/// All rows that are in the answer were read, and their units are all there.
fn assert_accounted(fetched: &Fetched<StockSnapshot>, body: &Value, list: &str, field: &str, round: u64) {
    let rows = rows(body, list);
    assert_eq!(fetched.outcome.rows, rows.len() as u64, "round {round}: {body}");
    let told: i128 = rows
        .iter()
        .filter_map(|row| row[field].as_i64().map(i128::from))
        .sum();
    assert_eq!(units(&fetched.items), told, "round {round}: {body}");
}

#[tokio::test]
async fn damaged_answers_of_wildberries_are_named_or_read_whole() {
    const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
    const CARDS: &str = "/content-api/content/v2/get/cards/list";
    const FEED: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
    const OWN: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/seller-warehouses";
    const FBS: &str = "/marketplace-api/api/v3/stocks";
    let seller = SellerConfig {
        articles: 6,
        warehouses: 3,
        fbs_warehouses: 1,
        ..SellerConfig::default()
    };
    let world = world::World::start(seller).await;
    let sizes = world::sizes(&world::cards(&world.personal()).await);
    let copies = Copies::default();
    let client = world.personal().keeping(Arc::new(copies.clone()));
    client.cards(&mut |_| {}).await.unwrap();
    client.fbo_stock().await.unwrap();
    client.fbs_stock(&sizes).await.unwrap();
    client.orders(world.week()).await.unwrap();
    // A base token reads the seller's own stock warehouse by warehouse, a personal one by the report.
    let base = world.base().keeping(Arc::new(copies.clone()));
    base.fbs_stock(&sizes).await.unwrap();
    let (client, base) = (world.personal(), world.base());
    let mut read = 0;
    for round in 0..ROUNDS {
        for (path, page) in [
            (STOCK, copies.page("wb.stock.sync", "quantity")),
            (CARDS, copies.page("wb.cards", "nmID")),
            (FEED, copies.page("wb.orders.feed", "srid")),
            (OWN, copies.page("wb.stock.seller", "quantity")),
            (FBS, copies.page("wb.stock.fbs", "amount")),
        ] {
            let body = damaged(&page, round);
            let sent = serde_json::from_slice::<Value>(&body).ok();
            let Some(effect) = answer(body) else { continue };
            world.simulator.script(Fault::on(path, effect));
            let failed = match path {
                STOCK => client.fbo_stock().await.map(|fetched| {
                    if let Some(sent) = &sent {
                        assert_accounted(&fetched, sent, "/data/items", "quantity", round);
                    }
                }),
                CARDS => {
                    let mut cards = 0;
                    let fetched = client.cards(&mut |page| cards += page.len()).await;
                    fetched.map(|fetched| {
                        assert_eq!(fetched.outcome.rows, cards as u64, "round {round}");
                        if let Some(sent) = &sent {
                            let there = rows(sent, "/cards").len() * fetched.outcome.pages as usize;
                            assert_eq!(cards, there, "round {round}: {sent}");
                        }
                    })
                }
                FEED => client.orders(world.week()).await.map(|fetched| {
                    if let Some(sent) = &sent {
                        let there = rows(sent, "/data/orders").len() as u64;
                        assert_eq!(
                            fetched.outcome.rows,
                            there * u64::from(fetched.outcome.pages),
                            "round {round}: {sent}"
                        );
                    }
                }),
                OWN => client.fbs_stock(&sizes).await.map(|fetched| {
                    if let Some(sent) = &sent {
                        let there = rows(sent, "/data/items").len() as u64;
                        assert_eq!(fetched.outcome.rows, there, "round {round}: {sent}");
                    }
                }),
                _ => base.fbs_stock(&sizes).await.map(drop),
            };
            world.simulator.clear_faults();
            match failed {
                Ok(()) => read += 1,
                Err(error) => assert_named(&error, round),
            }
        }
    }
    assert!(read > 20, "some damage is harmless: {read}");
}

#[tokio::test]
async fn damaged_answers_of_ozon_are_named_or_read_whole() {
    const STOCKS: &str = "/v1/analytics/stocks";
    const LIST: &str = "/v3/product/list";
    const INFO: &str = "/v3/product/info/list";
    const FBS: &str = "/v2/product/info/stocks-by-warehouse/fbs";
    const POSTINGS: &str = "/v3/posting/fbo/list";
    let seller = OzonSellerConfig {
        products: 6,
        fbs_warehouses: 1,
        ..OzonSellerConfig::default()
    };
    let world = ozon_world::World::start(seller).await;
    let sizes = ozon_world::sizes(&ozon_world::cards(&world.client()).await);
    let copies = Copies::default();
    let client = world.client().keeping(Arc::new(copies.clone()));
    client.cards(&mut |_| {}).await.unwrap();
    client.fbo_stock().await.unwrap();
    client.fbs_stock(&sizes).await.unwrap();
    client.orders(world.week()).await.unwrap();
    let mut read = 0;
    for round in 0..ROUNDS {
        for (path, page) in [
            (STOCKS, copies.page("ozon.stock.fbo", "available_stock_count")),
            (LIST, copies.page("ozon.cards", "product_id")),
            (INFO, copies.page("ozon.cards", "offer_id")),
            (FBS, copies.page("ozon.stock.fbs", "free_stock")),
            (POSTINGS, copies.page("ozon.orders", "posting_number")),
        ] {
            let body = damaged(&page, round);
            let sent = serde_json::from_slice::<Value>(&body).ok();
            let Some(effect) = answer(body) else { continue };
            world.simulator.script(Fault::on(path, effect));
            let client = world.client();
            let failed = match path {
                STOCKS => client.fbo_stock().await.map(|fetched| {
                    if let Some(sent) = &sent {
                        assert_eq!(
                            fetched.outcome.rows,
                            rows(sent, "/items").len() as u64,
                            "round {round}: {sent}"
                        );
                    }
                }),
                LIST | INFO => client.cards(&mut |_| {}).await.map(drop),
                FBS => client.fbs_stock(&sizes).await.map(drop),
                _ => client.orders(world.week()).await.map(drop),
            };
            world.simulator.clear_faults();
            match failed {
                Ok(()) => read += 1,
                Err(error) => assert_named(&error, round),
            }
        }
    }
    assert!(read > 20, "some damage is harmless: {read}");
}
