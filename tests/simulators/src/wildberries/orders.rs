//! The orders report and its successor, the order feed (contracts A.8; the feed by the vendor's page of
//! 2026-10-30: real time, the period by the time of the present status, newest first, not before 31 days ago,
//! `end` optional, later pages with the snapshot's time).

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::bad_request;
use super::limits::Host;
use super::names::{BRANDS, BUYERS, MASKED_REMAINS, MASKED_SYNC, SUBJECTS};
use super::world::{DISCOUNT_PERCENT, Order, Site, Status, World, discounted};
use crate::server::{Answer, Call};
use crate::text::{moscow_day, parse_moscow, push_moscow, push_number, push_text, utc_text};

/// Rows of one answer with flag 0, "conditional" in the documentation.
const MAX_ROWS: usize = 80_000;
/// Wildberries keeps orders for so many milliseconds: 90 days.
const KEPT: i64 = 90 * 86_400_000;
/// How far back the order feed's period may begin, in milliseconds: 31 days.
const FEED_PERIOD: i64 = 31 * 86_400_000;
/// "Never" in the report's own words.
const NO_DATE: &[u8] = b"\"0001-01-01T00:00:00\"";

/// `GET /api/v1/supplier/orders`
pub(crate) fn report(world: &World, masked: bool, bare: bool, call: &Call, now: i64) -> Answer {
    let Some(from) = call.param("dateFrom") else {
        return bad_request(Host::Statistics, "dateFrom: field required");
    };
    let Some(from) = parse_moscow(from) else {
        return Answer::json(400, &json!({"errors": "dateFrom: Value not validated"}));
    };
    let mut out = b"[".to_vec();
    let mut rows = 0;
    let kept = |index: usize| world.orders.get(index).filter(|order| order.date >= now - KEPT);
    match call.param("flag").unwrap_or("0") {
        "0" => {
            let changed = world.by_change.range((from, 0)..);
            for order in changed.filter_map(|&(_, index)| kept(index)).take(MAX_ROWS) {
                push_order(&mut out, world, order, (masked, bare), &mut rows);
            }
        }
        "1" => {
            let day = moscow_day(from);
            let changed = world.by_change.iter().filter_map(|&(_, index)| kept(index));
            for order in changed.filter(|order| moscow_day(order.date) == day) {
                push_order(&mut out, world, order, (masked, bare), &mut rows);
            }
        }
        _ => return Answer::json(400, &json!({"errors": "flag: Value not validated"})),
    }
    out.push(b']');
    Answer::raw(200, "application/json", out)
}

/// One row is one unit; its id never changes. The form is the one that sellers show (thin evidence: 32
/// hexadecimal digits behind a prefix, and a tail).
pub(crate) fn srid(order: &Order) -> String {
    format!("eBw.r{}", bare_srid(order))
}

/// The same as the older report was seen to spell it, by a switch: without the prefix.
fn bare_srid(order: &Order) -> String {
    format!("{:016x}{:016x}.0.0", order.size, order.number)
}

fn site_of<'a>(world: &'a World, order: &Order) -> Option<&'a Site> {
    if order.from_fbs {
        world.fbs.get(order.site)
    } else {
        world.sites.get(order.site)
    }
}

/// The warehouse's name, or `mask` where it is hidden. Whether foreign warehouses are hidden too is
/// unknown: the page of the order feed says that all of Wildberries are, the reports of sellers show
/// foreign ones by name.
fn shown_name<'a>(world: &'a World, order: &Order, mask: Option<&'a str>) -> &'a str {
    match (site_of(world, order), mask) {
        (Some(site), Some(mask)) if site.russian && !order.from_fbs => mask,
        (Some(site), _) => &site.name,
        (None, _) => "",
    }
}

fn push_order(
    out: &mut Vec<u8>,
    world: &World,
    order: &Order,
    (masked, bare): (bool, bool),
    rows: &mut usize,
) {
    let (Some(size), Some(card)) = (world.sizes.get(order.size), world.card_of(order.size)) else {
        return;
    };
    if *rows > 0 {
        out.push(b',');
    }
    *rows += 1;
    let (_, subject, category) = SUBJECTS.get(card.subject).copied().unwrap_or_default();
    let (district, region) = buyer(order);
    out.extend_from_slice(b"{\"date\":");
    push_moscow(out, order.date);
    out.extend_from_slice(b",\"lastChangeDate\":");
    push_moscow(out, order.changed);
    let kind = if order.from_fbs {
        "Склад продавца"
    } else {
        "Склад WB"
    };
    let texts = [
        (
            "warehouseName",
            shown_name(world, order, masked.then_some(MASKED_REMAINS)),
        ),
        ("warehouseType", kind),
        ("countryName", "Россия"),
        ("oblastOkrugName", district),
        ("regionName", region),
        ("supplierArticle", &card.vendor_code),
        ("barcode", size.barcodes.first().map_or("", String::as_str)),
        ("category", category),
        ("subject", subject),
        ("brand", BRANDS.get(card.brand).copied().unwrap_or_default()),
        ("techSize", &size.tech_size),
        ("sticker", ""),
    ];
    for (name, value) in texts {
        out.push(b',');
        push_text(out, name);
        out.push(b':');
        push_text(out, value);
    }
    let discounted = discounted(order.price);
    let numbers = [
        ("nmId", i64::try_from(card.nm_id).unwrap_or(i64::MAX)),
        ("incomeID", 1),
        ("totalPrice", order.price),
        ("discountPercent", DISCOUNT_PERCENT),
        ("spp", 10),
        ("finishedPrice", discounted * 90 / 100),
        ("priceWithDisc", discounted),
    ];
    for (name, value) in numbers {
        out.push(b',');
        push_text(out, name);
        out.push(b':');
        push_number(out, value);
    }
    out.extend_from_slice(b",\"isSupply\":false,\"isRealization\":true,\"isCancel\":");
    out.extend_from_slice(if order.is_cancelled() { b"true" } else { b"false" });
    out.extend_from_slice(b",\"cancelDate\":");
    if order.is_cancelled() {
        push_moscow(out, order.changed / 1000 * 1000);
    } else {
        out.extend_from_slice(NO_DATE);
    }
    out.extend_from_slice(b",\"gNumber\":");
    push_text(out, &format!("3434{:016}", order.number % 10_000_000_000_000_000));
    out.extend_from_slice(b",\"srid\":");
    push_text(out, &if bare { bare_srid(order) } else { srid(order) });
    out.push(b'}');
}

