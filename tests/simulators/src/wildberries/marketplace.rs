//! The seller's own warehouses and their stock (contracts A.7).

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::marketplace as error;
use super::world::World;
use crate::server::{Answer, Call};

const MAX_AMOUNT: u32 = 100_000;
const MAX_SIZES: usize = 1000;
/// Kinds of delivery, one warehouse after the other: FBS, DBS, DBW, click and collect, express.
const DELIVERY: [u8; 5] = [1, 2, 3, 5, 6];

/// `GET /api/v3/warehouses`
pub(crate) fn warehouses(world: &World) -> Answer {
    let list: Vec<Value> = world
        .fbs
        .iter()
        .enumerate()
        .filter(|(_, site)| site.open || site.leaving)
        .map(|(at, site)| {
            json!({
                "name": site.name, "officeId": 15, "id": site.id, "cargoType": 1,
                "deliveryType": DELIVERY.get(at % DELIVERY.len()),
                "isDeleting": site.leaving, "isProcessing": at % 3 == 2,
            })
        })
        .collect();
    Answer::json(200, &list)
}

#[derive(Deserialize)]
struct Update {
    stocks: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "chrtId")]
    chrt_id: u64,
    amount: u32,
}

/// `POST|PUT /api/v3/stocks/{warehouseId}`
pub(crate) fn stocks(world: &mut World, call: &Call, warehouse: &str, read_only: bool) -> Answer {
    let Some(site) = warehouse
        .parse::<i64>()
        .ok()
        .and_then(|id| world.fbs.iter().position(|site| site.id == id && site.open))
    else {
        return error(404, "NotFound", "");
    };
    let Ok(body) = call.json::<Value>() else {
        return error(400, "IncorrectRequestBody", "Некорректное тело запроса");
    };
    if body.get("skus").is_some() || body.pointer("/stocks/0/sku").is_some() {
        return error(400, "SKUUploadDisabled", "sku is no longer supported, use chrtId");
    }
    if call.method == "PUT" {
        if read_only {
            return error(403, "AccessDenied", "");
        }
        return put(world, site, body);
    }
    let ids: Vec<u64> = match body.get("chrtIds").cloned().map(serde_json::from_value) {
        Some(Ok(ids)) => ids,
        _ => return error(400, "IncorrectParameter", "chrtIds"),
    };
    if ids.is_empty() || ids.len() > MAX_SIZES {
        return error(400, "IncorrectParameter", "chrtIds: between 1 and 1000");
    }
    let own = world.fbs.len();
    let wanted: std::collections::HashSet<u64> = ids.into_iter().collect();
    let found: Vec<Value> = world
        .sizes
        .iter()
        .enumerate()
        .filter(|(_, size)| wanted.contains(&size.chrt_id))
        .filter_map(|(index, size)| {
            let amount = world.fbs_stock.get(index * own + site).copied().flatten()?;
            Some(json!({"chrtId": size.chrt_id, "amount": amount}))
        })
        .collect();
    Answer::json(200, &json!({"stocks": found}))
}

fn put(world: &mut World, site: usize, body: Value) -> Answer {
    // Names of fields are not checked (vendor's page of 2026-10-30): a wrong one changes nothing, and is 204.
    let named = |row: &Value| row.get("chrtId").is_some() && row.get("amount").is_some();
    let rows = body.get("stocks").and_then(Value::as_array);
    if body.is_object() && !rows.is_some_and(|rows| rows.iter().all(named)) {
        return Answer::empty(204);
    }
    let Ok(update) = serde_json::from_value::<Update>(body) else {
        return error(400, "IncorrectRequestBody", "Некорректное тело запроса");
    };
    let too_large: Vec<Value> = update
        .stocks
        .iter()
        .filter(|entry| entry.amount > MAX_AMOUNT)
        .map(|entry| json!({"sku": "", "chrtId": entry.chrt_id, "amount": entry.amount}))
        .collect();
    if !too_large.is_empty() {
        let body =
            json!([{"code": "UploadDataLimit", "message": "Upload limit exceeded.", "data": too_large}]);
        return Answer::json(409, &body);
    }
    let own = world.fbs.len();
    for entry in update.stocks {
        let Some(index) = world.sizes.iter().position(|size| size.chrt_id == entry.chrt_id) else {
            let missing = json!([{"sku": "", "chrtId": entry.chrt_id, "amount": entry.amount}]);
            return Answer::json(
                409,
                &json!([{"code": "NotFound", "message": "Not found", "data": missing}]),
            );
        };
        if let Some(cell) = world.fbs_stock.get_mut(index * own + site) {
            *cell = Some(entry.amount);
        }
    }
    Answer::empty(204)
}
