//! Bodies of requests over NATS, shared by those who ask (scheduler, bot) and the gateway that answers.
//! Secrets never travel this way.

use chrono::{DateTime, Utc};
use events::cabinet::Right;
use events::ids::{CabinetId, CommandId, CredentialId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Question to `queries.due_cabinets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueCabinets {
    /// At most so many.
    pub limit: u32,
    /// Syncs that the workers may have or be about to get, all tenants together; beyond, none is due.
    pub most_outstanding: u32,
}

/// One answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueCabinet {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which.
    pub cabinet_id: CabinetId,
    /// Whether it was never synced.
    pub never_synced: bool,
}

/// Body of `commands.request_sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSync {
    /// Who asks, for whom.
    pub head: CommandHead,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
    /// `manual`, `schedule` or `connected`.
    pub trigger: events::sync::Trigger,
    /// Read even what was read less than five minutes ago.
    pub forced: bool,
}

/// What every command over NATS begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandHead {
    /// The command's id; the same id is answered like the first time.
    pub command_id: CommandId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who asks: `scheduler`, `user:<uuid>`.
    pub actor: String,
    /// The conversation.
    pub correlation_id: Uuid,
}

/// Body of `commands.change_schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSchedule {
    /// Who asks, for whom.
    pub head: CommandHead,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
    /// Seconds between scheduled syncs.
    pub interval_seconds: u32,
    /// Whether the schedule rests.
    pub paused: bool,
}

/// Body of `commands.disconnect_cabinet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisconnectCabinet {
    /// Who asks, for whom.
    pub head: CommandHead,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
}

/// Body of `commands.unlink_sheet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlinkSheet {
    /// Who asks, for whom.
    pub head: CommandHead,
}

/// Answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// Kind of the stream.
    pub stream: String,
    /// Id of the stream.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// Position of the last event written.
    pub position: i64,
    /// The sync to wait for, when one was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_id: Option<Uuid>,
}

/// Body of `queries.cabinets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cabinets {
    /// Whose.
    pub tenant_id: TenantId,
}

/// Body of `queries.operation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which.
    pub operation_id: Uuid,
}

/// Body of `worker.check_credential`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckCredential {
    /// Who asks, for whom.
    pub head: CommandHead,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
}

/// Answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialCheck {
    /// The key that was tried: one that was offered, else the one in use.
    pub credential_id: CredentialId,
    /// Whether the cabinet uses it now.
    pub in_use: bool,
    /// Why it is refused: `unauthorized`, `forbidden`, `payment_required`, `missing_rights`, `other_seller`,
    /// `expired`.
    pub refused: Option<String>,
    /// What it may do, category by category.
    pub rights: Vec<Right>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it can only read, where that is known.
    pub read_only: Option<bool>,
}
