//! What the API asks other processes to do, because it may not open credentials: requests over NATS to the
//! worker and the sheets role. The progress of a sheet is looked up in the table the sheets role keeps.

use std::time::Duration;

use api::state::Asked;
use api::{ErrandError, SheetNotice, SheetProgress, SheetTest};
use application::wire::{CheckCredential, CommandHead, CredentialCheck};
use database::Pool;
use events::ids::{CabinetId, CommandId, TenantId};
use messaging::Broker;
use messaging::rpc::{self, RpcError};
use runtime::Ids;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long another process may take.
const PATIENCE: Duration = Duration::from_secs(30);

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

    fn write_sheet(&self, tenant: TenantId) -> Asked<'_, Result<(), ErrandError>> {
        Box::pin(async move {
            let question = sheets::wire::Sync { tenant_id: tenant };
            self.ask::<_, sheets::wire::SyncAnswer>(sheets::wire::SYNC, &question)
                .await
                .map(drop)
        })
    }

    fn sheet_progress(&self, tenant: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>> {
        Box::pin(async move {
            let outside = |error: &dyn std::error::Error| {
                tracing::error!(error = ?error, "the sheet's progress cannot be read");
                ErrandError::Away("the database does not answer".to_owned())
            };
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
                .map_err(|error| outside(&error))?;
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
