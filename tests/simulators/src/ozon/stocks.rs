//! Stock: Ozon's warehouses with every kind of units, the seller's own, totals, warehouses and clusters.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::invalid;
use super::names::CLUSTERS;
use super::wire::{Asked, Dialect, Id, Quirks, cursor, place};
use super::world::{Cell, Product, Site, World};
use crate::server::{Answer, Call};

/// Most SKUs of one request for stock by warehouse.
const MOST_SKUS: usize = 100;
/// Where the ids of macrolocal clusters begin.
const MACROLOCAL: i64 = 4000;

#[derive(Deserialize)]
struct StocksRequest {
    #[serde(default)]
    skus: Vec<Asked>,
    #[serde(default)]
    warehouse_ids: Vec<Asked>,
}

/// One row as it is sent.
#[derive(Serialize)]
struct Row<'a> {
    sku: Id,
    offer_id: &'a str,
    name: &'a str,
    warehouse_id: Id,
    warehouse_name: &'a str,
    cluster_id: Id,
    cluster_name: &'a str,
    macrolocal_cluster_id: Id,
    item_tags: [&'a str; 1],
    available_stock_count: u32,
    valid_stock_count: u32,
    waiting_docs_stock_count: u32,
    expiring_stock_count: u32,
    excess_stock_count: u32,
    other_stock_count: u32,
    requested_stock_count: u32,
    transit_stock_count: u32,
    transit_defect_stock_count: u32,
    stock_defect_stock_count: u32,
    return_from_customer_stock_count: u32,
    return_to_seller_stock_count: u32,
    ads: f64,
    ads_cluster: f64,
    idc: Option<u32>,
    idc_cluster: Option<u32>,
    days_without_sales: u32,
    days_without_sales_cluster: u32,
    turnover_grade: &'a str,
    turnover_grade_cluster: &'a str,
    #[serde(flatten)]
    late: Option<Late>,
}

/// Fields that came in August and September 2026.
#[derive(Serialize)]
struct Late {
    placement_zone: [&'static str; 1],
    waiting_docs_to_export_stock_count: u32,
    inbound_replenishment: u32,
    outbound_pending_delivery: u32,
    outbound_returns_picking: u32,
    outbound_returns_ready_to_ship: u32,
    outbound_returns_return_to_seller: u32,
    stock_not_being_sold: u32,
}

/// `POST /v1/analytics/stocks`: stock in real time, as since 2026-08-17; its figures are averages of 28 days.
pub(crate) fn analytics(world: &World, dialect: Dialect, call: &Call) -> Answer {
    let request: StocksRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("AnalyticsStocksRequest", &error.to_string()),
    };
    if !(1..=MOST_SKUS).contains(&request.skus.len()) {
        let what = "value must contain between 1 and 100 items";
        return invalid("AnalyticsStocksRequest.Skus", what);
    }
    let skus: HashSet<u64> = request.skus.iter().filter_map(Asked::number).collect();
    let only: HashSet<u64> = request.warehouse_ids.iter().filter_map(Asked::number).collect();
    let mut rows = Vec::new();
    for (index, product) in world.products.iter().enumerate() {
        // Ozon's own warehouses know only the SKU for sales from there.
        if product.archived || !skus.contains(&product.sku) {
            continue;
        }
        let sites = world.sites.len();
        let cells = world
            .cells
            .get(index * sites..(index + 1) * sites)
            .unwrap_or_default();
        let mut clusters: BTreeMap<usize, Cell> = BTreeMap::new();
        for (site, cell) in world.sites.iter().zip(cells) {
            let asked = only.is_empty() || u64::try_from(site.id).is_ok_and(|id| only.contains(&id));
            if *cell == Cell::default() || !asked {
                continue;
            }
            rows.push(row(product, Some(site), site.cluster, cell, dialect));
            let sum = clusters.entry(site.cluster).or_default();
            sum.available += cell.available;
            sum.requested += cell.requested;
        }
        // A cluster that waits for a supply has a row of its own, with the sum of its warehouses.
        for (cluster, sum) in clusters.iter().filter(|(_, sum)| sum.requested > 0) {
            rows.push(row(product, None, *cluster, sum, dialect));
        }
    }
    Answer::json(200, &json!({"items": rows}))
}

