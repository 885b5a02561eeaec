//! Every source of both marketplaces with every kind of drift: what is missing, renamed, retyped, announced
//! as something else or not JSON at all is named with its place, and nothing of it becomes a number.

use connectors::error::{CallError, CallFailure, FailureClass};
use connectors::marketplace::{Fetched, Marketplace};
use serde_json::json;
use simulators::{Effect, Fault, OzonSellerConfig, SellerConfig};

use crate::{ozon_world, world};

/// One answer of a marketplace, and a field in it without which a number would be wrong.
struct Source {
    path: &'static str,
    contains: &'static str,
    /// The field.
    field: &'static str,
    /// Where it stands in the answer.
    place: &'static str,
    /// Whether an empty body was seen at an account that has nothing, so that it is no failure by itself.
    empty_was_seen: bool,
}

const fn source(path: &'static str, field: &'static str, place: &'static str) -> Source {
    Source {
        path,
        contains: "",
        field,
        place,
        empty_was_seen: false,
    }
}

/// What came of a source: rows and whether they are all, or the failure.
type Outcome = Result<(usize, bool, Option<String>), CallError>;

fn outcome<T>(result: Result<Fetched<T>, CallError>, rows: impl Fn(&T) -> usize) -> Outcome {
    result.map(|fetched| (rows(&fetched.items), fetched.complete, fetched.outcome.trouble))
}

/// Every kind of drift, and what has to be said about it.
fn kinds(source: &Source) -> Vec<(Effect, String)> {
    let (field, place) = (source.field, source.place);
    let missing = format!("field `{place}` is missing");
    vec![
        (
            Effect::RenameField {
                from: field.to_owned(),
                to: "somethingElse".to_owned(),
            },
            missing.clone(),
        ),
        (
            Effect::RemoveField {
                name: field.to_owned(),
            },
            missing,
        ),
        (
            Effect::RetypeField {
                name: field.to_owned(),
                value: json!({"Иванов": 5}),
            },
            format!("field `{place}` has another type or value"),
        ),
        (
            Effect::ContentType {
                value: "text/csv".to_owned(),
            },
            "content type `text/csv` instead of JSON".to_owned(),
        ),
        (Effect::HtmlPage, "HTML instead of JSON".to_owned()),
        (Effect::EmptyBody, "an empty body".to_owned()),
    ]
}

