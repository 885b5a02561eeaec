//! Bodies of requests over NATS, shared by those who ask (scheduler, bot) and the gateway that answers. Secrets never
//! travel this way.

use events::ids::{CabinetId, CommandId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Question to `queries.due_cabinets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueCabinets {
    /// Seconds between syncs of cabinets that set nothing else.
    pub default_interval_seconds: u32,
    /// At most so many.
    pub limit: u32,
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
    /// The command's id.
    pub command_id: CommandId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who asks: `scheduler`, `user:<uuid>`.
    pub actor: String,
    /// The conversation.
    pub correlation_id: Uuid,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
    /// `manual`, `schedule` or `connected`.
    pub trigger: events::sync::Trigger,
    /// Read even what was read less than five minutes ago.
    pub forced: bool,
}
