//! Attempts to bring a cabinet up to date.

pub mod decide;
pub mod list;
pub mod show;

use chrono::{DateTime, Utc};
use events::sync::{Doubt, DoubtState, SourceReport};
use read_models::operations::queries::SyncDetail;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A sync.
#[derive(Debug, Serialize, ToSchema)]
pub struct SyncView {
    /// Its id; also its operation's.
    pub id: Uuid,
    /// Which cabinet.
    pub cabinet_id: Uuid,
    /// `manual`, `schedule` or `connected`.
    pub trigger: String,
    /// Whether it reads even what was read just before.
    pub forced: bool,
    /// `pending`, `running`, `waiting_retry`, `succeeded`, `failed`, `quarantined` or `discarded`. A
    /// quarantined sync has recorded what was plausible and holds back the rest, which its sources name.
    pub status: &'static str,
    /// Times a worker took it up.
    pub attempt: i64,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the latest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// How long the latest attempt took, milliseconds.
    pub duration_ms: Option<i64>,
    /// How each source came out.
    pub sources: Vec<SourceView>,
    /// Products seen.
    pub products_synced: Option<i64>,
    /// Products for which something was recorded.
    pub products_changed: Option<i64>,
    /// Observations recorded so far.
    pub recorded: i64,
    /// Class of the failure.
    pub error_class: Option<String>,
    /// The failure in words.
    pub message: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// Since when the oldest part that this sync held back is doubted; none when it held nothing back.
    pub held_since: Option<DateTime<Utc>>,
    /// Who released or discarded what was held back.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Position of its last change.
    pub position: i64,
}

/// How one source came out.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// `cards`, `stock_fbo`, `stock_fbs`, `orders`.
    pub source: String,
    /// `complete`, `partial`, `failed` or `cached`.
    pub outcome: serde_json::Value,
    /// Rows read.
    pub rows: u64,
    /// The marketplace's time of the data.
    pub as_of: Option<DateTime<Utc>>,
    /// SHA-256 of the raw answer.
    pub payload_sha256: String,
    /// Why it failed or is partial, or with what mark a doubtful answer was taken.
    pub error: Option<String>,
    /// What of the answer was too strange to be believed at once.
    pub doubts: Vec<DoubtView>,
}

/// A part of an answer that was too strange to be believed at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoubtView {
    /// `held`: held back until a later answer or a person decides; `left`: recorded, because it takes nothing
    /// away, but not believed to be all; `taken`: taken as true after hours without contradiction.
    pub state: serde_json::Value,
    /// Keys of the warehouses it is about; empty when it is about the source as a whole.
    pub warehouses: Vec<String>,
    /// Name of these warehouses.
    pub warehouse: Option<String>,
    /// Rule that was broken, such as `all_stock_gone`, `warehouse_empty` or `catalogue_halved`.
    pub rule: String,
    /// What was believed: units, articles or orders; for prices an average in minor units.
    pub before: i64,
    /// What the marketplace says now, in the same measure.
    pub now: i64,
    /// Since when it is doubted.
    pub since: DateTime<Utc>,
    /// Whether other facts contradict it. Then it waits for a person; otherwise it is taken as true after
    /// some hours.
    pub contradicted: bool,
    /// All this in a sentence.
    pub evidence: String,
}

impl From<Doubt> for DoubtView {
    fn from(doubt: Doubt) -> Self {
        Self {
            state: serde_json::json!(doubt.state),
            warehouses: doubt.warehouses,
            warehouse: doubt.warehouse_name,
            rule: doubt.rule,
            before: doubt.before,
            now: doubt.now,
            since: doubt.since,
            contradicted: doubt.contradicted,
            evidence: doubt.evidence,
        }
    }
}

impl From<SourceReport> for SourceView {
    fn from(report: SourceReport) -> Self {
        Self {
            source: report.source,
            outcome: serde_json::json!(report.outcome),
            rows: report.rows,
            as_of: report.as_of,
            payload_sha256: report.payload_sha256,
            error: report.error,
            doubts: report.doubts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<SyncDetail> for SyncView {
    fn from(sync: SyncDetail) -> Self {
        let duration = sync
            .started_at
            .zip(sync.finished_at)
            .map(|(from, to)| (to - from).num_milliseconds());
        let doubts = sync.sources.iter().flat_map(|report| &report.doubts);
        let held = doubts.filter(|doubt| doubt.state == DoubtState::Held);
        let held_since = held.map(|doubt| doubt.since).min();
        Self {
            id: sync.sync_id,
            cabinet_id: sync.cabinet_id,
            trigger: sync.trigger,
            forced: sync.forced,
            status: sync.status.as_str(),
            attempt: sync.attempt,
            requested_at: sync.requested_at,
            started_at: sync.started_at,
            completed_at: sync.finished_at,
            duration_ms: duration,
            sources: sync.sources.into_iter().map(Into::into).collect(),
            products_synced: sync.products_seen,
            products_changed: sync.products_changed,
            recorded: sync.recorded,
            error_class: sync.error_class,
            message: sync.error_detail,
            retry_at: sync.retry_at,
            held_since,
            decided_by: sync.decided_by,
            decided_at: sync.decided_at,
            position: sync.position,
        }
    }
}