fn row<'a>(
    product: &'a Product,
    site: Option<&'a Site>,
    cluster: usize,
    cell: &Cell,
    dialect: Dialect,
) -> Row<'a> {
    let (cluster_id, cluster_name) = CLUSTERS.get(cluster).copied().unwrap_or_default();
    // Any steady function of the product will do: nobody counts these after Ozon.
    let tenths = u32::try_from(product.sku % 40).unwrap_or(0);
    let grade = if tenths == 0 { "NO_SALES" } else { "ACTUAL" };
    Row {
        sku: Id::of(product.sku, dialect),
        offer_id: &product.offer_id,
        name: &product.name,
        warehouse_id: Id(site.map_or(0, |site| site.id), dialect),
        warehouse_name: site.map_or("", |site| &site.name),
        cluster_id: Id(cluster_id, dialect),
        cluster_name,
        macrolocal_cluster_id: Id(MACROLOCAL + cluster_id, dialect),
        item_tags: ["ITEM_ATTRIBUTE_NONE"],
        available_stock_count: cell.available,
        valid_stock_count: cell.preparing,
        waiting_docs_stock_count: 0,
        expiring_stock_count: 0,
        excess_stock_count: 0,
        other_stock_count: cell.checking,
        requested_stock_count: cell.requested,
        transit_stock_count: cell.transit,
        transit_defect_stock_count: 0,
        stock_defect_stock_count: cell.defective,
        return_from_customer_stock_count: cell.from_client,
        return_to_seller_stock_count: 0,
        ads: f64::from(tenths) / 10.0,
        ads_cluster: f64::from(tenths) / 30.0,
        idc: (tenths > 0).then_some(tenths + 7),
        idc_cluster: None,
        days_without_sales: u32::from(tenths == 0) * 28,
        days_without_sales_cluster: 1,
        turnover_grade: grade,
        turnover_grade_cluster: "TURNOVER_GRADE_NONE",
        late: (dialect == Dialect::October).then_some(Late {
            placement_zone: ["SORT"],
            waiting_docs_to_export_stock_count: 0,
            inbound_replenishment: 0,
            outbound_pending_delivery: cell.to_client,
            outbound_returns_picking: 0,
            outbound_returns_ready_to_ship: 0,
            outbound_returns_return_to_seller: 0,
            stock_not_being_sold: cell.not_sold,
        }),
    }
}

/// How many SKUs one request takes is in no document, neither of April nor of October 2026: any number here.
#[derive(Deserialize)]
struct FbsRequest {
    #[serde(default)]
    sku: Vec<Asked>,
    #[serde(default)]
    offer_id: Vec<String>,
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

/// `POST /v2/product/info/stocks-by-warehouse/fbs`
pub(crate) fn fbs(world: &World, dialect: Dialect, quirks: Quirks, call: &Call) -> Answer {
    let request: FbsRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("StocksByWarehouseFbsRequest", &error.to_string()),
    };
    if request.sku.is_empty() == request.offer_id.is_empty() {
        return invalid("StocksByWarehouseFbsRequest", "use either sku or offer_id");
    }
    let Some(limit) = request.limit.filter(|limit| (1..=1000).contains(limit)) else {
        let what = "value must be inside range [1, 1000]";
        return invalid("StocksByWarehouseFbsRequest.Limit", what);
    };
    let Some(from) = place(&request.cursor).and_then(|place| usize::try_from(place).ok()) else {
        return invalid("StocksByWarehouseFbsRequest.Cursor", "value is not a cursor");
    };
    let skus: HashSet<u64> = request.sku.iter().filter_map(Asked::number).collect();
    let own = world.fbs.len();
    let cells = world.fbs_cells.iter().enumerate().filter_map(|(at, cell)| {
        let product = world.products.get(at / own.max(1))?;
        let sku = product.sku_of(true);
        let asked = skus.contains(&sku) || request.offer_id.contains(&product.offer_id);
        let site = world.fbs.get(at % own.max(1))?;
        (asked && !product.archived).then_some((product, sku, site, (*cell)?))
    });
    let mut rows: Vec<Value> = cells
        .skip(from)
        .take(limit + 1)
        .map(|(product, sku, site, cell)| {
            json!({
                "free_stock": Id(i64::from(cell.present - cell.reserved), dialect), "offer_id": product.offer_id,
                "present": cell.present, "product_id": Id::of(product.product_id, dialect),
                "reserved": cell.reserved, "sku": Id::of(sku, dialect), "warehouse_id": Id(site.id, dialect),
                "warehouse_name": site.name,
            })
        })
        .collect();
    let has_next = rows.len() > limit && !quirks.hides_next_page;
    rows.truncate(limit);
    let next = next_page(has_next, from + limit);
    Answer::json(
        200,
        &json!({"cursor": next, "has_next": has_next, "products": rows}),
    )
}

fn next_page(has_next: bool, at: usize) -> String {
    if has_next {
        cursor(at as u64)
    } else {
        String::new()
    }
}

