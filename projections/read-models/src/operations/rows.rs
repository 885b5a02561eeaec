//! The rows a batch touches, in memory, by key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::sync::SourceReport;
use uuid::Uuid;

use super::alerts::Alert;
use super::freshness::SourceState;
use super::guard::Guard;

/// Everything a batch touches. A row is written when it is marked.
#[derive(Default)]
pub struct Rows {
    pub(super) tenants: BTreeMap<Uuid, Row<Tenant>>,
    /// None: the member was removed.
    pub(super) members: BTreeMap<(Uuid, Uuid), Row<Option<Member>>>,
    pub(super) cabinets: BTreeMap<(Uuid, Uuid), Row<Cabinet>>,
    pub(super) syncs: BTreeMap<(Uuid, Uuid), Row<SyncRow>>,
    pub(super) freshness: BTreeMap<(Uuid, Uuid), Row<Freshness>>,
    pub(super) progress: BTreeMap<(Uuid, Uuid), Progress>,
    pub(super) sheets: BTreeMap<Uuid, Row<Sheet>>,
    /// By product and place. None: no alert there goes on.
    pub(super) alerts: BTreeMap<Place, Row<Option<Alert>>>,
    /// Those that ended in this batch; no later event changes them.
    pub(super) ended_alerts: Vec<(Place, Alert)>,
}

/// Tenant, product and the key of a warehouse; an empty key is all warehouses together.
pub(super) type Place = (Uuid, Uuid, String);

/// A row and whether it has to be written.
#[derive(Debug, Clone)]
pub(super) struct Row<T> {
    pub(super) value: T,
    pub(super) changed: bool,
}

impl<T> Row<T> {
    pub(super) const fn found(value: T) -> Self {
        Self {
            value,
            changed: false,
        }
    }

    pub(super) const fn written(value: T) -> Self {
        Self { value, changed: true }
    }

    pub(super) fn change(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) owner_id: Uuid,
    pub(super) language: String,
    pub(super) time_zone: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) registered_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) position: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) role: String,
    pub(super) added_at: DateTime<Utc>,
    pub(super) position: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Cabinet {
    pub(super) marketplace: String,
    pub(super) status: String,
    pub(super) credential: Credential,
    pub(super) guard: Guard,
    pub(super) interval_seconds: Option<i64>,
    pub(super) paused: bool,
    pub(super) paused_by_plan: bool,
    pub(super) connected_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) first_position: i64,
    pub(super) position: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub(super) id: Uuid,
    pub(super) fingerprint: String,
    pub(super) token_kind: String,
    pub(super) seller_id: Option<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) scopes: Vec<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) checked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub(super) struct Freshness {
    pub(super) sources: BTreeMap<String, SourceState>,
    pub(super) position: i64,
}

#[derive(Debug, Clone)]
pub(super) struct SyncRow {
    pub(super) cabinet_id: Uuid,
    pub(super) trigger: String,
    pub(super) forced: bool,
    pub(super) status: String,
    pub(super) attempt: i64,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) sources: Vec<SourceReport>,
    pub(super) products_seen: Option<i64>,
    pub(super) products_changed: Option<i64>,
    pub(super) error_class: Option<String>,
    pub(super) error_detail: Option<String>,
    pub(super) retry_at: Option<DateTime<Utc>>,
    pub(super) decided_by: Option<String>,
    pub(super) decided_at: Option<DateTime<Utc>>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) first_position: i64,
    pub(super) position: i64,
}

/// What a batch adds to a sync's progress.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) recorded: i64,
    pub(super) position: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) linked: bool,
    pub(super) spreadsheet_id: Option<String>,
    pub(super) worksheet: Option<String>,
    pub(super) credential_id: Option<Uuid>,
    pub(super) language: Option<String>,
    pub(super) layout: Option<String>,
    pub(super) linked_at: Option<DateTime<Utc>>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) position: i64,
}
