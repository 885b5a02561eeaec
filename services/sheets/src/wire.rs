//! Bodies of the requests that this role answers over NATS, service `sheets`, version 1. Secrets never travel
//! this way: a service account is named by its id in the vault.
//!
//! | subject | question | answer | refusals |
//! |---|---|---|---|
//! | `sheets.test` | [`Test`] | [`TestAnswer`] | 400 malformed, 404 `not-linked`, 502/503 Google or the
//! database does not answer | | `sheets.sync` | [`Sync`] | [`SyncAnswer`] | 400 malformed, 404 `not-linked`,
//! 503 the database does not answer |

use chrono::{DateTime, Utc};
use events::ids::{CredentialId, TenantId};
use serde::{Deserialize, Serialize};

/// Name of the service; begins both subjects.
pub const SERVICE: &str = "sheets";
/// Subject of [`Test`].
pub const TEST: &str = "sheets.test";
/// Subject of [`Sync`].
pub const SYNC: &str = "sheets.sync";

/// Can this spreadsheet be written? Nothing is written to find out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Who asks.
    pub tenant_id: TenantId,
    /// Google's id of the spreadsheet; the linked one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spreadsheet_id: Option<String>,
    /// The service account in the vault to try it with; when absent that of the link, else the service's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<CredentialId>,
}

/// How a link test came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAnswer {
    /// Whether it can be written, as far as can be told without writing.
    pub usable: bool,
    /// The spreadsheet's title, when it could be read.
    pub title: Option<String>,
    /// The address to share the spreadsheet with; none when the service account itself cannot be used.
    pub client_email: Option<String>,
    /// What is wrong or uncertain; empty when all is well.
    pub findings: Vec<Finding>,
}

/// One thing to know or to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `not_an_id`, `not_found`, `not_shared`, `read_only`, `trashed`, `not_a_spreadsheet`, `api_disabled`,
    /// `key_refused`, `quota_exceeded`, `write_access_unknown`, `no_account`, `time_zone`, `locale`.
    pub kind: String,
    /// The same for a person, with what to do.
    pub detail: String,
}

/// Write the sheet now, and read every managed cell before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// Whose sheet.
    pub tenant_id: TenantId,
}

/// What the sheet will show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The sheet will show the read model of this position, or of a later one: done when
    /// `core.sheet_states.written_position` has reached it.
    pub position: i64,
    /// Position that the sheet shows now.
    pub written_position: i64,
    /// When it was last written.
    pub last_written_at: Option<DateTime<Utc>>,
}
