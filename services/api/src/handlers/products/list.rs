//! A tenant's products.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, Cursor, LOW_STOCK, ProductQuery, Sort};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{ProductView, mark_paused};
use crate::call::Call;
use crate::cursor::{Binding, next_address};
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

const SORTS: &[(&str, Sort)] = &[
    ("updated_at", Sort::Updated),
    ("marketplace_article", Sort::NmId),
    ("seller_article", Sort::VendorCode),
    ("total_stock", Sort::Available),
    ("total_orders", Sort::Orders),
    ("days_of_stock", Sort::DaysOfStock),
    ("stock_out_on", Sort::StockOut),
];
const ORDERS: &[(&str, bool)] = &[("asc", false), ("desc", true)];
/// Largest number of units that is asked for.
const MOST_UNITS: i64 = 1_000_000_000;

/// Which products, in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductFilter {
    /// Part of an article, a title or a barcode; case does not matter.
    #[param(required = false, max_length = 255)]
    pub search: Option<String>,
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// With stock at this warehouse, by its key; stock limits then mean the stock there.
    #[param(required = false)]
    pub warehouse: Option<String>,
    /// Least units that can be sold.
    #[param(required = false, minimum = 0)]
    pub min_stock: Option<i64>,
    /// Most units that can be sold.
    #[param(required = false, minimum = 0)]
    pub max_stock: Option<i64>,
    /// Only what is running out: more than none and less than 10 units. Overrides both limits.
    #[param(required = false)]
    pub low_stock: bool,
    /// Only what lasts so many days at most.
    #[param(required = false, minimum = 0, maximum = 100_000)]
    pub max_days_of_stock: Option<i64>,
    /// Only what is gone on this Moscow day at the latest.
    #[param(required = false)]
    pub stock_out_until: Option<NaiveDate>,
    /// Stock and orders as they were known at this time; details of products are today's, and so are the
    /// statuses of orders. Not in the future.
    #[param(required = false)]
    pub as_of: Option<DateTime<Utc>>,
    /// `updated_at`, `marketplace_article`, `seller_article`, `total_stock`, `total_orders`, `days_of_stock`
    /// or `stock_out_on`; unknown days come last.
    #[param(required = false, value_type = String, default = "updated_at")]
    pub sort: Sort,
    /// `asc` or `desc`.
    #[param(required = false, rename = "order", value_type = String, default = "desc")]
    pub descending: bool,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for ProductFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            search: fields.optional("search", shape::text(1, 255)),
            cabinet: fields.optional("cabinet", shape::uuid),
            warehouse: fields.optional("warehouse", shape::text(1, 255)),
            min_stock: fields.optional("min_stock", shape::integer(0, MOST_UNITS)),
            max_stock: fields.optional("max_stock", shape::integer(0, MOST_UNITS)),
            low_stock: fields.optional("low_stock", shape::boolean).unwrap_or(false),
            max_days_of_stock: fields.optional("max_days_of_stock", shape::integer(0, 100_000)),
            stock_out_until: fields.optional("stock_out_until", shape::day),
            as_of: fields.optional("as_of", shape::time),
            sort: fields.optional("sort", shape::one_of(SORTS)).unwrap_or_default(),
            descending: fields.optional("order", shape::one_of(ORDERS)).unwrap_or(true),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(50),
            cursor: fields.optional("cursor", shape::text(1, 2000)),
        })
    }
}

/// List products. Products that left the catalogue are not listed.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/products", tag = "products", operation_id = "products",
    params(ProductFilter), responses((status = 200, body = Page<ProductView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: ProductFilter = input::query(&request)?;
    let now = filter.as_of.unwrap_or(call.trace.now);
    input::not_later("?as_of", now, call.trace.now)?;
    let query = ProductQuery {
        search: filter.search,
        cabinet_id: filter.cabinet,
        warehouse: filter.warehouse,
        min_stock: filter.min_stock,
        max_stock: filter.max_stock,
        low_stock: filter.low_stock.then_some(LOW_STOCK),
        most_days_of_stock: filter.max_days_of_stock.map(|days| days * 10),
        stock_out_until: filter.stock_out_until,
        as_known: filter.as_of.is_some(),
        sort: filter.sort,
        descending: filter.descending,
        ..ProductQuery::new(now, filter.limit)
    };
    page(&call, &request, query, filter.cursor).await
}

/// The page of a question about products that begins at the cursor, with the way to the next one.
pub(crate) async fn page(
    call: &Call,
    request: &HttpRequest,
    query: ProductQuery,
    cursor: Option<String>,
) -> Result<HttpResponse, Problem> {
    let binding = Binding::of(&call.state.tokens, call.tenant(), request);
    let after = cursor
        .map(|cursor| binding.decode::<Cursor>(&cursor))
        .transpose()?;
    let query = ProductQuery { after, ..query };
    let question = async |tx: &Transaction<'_>| queries::products(tx, &query).await;
    let (page, position) = call.read(request, Model::Inventory, question).await?;
    let next = page
        .next
        .as_ref()
        .map(|cursor| binding.encode(cursor))
        .transpose()?;
    let link = next.as_ref().map(|cursor| next_address(request, cursor));
    let mut data: Vec<ProductView> = page.items.into_iter().map(Into::into).collect();
    mark_paused(call, &mut data).await?;
    Ok(Reply::json(200, &Page::part(data, next))?
        .next_page(link)
        .position(position)
        .into())
}
