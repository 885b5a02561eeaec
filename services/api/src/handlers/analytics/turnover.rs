//! How long stock lasts.

use actix_web::{HttpRequest, HttpResponse};
use read_models::inventory::queries::{ProductQuery, Sort};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::call::Call;
use crate::handlers::products::{ProductView, list};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Page;

const SORTS: &[(&str, Sort)] = &[
    ("days_of_stock", Sort::DaysOfStock),
    ("stock_out_on", Sort::StockOut),
];
const ORDERS: &[(&str, bool)] = &[("asc", false), ("desc", true)];

/// Which products, in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TurnoverFilter {
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// `days_of_stock` or `stock_out_on`; what is not known comes last.
    #[param(required = false, value_type = String, default = "days_of_stock")]
    pub sort: Sort,
    /// `asc` or `desc`.
    #[param(required = false, rename = "order", value_type = String, default = "asc")]
    pub descending: bool,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for TurnoverFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            cabinet: fields.optional("cabinet", shape::uuid),
            sort: fields
                .optional("sort", shape::one_of(SORTS))
                .unwrap_or(Sort::DaysOfStock),
            descending: fields.optional("order", shape::one_of(ORDERS)).unwrap_or(false),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(50),
            cursor: fields.optional("cursor", shape::text(1, 2000)),
        })
    }
}

/// Products by how long their stock lasts, shortest first unless asked otherwise.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/turnover", tag = "analytics", operation_id = "turnover",
    params(TurnoverFilter), responses((status = 200, body = Page<ProductView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: TurnoverFilter = input::query(&request)?;
    let query = ProductQuery {
        cabinet_id: filter.cabinet,
        sort: filter.sort,
        descending: filter.descending,
        ..ProductQuery::new(call.trace.now, filter.limit)
    };
    list::page(&call, &request, query, filter.cursor).await
}
