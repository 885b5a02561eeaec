//! What is running out.

use actix_web::{HttpRequest, HttpResponse};
use read_models::inventory::queries::{LOW_STOCK, ProductQuery, Sort};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::call::Call;
use crate::handlers::products::{ProductView, list};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Page;

/// What counts as running out.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LowStockFilter {
    /// Fewer units than this; products without any are among them.
    #[param(required = false, minimum = 0, maximum = 100_000, default = 10)]
    pub threshold: i64,
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for LowStockFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            threshold: fields
                .optional("threshold", shape::integer(0, 100_000))
                .unwrap_or(LOW_STOCK),
            cabinet: fields.optional("cabinet", shape::uuid),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(50),
            cursor: fields.optional("cursor", shape::text(1, 2000)),
        })
    }
}

/// Products that run out or have run out, fewest units first.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/low-stock", tag = "analytics", operation_id = "low_stock",
    params(LowStockFilter), responses((status = 200, body = Page<ProductView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: LowStockFilter = input::query(&request)?;
    let query = ProductQuery {
        cabinet_id: filter.cabinet,
        max_stock: Some(filter.threshold - 1),
        sort: Sort::Available,
        descending: false,
        ..ProductQuery::new(call.trace.now, filter.limit)
    };
    list::page(&call, &request, query, filter.cursor).await
}
