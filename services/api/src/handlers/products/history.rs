//! How a product came to its numbers.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{self, Change, HistoryQuery};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::{Call, path_id};
use crate::cursor::{Binding, next_address};
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

const KINDS: &[(&str, &str)] = &[
    ("listed", "listed"),
    ("details_changed", "details_changed"),
    ("delisted", "delisted"),
    ("relisted", "relisted"),
    ("stock", "stock"),
    ("in_way", "in_way"),
    ("regrouped", "regrouped"),
    ("orders", "orders"),
];

/// Which changes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryFilter {
    /// At one warehouse, by its key.
    #[param(required = false)]
    pub warehouse: Option<String>,
    /// Of one kind.
    #[param(required = false, value_type = String)]
    pub kind: Option<&'static str>,
    /// Recorded at or after.
    #[param(required = false)]
    pub since: Option<DateTime<Utc>>,
    /// Recorded before.
    #[param(required = false)]
    pub until: Option<DateTime<Utc>>,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for HistoryFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            warehouse: fields.optional("warehouse", shape::text(1, 255)),
            kind: fields.optional("kind", shape::one_of(KINDS)),
            since: fields.optional("since", shape::time),
            until: fields.optional("until", shape::time),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(50),
            cursor: fields.optional("cursor", shape::text(1, 1000)),
        })
    }
}

/// One change of a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// Position of the event.
    pub position: i64,
    /// Place among the changes of that event.
    pub index: i32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The marketplace's time, where it tells one.
    pub as_of: Option<DateTime<Utc>>,
    /// `listed`, `details_changed`, `delisted`, `relisted`, `stock`, `in_way`, `regrouped` (nothing moved) or
    /// `orders`.
    pub kind: String,
    /// Source that told it.
    pub source: Option<String>,
    /// Sync that saw it.
    pub sync_id: Uuid,
    /// Key of the warehouse.
    pub warehouse: Option<String>,
    /// Its name as told then.
    pub warehouse_name: Option<String>,
    /// Units that could be sold, before and after.
    pub stock: BeforeAfter,
    /// Units on the way to buyers, before and after.
    pub in_way_to_client: BeforeAfter,
    /// Units on the way back, before and after.
    pub in_way_from_client: BeforeAfter,
    /// New or changed orders.
    pub orders: Option<i64>,
    /// Names of the details that changed.
    pub detail: Option<String>,
    /// The product's units after the whole event.
    pub total_stock: i64,
}

/// A number before and after; none where it was not known or not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct BeforeAfter {
    /// Before.
    pub before: Option<i64>,
    /// After.
    pub after: Option<i64>,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        let pair = |before, after| BeforeAfter { before, after };
        Self {
            position: change.position,
            index: change.index,
            recorded_at: change.recorded_at,
            as_of: change.as_of,
            kind: change.kind,
            source: change.source,
            sync_id: change.sync_id,
            warehouse: change.warehouse,
            warehouse_name: change.warehouse_name,
            stock: pair(change.available_before, change.available_after),
            in_way_to_client: pair(change.to_client_before, change.to_client_after),
            in_way_from_client: pair(change.from_client_before, change.from_client_after),
            orders: change.orders,
            detail: change.detail,
            total_stock: change.total_available,
        }
    }
}

/// The changes of a product, newest first. Pages are stable: a change never moves.
///
/// # Errors
/// 404, 422.
#[utoipa::path(get, path = "/api/v1/products/{id}/history", tag = "products",
    operation_id = "product_history",
    params(("id" = Uuid, Path, description = "Id of the product"), HistoryFilter),
    responses((status = 200, body = Page<ChangeView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let product_id = path_id(&request, "product")?;
    let filter: HistoryFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let before = filter
        .cursor
        .map(|cursor| binding.decode::<(i64, i32)>(&cursor))
        .transpose()?;
    let query = HistoryQuery {
        product_id,
        warehouse: filter.warehouse,
        kind: filter.kind.map(str::to_owned),
        since: filter.since,
        until: filter.until,
        before,
        limit: filter.limit + 1,
    };
    let now = call.trace.now;
    let question = async |tx: &Transaction<'_>| {
        let known = queries::product(tx, product_id, now, false).await?.is_some();
        Ok(if known {
            Some(queries::history(tx, &query).await?)
        } else {
            None
        })
    };
    let (rows, position) = call.read(&request, Model::Inventory, question).await?;
    let mut rows = rows.ok_or_else(|| Problem::not_found("product"))?;
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => Some(binding.encode(&(last.position, last.index))?),
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let data = rows.into_iter().map(ChangeView::from).collect();
    Ok(Reply::json(200, &Page::part(data, next))?
        .next_page(link)
        .position(position)
        .into())
}
