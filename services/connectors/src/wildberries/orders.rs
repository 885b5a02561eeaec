//! Orders: the order feed, or the older report where the token only allows that. Either way an order is one
//! unit with one `srid`, and comes out once, in its last known state.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Days, TimeDelta, Utc};
use tokio::time::Instant;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::time;
use super::token::Scope;
use super::wire::{
    Data, FeedPage, FeedPagination, FeedPeriod, FeedRequest, FeedRow, SupplierOrder, minor_units,
};
use crate::error::{CallError, CallFailure, FailureClass};
use crate::json::{self, RawRows, Told};
use crate::marketplace::{Fetched, OrderObservation, OrderStatus, Period, Tally};
use crate::payload::ORDERS;

const FEED: &str = "POST /api/analytics/v1/order-feed";
const SUPPLIER: &str = "GET /api/v1/supplier/orders";

/// Longest period of one feed request, and how far back it may begin: "not before 31 days ago".
const FEED_DAYS: u64 = 31;
/// How much later than that border a request begins, for the time until the vendor reads it.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// An answer of the older report with fewer rows than this is far from its "conditional" cap of 80,000.
const FAR_FROM_CAP: usize = 40_000;
/// A short page of the feed is followed by another question when that may be asked so soon.
const SOON: Duration = Duration::from_secs(5);
/// A page that holds a multiple of so many rows may have been cut by a cap that the vendor does not state.
const ROUND: u64 = 10;
/// Where the rows of both are.
const FEED_ROWS: &str = "data.orders[]";
const SUPPLIER_ROWS: &str = "[]";
/// `warehouseType` of orders that the seller ships.
const SELLER_WAREHOUSE: &str = "Склад продавца";

