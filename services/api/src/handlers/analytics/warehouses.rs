//! What lies in each warehouse, with how long it lasts.

use actix_web::{HttpRequest, HttpResponse};
use read_models::inventory::queries::WarehouseTotal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::handlers::products::days;
use crate::handlers::warehouses::list::{self, WarehouseFilter, WarehouseView};
use crate::problem::Problem;
use crate::reply::Page;

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
    list::page::<WarehouseTurnoverView>(&request).await
}
