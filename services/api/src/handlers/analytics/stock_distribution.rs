//! How many products have how much.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, Distribution};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// Products by units that can be sold. Products that left the catalogue are not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DistributionView {
    /// None.
    pub out_of_stock: i64,
    /// 1 to 5.
    pub critical: i64,
    /// 6 to 20.
    pub low: i64,
    /// 21 to 50.
    pub medium: i64,
    /// 51 to 100.
    pub good: i64,
    /// More than 100.
    pub excellent: i64,
}

impl From<Distribution> for DistributionView {
    fn from(found: Distribution) -> Self {
        Self {
            out_of_stock: found.out_of_stock,
            critical: found.critical,
            low: found.low,
            medium: found.medium,
            good: found.good,
            excellent: found.excellent,
        }
    }
}

/// How many products have how much.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/stock-distribution", tag = "analytics",
    operation_id = "stock_distribution", responses((status = 200, body = DistributionView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| queries::distribution(tx).await;
    let (found, position) = call.read(&request, Model::Inventory, question).await?;
    Ok(Reply::json(200, &DistributionView::from(found))?
        .position(position)
        .into())
}