impl Wildberries {
    /// Orders of the period: by the feed where the token has Analytics and the vendor allows it,
    /// else by the older report. A feed that is closed is tried again after a while, and at once with another
    /// token.
    ///
    /// # Errors
    /// The first page that failed.
    pub(super) async fn fetch_orders(
        &self,
        period: Period,
    ) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        let feed = self.token.scopes().has(Scope::Analytics) && !self.is_closed(&self.seller.no_order_feed);
        if !feed {
            return self.supplier_orders(period).await;
        }
        match self.order_feed(period).await {
            Ok(Some(fetched)) => return Ok(fetched),
            Ok(None) => {
                tracing::info!("the order feed has too many pages, the older report is taken for a while");
                self.close(&self.seller.no_order_feed);
            }
            Err(error) if feed_is_closed(&error.failure) && self.has_statistics() => {
                tracing::info!(
                    class = error.class().as_str(),
                    "the order feed is closed, the older report is taken"
                );
                // Only this refusal is about the kind of token; the others may be over tomorrow.
                if matches!(error.failure, CallFailure::Forbidden { .. }) {
                    self.close(&self.seller.no_order_feed);
                }
            }
            Err(error) => return Err(error),
        }
        self.supplier_orders(period).await
    }

    /// Page: <https://dev.wildberries.ru/docs/openapi/analytics>, `POST /api/analytics/v1/order-feed`; once a
    /// minute, with a base token once in three hours; at most 31 days a request, and none of them longer ago
    /// than 31 days when the vendor reads it. The pages of one listing are cut from one snapshot, which the
    /// first answer names.
    ///
    /// The period means the time of the order's present status, newest first (vendor's page of 2026-10-30):
    /// an order that was placed in the period is there in any case, and older ones that changed in it are
    /// too.
    ///
    /// None when it would take more pages than [`Options::feed_pages`](super::Options), or the next page is
    /// further away than our patience, and the older report can be asked instead: at a thousand orders a
    /// minute a large seller would never come to the end.
    async fn order_feed(&self, period: Period) -> Result<Option<Fetched<Vec<OrderObservation>>>, CallError> {
        let mut tally = self.tally("wb.orders.feed", ORDERS);
        let mut orders = Orders::default();
        let mut complete = match self.feed_pages(period, &mut tally, &mut orders).await {
            Ok(Some(whole)) => whole,
            Ok(None) => return Ok(None),
            // Orders never vanish, so what came before a page that failed is worth having.
            Err(error) if orders.len() > 0 && is_passing(&error) => {
                tally.trouble(format!("a page failed: {}", error.failure));
                false
            }
            Err(error) => return Err(error),
        };
        tally
            .left_out
            .is_drift()
            .map_err(|failure| CallError::new(FEED, failure))?;
        complete &= tally.left_out.count() == 0;
        let outcome = tally.finish("wb.orders.feed");
        Ok(Some(Fetched {
            items: orders.finish(),
            outcome,
            complete,
        }))
    }

    fn has_statistics(&self) -> bool {
        self.token.scopes().has(Scope::Statistics)
    }

    /// Whether the answer was whole; none when the older report is the better way.
    async fn feed_pages(
        &self,
        period: Period,
        tally: &mut Tally,
        orders: &mut Orders,
    ) -> Result<Option<bool>, CallError> {
        let mut snapshot: Option<String> = None;
        let (mut offset, limit) = (0, self.options.order_page);
        let (began, mut before_it) = (Instant::now(), Bytes::new());
        loop {
            let waited = TimeDelta::from_std(began.elapsed()).unwrap_or_default();
            let body = FeedRequest {
                period: FeedPeriod {
                    start: time::utc_text(not_too_old(period, waited)),
                    end: time::utc_text(period.to),
                },
                pagination: FeedPagination {
                    snapshot_time: snapshot.as_deref(),
                    offset,
                    limit,
                },
            };
            let call = self
                .report_call(FEED, Category::Analytics, "/api/analytics/v1/order-feed")?
                .json(&body)?;
            let reply = self.fetch(Group::OrderFeed, &call).await?;
            if reply.body.trim_ascii().is_empty() {
                tally.page(&reply.body, 0, reply.date());
                if reply.status != 204 {
                    tally.trouble("an empty body");
                }
                return Ok(Some(reply.status == 204));
            }
            let page: Data<Option<FeedPage>> =
                json::decode(&reply.body).map_err(|failure| CallError::new(FEED, failure))?;
            let Some(FeedPage {
                snapshot_time,
                currency,
                orders: Told::Value(rows),
            }) = feed_page(page)?
            else {
                tally.page(&reply.body, 0, reply.date());
                tally.trouble("no list of orders");
                return Ok(Some(false));
            };
            let as_of = snapshot_time.as_deref().and_then(time::parse);
            tally.page(&reply.body, rows.len(), as_of.or_else(|| reply.date()));
            let count = rows.len() as u64;
            let before = orders.len();
            let read = |row| feed_order(row, currency.as_deref());
            let read = rows.read(FEED_ROWS, &[], &mut tally.left_out, read);
            let read_all = read.len() == rows.len();
            read.into_iter().for_each(|order| orders.add(order));
            if count == 0 {
                return Ok(Some(true));
            }
            // A full page of damaged rows is not one that was there before.
            let repeats = orders.len() == before && (count < limit || before_it == reply.body || read_all);
            if repeats && count >= limit {
                let what = "a full page of the order feed repeats orders that were there before".to_owned();
                return Err(CallError::new(FEED, CallFailure::Inconsistent { what }));
            }
            snapshot = snapshot.or(snapshot_time);
            offset += count;
            let wait = self.seller.bucket(Group::OrderFeed).wait().await;
            let too_far = wait > self.patience();
            if count < limit {
                // A short page is the end, unless it was cut by a cap that the vendor does not state.
                let is_looked_behind = wait <= SOON || (count.is_multiple_of(ROUND) && !too_far);
                if repeats || !is_looked_behind {
                    return Ok(Some(true));
                }
            }
            before_it = reply.body;
            if self.has_statistics() && (too_far || tally.pages >= self.options.feed_pages) {
                return Ok(None);
            }
        }
    }

    /// Page: <https://dev.wildberries.ru/docs/openapi/reports>, `GET /api/v1/supplier/orders`; once a minute,
    /// with a base token once in three hours; refreshed every 30 minutes, kept 90 days.
    ///
    /// The next page starts at the last row's change, inclusive, so border rows come again; the end is an
    /// empty answer or one without a new order. Where that last question would have to wait longer than our
    /// patience (base tokens: three hours), a page far below the vendor's cap is taken as the last one. An
    /// empty answer after a page near the cap proves nothing.
    async fn supplier_orders(&self, period: Period) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        self.require(Scope::Statistics, SUPPLIER)?;
        let mut tally = self.tally("wb.orders.supplier", ORDERS);
        let mut orders = Orders::default();
        let mut complete = self.supplier_pages(period, &mut tally, &mut orders).await?;
        tally
            .left_out
            .is_drift()
            .map_err(|failure| CallError::new(SUPPLIER, failure))?;
        complete &= tally.left_out.count() == 0;
        let mut items = orders.finish();
        items.retain(|order| order.ordered_at < period.to);
        Ok(Fetched {
            items,
            outcome: tally.finish("wb.orders.supplier"),
            complete,
        })
    }

    /// Whether all pages came.
    async fn supplier_pages(
        &self,
        period: Period,
        tally: &mut Tally,
        orders: &mut Orders,
    ) -> Result<bool, CallError> {
        let mut date_from = time::moscow_text(period.from);
        let mut rows_before = 0;
        loop {
            let call = self
                .report_call(SUPPLIER, Category::Statistics, "/api/v1/supplier/orders")?
                .query(&[("dateFrom", &date_from), ("flag", "0")]);
            let reply = match self.fetch(Group::SupplierOrders, &call).await {
                Ok(reply) => reply,
                Err(error) if orders.len() > 0 && is_passing(&error) => {
                    tally.trouble(format!("a page failed: {}", error.failure));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let empty = reply.body.trim_ascii().is_empty();
            let rows: Option<RawRows> = if empty {
                (reply.status == 204).then(RawRows::default)
            } else {
                json::decode(&reply.body).map_err(|failure| CallError::new(SUPPLIER, failure))?
            };
            tally.page(&reply.body, rows.as_ref().map_or(0, RawRows::len), reply.date());
            let Some(rows) = rows else {
                tally.trouble(if empty {
                    "an empty body"
                } else {
                    "no list of orders"
                });
                return Ok(false);
            };
            if rows.is_empty() {
                if rows_before >= FAR_FROM_CAP {
                    tally.trouble("nothing follows a page that may have been cut");
                }
                return Ok(rows_before < FAR_FROM_CAP);
            }
            let before = orders.len();
            let read = rows.read(SUPPLIER_ROWS, &[], &mut tally.left_out, supplier_order);
            // The report is sorted by this time, and a row that cannot be read does not end it.
            let Some(newest) = read.iter().map(|order| order.changed_at).max() else {
                return Ok(false);
            };
            read.into_iter().for_each(|order| orders.add(order));
            date_from = time::moscow_text(newest);
            rows_before = rows.len();
            let wait = self.seller.bucket(Group::SupplierOrders).wait().await;
            if orders.len() == before || (wait > self.patience() && rows_before < FAR_FROM_CAP) {
                return Ok(true);
            }
        }
    }
}

/// The start of the period, moved to where the vendor still takes it. The period was chosen before all
/// waiting: `waited` has passed since, and the margin is for what is still to come.
fn not_too_old(period: Period, waited: TimeDelta) -> DateTime<Utc> {
    let oldest = period.to.checked_sub_days(Days::new(FEED_DAYS));
    oldest.map_or(period.from, |oldest| period.from.max(oldest + waited + MARGIN))
}

/// Whether a failure says nothing against what came before it.
fn is_passing(error: &CallError) -> bool {
    matches!(
        error.class(),
        FailureClass::Transient | FailureClass::Contract | FailureClass::Wait { .. }
    )
}

/// A list that is `null` was seen; one that is not there at all was renamed.
fn feed_page(page: Data<Option<FeedPage>>) -> Result<Option<FeedPage>, CallError> {
    match page.data {
        Some(page) if !page.orders.is_there() => {
            let failure = json::malformed("field `data.orders` is missing");
            Err(CallError::new(FEED, failure))
        }
        page => Ok(page),
    }
}

/// Refused, not there any more, or not before long.
fn feed_is_closed(failure: &CallFailure) -> bool {
    matches!(
        failure,
        CallFailure::Forbidden { .. }
            | CallFailure::NotFound { .. }
            | CallFailure::Unauthorized { .. }
            | CallFailure::RateLimited { .. }
    )
}

/// Orders by srid; the latest change wins.
#[derive(Default)]
struct Orders(HashMap<String, OrderObservation>);

impl Orders {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn add(&mut self, order: OrderObservation) {
        match self.0.entry(order.srid.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(order);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get();
                // Of two rows with one time the cancelled one is the later: nothing follows it.
                let is_later = match order.changed_at.cmp(&known.changed_at) {
                    Ordering::Equal => order.cancelled || !known.cancelled,
                    other => other.is_gt(),
                };
                if is_later {
                    entry.insert(order);
                }
            }
        }
    }

    /// In the order of their changes, so that the same payload gives the same list.
    fn finish(self) -> Vec<OrderObservation> {
        let mut orders: Vec<OrderObservation> = self.0.into_values().collect();
        orders.sort_unstable_by(|a, b| (a.changed_at, &a.srid).cmp(&(b.changed_at, &b.srid)));
        orders
    }
}

