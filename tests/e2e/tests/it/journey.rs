//! What a seller does in the first hour, end to end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::checks;
use crate::seller::{Seller, number, text};
use crate::sheet;
use crate::world::{World, shop};

// invariant 1
// invariant 6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_finds_in_products_history_warehouses_and_the_sheet_what_the_marketplace_really_has() {
    let world = World::start(vec![shop(11)]).await;
    let mut seller = Seller::enter(&world, 0).await;

    // Nobody asks for the first sync.
    let first = seller.first_sync().await;
    assert_eq!(text(&first, "trigger"), "connected", "{first}");
    assert_eq!(text(&first, "status"), "succeeded", "{first}");
    for source in first["sources"].as_array().unwrap() {
        assert_eq!(text(source, "outcome"), "complete", "{source}");
    }
    agrees(&world, &seller).await;

    // The shop lives on; the next sync sees how.
    let before = stock_by_article(&seller.products().await);
    world.wildberries.advance(5);
    world.wildberries.mutate_fraction(0.3);
    watch_a_sync(&mut seller).await;
    let products = agrees(&world, &seller).await;
    history_tells(&seller, &before, &products).await;

    read_your_writes(&mut seller).await;
    repeated_commands_are_answered_alike(&world, &seller).await;
    checks::everything(&world, &mut [seller]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_of_both_marketplaces_finds_both_in_the_products_and_in_one_sheet() {
    let world = World::start(vec![shop(13)]).await;
    let mut seller = Seller::enter(&world, 0).await;
    let first = seller.first_sync().await;
    assert_eq!(text(&first, "status"), "succeeded", "{first}");
    seller.connect_ozon(&world).await;
    let first = seller.first_sync().await;
    assert_eq!(text(&first, "status"), "succeeded", "{first}");
    for source in first["sources"].as_array().unwrap() {
        assert_eq!(text(source, "outcome"), "complete", "{source}");
    }
    world.ozon.advance(5);
    world.ozon.mutate_fraction(0.3);
    seller.sync("Ozon lives on").await;
    checks::rest(&world).await;

    let products = seller.products().await;
    let (ozon, wildberries): (Vec<Value>, Vec<Value>) = products
        .iter()
        .cloned()
        .partition(|product| text(product, "marketplace") == "ozon");
    checks::equal_to_truth(&world, &seller, &wildberries);
    checks::equal_to_ozon(&world, &ozon);
    assert!(!ozon.is_empty() && !wildberries.is_empty());
    sheet::shows(&world, &seller, &products).await;
    world.assert_all_live();
}

/// Products equal the truth, warehouses equal the sums of products, the sheet equals the products.
async fn agrees(world: &World, seller: &Seller) -> Vec<Value> {
    let products = seller.products().await;
    assert!(!products.is_empty());
    checks::equal_to_truth(world, seller, &products);
    let mut wanted: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    for level in products
        .iter()
        .flat_map(|product| product["warehouse_data"].as_array().unwrap())
    {
        let sums = wanted.entry(text(level, "warehouse").to_owned()).or_default();
        sums.0 += number(level, "stock");
        sums.1 += number(&level["orders"], "last_7");
        sums.2 += i64::from(number(level, "stock") > 0);
    }
    let warehouses = seller.read("/warehouses").await;
    for warehouse in warehouses["data"].as_array().unwrap() {
        let sums = wanted.remove(text(warehouse, "warehouse")).unwrap_or_default();
        let shown = (
            number(warehouse, "total_stock"),
            number(warehouse, "total_orders"),
            number(warehouse, "product_count"),
        );
        assert_eq!(shown, sums, "{warehouse}");
    }
    assert!(wanted.is_empty(), "warehouses that are not listed: {wanted:?}");
    // The seller may also ask for the sheet, and see when that is done.
    let key = format!("sheet at {}", seller.position);
    let asked = seller
        .command(Method::POST, "/sheets/sync", &key, &json!({}))
        .await
        .unwrap();
    assert_eq!(asked.status, 202, "{asked:?}");
    let path = format!("/operations/{}", asked.text("operation_id"));
    support::eventually(
        "the sheet's operation to succeed",
        Duration::from_secs(60),
        || async {
            let operation = seller.look(&path).await?;
            match text(&operation, "status") {
                "succeeded" => Ok(()),
                _ => Err(operation.to_string()),
            }
        },
    )
    .await;
    sheet::shows(world, seller, &products).await;
    products
}

fn stock_by_article(products: &[Value]) -> BTreeMap<String, BTreeMap<String, i64>> {
    let levels = |product: &Value| {
        let levels = product["warehouse_data"].as_array().unwrap().iter();
        levels
            .map(|level| (text(level, "warehouse").to_owned(), number(level, "stock")))
            .collect()
    };
    products
        .iter()
        .map(|product| (text(product, "id").to_owned(), levels(product)))
        .collect()
}

/// Server-sent events of the operation: positions that grow, and success as the last word.
async fn watch_a_sync(seller: &mut Seller) {
    let (sync, asked) = seller.ask_for_sync("watched").await;
    seller.position = asked.position.unwrap();
    seller.read(&format!("/operations/{sync}")).await;
    let answer = seller
        .request(Method::GET, &format!("/operations/{sync}/events"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let mut chunks = answer.bytes_stream();
    let mut told = String::new();
    // The stream ends by itself, after the end.
    while let Some(chunk) = chunks.next().await {
        told.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    let ids: Vec<i64> = told
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|before, after| before < after), "{told}");
    let last = told
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (text(&last, "id"), text(&last, "status")),
        (sync.as_str(), "succeeded")
    );
    seller.position = *ids.last().unwrap();

    let request = seller.request(Method::GET, &format!("/operations/{sync}/events"));
    let again = request
        .header("Last-Event-ID", seller.position.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        again.status().as_u16(),
        204,
        "who has seen the end is told to stop"
    );
}

/// Every change between the two syncs is in the history, with the number before and after.
async fn history_tells(
    seller: &Seller,
    before: &BTreeMap<String, BTreeMap<String, i64>>,
    products: &[Value],
) {
    let mut changes = 0;
    for (id, now) in stock_by_article(products) {
        let Some(then) = before.get(&id) else { continue };
        for (warehouse, units) in now {
            let was = then.get(&warehouse).copied().unwrap_or(0);
            if was == units {
                continue;
            }
            changes += 1;
            let path = format!("/products/{id}/history?kind=stock&warehouse={warehouse}");
            let history = seller.read(&path).await;
            let newest = &history["data"][0]["stock"];
            assert_eq!(
                (newest["before"].as_i64().unwrap_or(0), number(newest, "after")),
                (was, units),
                "{history}"
            );
        }
    }
    assert!(changes > 0, "the shop did not live on");
}

/// A command's position, given with the next read, is waited for; one that nobody has written is told to be
/// ahead.
async fn read_your_writes(seller: &mut Seller) {
    for turn in 0..10 {
        let name = format!("Renamed {turn}");
        let renamed = seller
            .command(
                Method::PATCH,
                "/tenants/me",
                &format!("rename {turn}"),
                &json!({ "name": name }),
            )
            .await
            .unwrap();
        seller.position = renamed.position.unwrap();
        let shown = seller.read_at("/tenants/me", seller.position).await.unwrap();
        assert!(shown.position.unwrap() >= seller.position, "{shown:?}");
        assert_eq!(shown.text("name"), name);
    }
    let request = seller.request(Method::GET, "/tenants/me");
    let request = request.header("Stock-Min-Position", (seller.position + 1_000_000).to_string());
    let ahead = crate::seller::send(request).await.unwrap();
    assert_eq!((ahead.status, ahead.text("code")), (503, "projection-behind"));
}

/// Whatever was answered once is answered the same again, and the log does not grow by it; another command
/// under a key that was used is told apart.
async fn repeated_commands_are_answered_alike(world: &World, seller: &Seller) {
    let renamed = json!({ "name": "Asked twice" });
    let link = json!({ "spreadsheet_id": seller.spreadsheet });
    let commands = [
        (Method::PATCH, "/tenants/me", renamed),
        (Method::PUT, "/sheets/link", link),
        (Method::POST, "/sheets/sync", json!({})),
    ];
    for (method, path, body) in commands {
        let give = async || {
            seller
                .command(method.clone(), path, "repeated", &body)
                .await
                .unwrap()
        };
        let first = give().await;
        assert!((200..300).contains(&first.status) && !first.replayed, "{first:?}");
        // Whatever follows from it is done before it is asked for again.
        let once = checks::rest(world).await;
        for _again in 0..3 {
            let again = give().await;
            assert!(again.replayed, "{again:?}");
            assert_eq!((again.status, &again.body), (first.status, &first.body));
            assert_eq!(again.position, first.position);
        }
        assert_eq!(checks::rest(world).await, once, "{path} grew the log");
    }
    let other = seller
        .command(
            Method::PATCH,
            "/tenants/me",
            "repeated",
            &json!({ "name": "Another" }),
        )
        .await
        .unwrap();
    assert_eq!(
        (other.status, other.text("code")),
        (422, "idempotency-key-reused")
    );
}
