//! What sells best.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, ProductQuery, Sort};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::dashboard::decimal;
use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::products::{ProductView, mark_paused};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// How many.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TopFilter {
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// Products at most.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: i64,
}

impl Input for TopFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            cabinet: fields.optional("cabinet", shape::uuid),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(20),
        })
    }
}

/// A product among those that sell best.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopProductView {
    /// What a list shows.
    #[serde(flatten)]
    pub product: ProductView,
    /// Units that can be sold by unit ordered in 7 days, two decimals; none without orders.
    pub stock_to_orders_ratio: Option<f64>,
}

impl From<ProductView> for TopProductView {
    fn from(product: ProductView) -> Self {
        Self {
            stock_to_orders_ratio: (product.total_orders)
                .and_then(|orders| decimal(product.total_stock, orders, 100)),
            product,
        }
    }
}

/// Products by units ordered in the last 7 days, most first.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/top-products", tag = "analytics",
    operation_id = "top_products", params(TopFilter), responses((status = 200, body = Page<TopProductView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: TopFilter = input::query(&request)?;
    let query = ProductQuery {
        cabinet_id: filter.cabinet,
        sort: Sort::Orders,
        ..ProductQuery::new(call.trace.now, filter.limit)
    };
    let question = async |tx: &Transaction<'_>| queries::products(tx, &query).await;
    let (page, position) = call.read(&request, Model::Inventory, question).await?;
    let mut products: Vec<ProductView> = page.items.into_iter().map(Into::into).collect();
    mark_paused(&call, &mut products).await?;
    let data = products.into_iter().map(Into::into).collect();
    Ok(Reply::json(200, &Page::<TopProductView>::whole(data))?
        .position(position)
        .into())
}
