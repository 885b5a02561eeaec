//! The tenant at a glance.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use measures::{moscow_day, round_half_even};
use read_models::inventory::queries::{self as inventory, LOW_STOCK, Totals};
use read_models::operations::queries::{self as operations, SyncDetail, SyncQuery};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// The tenant in numbers. Products that left the catalogue are not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DashboardView {
    /// Products in the catalogue.
    pub total_products: i64,
    /// Units that can be sold, without those below.
    pub total_stock: i64,
    /// Units at warehouses that were left out of totals.
    pub excluded_units: i64,
    /// Units ordered in the last 7 days; none where some of these days are not known of a cabinet.
    pub total_orders: Option<i64>,
    /// … in 14 days.
    pub orders_last_14: Option<i64>,
    /// … in 28 days.
    pub orders_last_28: Option<i64>,
    /// Days of the 28 of which the orders of every cabinet are known.
    #[schema(minimum = 0, maximum = 28)]
    pub orders_known_days: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Products with units, but fewer than 10.
    pub low_stock_count: i64,
    /// Products with no units.
    pub out_of_stock_count: i64,
    /// Products of which something was reported that could not be processed. They are missing or do not
    /// change; the operator of the service has to look at them.
    pub unprocessed_products: i64,
    /// Units by product, two decimals; 0 without products.
    pub average_stock_per_product: f64,
    /// The sync that was asked for last.
    pub last_sync: Option<NewestSyncView>,
    /// Share of products that are neither low nor out of stock, in percent, one decimal; 100 without
    /// products.
    pub health_score: f64,
}

/// The sync that was asked for last.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewestSyncView {
    /// When it began, or was asked for.
    pub timestamp: DateTime<Utc>,
    /// See `GET /syncs`.
    pub status: &'static str,
    /// Products seen.
    pub products_synced: Option<i64>,
    /// How long it took, milliseconds.
    pub duration_ms: Option<i64>,
}

impl From<SyncDetail> for NewestSyncView {
    fn from(sync: SyncDetail) -> Self {
        let took = sync.started_at.zip(sync.finished_at);
        Self {
            timestamp: sync.started_at.unwrap_or(sync.requested_at),
            status: sync.status.as_str(),
            products_synced: sync.products_seen,
            duration_ms: took.map(|(from, to)| (to - from).num_milliseconds()),
        }
    }
}

impl DashboardView {
    fn of(totals: &Totals, unprocessed: i64, last_sync: Option<SyncDetail>) -> Self {
        let known = totals.orders_known;
        let well = totals.products - totals.low_stock - totals.out_of_stock;
        Self {
            total_products: totals.products,
            total_stock: totals.available,
            excluded_units: totals.excluded_units,
            total_orders: known.last_7.then_some(totals.orders_last_7),
            orders_last_14: known.last_14.then_some(totals.orders_last_14),
            orders_last_28: known.last_28.then_some(totals.orders_last_28),
            orders_known_days: known.days,
            in_way_to_client: totals.in_way_to_client,
            in_way_from_client: totals.in_way_from_client,
            low_stock_count: totals.low_stock,
            out_of_stock_count: totals.out_of_stock,
            unprocessed_products: unprocessed,
            average_stock_per_product: decimal(totals.available, totals.products, 100).unwrap_or(0.0),
            last_sync: last_sync.map(Into::into),
            health_score: decimal(well.saturating_mul(100), totals.products, 10).unwrap_or(100.0),
        }
    }
}

/// A fraction rounded half to even to one part in `parts`; none where it is divided by nothing.
#[expect(clippy::cast_precision_loss, reason = "rounded figures stay far below 2^53")]
pub(super) fn decimal(numerator: i64, denominator: i64, parts: i64) -> Option<f64> {
    (denominator > 0 && numerator >= 0).then(|| {
        let rounded = round_half_even(i128::from(numerator) * i128::from(parts), denominator.into());
        rounded as f64 / parts as f64
    })
}

/// The tenant at a glance.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/dashboard", tag = "analytics", operation_id = "dashboard",
    responses((status = 200, body = DashboardView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let today = moscow_day(call.trace.now);
    let newest = SyncQuery {
        cabinet_id: None,
        status: None,
        since: None,
        connected_only: true,
        before: None,
        limit: 1,
    };
    let question = async |tx: &Transaction<'_>| {
        let totals = inventory::totals(tx, today, LOW_STOCK).await?;
        let unprocessed = inventory::unprocessed(tx).await?;
        let last = operations::syncs(tx, &newest).await?.into_iter().next();
        Ok((totals, unprocessed, last))
    };
    let ((totals, unprocessed, last), position) = call.read(&request, Model::Inventory, question).await?;
    Ok(Reply::json(200, &DashboardView::of(&totals, unprocessed, last))?
        .position(position)
        .into())
}
