//! What the API asks other processes to do, because it may not open credentials: requests over NATS to the
//! worker and the sheets role. The progress of a sheet is looked up in the table the sheets role keeps.

use std::time::Duration;

use api::state::Asked;
use api::{ErrandError, NewSheetSync, SheetNotice, SheetProgress, SheetSync, SheetTest};
use application::wire::{CheckCredential, CommandHead, CredentialCheck};
use chrono::TimeDelta;
use database::{DatabaseError, Pool};
use events::ids::{CabinetId, CommandId, TenantId};
use messaging::Broker;
use messaging::rpc::{self, RpcError};
use runtime::Ids;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// How long another process may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is remembered what became of a request to write a sheet.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// The means of asking.
pub(crate) struct Errands {
    pub(crate) broker: Broker,
    pub(crate) ids: Ids,
    pub(crate) pool: Pool,
}

impl Errands {
    async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        subject: &str,
        question: &Q,
    ) -> Result<A, ErrandError> {
        let outside = |error: serde_json::Error| ErrandError::Outside(error.to_string());
        let body = serde_json::to_vec(question).map_err(outside)?;
        let answer = rpc::request_traced(
            &self.broker,
            subject,
            body.into(),
            runtime::trace::current().as_deref(),
            PATIENCE,
        )
        .await
        .map_err(errand_error)?;
        serde_json::from_slice(&answer).map_err(outside)
    }
}

impl Errands {
    /// Remembers a request to write the sheet, and forgets old ones.
    async fn remember(&self, tenant: TenantId, sync: NewSheetSync) -> Result<(), DatabaseError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let (id, old) = (tenant.uuid(), sync.at - MEMORY);
        transaction
            .execute(
                "DELETE FROM core.sheet_syncs WHERE tenant_id = $1 AND requested_at < $2",
                &[&id, &old],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO core.sheet_syncs (tenant_id, operation_id, wanted, requested_at) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[&id, &sync.operation, &sync.wanted, &sync.at],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What became of it. While it waits, the reason is that of the sheet's last failure.
    async fn recall(&self, tenant: TenantId, operation: Uuid) -> Result<Option<SheetSync>, DatabaseError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let row = transaction
            .query_opt(
                "SELECT y.wanted, y.requested_at, y.ended_at, coalesce(s.written_position, 0), w.retry_at, \
                        CASE WHEN w.waits THEN s.error_kind ELSE y.error_kind END, \
                        CASE WHEN w.waits THEN s.last_error ELSE y.error END \
                   FROM core.sheet_syncs y LEFT JOIN core.sheet_states s ON s.tenant_id = y.tenant_id \
                  CROSS JOIN LATERAL (SELECT y.ended_at IS NULL AND y.taken_up AND s.last_error IS NOT NULL \
                             AS waits, CASE WHEN y.ended_at IS NULL AND y.taken_up THEN s.next_try_at END \
                             AS retry_at) w \
                  WHERE y.tenant_id = $1 AND y.operation_id = $2",
                &[&tenant.uuid(), &operation],
            )
            .await?;
        transaction.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SheetSync {
            wanted: row.try_get(0)?,
            requested_at: row.try_get(1)?,
            ended_at: row.try_get(2)?,
            written_position: row.try_get(3)?,
            retry_at: row.try_get(4)?,
            error: row
                .try_get::<_, Option<String>>(5)?
                .zip(row.try_get::<_, Option<String>>(6)?),
        }))
    }
}

fn outside(error: &DatabaseError) -> ErrandError {
    tracing::error!(error = ?error, "the state of the sheet cannot be used");
    ErrandError::Away("the database does not answer".to_owned())
}

fn errand_error(error: RpcError) -> ErrandError {
    match error {
        RpcError::Refused(problem) if problem.status == 404 => ErrandError::NotFound,
        RpcError::Refused(problem) => ErrandError::Outside(problem.detail),
        error => ErrandError::Away(error.to_string()),
    }
}

impl api::Errands for Errands {
    fn check_credential(
        &self,
        tenant: TenantId,
        cabinet: CabinetId,
    ) -> Asked<'_, Result<CredentialCheck, ErrandError>> {
        Box::pin(async move {
            let command_id = CommandId(self.ids.next());
            let question = CheckCredential {
                head: CommandHead {
                    command_id,
                    tenant_id: tenant,
                    actor: "api".to_owned(),
                    correlation_id: command_id.uuid(),
                },
                cabinet_id: cabinet,
            };
            self.ask("worker.check_credential", &question).await
        })
    }

    fn test_sheet(&self, tenant: TenantId) -> Asked<'_, Result<SheetTest, ErrandError>> {
        Box::pin(async move {
            let question = sheets::wire::Test {
                tenant_id: tenant,
                spreadsheet_id: None,
                credential_id: None,
            };
            let answer: sheets::wire::TestAnswer = self.ask(sheets::wire::TEST, &question).await?;
            Ok(SheetTest {
                success: answer.usable,
                title: answer.title,
                findings: answer
                    .findings
                    .into_iter()
                    .map(|finding| finding.detail)
                    .collect(),
            })
        })
    }

    fn write_sheet(&self, tenant: TenantId, sync: NewSheetSync) -> Asked<'_, Result<(), ErrandError>> {
        Box::pin(async move {
            // Before the role is asked: a write that takes it up then ends it.
            self.remember(tenant, sync)
                .await
                .map_err(|error| outside(&error))?;
            let question = sheets::wire::Sync { tenant_id: tenant };
            self.ask::<_, sheets::wire::SyncAnswer>(sheets::wire::SYNC, &question)
                .await
                .map(drop)
        })
    }

    fn sheet_sync(
        &self,
        tenant: TenantId,
        operation: Uuid,
    ) -> Asked<'_, Result<Option<SheetSync>, ErrandError>> {
        Box::pin(async move {
            self.recall(tenant, operation)
                .await
                .map_err(|error| outside(&error))
        })
    }

    fn sheet_progress(&self, tenant: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>> {
        Box::pin(async move {
            let mut session = self.pool.tenant(tenant).await.map_err(|error| outside(&error))?;
            let transaction = session.begin().await.map_err(|error| outside(&error))?;
            let row = transaction
                .query_opt(
                    "SELECT written_position, last_written_at, worksheet_title, last_error, error_kind, \
                            failing_since, next_try_at, notice_kind, notice, notice_at \
                       FROM core.sheet_states WHERE tenant_id = $1",
                    &[&tenant.uuid()],
                )
                .await
                .map_err(|error| outside(&error.into()))?;
            let Some(row) = row else {
                return Ok(SheetProgress::default());
            };
            let notice = (row.get::<_, Option<String>>(7).zip(row.get(8)).zip(row.get(9)))
                .map(|((kind, text), at)| SheetNotice { kind, text, at });
            Ok(SheetProgress {
                written_position: row.get(0),
                last_written_at: row.get(1),
                worksheet_title: row.get(2),
                error: row.get(3),
                error_kind: row.get(4),
                failing_since: row.get(5),
                next_try_at: row.get(6),
                notice,
            })
        })
    }
}
