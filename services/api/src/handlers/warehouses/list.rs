//! A tenant's warehouses and what lies in them.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, Exclusion, WarehouseTotal};
use read_models::measure::moscow_day;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// Which warehouses.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WarehouseFilter {
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
}

impl Input for WarehouseFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            cabinet: fields.optional("cabinet", shape::uuid),
        })
    }
}

/// A warehouse of a cabinet.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarehouseView {
    /// Key; unique inside the cabinet. It filters products.
    pub warehouse: String,
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// Its name as told last.
    pub warehouse_name: String,
    /// `fbo` or `fbs`.
    pub fulfilment: String,
    /// Whether the marketplace hides which warehouse this is.
    pub masked: bool,
    /// Whether stock was ever told for it; else only orders were.
    pub has_stock: bool,
    /// Why its units are no part of totals, if they are not.
    pub excluded: Option<ExclusionView>,
    /// Units there, also where they are no part of totals.
    pub total_stock: i64,
    /// Units ordered from it in the last 7 days; none where not all of these days are known.
    pub total_orders: Option<i64>,
    /// Products with at least one unit there.
    pub product_count: i64,
}

/// Why the units of a warehouse are no part of totals, turnover and days of stock.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExclusionView {
    /// In the words of whoever left it out.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who gave the reason: `user:` or `api_key:` and an id.
    pub by: String,
}

impl From<Exclusion> for ExclusionView {
    fn from(exclusion: Exclusion) -> Self {
        Self {
            reason: exclusion.reason,
            since: exclusion.since,
            by: exclusion.by,
        }
    }
}

impl From<WarehouseTotal> for WarehouseView {
    fn from(total: WarehouseTotal) -> Self {
        Self {
            warehouse: total.warehouse.warehouse,
            cabinet_id: total.warehouse.cabinet_id,
            warehouse_name: total.warehouse.name,
            fulfilment: total.warehouse.fulfilment,
            masked: total.warehouse.masked,
            has_stock: total.warehouse.in_stock,
            excluded: total.warehouse.excluded.map(Into::into),
            total_stock: total.available,
            total_orders: total.orders_last_7,
            product_count: total.products,
        }
    }
}

/// List warehouses, most units first, all on one page. The units of those that are not `excluded` add up to
/// the total of the dashboard.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/warehouses", tag = "products", operation_id = "warehouses",
    params(WarehouseFilter), responses((status = 200, body = Page<WarehouseView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    page::<WarehouseView>(&request).await
}

/// Warehouses and what lies in them, each in the form of a view.
pub(in crate::handlers) async fn page<View: From<WarehouseTotal> + Serialize>(
    request: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let call = Call::enter(request).await?;
    let filter: WarehouseFilter = input::query(request)?;
    let today = moscow_day(call.trace.now);
    let question = async |tx: &Transaction<'_>| queries::warehouse_totals(tx, filter.cabinet, today).await;
    let (totals, position) = call.read(request, Model::Inventory, question).await?;
    let data = totals.into_iter().map(View::from).collect();
    Ok(Reply::json(200, &Page::whole(data))?.position(position).into())
}