#[derive(Deserialize)]
struct PageRequest {
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

/// `POST /v2/warehouse/list`
pub(crate) fn warehouses(world: &World, dialect: Dialect, call: &Call) -> Answer {
    let request: PageRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("WarehouseListRequest", &error.to_string()),
    };
    let Some(limit) = request.limit.filter(|limit| (1..=200).contains(limit)) else {
        return invalid(
            "WarehouseListRequest.Limit",
            "value must be inside range [1, 200]",
        );
    };
    let Some(from) = place(&request.cursor).and_then(|place| usize::try_from(place).ok()) else {
        return invalid("WarehouseListRequest.Cursor", "value is not a cursor");
    };
    // Those that were switched off stay in the list. The documents name the field and none of its values;
    // `created` and `disabled` are from published answers.
    let rows: Vec<Value> = world
        .fbs
        .iter()
        .skip(from)
        .take(limit)
        .map(|site| {
            let status = if site.open { "created" } else { "disabled" };
            json!({
                "warehouse_id": Id(site.id, dialect), "name": site.name, "status": status, "is_rfbs": false,
                "is_kgt": false, "warehouse_type": "", "first_mile": {"type": "DROP_OFF"},
                "working_days": ["MONDAY", "TUESDAY"], "postings_limit": -1,
            })
        })
        .collect();
    let has_next = from + rows.len() < world.fbs.len();
    let next = next_page(has_next, from + limit);
    Answer::json(
        200,
        &json!({"cursor": next, "has_next": has_next, "warehouses": rows}),
    )
}

/// `POST /v4/product/info/stocks`: totals per scheme, `present` includes `reserved`.
pub(crate) fn totals(world: &World, dialect: Dialect, call: &Call) -> Answer {
    let request: PageRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("GetProductInfoStocksRequest", &error.to_string()),
    };
    let limit = request.limit.filter(|limit| (1..=1000).contains(limit));
    let (Some(limit), Some(after)) = (limit, place(&request.cursor)) else {
        let what = "value must be inside range [1, 1000]";
        return invalid("GetProductInfoStocksRequest.Limit", what);
    };
    let (sites, own) = (world.sites.len(), world.fbs.len());
    let listed: Vec<(usize, &Product)> = world
        .products
        .iter()
        .enumerate()
        .filter(|(_, product)| !product.archived && product.product_id > after)
        .take(limit)
        .collect();
    let places: Vec<Id> = world.fbs.iter().map(|site| Id(site.id, dialect)).collect();
    let items: Vec<Value> = listed
        .iter()
        .map(|&(index, product)| {
            let cells = world.cells.get(index * sites..(index + 1) * sites);
            let fbs = world.fbs_cells.get(index * own..(index + 1) * own);
            let present: u32 = cells.unwrap_or_default().iter().map(|cell| cell.available).sum();
            let (own_present, reserved) = fbs
                .unwrap_or_default()
                .iter()
                .flatten()
                .fold((0, 0), |sum, cell| (sum.0 + cell.present, sum.1 + cell.reserved));
            json!({
                "offer_id": product.offer_id, "product_id": Id::of(product.product_id, dialect),
                "stocks": [
                    {"type": "fbo", "present": present, "reserved": 0, "sku": Id::of(product.sku, dialect),
                     "shipment_type": "SHIPMENT_TYPE_GENERAL", "warehouse_ids": []},
                    {"type": "fbs", "present": own_present, "reserved": reserved,
                     "sku": Id::of(product.sku_of(true), dialect), "shipment_type": "SHIPMENT_TYPE_GENERAL",
                     "warehouse_ids": places},
                ],
            })
        })
        .collect();
    let next = listed
        .last()
        .map_or_else(String::new, |(_, product)| cursor(product.product_id));
    let total = world.products.iter().filter(|product| !product.archived).count();
    Answer::json(
        200,
        &json!({"items": items, "cursor": next, "total_items": total}),
    )
}

/// `POST /v2/cluster/list`: the clusters that supplies are planned by. Their ids are of another space than
/// those of the first version; `macrolocal_cluster_id` in stock is one of these.
pub(crate) fn macrolocal_clusters(world: &World, dialect: Dialect) -> Answer {
    let clusters: Vec<Value> = CLUSTERS
        .iter()
        .enumerate()
        .filter(|(index, _)| world.sites.iter().any(|site| site.cluster == *index))
        .map(|(_, (id, name))| json!({"macrolocal_cluster_id": Id(MACROLOCAL + id, dialect), "name": name}))
        .collect();
    Answer::json(200, &json!({"clusters": clusters}))
}

/// `POST /v1/cluster/list`
pub(crate) fn clusters(world: &World, dialect: Dialect) -> Answer {
    let clusters: Vec<Value> = CLUSTERS
        .iter()
        .enumerate()
        .map(|(index, (id, name))| {
            let warehouses: Vec<Value> = world
                .sites
                .iter()
                .filter(|site| site.cluster == index && site.open)
                .map(|site| {
                    json!({"warehouse_id": Id(site.id, dialect), "name": site.name, "type": "FULL_FILLMENT"})
                })
                .collect();
            json!({
                "id": Id(*id, dialect), "name": name, "type": "CLUSTER_TYPE_OZON",
                "logistic_clusters": [{"warehouses": warehouses}],
            })
        })
        .collect();
    Answer::json(200, &json!({"clusters": clusters}))
}