fn assert_named(source: &Source, effect: &Effect, said: &str, outcome: Outcome) {
    let what = format!("{} {} {effect:?}", source.path, source.field);
    match outcome {
        Err(error) => {
            assert_eq!(error.class(), FailureClass::Contract, "{what}: {error}");
            assert!(error.to_string().contains(said), "{what}: {error}");
            let CallFailure::Malformed { source: chained, .. } = &error.failure else {
                panic!("{what}: {error:?}")
            };
            assert!(
                chained.is_none(),
                "the decoder's words can hold values: {chained:?}"
            );
            assert!(!format!("{error:?}").contains("Иванов"), "{what}: {error:?}");
        }
        Ok((rows, complete, trouble)) => {
            assert!(
                source.empty_was_seen && *effect == Effect::EmptyBody,
                "{what}: {rows} rows"
            );
            assert_eq!(
                (rows, complete, trouble.as_deref()),
                (0, false, Some(said)),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn drift_of_every_source_of_wildberries_is_named() {
    let seller = SellerConfig {
        articles: 30,
        fbs_warehouses: 2,
        ..SellerConfig::default()
    };
    let world = world::World::start(seller).await;
    let sizes = world::sizes(&world::cards(&world.personal()).await);
    const CARDS: &str = "/content-api/content/v2/get/cards/list";
    const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
    const REMAINS: &str = "/seller-analytics-api/api/v1/warehouse_remains";
    const FEED: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
    const OWN_REPORT: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/seller-warehouses";
    const PRICES: &str = "/discounts-prices-api/api/v2/list/goods/filter";
    const SUPPLIER: &str = "/statistics-api/api/v1/supplier/orders";
    let empty = |mut source: Source| {
        source.empty_was_seen = true;
        source
    };
    let download = |field, place| {
        empty(Source {
            contains: "/download",
            ..source(REMAINS, field, place)
        })
    };
    for source in [
        source(CARDS, "nmID", "cards[].nmID"),
        source(CARDS, "chrtID", "cards[].sizes[].chrtID"),
        source(CARDS, "cards", "cards"),
        source(CARDS, "sizes", "cards[].sizes"),
        source(CARDS, "title", "cards[].title"),
        empty(source(STOCK, "quantity", "data.items[].quantity")),
        empty(source(STOCK, "inWayToClient", "data.items[].inWayToClient")),
        empty(source(STOCK, "inWayFromClient", "data.items[].inWayFromClient")),
        empty(source(STOCK, "nmId", "data.items[].nmId")),
        empty(source(STOCK, "items", "data.items")),
        download("warehouses", "[].warehouses"),
        download("quantity", "[].warehouses[].quantity"),
        download("warehouseName", "[].warehouses[].warehouseName"),
        source(PRICES, "nmID", "data.listGoods[].nmID"),
        source(PRICES, "listGoods", "data.listGoods"),
        empty(source(OWN_REPORT, "quantity", "data.items[].quantity")),
        empty(source(OWN_REPORT, "items", "data.items")),
        empty(source("/marketplace-api/api/v3/warehouses", "name", "[].name")),
        source("/marketplace-api/api/v3/stocks", "amount", "stocks[].amount"),
        source("/marketplace-api/api/v3/stocks", "stocks", "stocks"),
        empty(source(FEED, "srid", "data.orders[].srid")),
        empty(source(FEED, "orders", "data.orders")),
        empty(source(FEED, "status", "data.orders[].status")),
        empty(source(SUPPLIER, "srid", "[].srid")),
        empty(source(SUPPLIER, "isCancel", "[].isCancel")),
    ] {
        for (effect, said) in kinds(&source) {
            // A wrong list of cards is a wrong place of the same name, one level up.
            let fault = Fault::on(source.path, effect.clone()).containing(source.contains);
            world.simulator.script(fault);
            if source.path == SUPPLIER {
                let refused = Effect::Status {
                    status: 403,
                    body: r#"{"title":"forbidden","detail":"token type is not allowed","status":403}"#
                        .to_owned(),
                    content_type: None,
                };
                world.simulator.script(Fault::on(FEED, refused));
            }
            let client = world.personal();
            let outcome = match source.path {
                CARDS => {
                    let mut cards = 0;
                    let result = client.cards(&mut |page| cards += page.len()).await;
                    outcome(result, |()| cards)
                }
                STOCK => outcome(client.fbo_stock().await, |stock| stock.products.len()),
                REMAINS => outcome(world.base().fbo_stock().await, |stock| stock.products.len()),
                FEED | SUPPLIER => outcome(client.orders(world.week()).await, Vec::len),
                PRICES => outcome(client.prices().await, Vec::len),
                OWN_REPORT => outcome(client.fbs_stock(&sizes).await, |stock| stock.products.len()),
                _ => outcome(world.base().fbs_stock(&sizes).await, |stock| {
                    stock.products.iter().map(|product| product.levels.len()).sum()
                }),
            };
            assert_named(&source, &effect, &said, outcome);
            world.simulator.clear_faults();
        }
    }
}

#[tokio::test]
async fn drift_of_every_source_of_ozon_is_named() {
    let seller = OzonSellerConfig {
        products: 30,
        fbs_warehouses: 2,
        ..OzonSellerConfig::default()
    };
    let world = ozon_world::World::start(seller).await;
    let sizes = ozon_world::sizes(&ozon_world::cards(&world.client()).await);
    const LIST: &str = "/v3/product/list";
    const INFO: &str = "/v3/product/info/list";
    const STOCKS: &str = "/v1/analytics/stocks";
    const WAREHOUSES: &str = "/v2/warehouse/list";
    const FBS: &str = "/v2/product/info/stocks-by-warehouse/fbs";
    const FBO_POSTINGS: &str = "/v3/posting/fbo/list";
    const FBS_POSTINGS: &str = "/v4/posting/fbs/list";
    for source in [
        source(LIST, "product_id", "result.items[].product_id"),
        source(LIST, "items", "result.items"),
        source(INFO, "id", "items[].id"),
        source(INFO, "items", "items"),
        source(STOCKS, "available_stock_count", "items[].available_stock_count"),
        source(STOCKS, "warehouse_id", "items[].warehouse_id"),
        source(STOCKS, "items", "items"),
        source(WAREHOUSES, "warehouse_id", "warehouses[].warehouse_id"),
        source(WAREHOUSES, "warehouses", "warehouses"),
        source(FBS, "free_stock", "products[].free_stock"),
        source(FBS, "products", "products"),
        source(FBO_POSTINGS, "posting_number", "postings[].posting_number"),
        source(FBS_POSTINGS, "status", "postings[].status"),
        source(FBS_POSTINGS, "has_next", "has_next"),
    ] {
        for (effect, said) in kinds(&source) {
            world.simulator.script(Fault::on(source.path, effect.clone()));
            let client = world.client();
            let outcome = match source.path {
                LIST | INFO => {
                    let mut cards = 0;
                    let result = client.cards(&mut |page| cards += page.len()).await;
                    outcome(result, |()| cards)
                }
                STOCKS => outcome(client.fbo_stock().await, |stock| stock.products.len()),
                WAREHOUSES | FBS => outcome(client.fbs_stock(&sizes).await, |stock| stock.products.len()),
                _ => outcome(client.orders(world.week()).await, Vec::len),
            };
            assert_named(&source, &effect, &said, outcome);
            world.simulator.clear_faults();
        }
    }
}
