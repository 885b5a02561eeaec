//! The list of products and their details.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::invalid;
use super::wire::{Asked, Dialect, Id, Quirks, cursor, place, roubles};
use super::world::{Product, World};
use crate::server::{Answer, Call};
use crate::text::utc_text;

/// Most ids or items of one request.
const MOST: usize = 1000;

#[derive(Deserialize)]
struct ListRequest {
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    last_id: String,
    limit: Option<usize>,
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    product_id: Vec<Asked>,
    #[serde(default)]
    offer_id: Vec<String>,
    /// Since 2026-07-09.
    #[serde(default)]
    skus: Vec<Asked>,
}

/// The documented words of April 2026, and the one that came on 2026-09-25.
const VISIBILITIES: [&str; 28] = [
    "ALL",
    "VISIBLE",
    "INVISIBLE",
    "EMPTY_STOCK",
    "NOT_MODERATED",
    "MODERATED",
    "DISABLED",
    "STATE_FAILED",
    "READY_TO_SUPPLY",
    "VALIDATION_STATE_PENDING",
    "VALIDATION_STATE_FAIL",
    "VALIDATION_STATE_SUCCESS",
    "TO_SUPPLY",
    "IN_SALE",
    "REMOVED_FROM_SALE",
    "OVERPRICED",
    "CRITICALLY_OVERPRICED",
    "EMPTY_BARCODE",
    "BARCODE_EXISTS",
    "QUARANTINE",
    "ARCHIVED",
    "OVERPRICED_WITH_STOCK",
    "PARTIAL_APPROVED",
    "AUTO_ARCHIVED",
    "MANUAL_ARCHIVED",
    "SEASONAL_AUTO_ARCHIVED",
    "VISIBLE_WITH_FBO_STOCK",
    "SHOWCASE_SELECT_ACTIVE",
];

/// Whether a word shows a product. Every simulated product passed moderation, has a price and a barcode, and
/// was archived by hand if at all; what no simulated product can be shows none.
fn is_visible(world: &World, product: &Product, word: &str) -> bool {
    let here = || {
        let sites = world.sites.len();
        let at = world.products.iter().position(|other| other.sku == product.sku);
        let cells = at.and_then(|at| world.cells.get(at * sites..(at + 1) * sites));
        cells.into_iter().flatten().any(|cell| cell.available > 0)
    };
    match word {
        "ARCHIVED" | "MANUAL_ARCHIVED" => product.archived,
        "ALL" | "MODERATED" | "VALIDATION_STATE_SUCCESS" | "BARCODE_EXISTS" => !product.archived,
        "VISIBLE" | "IN_SALE" | "VISIBLE_WITH_FBO_STOCK" | "SHOWCASE_SELECT_ACTIVE" => {
            !product.archived && here()
        }
        "INVISIBLE" | "EMPTY_STOCK" | "TO_SUPPLY" | "READY_TO_SUPPLY" => !product.archived && !here(),
        _ => false,
    }
}

/// `POST /v3/product/list`
pub(crate) fn list(world: &World, dialect: Dialect, quirks: Quirks, call: &Call) -> Answer {
    let request: ListRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("GetProductListRequest", &error.to_string()),
    };
    let Some(limit) = request.limit.filter(|limit| (1..=MOST).contains(limit)) else {
        let what = "value must be inside range [1, 1000]";
        return invalid("GetProductListRequest.Limit", what);
    };
    let Some(after) = place(&request.last_id) else {
        return invalid("GetProductListRequest.LastId", "value is not a cursor");
    };
    let visibility = request.filter.visibility.as_deref().unwrap_or("ALL");
    if !VISIBILITIES.contains(&visibility) {
        return invalid("GetProductListRequest.Filter.Visibility", visibility);
    }
    let filter = &request.filter;
    let numbers = |asked: &[Asked]| asked.iter().filter_map(Asked::number).collect::<HashSet<u64>>();
    let (ids, skus) = (numbers(&filter.product_id), numbers(&filter.skus));
    let wanted = |product: &&Product| {
        (ids.is_empty() || ids.contains(&product.product_id))
            && (skus.is_empty() || skus.contains(&product.sku))
            && (filter.offer_id.is_empty() || filter.offer_id.contains(&product.offer_id))
            && is_visible(world, product, visibility)
    };
    let all: Vec<&Product> = world.products.iter().filter(wanted).collect();
    let rest = all.iter().filter(|product| product.product_id > after);
    let mut page: Vec<&Product> = rest.take(limit).copied().collect();
    if quirks.repeats_last_page && page.is_empty() {
        let whole = all.len() / limit * limit;
        page = all.get(whole..).unwrap_or_default().to_vec();
    }
    let last = page.last().map_or(0, |product| product.product_id);
    let more = all.iter().any(|product| product.product_id > last);
    let last_id = match dialect {
        _ if quirks.repeats_last_page => cursor(last),
        _ if page.is_empty() => String::new(),
        Dialect::October if !more => String::new(),
        Dialect::October | Dialect::April => cursor(last),
    };
    let items: Vec<Value> = page
        .iter()
        .map(|product| {
            let mut item = json!({
                "product_id": Id::of(product.product_id, dialect), "offer_id": product.offer_id,
                "has_fbo_stocks": true, "has_fbs_stocks": !world.fbs.is_empty(),
                "archived": product.archived, "is_discounted": false, "quants": [],
            });
            if dialect == Dialect::October {
                item["sku"] = json!(product.sku);
            }
            item
        })
        .collect();
    let mut result = json!({"items": items, "last_id": last_id});
    let count = match dialect {
        Dialect::October => "total_items",
        Dialect::April => "total",
    };
    result[count] = json!(all.len());
    Answer::json(200, &json!({"result": result}))
}

