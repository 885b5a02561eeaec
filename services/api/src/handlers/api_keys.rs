//! Keys for programs.

pub mod create;
pub mod list;
pub mod revoke;

use auth::api_keys::KeyInfo;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The end of the key, by which it is told from others.
    pub hint: String,
    /// What it may do, within its maker's role.
    pub scopes: Vec<String>,
    /// Who made it; it works as long as they may come in.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl From<KeyInfo> for KeyView {
    fn from(key: KeyInfo) -> Self {
        Self {
            id: key.key_id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            created_by: key.user_id.uuid(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}
