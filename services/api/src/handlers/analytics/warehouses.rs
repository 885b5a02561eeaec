//! What lies in each warehouse, with how long it lasts.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use measures::moscow_day;
use read_models::inventory::queries::{self, WarehouseTotal};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::products::days;
use crate::handlers::warehouses::list::{WarehouseFilter, WarehouseView};
use crate::input;
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// A warehouse with its turnover.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarehouseTurnoverView {
    /// What the list of warehouses shows.
    #[serde(flatten)]
    pub warehouse: WarehouseView,
    /// Days its stock lasts: units × 7 ÷ orders of 7 days, one decimal; none where either is zero.
    pub turnover_days: Option<f64>,
}

impl From<WarehouseTotal> for WarehouseTurnoverView {
    fn from(total: WarehouseTotal) -> Self {
        Self {
            turnover_days: days(total.available, total.orders_last_7),
            warehouse: total.into(),
        }
    }
}

/// Warehouses, most units first, all on one page.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/warehouses", tag = "analytics",
    operation_id = "warehouse_turnover", params(WarehouseFilter),
    responses((status = 200, body = Page<WarehouseTurnoverView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: WarehouseFilter = input::query(&request)?;
    let today = moscow_day(call.trace.now);
    let question = async |tx: &Transaction<'_>| queries::warehouse_totals(tx, filter.cabinet, today).await;
    let (totals, position) = call.read(&request, Model::Inventory, question).await?;
    let data = totals.into_iter().map(WarehouseTurnoverView::from).collect();
    Ok(Reply::json(200, &Page::whole(data))?.position(position).into())
}
