//! Questions about a tenant, its members, cabinets, syncs and sheet. Each runs in a tenant's transaction.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use events::sheet::SheetLayoutChanged;
use events::sync::SourceReport;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{Guard, SourceState};
use crate::QueryError;

/// The only tenant a statement may see.
const MINE: &str = "(SELECT core.current_tenant())";

/// Where a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// Asked for, not taken up.
    Pending,
    /// A worker has it.
    Running,
    /// Failed, and will be tried again at a known time.
    WaitingRetry,
    /// Done; single sources may have failed all the same.
    Succeeded,
    /// Given up.
    Failed,
    /// Done, but implausible; held back until a later one is believed or a person decides.
    Quarantined,
    /// Implausible, and a person did not believe it.
    Discarded,
}

impl SyncStatus {
    /// The name in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::WaitingRetry => "waiting_retry",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
            Self::Discarded => "discarded",
        }
    }

    /// Whether nothing more will happen by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Quarantined | Self::Discarded
        )
    }
}

/// No sync is ever in the state with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a sync")]
pub struct UnknownStatus(String);

impl FromStr for SyncStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [
            Self::Pending,
            Self::Running,
            Self::WaitingRetry,
            Self::Succeeded,
            Self::Failed,
            Self::Quarantined,
            Self::Discarded,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
        .ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its id.
    pub tenant_id: Uuid,
    /// The first member.
    pub owner_id: Uuid,
    /// `ru` or `en`.
    pub language: String,
    /// IANA time zone.
    pub time_zone: String,
    /// `active`, `suspended`, `erased`.
    pub status: String,
    /// Why it is suspended.
    pub reason: Option<String>,
    /// Since when.
    pub registered_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
}

/// A user's membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Who.
    pub user_id: Uuid,
    /// `viewer`, `member`, `admin`, `owner`.
    pub role: String,
    /// Since when.
    pub added_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
}

/// A seller account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cabinet {
    /// Its id.
    pub cabinet_id: Uuid,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// `connected` or `disconnected`.
    pub status: String,
    /// Reference into the vault.
    pub credential_id: Uuid,
    /// Recognises the same key again.
    pub fingerprint: String,
    /// `base`, `test`, `personal`, `service`, `api_key`.
    pub token_kind: String,
    /// Marketplace's own id of the account.
    pub seller_id: Option<String>,
    /// When the key ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What the key opens.
    pub scopes: Vec<String>,
    /// `unchecked`, `accepted`, `rejected`; syncs pause while rejected.
    pub credential_status: String,
    /// Why it was rejected.
    pub credential_reason: Option<String>,
    /// When it was last tried.
    pub checked_at: Option<DateTime<Utc>>,
    /// What trials of its keys brought out.
    pub guard: Guard,
    /// Seconds between scheduled syncs; none until somebody set it.
    pub interval_seconds: Option<i64>,
    /// Whether the schedule rests.
    pub paused: bool,
    /// Whether it rests because the tenant's plan allows fewer cabinets.
    pub paused_by_plan: bool,
    /// Since when.
    pub connected_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
    /// Its newest sync.
    pub last_sync: Option<LastSync>,
    /// How each of its sources is doing, by name.
    pub sources: BTreeMap<String, SourceState>,
}

/// A cabinet's newest sync, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastSync {
    /// Its id.
    pub sync_id: Uuid,
    /// Where it is.
    pub status: SyncStatus,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the cabinet's last successful sync ended, this one or an earlier one.
    pub last_success_at: Option<DateTime<Utc>>,
}

