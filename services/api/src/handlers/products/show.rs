//! One product whole.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use events::product::{MarketplaceTurnover, Price, ProductSize, SizeUnits};
use measures::KnownWindows;
use read_models::inventory::queries::{self, Level, ProductDetail};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::warehouses::list::ExclusionView;
use super::{OrdersView, PacesView, ProductView, days, mark_paused, tenth, thousandth};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
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
    /// Its sizes.
    pub sizes: Vec<SizeView>,
    /// What it is sold for, where that is told.
    pub price: Option<PriceView>,
    /// The marketplace's own figures: for all of its regions together, then by region.
    pub marketplace_figures: Vec<FigureView>,
    /// Units on the way to buyers that no warehouse is told for.
    pub unassigned_to_client: i64,
    /// Units on the way back that no warehouse is told for.
    pub unassigned_from_client: i64,
    /// Whether its cabinet was taken away: lists, totals, exports and the sheet leave it out then.
    pub cabinet_disconnected: bool,
    /// Stock and orders per warehouse.
    pub warehouse_data: Vec<WarehouseLevelView>,
}

/// A size, which has stock and barcodes of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct SizeView {
    /// The marketplace's id of the size.
    pub id: i64,
    /// The seller's name of the size.
    pub name: String,
    /// Its barcodes.
    pub barcodes: Vec<String>,
}

/// What the seller asks for an article.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceView {
    /// Before any discount, in minor units.
    pub price_minor: i64,
    /// After the seller's discount, in minor units.
    pub discounted_minor: Option<i64>,
    /// ISO 4217 code.
    pub currency: String,
}

/// Turnover as the marketplace itself counts it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FigureView {
    /// Region of warehouses; none for all of them together.
    pub cluster: Option<String>,
    /// Average units a day.
    pub daily_sales: Option<f64>,
    /// Days that the stock lasts at that rate.
    pub days_of_stock: Option<f64>,
    /// Days since the last sale.
    pub days_without_sales: Option<u32>,
    /// The marketplace's grade in its own word.
    pub grade: Option<String>,
}

/// Units of one size at one warehouse.
#[derive(Debug, Serialize, ToSchema)]
pub struct SizeUnitsView {
    /// The marketplace's id of the size.
    pub id: i64,
    /// Its name; empty when not known.
    pub name: String,
    /// Units that can be sold.
    pub stock: i64,
}

impl From<ProductSize> for SizeView {
    fn from(size: ProductSize) -> Self {
        Self {
            id: size.size_id,
            name: size.name,
            barcodes: size.barcodes,
        }
    }
}

impl From<Price> for PriceView {
    fn from(price: Price) -> Self {
        Self {
            price_minor: price.price_minor,
            discounted_minor: price.discounted_minor,
            currency: price.currency,
        }
    }
}

impl From<MarketplaceTurnover> for FigureView {
    fn from(figure: MarketplaceTurnover) -> Self {
        let decimal = |milli: Option<u32>| milli.map(|milli| thousandth(milli.into()));
        Self {
            cluster: figure.cluster,
            daily_sales: decimal(figure.daily_sales_milli),
            days_of_stock: decimal(figure.days_of_stock_milli),
            days_without_sales: figure.days_without_sales,
            grade: figure.grade,
        }
    }
}

impl From<SizeUnits> for SizeUnitsView {
    fn from(units: SizeUnits) -> Self {
        Self {
            id: units.size_id,
            name: units.name,
            stock: units.available,
        }
    }
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
    /// Why the units here are no part of the product's, if they are not.
    pub excluded: Option<ExclusionView>,
    /// Units here.
    pub stock: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units ordered from here.
    pub orders: OrdersView,
    /// Turnover here.
    pub turnover_days: Option<f64>,
    /// Units ordered from here and time in stock here.
    pub pace: PacesView,
    /// Days the stock here lasts at the pace of 28 days here.
    pub days_of_stock: Option<f64>,
    /// Units of further kinds, in the marketplace's words.
    pub buckets: BTreeMap<String, i64>,
    /// The marketplace's region of warehouses, when known.
    pub cluster: Option<String>,
    /// Units by size, where the source tells sizes.
    pub sizes: Vec<SizeUnitsView>,
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

impl WarehouseLevelView {
    fn of(level: Level, known: KnownWindows) -> Self {
        let orders = OrdersView::of(level.orders, known);
        Self {
            turnover_days: days(level.available, orders.last_7),
            days_of_stock: level.paces.last_28.days_of_stock(level.available).map(tenth),
            pace: level.paces.into(),
            buckets: level.buckets,
            cluster: level.cluster,
            sizes: level.sizes.into_iter().map(Into::into).collect(),
            warehouse: level.warehouse,
            name: level.name,
            fulfilment: level.fulfilment,
            masked: level.masked,
            excluded: level.excluded.map(Into::into),
            stock: level.available,
            in_way_to_client: level.in_way_to_client,
            in_way_from_client: level.in_way_from_client,
            orders,
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
        let figures = detail.summary.figures.clone();
        let known = detail.summary.orders_known;
        Self {
            product: detail.summary.into(),
            sizes: detail.sizes.into_iter().map(Into::into).collect(),
            price: detail.price.map(Into::into),
            marketplace_figures: figures.into_iter().map(Into::into).collect(),
            barcodes: detail.barcodes,
            unassigned_to_client: detail.unassigned_to_client,
            unassigned_from_client: detail.unassigned_from_client,
            cabinet_disconnected: detail.disconnected,
            warehouse_data: (detail.levels.into_iter())
                .map(|level| WarehouseLevelView::of(level, known))
                .collect(),
        }
    }
}

/// Of when.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowFilter {
    /// Stock and orders as they were known at this time; see the list of products. Not in the future.
    #[param(required = false)]
    pub as_of: Option<DateTime<Utc>>,
}

impl Input for ShowFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            as_of: fields.optional("as_of", shape::time),
        })
    }
}

/// One product with its stock and orders per warehouse. A product that was not known at `as_of` is not found.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/products/{id}", tag = "products", operation_id = "product",
    params(("id" = Uuid, Path, description = "Id of the product"), ShowFilter),
    responses((status = 200, body = ProductDetailView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "product")?;
    let filter: ShowFilter = input::query(&request)?;
    let now = filter.as_of.unwrap_or(call.trace.now);
    input::not_later("?as_of", now, call.trace.now)?;
    let as_known = filter.as_of.is_some();
    let question = async |tx: &Transaction<'_>| queries::product(tx, id, now, as_known).await;
    let (product, position) = call.read(&request, Model::Inventory, question).await?;
    let product = product.ok_or_else(|| Problem::not_found("product"))?;
    let mut view = ProductDetailView::from(product);
    mark_paused(&call, [&mut view.product]).await?;
    Ok(Reply::json(200, &view)?.position(position).into())
}
