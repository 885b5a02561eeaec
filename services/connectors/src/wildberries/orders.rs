//! Orders: the order feed, or the older report where the token only allows that. Either way an order is one
//! unit with one `srid`, and comes out once, in its last known state.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Days, Utc};

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::time;
use super::token::Scope;
use super::wire::{
    Data, FeedPage, FeedPagination, FeedPeriod, FeedRequest, FeedRow, SupplierOrder, minor_units,
};
use crate::error::{CallError, CallFailure};
use crate::json::{self, Told};
use crate::marketplace::{Fetched, OrderObservation, OrderStatus, Period, Tally};
use crate::payload::ORDERS;

const FEED: &str = "POST /api/analytics/v1/order-feed";
const SUPPLIER: &str = "GET /api/v1/supplier/orders";

/// Longest period of one feed request.
const FEED_DAYS: u64 = 31;
/// An answer of the older report with fewer rows than this is far from its "conditional" cap of 80,000.
const FAR_FROM_CAP: usize = 40_000;
/// `warehouseType` of orders that the seller ships.
const SELLER_WAREHOUSE: &str = "Склад продавца";

impl Wildberries {
    /// Orders of the period: by the feed where the token has Analytics and the vendor allows it,
    /// else by the older report.
    ///
    /// # Errors
    /// The first page that failed.
    pub(super) async fn fetch_orders(
        &self,
        period: Period,
    ) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        let feed = self.token.scopes().has(Scope::Analytics) && !self.seller.no_order_feed.is_set();
        if !feed {
            return self.supplier_orders(period).await;
        }
        match self.order_feed(period).await {
            Ok(Some(fetched)) => return Ok(fetched),
            Ok(None) => {
                tracing::info!("the order feed has too many pages, the older report is taken from now on");
                self.seller.no_order_feed.set();
            }
            Err(error) if feed_is_closed(&error.failure) && self.has_statistics() => {
                tracing::info!(%error, "the order feed is closed, the older report is taken");
                // Only this refusal is about the kind of token; the others may be over tomorrow.
                if matches!(error.failure, CallFailure::Forbidden { .. }) {
                    self.seller.no_order_feed.set();
                }
            }
            Err(error) => return Err(error),
        }
        self.supplier_orders(period).await
    }

    /// Page: <https://dev.wildberries.ru/docs/openapi/analytics>, `POST /api/analytics/v1/order-feed`; once a
    /// minute, with a base token once in three hours; at most 31 days a request. The pages of one listing are
    /// cut from one snapshot, which the first answer names.
    ///
    /// The vendor does not say whether the period means the order's time or that of its status; live callers
    /// read it as the latter. Either way an order that was placed in the period is there.
    ///
    /// None when it would take more pages than [`Options::feed_pages`](super::Options), or the next page is
    /// further away than our patience, and the older report can be asked instead: at a thousand orders a
    /// minute a large seller would never come to the end.
    async fn order_feed(&self, period: Period) -> Result<Option<Fetched<Vec<OrderObservation>>>, CallError> {
        let mut tally = self.tally("wb.orders.feed", ORDERS);
        let mut orders = Orders::default();
        let mut complete = true;
        let mut from = period.from;
        while from < period.to {
            let to = from
                .checked_add_days(Days::new(FEED_DAYS))
                .map_or(period.to, |end| end.min(period.to));
            match self
                .feed_window(Period { from, to }, &mut tally, &mut orders)
                .await?
            {
                Some(whole) => complete &= whole,
                None => return Ok(None),
            }
            from = to;
        }
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

    /// Whether the window's answer was whole; none when the older report is the better way.
    async fn feed_window(
        &self,
        window: Period,
        tally: &mut Tally,
        orders: &mut Orders,
    ) -> Result<Option<bool>, CallError> {
        let mut snapshot: Option<String> = None;
        let mut offset = 0;
        loop {
            let limit = self.options.order_page;
            let body = FeedRequest {
                period: FeedPeriod {
                    start: time::utc_text(window.from),
                    end: time::utc_text(window.to),
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
            for row in rows {
                orders.add(feed_order(row, currency.as_deref())?);
            }
            if count < limit {
                return Ok(Some(true));
            }
            if orders.len() == before {
                let what = "a full page of the order feed repeats orders that were there before".to_owned();
                return Err(CallError::new(FEED, CallFailure::Inconsistent { what }));
            }
            snapshot = snapshot.or(snapshot_time);
            offset += count;
            let too_far = self.seller.bucket(Group::OrderFeed).wait().await > self.patience();
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
    /// patience (base tokens: three hours), a page far below the vendor's cap is taken as the last one.
    async fn supplier_orders(&self, period: Period) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        self.require(Scope::Statistics, SUPPLIER)?;
        let mut tally = self.tally("wb.orders.supplier", ORDERS);
        let mut orders = Orders::default();
        let mut date_from = time::moscow_text(period.from);
        let complete = loop {
            let call = self
                .report_call(SUPPLIER, Category::Statistics, "/api/v1/supplier/orders")?
                .query(&[("dateFrom", &date_from), ("flag", "0")]);
            let reply = self.fetch(Group::SupplierOrders, &call).await?;
            let rows: Option<Vec<SupplierOrder>> = if reply.body.trim_ascii().is_empty() {
                (reply.status == 204).then(Vec::new)
            } else {
                json::decode(&reply.body).map_err(|failure| CallError::new(SUPPLIER, failure))?
            };
            tally.page(&reply.body, rows.as_ref().map_or(0, Vec::len), reply.date());
            // No list at all is an end like any other once something came before it.
            let Some(rows) = rows else {
                let empty = reply.body.trim_ascii().is_empty();
                tally.trouble(if empty {
                    "an empty body"
                } else {
                    "no list of orders"
                });
                break tally.pages > 1;
            };
            let Some(last) = rows.last() else { break true };
            date_from = next_date_from(&last.last_change_date)?;
            let (count, before) = (rows.len(), orders.len());
            for row in rows {
                orders.add(supplier_order(row)?);
            }
            let wait = self.seller.bucket(Group::SupplierOrders).wait().await;
            if orders.len() == before || (wait > self.patience() && count < FAR_FROM_CAP) {
                break true;
            }
        };
        let mut items = orders.finish();
        items.retain(|order| order.ordered_at < period.to);
        Ok(Fetched {
            items,
            outcome: tally.finish("wb.orders.supplier"),
            complete,
        })
    }
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
                if order.changed_at >= entry.get().changed_at {
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

fn feed_order(row: FeedRow, currency: Option<&str>) -> Result<OrderObservation, CallError> {
    let ordered_at = required_time(FEED, "createdAt", &row.created_at)?;
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
        price_minor: row.seller_price.and_then(minor_units),
        currency: currency.map(str::to_owned),
        size_id: row.chrt_id.filter(|id| *id > 0),
        // A masked warehouse hides its region behind the same words as its name.
        cluster: named(row.warehouse_region).filter(|region| !super::is_masked_name(region)),
        srid: srid(FEED, row.srid)?,
    })
}

fn supplier_order(row: SupplierOrder) -> Result<OrderObservation, CallError> {
    Ok(OrderObservation {
        nm_id: row.nm_id,
        ordered_at: required_time(SUPPLIER, "date", &row.date)?,
        changed_at: required_time(SUPPLIER, "lastChangeDate", &row.last_change_date)?,
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
        price_minor: row.price_with_disc.and_then(minor_units),
        currency: None,
        // The older report knows the size by its name only, and of regions the buyer's.
        size_id: None,
        cluster: None,
        srid: srid(SUPPLIER, row.srid)?,
    })
}

/// The full time of the last row, as the vendor asks; a zone, where one was sent, is turned into Moscow time.
fn next_date_from(last_change: &str) -> Result<String, CallError> {
    let time = required_time(SUPPLIER, "lastChangeDate", last_change)?;
    Ok(time::moscow_text(time))
}

fn required_time(endpoint: &'static str, field: &str, text: &str) -> Result<DateTime<Utc>, CallError> {
    time::parse(text)
        .ok_or_else(|| CallError::new(endpoint, json::malformed(format!("field `{field}` is no time"))))
}

fn srid(endpoint: &'static str, srid: String) -> Result<String, CallError> {
    if srid.is_empty() {
        return Err(CallError::new(endpoint, json::malformed("field `srid` is empty")));
    }
    Ok(srid)
}

fn named(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
