//! Keys, limits, pages and refusals of the simulated Ozon.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use simulators::ozon::OzonLimits;
use simulators::{Clock, Ozon, OzonConfig, OzonSellerConfig};

use crate::client::client;

const LIST: &str = "/v3/product/list";
const STOCKS: &str = "/v1/analytics/stocks";

struct Cabinet {
    sim: Ozon,
    key: String,
    http: Client,
}

impl Cabinet {
    async fn open(limits: OzonLimits) -> Self {
        let config = OzonConfig {
            sellers: vec![OzonSellerConfig {
                products: 130,
                ..OzonSellerConfig::default()
            }],
            clock: Clock::manual("2026-11-01T09:00:00Z".parse().unwrap()),
            limits,
            ..OzonConfig::default()
        };
        let sim = Ozon::start(config).await.unwrap();
        let key = sim.api_key(sim.sellers()[0]);
        Self {
            sim,
            key,
            http: client(),
        }
    }

    async fn ask_as(&self, client_id: &str, key: &str, path: &str, body: Value) -> Response {
        let url = format!("{}{path}", self.sim.base_url());
        let mut request = self.http.post(url).body(body.to_string());
        for (name, value) in [("Client-Id", client_id), ("Api-Key", key)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        request.send().await.unwrap()
    }

    async fn ask(&self, path: &str, body: Value) -> Response {
        let client_id = self.sim.sellers()[0].to_string();
        self.ask_as(&client_id, &self.key, path, body).await
    }

    async fn json(&self, path: &str, body: Value) -> Value {
        let response = self.ask(path, body).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }
}

async fn refusal(response: Response) -> (u16, i64, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let message = body["message"].as_str().unwrap().to_owned();
    (status, body["code"].as_i64().unwrap(), message)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_key_gets_its_own_answer() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    let id = cabinet.sim.sellers()[0].to_string();
    let of = async |client_id: &str, key: &str| {
        refusal(cabinet.ask_as(client_id, key, LIST, json!({})).await).await
    };
    let headers = "Client-Id and Api-Key headers are required".to_owned();
    assert_eq!(of(&id, "").await, (401, 16, headers.clone()));
    assert_eq!(of("", &cabinet.key).await, (401, 16, headers));
    let integer = "Client-Id header value should be positive integer".to_owned();
    assert_eq!(of("seven", &cabinet.key).await, (400, 3, integer));
    let invalid = "Invalid Api-Key, please check the key and try again".to_owned();
    assert_eq!(of(&id, "no-key").await, (404, 5, invalid.clone()));
    assert_eq!(of("7", &cabinet.key).await, (404, 5, invalid));
    let narrow = cabinet.sim.key(
        cabinet.sim.sellers()[0],
        &[STOCKS],
        "2027-01-01T00:00:00Z".parse().unwrap(),
    );
    assert!(of(&id, &narrow).await.2.contains("missing a required role"));
    cabinet.sim.deactivate(&cabinet.key);
    assert!(of(&id, &cabinet.key).await.2.contains("is deactivated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_were_switched_off_and_other_verbs_are_not_there() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    for path in [
        "/v3/posting/fbs/list",
        "/v2/posting/fbo/list",
        "/v1/warehouse/list",
        "/v9/new",
    ] {
        assert_eq!(cabinet.ask(path, json!({})).await.status(), 404, "{path}");
    }
    let url = format!("{}{LIST}", cabinet.sim.base_url());
    assert_eq!(cabinet.http.get(url).send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifty_first_request_of_a_second_waits_and_stock_has_a_pace_of_its_own() {
    let cabinet = Cabinet::open(OzonLimits::Speed(0.05)).await;
    let page = json!({"limit": 1});
    for left in (0..50).rev() {
        let response = cabinet.ask(LIST, page.clone()).await;
        assert_eq!(
            response.headers()["ratelimit-remaining"],
            left.to_string().as_str()
        );
    }
    let response = cabinet.ask(LIST, page).await;
    assert!(response.headers().contains_key("retry-after"));
    let message = "You have reached request rate limit per second".to_owned();
    assert_eq!(refusal(response).await, (429, 8, message));

    cabinet.sim.limits(OzonLimits::Off);
    let list = cabinet.json(LIST, json!({"limit": 2})).await;
    let skus = json!({"skus": [list["result"]["items"][0]["sku"]]});
    let cabinet = Cabinet::open(OzonLimits::Speed(0.05)).await;
    assert_eq!(cabinet.ask(STOCKS, skus.clone()).await.status(), 200);
    assert_eq!(cabinet.ask(STOCKS, skus).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_through_the_whole_list_and_numbers_out_of_range_are_refused() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    let mut seen = Vec::new();
    let mut last_id = String::new();
    loop {
        let page = cabinet.json(LIST, json!({"limit": 50, "last_id": last_id})).await;
        let items = page["result"]["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["product_id"].as_u64().unwrap()));
        last_id = page["result"]["last_id"].as_str().unwrap().to_owned();
        if last_id.is_empty() {
            break;
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 130);
    let many: Vec<String> = (1..=101).map(|sku: u32| sku.to_string()).collect();
    let day = json!({"since": "2026-10-01T00:00:00Z", "to": "2026-10-02T00:00:00Z"});
    let years = json!({"since": "2024-10-01T00:00:00Z", "to": "2026-10-02T00:00:00Z"});
    for (path, body, words) in [
        (LIST, json!({"limit": 0}), "[1, 1000]"),
        (LIST, json!({"limit": 10, "last_id": "nonsense"}), "LastId"),
        (STOCKS, json!({"skus": []}), "between 1 and 100"),
        (STOCKS, json!({"skus": many}), "between 1 and 100"),
        (
            "/v3/product/info/list",
            json!({"sku": ["1"], "offer_id": ["a"]}),
            "either",
        ),
        (
            "/v3/posting/fbo/list",
            json!({"limit": 101, "filter": day}),
            "[1, 100]",
        ),
        (
            "/v3/posting/fbo/list",
            json!({"limit": 9, "filter": years}),
            "PERIOD_IS_TOO_LONG",
        ),
        ("/v4/posting/fbs/list", json!({"limit": 9}), "Filter"),
    ] {
        let (status, code, message) = refusal(cabinet.ask(path, body).await).await;
        assert_eq!((status, code), (400, 3), "{path}");
        assert!(message.contains(words), "{path}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seed_is_one_cabinet_and_its_life_moves_stock() {
    let (one, two) = (
        Cabinet::open(OzonLimits::Off).await,
        Cabinet::open(OzonLimits::Off).await,
    );
    let of = |cabinet: &Cabinet| cabinet.sim.truth(cabinet.sim.sellers()[0], None).unwrap();
    assert_eq!(of(&one), of(&two));
    let before = of(&one);
    one.sim.advance(20);
    two.sim.advance(20);
    assert_eq!(of(&one), of(&two));
    assert_ne!(of(&one).products, before.products);
    let sku = before.products[0].sku;
    assert!(one.sim.set_stock(one.sim.sellers()[0], sku, "ЖУКОВСКИЙ_РФЦ", 777));
    assert_eq!(of(&one).products[0].stock["ЖУКОВСКИЙ_РФЦ"], 777);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_name_the_brand_and_the_tree_names_the_kind() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    let ledger = cabinet.sim.ledger(cabinet.sim.sellers()[0], None).unwrap();
    let tree = cabinet
        .json("/v1/description-category/tree", json!({"language": "RU"}))
        .await;
    let mut kinds = std::collections::HashMap::new();
    for root in tree["result"].as_array().unwrap() {
        for category in root["children"].as_array().unwrap() {
            for kind in category["children"].as_array().unwrap() {
                kinds.insert(kind["type_id"].as_i64().unwrap(), kind["type_name"].clone());
            }
        }
    }
    let mut seen = 0;
    let mut last_id = json!("");
    loop {
        let question = json!({"filter": {}, "limit": 50, "last_id": last_id, "sort_dir": "ASC"});
        let page = cabinet.json("/v4/product/info/attributes", question).await;
        assert_eq!(page["total"], json!("130"));
        for row in page["result"].as_array().unwrap() {
            let sku = row["sku"].as_i64().unwrap();
            let product = ledger
                .products
                .iter()
                .find(|product| product.article == sku)
                .unwrap();
            let brands: Vec<&Value> = row["attributes"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|attribute| attribute["id"] == json!(85) || attribute["id"] == json!(31))
                .collect();
            assert_eq!(brands.len(), 1);
            assert_eq!(brands[0]["values"][0]["value"], json!(product.brand));
            assert_eq!(kinds[&row["type_id"].as_i64().unwrap()], json!(product.subject));
            seen += 1;
        }
        last_id = page["last_id"].clone();
        if last_id == json!("") {
            break;
        }
    }
    assert_eq!(seen, 130);
    let language = cabinet
        .ask("/v1/description-category/tree", json!({"language": "Klingon"}))
        .await;
    assert_eq!(refusal(language).await.0, 400);
    let limit = cabinet
        .ask(
            "/v4/product/info/attributes",
            json!({"filter": {}, "limit": 1001}),
        )
        .await;
    assert_eq!(refusal(limit).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_come_in_both_directions_and_are_taken_up_after_they_were_ordered() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    let mut found = Vec::new();
    for direction in ["ASC", "DESC"] {
        let mut numbers = Vec::new();
        let mut cursor = json!("");
        loop {
            let question = json!({
                "filter": {"since": "2026-10-20T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
                "limit": 100, "cursor": cursor, "sort_dir": direction,
            });
            let page = cabinet.json("/v3/posting/fbo/list", question).await;
            for posting in page["postings"].as_array().unwrap() {
                assert!(posting["created_at"].as_str() < posting["in_process_at"].as_str());
                numbers.push(posting["posting_number"].as_str().unwrap().to_owned());
            }
            cursor = page["cursor"].clone();
            if page["has_next"] == json!(false) {
                break;
            }
        }
        found.push(numbers);
    }
    found[1].reverse();
    assert!(found[0].len() > 150, "{}", found[0].len());
    assert_eq!(found[0], found[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_off_is_gone_and_ids_of_clusters_are_of_two_spaces() {
    let cabinet = Cabinet::open(OzonLimits::Off).await;
    for path in [
        "/v3/posting/fbs/unfulfilled/list",
        "/v3/finance/transaction/list",
        "/v2/posting/fbs/act/create",
        "/v3/posting/fbs/list",
    ] {
        assert_eq!(cabinet.ask(path, json!({})).await.status(), 404, "{path}");
    }
    let list = cabinet
        .json(
            LIST,
            json!({"filter": {"visibility": "SHOWCASE_SELECT_ACTIVE"}, "limit": 1000}),
        )
        .await;
    assert!(list["result"]["total_items"].as_u64().unwrap() > 0);
    assert_eq!(list["result"]["total"], Value::Null, "gone since 2026-11-23");
    let first = cabinet
        .json("/v1/cluster/list", json!({"cluster_type": "CLUSTER_TYPE_OZON"}))
        .await;
    let second = cabinet.json("/v2/cluster/list", json!({})).await;
    let ids = |clusters: &Value, field: &str| -> Vec<i64> {
        let clusters = clusters["clusters"].as_array().unwrap();
        clusters
            .iter()
            .filter_map(|cluster| cluster[field].as_i64())
            .collect()
    };
    let (first, second) = (ids(&first, "id"), ids(&second, "macrolocal_cluster_id"));
    assert!(!first.is_empty() && !second.is_empty());
    assert!(
        first.iter().all(|id| !second.contains(id)),
        "{first:?} {second:?}"
    );
}