#[derive(Deserialize)]
struct InfoRequest {
    #[serde(default)]
    offer_id: Vec<String>,
    #[serde(default)]
    product_id: Vec<Asked>,
    #[serde(default)]
    sku: Vec<Asked>,
}

/// `POST /v3/product/info/list`
pub(crate) fn info(world: &World, dialect: Dialect, call: &Call) -> Answer {
    let request: InfoRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("GetProductInfoListRequest", &error.to_string()),
    };
    let kinds = [
        request.offer_id.len(),
        request.product_id.len(),
        request.sku.len(),
    ];
    if kinds.iter().filter(|ids| **ids > 0).count() != 1 {
        let what = "use either offer_id or product_id or sku";
        return invalid("GetProductInfoListRequest", what);
    }
    if kinds.iter().sum::<usize>() > MOST {
        let what = "value must contain between 1 and 1000 items";
        return invalid("GetProductInfoListRequest", what);
    }
    let numbers = |asked: &[Asked]| asked.iter().filter_map(Asked::number).collect::<HashSet<u64>>();
    let (ids, skus) = (numbers(&request.product_id), numbers(&request.sku));
    let offers: HashSet<&str> = request.offer_id.iter().map(String::as_str).collect();
    let items: Vec<Value> = world
        .products
        .iter()
        .filter(|product| {
            ids.contains(&product.product_id)
                || skus.contains(&product.sku)
                || product.fbs_sku.is_some_and(|sku| skus.contains(&sku))
                || offers.contains(product.offer_id.as_str())
        })
        .map(|product| item(product, dialect))
        .collect();
    Answer::json(200, &json!({"items": items}))
}

fn item(product: &Product, dialect: Dialect) -> Value {
    let source = |sku: u64, name: &str| {
        json!({
            "sku": Id::of(sku, dialect), "source": name, "created_at": utc_text(product.updated),
            "shipment_type": "SHIPMENT_TYPE_GENERAL", "quant_code": "",
        })
    };
    let sources = match product.fbs_sku {
        // In no steady order.
        Some(fbs) if product.product_id.is_multiple_of(2) => {
            vec![source(product.sku, "fbo"), source(fbs, "fbs")]
        }
        Some(fbs) => vec![source(fbs, "fbs"), source(product.sku, "fbo")],
        None => vec![source(product.sku, "sds")],
    };
    // Old cards have their SKUs among the sources only.
    let sku = if product.fbs_sku.is_some() { 0 } else { product.sku };
    json!({
        "id": Id::of(product.product_id, dialect), "name": product.name, "offer_id": product.offer_id,
        "sku": Id::of(sku, dialect), "is_archived": product.archived, "is_autoarchived": false,
        "barcodes": [format!("OZN{}", product.sku)],
        "description_category_id": Id(product.goods().map_or(0, |goods| goods.category.id), dialect),
        "type_id": Id(product.goods().map_or(0, |goods| goods.type_id), dialect),
        "created_at": utc_text(product.updated - 86_400_000), "updated_at": utc_text(product.updated),
        "currency_code": "RUB", "price": roubles(product.price), "old_price": roubles(product.crossed_out()),
        "min_price": "", "vat": "0.20", "sources": sources,
        "statuses": {"status": "price_sent", "moderate_status": "approved", "status_name": "Продается"},
        "visibility_details": {"has_price": true, "has_stock": true}, "primary_image": [], "images": [],
    })
}
