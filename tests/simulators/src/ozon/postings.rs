//! Parcels of both schemes, by pages under a cursor.

use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid, no_fbs, period_too_long};
use super::names::CLUSTERS;
use super::wire::{Dialect, Id, Quirks, cursor, place, put_price};
use super::world::{Posting, Site, World};
use crate::server::{Answer, Call};
use crate::text::utc_text;

/// Most postings of one page, by the only document that states a number.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Request {
    filter: Option<Filter>,
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    sort_dir: Option<String>,
    #[serde(default)]
    with: With,
}

#[derive(Deserialize)]
struct Filter {
    since: Option<String>,
    to: Option<String>,
    #[serde(default)]
    statuses: Vec<String>,
}

#[derive(Deserialize, Default)]
struct With {
    #[serde(default)]
    analytics_data: bool,
    #[serde(default)]
    financial_data: bool,
}

/// `POST /v3/posting/fbo/list` and `POST /v4/posting/fbs/list`
pub(crate) fn list(world: &World, dialect: Dialect, (fbs, quirks): (bool, Quirks), call: &Call) -> Answer {
    let name = if fbs {
        "PostingFbsListRequest"
    } else {
        "PostingFboListRequest"
    };
    if fbs && world.fbs.is_empty() {
        return no_fbs();
    }
    let request: Request = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid(name, &error.to_string()),
    };
    let Some(limit) = request.limit.filter(|limit| (1..=MOST).contains(limit)) else {
        return invalid(&format!("{name}.Limit"), "value must be inside range [1, 100]");
    };
    let Some(from) = place(&request.cursor) else {
        return invalid(&format!("{name}.Cursor"), "value is not a cursor");
    };
    let moment = |text: &Option<String>| {
        let time = DateTime::parse_from_rfc3339(text.as_deref()?).ok()?;
        Some(time.timestamp_millis())
    };
    let Some(filter) = &request.filter else {
        return invalid(&format!("{name}.Filter"), "value is required");
    };
    let (Some(since), Some(to)) = (moment(&filter.since), moment(&filter.to)) else {
        return invalid(&format!("{name}.Filter.Since"), "value must be a valid timestamp");
    };
    if to - since > TimeDelta::days(366).num_milliseconds() {
        return period_too_long();
    }
    let direction = request.sort_dir.as_deref().unwrap_or("ASC");
    let newest_first = direction.eq_ignore_ascii_case("DESC");
    if !newest_first && !direction.eq_ignore_ascii_case("ASC") {
        return invalid(&format!("{name}.SortDir"), "value must be ASC or DESC");
    }
    let has_status = |posting: &Posting| {
        let word = posting.stage.word();
        filter.statuses.is_empty() || filter.statuses.iter().any(|status| status == word)
    };
    // The place is an index: parcels are only ever added at the end, so pages never shift.
    let matches = |(index, posting): &(usize, &Posting)| {
        let behind = if newest_first {
            from == 0 || *index as u64 <= from
        } else {
            *index as u64 >= from
        };
        behind && posting.from_fbs == fbs && (since..=to).contains(&posting.created) && has_status(posting)
    };
    let all = world.postings.iter().enumerate();
    let mut found: Vec<(usize, &Posting)> = if newest_first {
        all.rev().filter(matches).take(limit + 1).collect()
    } else {
        all.filter(matches).take(limit + 1).collect()
    };
    let next = if found.len() > limit { found.pop() } else { None };
    let next = next.filter(|_| !quirks.hides_next_page);
    let postings: Vec<Value> = found
        .iter()
        .filter_map(|(index, posting)| render(world, *index, posting, dialect, &request.with))
        .collect();
    let page = json!({
        "postings": postings, "has_next": next.is_some(),
        "cursor": next.map_or_else(String::new, |(index, _)| cursor(index as u64)),
    });
    if fbs && dialect == Dialect::April {
        return Answer::json(200, &json!({"result": page}));
    }
    Answer::json(200, &page)
}

fn render(world: &World, index: usize, posting: &Posting, dialect: Dialect, with: &With) -> Option<Value> {
    let sites = if posting.from_fbs {
        &world.fbs
    } else {
        &world.sites
    };
    let site = sites.get(posting.site)?;
    let products: Vec<Value> = posting
        .lines
        .iter()
        .filter_map(|sold| {
            let product = world.products.get(sold.product)?;
            let mut line = json!({
                "sku": Id::of(world.told_sku(posting, product), dialect), "name": product.name,
                "quantity": sold.quantity, "offer_id": product.offer_id, "is_marketplace_buyout": false,
            });
            put_price(&mut line, sold.price, posting.from_fbs, dialect);
            Some(line)
        })
        .collect();
    let order = Id::of(30_000_000_000 + index as u64, dialect);
    let mut value = json!({
        "order_id": order, "order_number": posting.number.trim_end_matches("-1"),
        "posting_number": posting.number, "status": posting.stage.word(), "substatus": "posting_created",
        "in_process_at": utc_text(processed(posting)), "products": products,
        "cancellation": {"cancel_reason": "", "cancellation_type": "", "cancellation_initiator": ""},
        "legal_info": {"company_name": "", "inn": "", "kpp": ""},
    });
    if posting.from_fbs {
        value["delivery_method"] = json!({
            "id": Id(site.id, dialect), "name": format!("Доставка Ozon, {}", site.name),
            "warehouse_id": Id(site.id, dialect), "warehouse": site.name, "tpl_provider_id": 24,
            "tpl_provider": "Доставка Ozon",
        });
        value["delivering_date"] = posting.handed.map_or(Value::Null, |at| Value::from(utc_text(at)));
        value["customer"] = json!({"name": "Покупатель", "phone": "+7900", "address": {"city": "Казань"}});
    } else {
        value["created_at"] = json!(utc_text(posting.created));
        value["cancel_reason_id"] = json!(0);
    }
    if with.financial_data {
        let from = CLUSTERS.get(site.cluster).map_or("", |cluster| cluster.1);
        let from = if posting.from_fbs { "" } else { from };
        value["financial_data"] = json!({"cluster_from": from, "cluster_to": "Казань", "products": []});
    }
    if with.analytics_data {
        value["analytics_data"] = analytics_data(site, posting.from_fbs, dialect);
    }
    Some(value)
}

/// When a parcel is taken up: at Ozon's warehouses some minutes after it was ordered. Of the seller's own
/// parcels the list gives no other time, and counts the period by it.
fn processed(posting: &Posting) -> i64 {
    if posting.from_fbs {
        return posting.created;
    }
    posting.created + 60_000 * (1 + posting.created.rem_euclid(9))
}

fn analytics_data(site: &Site, fbs: bool, dialect: Dialect) -> Value {
    let mut data = json!({
        "city": "", "delivery_type": "PVZ", "is_premium": false, "payment_type_group_name": "картой онлайн",
        "warehouse_id": Id(site.id, dialect), "is_legal": false,
        "region": CLUSTERS.get(site.cluster).map(|cluster| cluster.1),
    });
    data[if fbs { "warehouse" } else { "warehouse_name" }] = json!(site.name);
    data
}