fn buyer(order: &Order) -> (&'static str, &'static str) {
    let at = usize::try_from(order.number % BUYERS.len() as u64).unwrap_or(0);
    BUYERS.get(at).copied().unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeedRequest {
    selected_period: Period,
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Period {
    start: String,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    snapshot_time: Option<String>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// `POST /api/analytics/v1/order-feed`
///
/// `cap`: most rows of a page, whatever is asked for.
pub(crate) fn feed(world: &World, masked: bool, cap: usize, call: &Call, now: i64) -> Answer {
    let request: FeedRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return bad_request(Host::Analytics, &error.to_string()),
    };
    let end = match request.selected_period.end.as_deref() {
        // A bare date as the end means that whole day.
        Some(text) => parse_moscow(text).map(|end| if text.len() == 10 { end + 86_399_999 } else { end }),
        None => Some(i64::MAX),
    };
    let (Some(start), Some(end)) = (parse_moscow(&request.selected_period.start), end) else {
        return bad_request(Host::Analytics, "selectedPeriod: not a date");
    };
    if end < start || start < now - FEED_PERIOD {
        return bad_request(Host::Analytics, "selectedPeriod: not before 31 days ago");
    }
    let has_snapshot = request
        .pagination
        .snapshot_time
        .as_deref()
        .is_some_and(|text| !text.is_empty());
    if request.pagination.offset > 0 && !has_snapshot {
        return bad_request(
            Host::Analytics,
            "pagination.snapshotTime: required with an offset",
        );
    }
    let snapshot = match request
        .pagination
        .snapshot_time
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        None => now,
        Some(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => time.timestamp_millis(),
            Err(error) => return bad_request(Host::Analytics, &format!("snapshotTime: {error}")),
        },
    };
    // The vendor states no largest limit.
    let limit = request.pagination.limit.unwrap_or(50).min(cap);
    if limit == 0 {
        return bad_request(Host::Analytics, "pagination.limit: at least 1");
    }
    // What was known at the snapshot never changes, so its pages are stable while new orders arrive.
    let mut known: Vec<(i64, usize)> = world
        .orders
        .iter()
        .enumerate()
        .filter(|(_, order)| order.date <= snapshot)
        .map(|(index, order)| (order.known_at(snapshot).1, index))
        .filter(|(changed, _)| (start..=end).contains(changed))
        .collect();
    known.sort_unstable_by(|one, other| other.cmp(one));
    let orders: Vec<Value> = known
        .into_iter()
        .skip(request.pagination.offset)
        .take(limit)
        .filter_map(|(_, index)| feed_row(world, world.orders.get(index)?, masked, snapshot))
        .collect();
    let data = json!({"snapshotTime": utc_text(snapshot), "currency": "RUB", "orders": orders});
    Answer::json(200, &json!({"data": data}))
}

fn feed_row(world: &World, order: &Order, masked: bool, snapshot: i64) -> Option<Value> {
    let (size, card) = (world.sizes.get(order.size)?, world.card_of(order.size)?);
    let site = site_of(world, order)?;
    let (district, city) = buyer(order);
    let (status, changed) = order.known_at(snapshot);
    // While an order is only created, its change is its creation.
    let changed = if status == Status::Created {
        order.date
    } else {
        changed
    };
    let hidden = masked && site.russian && !order.from_fbs;
    let mut row = json!({
        "nmId": card.nm_id, "chrtId": size.chrt_id, "srid": srid(order),
        "createdAt": utc_text(order.date),
        "updatedAt": utc_text(changed), "status": status.word(),
        "warehouseName": shown_name(world, order, masked.then_some(MASKED_SYNC)),
        "warehouseRegion": if hidden { "" } else { &site.region },
        "isMp": order.from_fbs, "destinationCity": city, "destinationDistrict": district,
        "sellerPrice": discounted(order.price), "isB2b": false,
    });
    if status == Status::Cancelled {
        let types = ["app", "receipt", "expire", "other"];
        let at = usize::try_from(order.number % types.len() as u64).unwrap_or(0);
        row["cancelType"] = json!(types.get(at));
    }
    Some(row)
}