/// One attempt to bring a cabinet up to date; the public operation of the same id.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyncDetail {
    /// Its id, and its operation's.
    pub sync_id: Uuid,
    /// Which cabinet.
    pub cabinet_id: Uuid,
    /// `manual`, `schedule`, `connected`.
    pub trigger: String,
    /// Whether it reads even what was read less than five minutes ago.
    pub forced: bool,
    /// Where it is.
    pub status: SyncStatus,
    /// Times a worker took it up.
    pub attempt: i64,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the latest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; none while it may still change.
    pub finished_at: Option<DateTime<Utc>>,
    /// How each source came out in the latest attempt.
    pub sources: Vec<SourceReport>,
    /// Products seen.
    pub products_seen: Option<i64>,
    /// Products for which something was recorded.
    pub products_changed: Option<i64>,
    /// Observations recorded so far; grows while it runs.
    pub recorded: i64,
    /// Class of the failure, or `quarantined`.
    pub error_class: Option<String>,
    /// In words.
    pub error_detail: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// Who released or discarded what was held back.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Position of the request; orders syncs by age.
    pub first_position: i64,
    /// Position of its last change, its progress included; serves as an entity tag and as an event id.
    pub position: i64,
}

/// Which syncs, newest first.
#[derive(Debug, Clone, Default)]
pub struct SyncQuery {
    /// One cabinet.
    pub cabinet_id: Option<Uuid>,
    /// One state.
    pub status: Option<SyncStatus>,
    /// Asked for at or after.
    pub since: Option<DateTime<Utc>>,
    /// Whether those of cabinets that were taken away are left out.
    pub connected_only: bool,
    /// [`SyncDetail::first_position`] of the last row of the previous page.
    pub before: Option<i64>,
    /// Most rows.
    pub limit: i64,
}

/// The tenant's spreadsheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SheetLink {
    /// Google's id.
    pub spreadsheet_id: String,
    /// Title of the managed worksheet.
    pub worksheet: String,
    /// The service account it is written with, in the vault; none: the service's own.
    pub credential_id: Option<Uuid>,
    /// Language of the titles: chosen for the sheet, else the tenant's, else `ru`.
    pub language: String,
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
}

/// The tenant itself.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn tenant(tx: &Transaction<'_>) -> Result<Option<Tenant>, QueryError> {
    let sql = format!("SELECT * FROM rm_operations.tenants WHERE tenant_id = {MINE}");
    let statement = tx.prepare_cached(&sql).await?;
    let Some(row) = tx.query_opt(&statement, &[]).await? else {
        return Ok(None);
    };
    Ok(Some(Tenant {
        tenant_id: row.try_get("tenant_id")?,
        owner_id: row.try_get("owner_id")?,
        language: row.try_get("language")?,
        time_zone: row.try_get("time_zone")?,
        status: row.try_get("status")?,
        reason: row.try_get("reason")?,
        registered_at: row.try_get("registered_at")?,
        position: row.try_get("position")?,
    }))
}

/// Members, oldest first.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn members(tx: &Transaction<'_>) -> Result<Vec<Member>, QueryError> {
    let sql = format!(
        "SELECT user_id, role, added_at, position FROM rm_operations.members WHERE tenant_id = {MINE} \
          ORDER BY added_at, user_id"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Member {
                user_id: row.try_get(0)?,
                role: row.try_get(1)?,
                added_at: row.try_get(2)?,
                position: row.try_get(3)?,
            })
        })
        .collect()
}

/// Cabinets, oldest first; disconnected ones on request.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn cabinets(tx: &Transaction<'_>, disconnected: bool) -> Result<Vec<Cabinet>, QueryError> {
    select_cabinets(tx, None, disconnected).await
}

/// One cabinet, disconnected or not.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn cabinet(tx: &Transaction<'_>, cabinet_id: Uuid) -> Result<Option<Cabinet>, QueryError> {
    Ok(select_cabinets(tx, Some(cabinet_id), true).await?.pop())
}

