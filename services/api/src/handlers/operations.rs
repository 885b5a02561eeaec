//! The public face of work that outlives its request: a sync of a cabinet, or the writing of the spreadsheet.
//!
//! A sync's operation is its row in the read model. Writing the sheet is no event, so the sheets role keeps
//! what became of each request (`core.sheet_syncs`): it ends with the first write that began after it, and
//! does not change with what later writes do.

pub mod events;
pub mod show;

use chrono::{DateTime, Utc};
use read_models::operations::queries::{SyncDetail, SyncStatus};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::{Builder, Uuid, Variant, Version};

/// Work that goes on after its request was answered.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperationView {
    /// Its id.
    pub id: Uuid,
    /// `sync` or `sheet_sync`.
    pub kind: &'static str,
    /// `pending`, `running`, `succeeded` or `failed`. A sync has ended when products, totals and exports show
    /// everything that it recorded.
    pub status: &'static str,
    /// How far it is.
    pub progress: ProgressView,
    /// When it was asked for.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed; for a sheet, when it ended.
    pub updated_at: Option<DateTime<Utc>>,
    /// What came out, once it succeeded.
    pub result: Option<ResultView>,
    /// Why it failed, or why it waits.
    pub error: Option<ErrorView>,
}

/// How far an operation is.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProgressView {
    /// Things done so far: observations recorded, or the position shown.
    pub done: i64,
    /// Things to do, when that is known.
    pub total: Option<i64>,
    /// What it does at the moment.
    pub stage: &'static str,
}

/// What came out.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResultView {
    /// Products seen.
    pub products_synced: Option<i64>,
    /// Products for which something was recorded.
    pub products_changed: Option<i64>,
}

/// Why it failed.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorView {
    /// Class of the failure.
    pub code: String,
    /// In words.
    pub detail: String,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
}

/// Whether a sync has ended and products, totals and exports do not show all of it yet. Its last event is the
/// last of what it recorded, so they do when the products' read model, which has read up to `inventory`, has
/// it.
pub(super) const fn is_behind(sync: &SyncDetail, inventory: i64) -> bool {
    sync.status.is_final() && inventory < sync.position
}

impl OperationView {
    /// A sync as an operation, while the products' read model has read up to `inventory`.
    fn of(sync: SyncDetail, inventory: i64) -> Self {
        let behind = is_behind(&sync, inventory);
        let (status, stage) = match sync.status {
            _ if behind => ("running", "waiting until products and totals show it"),
            SyncStatus::Pending => ("pending", "waiting for a worker"),
            SyncStatus::Running => ("running", "reading the marketplace"),
            SyncStatus::WaitingRetry => ("running", "waiting for another attempt"),
            SyncStatus::Succeeded => ("succeeded", "done"),
            SyncStatus::Failed => ("failed", "given up"),
            SyncStatus::Quarantined => ("failed", "set aside as implausible"),
            SyncStatus::Discarded => ("failed", "set aside as implausible, and not believed"),
        };
        let result = (sync.status == SyncStatus::Succeeded && !behind).then_some(ResultView {
            products_synced: sync.products_seen,
            products_changed: sync.products_changed,
        });
        let error = sync.error_class.filter(|_| !behind).map(|code| ErrorView {
            code,
            detail: sync.error_detail.unwrap_or_default(),
            retry_at: sync.retry_at,
        });
        Self {
            id: sync.sync_id,
            kind: "sync",
            status,
            progress: ProgressView {
                done: sync.recorded,
                total: None,
                stage,
            },
            created_at: Some(sync.requested_at),
            updated_at: Some(sync.updated_at),
            result,
            error,
        }
    }
}

/// Id of the operation of a request to write the sheet. Its version tells it from a sync's id.
#[must_use]
pub fn sheet_operation(request: Uuid) -> Uuid {
    Builder::from_custom_bytes(*request.as_bytes()).into_uuid()
}

/// Whether an operation is the writing of a sheet.
#[must_use]
pub fn is_sheet_operation(id: Uuid) -> bool {
    id.get_version() == Some(Version::Custom) && id.get_variant() == Variant::RFC4122
}

#[cfg(test)]
mod tests {
    use super::{is_sheet_operation, sheet_operation};

    #[test]
    fn a_sheet_s_operation_is_told_from_a_sync_s() {
        let sync = uuid::Uuid::parse_str("018f3c2a-7b1d-7c4e-9a52-0c1d2e3f4a5b").unwrap();
        assert!(!is_sheet_operation(sync) && !is_sheet_operation(uuid::Uuid::nil()));
        assert!(is_sheet_operation(sheet_operation(sync)));
        assert_eq!(sheet_operation(sync), sheet_operation(sync));
    }
}
