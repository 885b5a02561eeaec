//! What syncs did in the last days.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use read_models::operations::queries::{self, SyncDetail, SyncQuery};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// Which syncs.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SyncHistoryFilter {
    /// Of so many days.
    #[param(required = false, minimum = 1, maximum = 90, default = 7)]
    pub days: i64,
    /// Syncs at most.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    pub limit: i64,
}

impl Input for SyncHistoryFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            days: fields.optional("days", shape::integer(1, 90)).unwrap_or(7),
            limit: fields.optional("limit", shape::integer(1, 200)).unwrap_or(50),
        })
    }
}

/// A sync in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct SyncHistoryView {
    /// Its id.
    pub id: Uuid,
    /// Which cabinet.
    pub cabinet_id: Uuid,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When its latest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// See `GET /syncs`.
    pub status: &'static str,
    /// Products seen.
    pub products_synced: Option<i64>,
    /// How long the latest attempt took, milliseconds.
    pub duration_ms: Option<i64>,
    /// The failure in words.
    pub message: Option<String>,
}

impl From<SyncDetail> for SyncHistoryView {
    fn from(sync: SyncDetail) -> Self {
        let took = sync.started_at.zip(sync.finished_at);
        Self {
            id: sync.sync_id,
            cabinet_id: sync.cabinet_id,
            requested_at: sync.requested_at,
            started_at: sync.started_at,
            completed_at: sync.finished_at,
            status: sync.status.as_str(),
            products_synced: sync.products_seen,
            duration_ms: took.map(|(from, to)| (to - from).num_milliseconds()),
            message: sync.error_detail,
        }
    }
}

/// The syncs of the last days, newest first, all on one page.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/analytics/sync-history", tag = "analytics",
    operation_id = "sync_history", params(SyncHistoryFilter),
    responses((status = 200, body = Page<SyncHistoryView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: SyncHistoryFilter = input::query(&request)?;
    let query = SyncQuery {
        cabinet_id: None,
        status: None,
        since: call.trace.now.checked_sub_signed(TimeDelta::days(filter.days)),
        connected_only: true,
        before: None,
        limit: filter.limit,
    };
    let question = async |tx: &Transaction<'_>| queries::syncs(tx, &query).await;
    let (rows, position) = call.read(&request, Model::Operations, question).await?;
    let data = rows.into_iter().map(SyncHistoryView::from).collect();
    Ok(Reply::json(200, &Page::whole(data))?.position(position).into())
}
