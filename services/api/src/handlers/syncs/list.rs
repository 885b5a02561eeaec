//! A tenant's syncs.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::operations::queries::{self, SyncQuery, SyncStatus};
use utoipa::IntoParams;
use uuid::Uuid;

use super::SyncView;
use crate::call::Call;
use crate::cursor::{Binding, next_address};
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

const STATUSES: &[(&str, SyncStatus)] = &[
    ("pending", SyncStatus::Pending),
    ("running", SyncStatus::Running),
    ("waiting_retry", SyncStatus::WaitingRetry),
    ("succeeded", SyncStatus::Succeeded),
    ("failed", SyncStatus::Failed),
    ("quarantined", SyncStatus::Quarantined),
    ("discarded", SyncStatus::Discarded),
];

/// Which syncs.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SyncFilter {
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// In one state.
    #[param(required = false, value_type = String)]
    pub status: Option<SyncStatus>,
    /// Asked for at or after.
    #[param(required = false)]
    pub since: Option<DateTime<Utc>>,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for SyncFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let cabinet = fields.optional("cabinet", shape::uuid);
        let status = fields.optional("status", shape::one_of(STATUSES));
        let since = fields.optional("since", shape::time);
        let limit = fields.optional("limit", shape::integer(1, 100)).unwrap_or(50);
        let cursor = fields.optional("cursor", shape::text(1, 1000));
        Some(Self {
            cabinet,
            status,
            since,
            limit,
            cursor,
        })
    }
}

/// List syncs, newest first.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/syncs", tag = "syncs", operation_id = "syncs",
    params(SyncFilter), responses((status = 200, body = Page<SyncView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: SyncFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let before = filter
        .cursor
        .map(|cursor| binding.decode::<i64>(&cursor))
        .transpose()?;
    let query = SyncQuery {
        cabinet_id: filter.cabinet,
        status: filter.status,
        since: filter.since,
        connected_only: false,
        before,
        limit: filter.limit + 1,
    };
    let question = async |tx: &Transaction<'_>| queries::syncs(tx, &query).await;
    let (mut rows, position) = call.read(&request, Model::Operations, question).await?;
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => Some(binding.encode(&last.first_position)?),
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let data = rows.into_iter().map(SyncView::from).collect();
    Ok(Reply::json(200, &Page::part(data, next))?
        .next_page(link)
        .position(position)
        .into())
}
