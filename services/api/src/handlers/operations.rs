//! The public face of work that outlives its request: a sync of a cabinet, or the writing of the spreadsheet.
//!
//! A sync's operation is its row in the read model. Writing the sheet is no event, so its operation needs no
//! row: the id itself holds the position of the log up to which the sheet was to be written, and it is done
//! when the sheet shows that position.

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
    /// `pending`, `running`, `succeeded` or `failed`.
    pub status: &'static str,
    /// How far it is.
    pub progress: ProgressView,
    /// When it was asked for; unknown for a sheet.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed; unknown for a sheet.
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

impl From<SyncDetail> for OperationView {
    fn from(sync: SyncDetail) -> Self {
        let (status, stage) = match sync.status {
            SyncStatus::Pending => ("pending", "waiting for a worker"),
            SyncStatus::Running => ("running", "reading the marketplace"),
            SyncStatus::WaitingRetry => ("running", "waiting for another attempt"),
            SyncStatus::Succeeded => ("succeeded", "done"),
            SyncStatus::Failed => ("failed", "given up"),
            SyncStatus::Quarantined => ("failed", "set aside as implausible"),
            SyncStatus::Discarded => ("failed", "set aside as implausible, and not believed"),
        };
        let result = (sync.status == SyncStatus::Succeeded).then_some(ResultView {
            products_synced: sync.products_seen,
            products_changed: sync.products_changed,
        });
        let error = sync.error_class.map(|code| ErrorView {
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

/// The operation "the sheet shows the log up to `position`".
#[must_use]
pub fn sheet_operation(position: i64) -> Uuid {
    // The version and the variant of an id lie in the bytes 6 and 8, so the number goes around them: its
    // first two bytes in front, the other six at the end.
    let number = position.to_be_bytes();
    let mut bytes = [0_u8; 16];
    bytes[..2].copy_from_slice(&number[..2]);
    bytes[10..].copy_from_slice(&number[2..]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The position in the id of a sheet's operation.
#[must_use]
pub fn sheet_position(id: Uuid) -> Option<i64> {
    let ours = id.get_version() == Some(Version::Custom) && id.get_variant() == Variant::RFC4122;
    let mut bytes = [0_u8; 8];
    bytes[..2].copy_from_slice(&id.as_bytes()[..2]);
    bytes[2..].copy_from_slice(&id.as_bytes()[10..]);
    let position = i64::from_be_bytes(bytes);
    (ours && position >= 0 && sheet_operation(position) == id).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::{sheet_operation, sheet_position};

    #[test]
    fn a_sheet_s_operation_carries_its_position() {
        for position in [0, 1, 77, 1 << 40, (1 << 62) + 12_345] {
            assert_eq!(sheet_position(sheet_operation(position)), Some(position));
        }
        let sync = uuid::Uuid::parse_str("018f3c2a-7b1d-7c4e-9a52-0c1d2e3f4a5b").unwrap();
        assert_eq!(sheet_position(sync), None);
        assert_eq!(sheet_position(uuid::Uuid::nil()), None);
    }
}
