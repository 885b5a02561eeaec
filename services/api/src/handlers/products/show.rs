//! One product whole.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, Level, ProductDetail};
use read_models::measure::moscow_day;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{OrdersView, ProductView, days};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// A product with its warehouses.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductDetailView {
    /// What a list shows.
    #[serde(flatten)]
    pub product: ProductView,
    /// Barcodes of all sizes.
    pub barcodes: Vec<String>,
    /// Units on the way to buyers that no warehouse is told for.
    pub unassigned_to_client: i64,
    /// Units on the way back that no warehouse is told for.
    pub unassigned_from_client: i64,
    /// Stock and orders per warehouse.
    pub warehouse_data: Vec<WarehouseLevelView>,
}

/// Stock and orders of a product at one warehouse.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarehouseLevelView {
    /// Key of the warehouse.
    pub warehouse: String,
    /// Its name.
    pub name: String,
    /// `fbo` or `fbs`.
    pub fulfilment: String,
    /// Whether the marketplace hides which warehouse this is.
    pub masked: bool,
    /// Units that can be sold.
    pub stock: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units ordered from here.
    pub orders: OrdersView,
    /// Days the stock here lasts.
    pub turnover_days: Option<f64>,
    /// Source that told the stock.
    pub source: Option<String>,
    /// The marketplace's time of the last recorded change.
    pub as_of: Option<DateTime<Utc>>,
    /// Sync that recorded it.
    pub sync_id: Option<Uuid>,
    /// When it was recorded.
    pub changed_at: Option<DateTime<Utc>>,
    /// Position of that change.
    pub position: Option<i64>,
}

impl From<Level> for WarehouseLevelView {
    fn from(level: Level) -> Self {
        Self {
            turnover_days: days(level.available, level.orders.last_7),
            warehouse: level.warehouse,
            name: level.name,
            fulfilment: level.fulfilment,
            masked: level.masked,
            stock: level.available,
            in_way_to_client: level.in_way_to_client,
            in_way_from_client: level.in_way_from_client,
            orders: level.orders.into(),
            source: level.source,
            as_of: level.as_of,
            sync_id: level.sync_id,
            changed_at: level.changed_at,
            position: level.position,
        }
    }
}

impl From<ProductDetail> for ProductDetailView {
    fn from(detail: ProductDetail) -> Self {
        Self {
            product: detail.summary.into(),
            barcodes: detail.barcodes,
            unassigned_to_client: detail.unassigned_to_client,
            unassigned_from_client: detail.unassigned_from_client,
            warehouse_data: detail.levels.into_iter().map(Into::into).collect(),
        }
    }
}

/// One product with its stock and orders per warehouse.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/products/{id}", tag = "products", operation_id = "product",
    params(("id" = Uuid, Path, description = "Id of the product")),
    responses((status = 200, body = ProductDetailView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "product")?;
    let Nothing = input::query(&request)?;
    let today = moscow_day(call.trace.now);
    let question = async |tx: &Transaction<'_>| queries::product(tx, id, today).await;
    let (product, position) = call.read(&request, Model::Inventory, question).await?;
    let product = product.ok_or_else(|| Problem::not_found("product"))?;
    Ok(Reply::json(200, &ProductDetailView::from(product))?
        .position(position)
        .into())
}
