//! The ledger of erasures: who asked for what to be forgotten, and the act that says what was destroyed. It
//! is written before anything is destroyed, so that whoever comes next can finish what a dead process began;
//! the destroying itself is part of the transaction that appends the event
//! (`migrations/core/V10__erasure.sql`).

use chrono::{DateTime, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::{CabinetId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;

/// Who or what is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "subject_type", content = "subject_id")]
pub enum Subject {
    /// A business with everybody and everything in it.
    Tenant(TenantId),
    /// One of its people.
    User(UserId),
}

impl Subject {
    /// `tenant` or `user`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Tenant(_) => "tenant",
            Self::User(_) => "user",
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Tenant(id) => id.uuid(),
            Self::User(id) => id.uuid(),
        }
    }

    fn of(kind: &str, id: Uuid) -> Result<Self, StoreError> {
        match kind {
            "tenant" => Ok(Self::Tenant(TenantId(id))),
            "user" => Ok(Self::User(UserId(id))),
            _ => Err(StoreError::Inconsistent {
                table: "erasure_acts",
                column: "subject_type",
            }),
        }
    }
}

/// One request to be forgotten: a line of the ledger, which identifies nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Whose data, or of which tenant.
    pub tenant_id: TenantId,
    /// Reference of the request; the id of the command that carries it out.
    pub erasure_id: Uuid,
    /// Who or what.
    #[serde(flatten)]
    pub subject: Subject,
    /// An actor, as in the log.
    pub requested_by: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
}

/// A request that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The request.
    pub erasure: Erasure,
    /// Logins that went with the tenant.
    pub users: Vec<UserId>,
    /// Position of the event; none when nothing was destroyed yet.
    pub position: Option<i64>,
}

/// The ledger. Cheap to clone.
#[derive(Clone)]
pub struct Erasures {
    pool: Pool,
}

impl Erasures {
    /// The ledger over `pool`, whose role has to be `st_api` or `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Enters a request, or finds the one that was made for the same subject before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request(&self, wanted: &Erasure) -> Result<Unfinished, StoreError> {
        let mut session = self.pool.tenant(wanted.tenant_id).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.erasure_acts
                        (tenant_id, erasure_id, subject_type, subject_id, requested_by, requested_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .await?;
        let (kind, subject) = (wanted.subject.kind(), wanted.subject.id());
        transaction
            .execute(
                &insert,
                &[
                    &wanted.tenant_id.uuid(),
                    &wanted.erasure_id,
                    &kind,
                    &subject,
                    &wanted.requested_by,
                    &wanted.requested_at,
                ],
            )
            .await?;
        let select = transaction
            .prepare_cached(
                "SELECT tenant_id, erasure_id, subject_type, subject_id, requested_by, requested_at, users,
                        position
                   FROM core.erasure_acts WHERE tenant_id = $1 AND subject_type = $2 AND subject_id = $3",
            )
            .await?;
        let row = transaction
            .query_one(&select, &[&wanted.tenant_id.uuid(), &kind, &subject])
            .await?;
        transaction.commit().await?;
        unfinished(&row)
    }

    /// Takes a request back that turned out to be impossible. One that was carried out stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn withdraw(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(erasure.tenant_id).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.erasure_acts
                  WHERE tenant_id = $1 AND erasure_id = $2 AND position IS NULL",
            )
            .await?;
        transaction
            .execute(&delete, &[&erasure.tenant_id.uuid(), &erasure.erasure_id])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The act, with the entries of the log that concern the subject; none before anything was destroyed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn act(&self, tenant: TenantId, subject: Subject) -> Result<Option<Value>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let act = act_of(&transaction, tenant, subject).await?;
        transaction.commit().await?;
        Ok(act)
    }

    /// Cabinets that the tenant ever connected.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cabinets(&self, tenant: TenantId) -> Result<Vec<CabinetId>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT DISTINCT aggregate_id FROM core.events
                  WHERE tenant_id = $1 AND aggregate_type = 'cabinet' AND event_type = 'cabinet_connected'
                  ORDER BY aggregate_id",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                let text: &str = row.try_get(0)?;
                text.parse()
                    .map_err(|source| StoreError::malformed("events", "aggregate_id", source))
            })
            .collect()
    }

    /// Requests of all tenants that are not finished, the oldest first. For the worker.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unfinished(&self, limit: i32) -> Result<Vec<Unfinished>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT * FROM core.unfinished_erasures($1)")
            .await?;
        let rows = session.query(&select, &[&limit]).await?;
        rows.iter().map(unfinished).collect()
    }

    /// Destroys what was left or came since, and closes the act; false while that would be too early. For the
    /// worker.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(&self, erasure: &Erasure, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let finish = session
            .prepare_cached("SELECT core.finish_erasure($1, $2, $3)")
            .await?;
        let row = session
            .query_one(&finish, &[&erasure.tenant_id.uuid(), &erasure.erasure_id, &now])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The whole ledger of all tenants, to be kept where a restored backup does not reach it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger(&self) -> Result<Vec<Erasure>, StoreError> {
        let session = self.pool.get().await?;
        let rows = session.query("SELECT * FROM core.erasure_ledger()", &[]).await?;
        rows.iter().map(erasure).collect()
    }

    /// Enters a line of a ledger that was kept elsewhere; false when it is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enter(&self, line: &Erasure) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let row = session
            .query_one(
                "SELECT core.enter_erasure($1, $2, $3, $4, $5, $6)",
                &[
                    &line.tenant_id.uuid(),
                    &line.erasure_id,
                    &line.subject.kind(),
                    &line.subject.id(),
                    &line.requested_by,
                    &line.requested_at,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}

async fn act_of(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    subject: Subject,
) -> Result<Option<Value>, StoreError> {
    // As text: this crate's client is not asked to know JSON.
    let select = transaction
        .prepare_cached(
            "SELECT (act || jsonb_build_object(
                        'log', core.erasure_log(tenant_id, subject_type, subject_id)))::text
               FROM core.erasure_acts
              WHERE tenant_id = $1 AND subject_type = $2 AND subject_id = $3 AND position IS NOT NULL",
        )
        .await?;
    let row = transaction
        .query_opt(&select, &[&tenant.uuid(), &subject.kind(), &subject.id()])
        .await?;
    row.map(|row| {
        serde_json::from_str(row.try_get(0)?)
            .map_err(|source| StoreError::malformed("erasure_acts", "act", source))
    })
    .transpose()
}

fn erasure(row: &Row) -> Result<Erasure, StoreError> {
    Ok(Erasure {
        tenant_id: TenantId(row.try_get(0)?),
        erasure_id: row.try_get(1)?,
        subject: Subject::of(row.try_get(2)?, row.try_get(3)?)?,
        requested_by: row.try_get(4)?,
        requested_at: row.try_get(5)?,
    })
}

fn unfinished(row: &Row) -> Result<Unfinished, StoreError> {
    let users: Vec<Uuid> = row.try_get(6)?;
    Ok(Unfinished {
        erasure: erasure(row)?,
        users: users.into_iter().map(UserId).collect(),
        position: row.try_get(7)?,
    })
}