fn feed_order(row: FeedRow, currency: Option<&str>) -> Result<OrderObservation, CallFailure> {
    let ordered_at = required_time("data.orders[].createdAt", &row.created_at)?;
    let status = match row.status.as_str() {
        "created" => OrderStatus::Created,
        "buyout" => OrderStatus::Buyout,
        "cancel" => OrderStatus::Cancelled,
        "return" => OrderStatus::Returned,
        "returnDefective" => OrderStatus::ReturnedDefective,
        _ => OrderStatus::Other(row.status),
    };
    Ok(OrderObservation {
        nm_id: row.nm_id,
        ordered_at,
        changed_at: row
            .updated_at
            .as_deref()
            .and_then(time::parse)
            .unwrap_or(ordered_at),
        warehouse_name: named(row.warehouse_name),
        warehouse_id: None,
        is_fbs: row.is_mp,
        quantity: 1,
        cancelled: status == OrderStatus::Cancelled,
        status,
        price_minor: row.seller_price.and_then(minor_units).filter(|price| *price >= 0),
        currency: currency.map(str::to_owned),
        size_id: row.chrt_id.filter(|id| *id > 0),
        // A masked warehouse hides its region behind the same words as its name.
        cluster: named(row.warehouse_region).filter(|region| !super::is_masked_name(region)),
        srid: srid("data.orders[].srid", row.srid)?,
    })
}