async fn select_cabinets(
    tx: &Transaction<'_>,
    cabinet_id: Option<Uuid>,
    disconnected: bool,
) -> Result<Vec<Cabinet>, QueryError> {
    let sql = format!(
        "SELECT c.*, f.sources, s.sync_id AS last_id, s.status AS last_status, s.requested_at AS last_requested_at, \
                (SELECT max(d.finished_at) FROM rm_operations.syncs d \
                  WHERE d.tenant_id = c.tenant_id AND d.cabinet_id = c.cabinet_id AND d.status = \
                  'succeeded') \
                AS last_success_at \
           FROM rm_operations.cabinets c \
           LEFT JOIN rm_operations.freshness f ON f.tenant_id = c.tenant_id AND f.cabinet_id = c.cabinet_id \
           LEFT JOIN LATERAL (SELECT * FROM rm_operations.syncs n \
                               WHERE n.tenant_id = c.tenant_id AND n.cabinet_id = c.cabinet_id \
                               ORDER BY n.first_position DESC LIMIT 1) s ON true \
          WHERE c.tenant_id = {MINE} AND ($1::uuid IS NULL OR c.cabinet_id = $1) \
            AND ($2 OR c.status <> 'disconnected') \
          ORDER BY c.first_position"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&cabinet_id, &disconnected]).await?;
    rows.iter().map(cabinet_row).collect()
}

/// Syncs, newest first.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn syncs(tx: &Transaction<'_>, query: &SyncQuery) -> Result<Vec<SyncDetail>, QueryError> {
    let sql = format!(
        "{SYNCS} WHERE s.tenant_id = {MINE} AND ($1::uuid IS NULL OR s.cabinet_id = $1) \
            AND ($2::text IS NULL OR s.status = $2) AND ($3::timestamptz IS NULL OR s.requested_at >= $3) \
            AND s.first_position < $4 \
            AND NOT ($6 AND EXISTS (SELECT FROM rm_operations.cabinets c WHERE c.tenant_id = s.tenant_id \
                        AND c.cabinet_id = s.cabinet_id AND c.status = 'disconnected')) \
          ORDER BY s.first_position DESC LIMIT $5"
    );
    let status = query.status.map(SyncStatus::as_str);
    let before = query.before.unwrap_or(i64::MAX);
    let limit = query.limit.max(1);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &query.cabinet_id,
                &status,
                &query.since,
                &before,
                &limit,
                &query.connected_only,
            ],
        )
        .await?;
    rows.iter().map(sync_row).collect()
}

/// One sync, which is one operation.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sync(tx: &Transaction<'_>, sync_id: Uuid) -> Result<Option<SyncDetail>, QueryError> {
    let sql = format!("{SYNCS} WHERE s.tenant_id = {MINE} AND s.sync_id = $1");
    let statement = tx.prepare_cached(&sql).await?;
    tx.query_opt(&statement, &[&sync_id])
        .await?
        .as_ref()
        .map(sync_row)
        .transpose()
}

/// The linked spreadsheet; none while none is linked.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sheet_link(tx: &Transaction<'_>) -> Result<Option<SheetLink>, QueryError> {
    let sql = format!(
        "SELECT s.spreadsheet_id, s.worksheet, s.credential_id, coalesce(s.language, t.language, 'ru') AS \
           language, s.linked_at, \
                s.position \
           FROM rm_operations.sheets s LEFT JOIN rm_operations.tenants t ON t.tenant_id = s.tenant_id \
          WHERE s.tenant_id = {MINE} AND s.linked"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let Some(row) = tx.query_opt(&statement, &[]).await? else {
        return Ok(None);
    };
    Ok(Some(SheetLink {
        spreadsheet_id: row.try_get("spreadsheet_id")?,
        worksheet: row.try_get("worksheet")?,
        credential_id: row.try_get("credential_id")?,
        language: row.try_get("language")?,
        linked_at: row.try_get("linked_at")?,
        position: row.try_get("position")?,
    }))
}

