//! What must hold once everything has come to rest: the log is whole, the broker's copy and the read models
//! equal it, the spreadsheets equal the read models, and the products equal the marketplace's truth.

use std::collections::BTreeMap;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use chrono::{FixedOffset, TimeDelta};
use database::{Pool, Role};
use futures_util::StreamExt as _;
use messaging::headers;
use read_models::schema::{TableDump, dump};
use serde_json::Value;
use simulators::Clock;
use support::{connect, eventually};
use tokio_postgres::Client;

use crate::seller::{PATIENCE, Seller, number, text};
use crate::sheet;
use crate::world::World;

/// One number out of the database.
pub(crate) async fn count(client: &Client, sql: &str) -> Result<i64, String> {
    client
        .query_one(sql, &[])
        .await
        .map(|row| row.get(0))
        .map_err(|error| format!("{sql}: {error:?}"))
}

/// Length of the log.
pub(crate) async fn head(client: &Client) -> i64 {
    count(client, "SELECT position FROM core.log_head").await.unwrap()
}

/// Waits until nothing is outstanding anywhere; returns the position at which everything rests.
pub(crate) async fn rest(world: &World) -> i64 {
    eventually("everything to come to rest", PATIENCE, || async {
        at_rest(world).await
    })
    .await
}

async fn at_rest(world: &World) -> Result<i64, String> {
    let client = connect(&world.database()).await;
    let head = head(&client).await;
    let nothing = [
        "SELECT count(*) FROM core.cabinet_work WHERE sync_id IS NOT NULL",
        "SELECT count(*) FROM core.cabinet_work WHERE usable AND ended_at IS NULL",
        "SELECT count(*) FROM core.sheet_states WHERE linked AND (written_position < dirty_position \
            OR write_started_at IS NOT NULL OR last_error IS NOT NULL)",
        "SELECT count(*) FROM core.idempotency_keys WHERE state <> 'done'",
    ];
    for sql in nothing {
        match count(&client, sql).await? {
            0 => {}
            left => return Err(format!("{left} of {sql}")),
        }
    }
    for model in ["rm_inventory", "rm_operations"] {
        let position = count(&client, &format!("SELECT position FROM {model}.projection")).await?;
        if position != head {
            return Err(format!("{model} is at {position} of {head}"));
        }
    }
    let behind = count(&client, "SELECT position FROM core.sheet_position").await?;
    let stream = world.stream("EVENTS").await?;
    if stream.last_sequence != u64::try_from(head).unwrap() {
        return Err(format!(
            "EVENTS is at {} of {head}, sheets follow at {behind}",
            stream.last_sequence
        ));
    }
    match world.stream("WORK").await?.messages {
        0 => Ok(head),
        waiting => Err(format!("{waiting} jobs wait")),
    }
}

/// Everything that must hold, whatever happened before.
pub(crate) async fn everything(world: &World, sellers: &mut [Seller]) {
    rest(world).await;
    // The shops stand still now: one more sync each sees what is really there.
    for seller in sellers.iter_mut() {
        seller.sync("the last sync").await;
    }
    rest(world).await;
    for seller in sellers.iter() {
        let products = seller.products().await;
        equal_to_truth(world, seller, &products);
        sheet::shows(world, seller, &products).await;
    }
    let head = rest(world).await;
    let client = connect(&world.database()).await;
    assert_eq!(support::broken_log(&client).await, []);
    for model in ["rm_inventory", "rm_operations"] {
        let parked = count(&client, &format!("SELECT count(*) FROM {model}.parked_streams"))
            .await
            .unwrap();
        assert_eq!(parked, 0, "streams parked in {model}");
    }
    stream_equals_log(world, &client, head).await;
    assert_eq!(world.stream("DEAD").await.unwrap().messages, 0, "dead letters");
    world.assert_nobody_was_refused();
    let before = dumps(world).await;
    assert!(before.iter().all(|(position, _)| *position == head), "{before:?}");
    world.tool(&["rebuild", "all"]);
    assert_eq!(dumps(world).await, before, "rebuilt read models");
    world.assert_all_live();
}

async fn dumps(world: &World) -> Vec<(i64, Vec<TableDump>)> {
    let pool = Pool::open(&world.database().into(), Role::Projector, 1).unwrap();
    let mut session = pool.get().await.unwrap();
    let mut dumps = Vec::new();
    for schema in ["rm_inventory", "rm_operations"] {
        dumps.push(dump(&mut session, schema).await.unwrap());
    }
    dumps
}