fn supplier_order(row: SupplierOrder) -> Result<OrderObservation, CallFailure> {
    Ok(OrderObservation {
        nm_id: row.nm_id,
        ordered_at: required_time("[].date", &row.date)?,
        changed_at: required_time("[].lastChangeDate", &row.last_change_date)?,
        warehouse_name: named(row.warehouse_name),
        warehouse_id: None,
        is_fbs: row.warehouse_type.as_deref() == Some(SELLER_WAREHOUSE),
        quantity: 1,
        cancelled: row.is_cancel,
        status: if row.is_cancel {
            OrderStatus::Cancelled
        } else {
            OrderStatus::Created
        },
        price_minor: row
            .price_with_disc
            .and_then(minor_units)
            .filter(|price| *price >= 0),
        currency: None,
        // The older report knows the size by its name only, and of regions the buyer's.
        size_id: None,
        cluster: None,
        srid: srid("[].srid", row.srid)?,
    })
}

fn required_time(field: &str, text: &str) -> Result<DateTime<Utc>, CallFailure> {
    time::parse(text).ok_or_else(|| json::malformed(format!("field `{field}` is no time")))
}

fn srid(field: &str, srid: String) -> Result<String, CallFailure> {
    if srid.trim().is_empty() {
        return Err(json::malformed(format!("field `{field}` is empty")));
    }
    Ok(srid)
}

fn named(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