/// How the tenant's table looks, in the sheet and in exports: what was chosen, else the usual layout in the
/// tenant's language. Also the position of the last change of link or layout; 0 when there was none.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sheet_layout(tx: &Transaction<'_>) -> Result<(SheetLayoutChanged, i64), QueryError> {
    let sql = format!(
        "SELECT t.language, s.layout, coalesce(s.position, 0) AS position FROM (SELECT {MINE} AS tenant_id) m \
           LEFT JOIN rm_operations.tenants t ON t.tenant_id = m.tenant_id \
           LEFT JOIN rm_operations.sheets s ON s.tenant_id = m.tenant_id"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx.query_one(&statement, &[]).await?;
    let chosen: Option<String> = row.try_get("layout")?;
    // What this model wrote, it reads; a text that is broken all the same shows as the usual layout.
    let layout = chosen.and_then(|text| serde_json::from_str(&text).ok());
    let layout = match (layout, row.try_get::<_, Option<String>>("language")?) {
        (Some(layout), _) => layout,
        (None, Some(language)) => SheetLayoutChanged {
            language,
            ..SheetLayoutChanged::default()
        },
        (None, None) => SheetLayoutChanged::default(),
    };
    Ok((layout, row.try_get("position")?))
}

const SYNCS: &str = "SELECT s.*, coalesce(p.recorded, 0) AS recorded, \
    greatest(s.position, p.position) AS last_position \
    FROM rm_operations.syncs s LEFT JOIN rm_operations.sync_progress p \
      ON p.tenant_id = s.tenant_id AND p.sync_id = s.sync_id";

fn sync_row(row: &Row) -> Result<SyncDetail, QueryError> {
    Ok(SyncDetail {
        sync_id: row.try_get("sync_id")?,
        cabinet_id: row.try_get("cabinet_id")?,
        trigger: row.try_get("trigger")?,
        forced: row.try_get("forced")?,
        status: status(row.try_get("status")?)?,
        attempt: row.try_get("attempt")?,
        requested_at: row.try_get("requested_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        sources: row.try_get::<_, Json<Vec<SourceReport>>>("sources")?.0,
        products_seen: row.try_get("products_seen")?,
        products_changed: row.try_get("products_changed")?,
        recorded: row.try_get("recorded")?,
        error_class: row.try_get("error_class")?,
        error_detail: row.try_get("error_detail")?,
        retry_at: row.try_get("retry_at")?,
        decided_by: row.try_get("decided_by")?,
        decided_at: row.try_get("decided_at")?,
        updated_at: row.try_get("updated_at")?,
        first_position: row.try_get("first_position")?,
        position: row.try_get("last_position")?,
    })
}

fn cabinet_row(row: &Row) -> Result<Cabinet, QueryError> {
    let last_sync = match row.try_get::<_, Option<Uuid>>("last_id")? {
        Some(sync_id) => Some(LastSync {
            sync_id,
            status: status(row.try_get("last_status")?)?,
            requested_at: row.try_get("last_requested_at")?,
            last_success_at: row.try_get("last_success_at")?,
        }),
        None => None,
    };
    Ok(Cabinet {
        cabinet_id: row.try_get("cabinet_id")?,
        marketplace: row.try_get("marketplace")?,
        status: row.try_get("status")?,
        credential_id: row.try_get("credential_id")?,
        fingerprint: row.try_get("fingerprint")?,
        token_kind: row.try_get("token_kind")?,
        seller_id: row.try_get("seller_id")?,
        expires_at: row.try_get("expires_at")?,
        scopes: row.try_get::<_, Json<Vec<String>>>("scopes")?.0,
        credential_status: row.try_get("credential_status")?,
        credential_reason: row.try_get("credential_reason")?,
        checked_at: row.try_get("checked_at")?,
        guard: row.try_get::<_, Json<Guard>>("guard")?.0,
        interval_seconds: row.try_get("interval_seconds")?,
        paused: row.try_get("paused")?,
        paused_by_plan: row.try_get("paused_by_plan")?,
        connected_at: row.try_get("connected_at")?,
        updated_at: row.try_get("updated_at")?,
        position: row.try_get("position")?,
        last_sync,
        sources: row
            .try_get::<_, Option<Json<BTreeMap<String, SourceState>>>>("sources")?
            .map(|json| json.0)
            .unwrap_or_default(),
    })
}

fn status(name: &str) -> Result<SyncStatus, QueryError> {
    name.parse().map_err(|error: UnknownStatus| {
        QueryError::Database(database::DatabaseError::Unsuitable(error.to_string()))
    })
}