/// Message after message, the broker's copy is the log.
async fn stream_equals_log(world: &World, client: &Client, head: i64) {
    let stream = world
        .jetstream()
        .await
        .unwrap()
        .get_stream("EVENTS")
        .await
        .unwrap();
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::All,
        ..OrderedConfig::default()
    };
    let mut messages = stream
        .create_consumer(config)
        .await
        .unwrap()
        .messages()
        .await
        .unwrap();
    let sql = "SELECT position, event_id::text, event_type, payload::text FROM core.events ORDER BY position";
    let rows = client.query(sql, &[]).await.unwrap();
    assert_eq!(i64::try_from(rows.len()).unwrap(), head);
    for row in rows {
        let message = messages.next().await.unwrap().unwrap();
        let position: i64 = row.get(0);
        assert_eq!(
            i64::try_from(message.info().unwrap().stream_sequence).unwrap(),
            position
        );
        let told = message.headers.clone().unwrap();
        let header = |name: &str| told.get(name).map(|value| value.as_str().to_owned());
        assert_eq!(header(headers::POSITION), Some(position.to_string()));
        assert_eq!(header(headers::MESSAGE_ID), Some(row.get(1)));
        assert_eq!(header(headers::EVENT_TYPE), Some(row.get(2)));
        if header(headers::PAYLOAD_IN_STORE).is_none() {
            assert_eq!(
                message.payload,
                row.get::<_, String>(3).as_bytes(),
                "payload of {position}"
            );
        }
    }
}

/// The seller's products are what the marketplace really has: listed articles, units per warehouse, units on
/// their way, orders per warehouse of seven Moscow days.
pub(crate) fn equal_to_truth(world: &World, seller: &Seller, products: &[Value]) {
    let sid = world.wildberries.sellers()[seller.number];
    let moscow = FixedOffset::east_opt(3 * 3600).unwrap();
    let first_day = Clock::system().now().with_timezone(&moscow).date_naive() - TimeDelta::days(6);
    let since = first_day
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_local_timezone(moscow)
        .unwrap();
    let truth = world.wildberries.truth(sid, Some(since.to_utc())).unwrap();
    let mut known: BTreeMap<i64, &Value> = products
        .iter()
        .map(|product| (number(product, "marketplace_article"), product))
        .collect();
    let units = |level: &Value, name: &str| u64::try_from(number(level, name)).unwrap();
    for wanted in truth.products.iter().filter(|product| product.listed) {
        let nm_id = i64::try_from(wanted.nm_id).unwrap();
        let product = known
            .remove(&nm_id)
            .unwrap_or_else(|| panic!("{nm_id} is not known"));
        assert_eq!(text(product, "seller_article"), wanted.vendor_code);
        let mut stock = BTreeMap::new();
        let mut orders = BTreeMap::new();
        for level in product["warehouse_data"].as_array().unwrap() {
            let name = text(level, "name").to_owned();
            *stock.entry(name.clone()).or_insert(0) += units(level, "stock");
            *orders.entry(name).or_insert(0) += units(&level["orders"], "last_7");
        }
        stock.retain(|_, units| *units > 0);
        orders.retain(|_, units| *units > 0);
        let mut wanted_stock = wanted.stock.clone();
        wanted_stock.extend(wanted.fbs.clone());
        assert_eq!(stock, wanted_stock, "stock of {nm_id}");
        assert_eq!(orders, wanted.orders, "orders of {nm_id}");
        assert_eq!(
            units(product, "total_stock"),
            wanted_stock.values().sum::<u64>(),
            "total of {nm_id}"
        );
        assert_eq!(
            units(product, "in_way_to_client"),
            wanted.in_way_to_client,
            "on the way to buyers of {nm_id}"
        );
        assert_eq!(
            units(product, "in_way_from_client"),
            wanted.in_way_from_client,
            "on the way back of {nm_id}"
        );
    }
    assert!(known.is_empty(), "not listed any more: {:?}", known.keys());
}

/// Every listed product of the shop at Ozon shows what is really there, and no other is shown.
pub(crate) fn equal_to_ozon(world: &World, products: &[Value]) {
    let truth = world.ozon.truth(world.ozon.sellers()[0], None).unwrap();
    let mut known: BTreeMap<i64, &Value> = products
        .iter()
        .map(|product| (number(product, "marketplace_article"), product))
        .collect();
    for wanted in truth.products.iter().filter(|product| !product.archived) {
        let sku = i64::try_from(wanted.sku).unwrap();
        let product = known.remove(&sku).unwrap_or_else(|| panic!("{sku} is not known"));
        assert_eq!(text(product, "seller_article"), wanted.offer_id);
        let mut stock = BTreeMap::new();
        for level in product["warehouse_data"].as_array().unwrap() {
            let units = u64::try_from(number(level, "stock")).unwrap();
            *stock.entry(text(level, "name").to_owned()).or_insert(0) += units;
        }
        stock.retain(|_, units| *units > 0);
        let mut wanted_stock = wanted.stock.clone();
        wanted_stock.extend(wanted.fbs.clone());
        assert_eq!(stock, wanted_stock, "stock of {sku}");
        let way = ["in_way_to_client", "in_way_from_client"].map(|name| number(product, name));
        let wanted_way = [wanted.in_way_to_client, wanted.in_way_from_client];
        assert_eq!(
            way.map(|units| u64::try_from(units).unwrap()),
            wanted_way,
            "{sku}"
        );
    }
    assert!(known.is_empty(), "not listed any more: {:?}", known.keys());
}
