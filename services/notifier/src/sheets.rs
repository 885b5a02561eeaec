//! The policy that reports sheets which cannot be written until a person does something. It compares what the
//! sheets role keeps with what the log says, and appends the difference; any number of instances may run,
//! since the sheet's stream takes a change once.

use std::collections::HashSet;
use std::time::Duration;

use application::domain::sheet::SheetRefusal;
use application::{App, Context, ExecuteError, report_sheet};
use chrono::TimeDelta;
use database::Pool;
use events::ids::{CommandId, TenantId};
use notifications::{SheetTroubles, StoreError};
use runtime::{Clock, Ids};
use tokio_util::sync::CancellationToken;

/// A trouble is reported when it has stood for so long; most end by themselves before.
pub const STANDS_FOR: TimeDelta = TimeDelta::minutes(10);
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(30);

/// Troubles that a person has to end, as the sheets role calls them; the others end by themselves.
pub const FOR_A_PERSON: [&str; 20] = [
    "protected",
    "old_layout",
    "no_account",
    "key_unusable",
    "trashed",
    "too_large",
    "layout",
    "not_found",
    "not_shared",
    "api_disabled",
    "key_refused",
    "storage_full",
    "frozen",
    "table",
    "merged",
    "filter",
    "banding",
    "validation",
    "metadata_full",
    "refused",
];

/// Why a round did not work; the next one begins anew.
#[derive(Debug, thiserror::Error)]
pub enum SheetsError {
    /// The tables cannot be read.
    #[error("it cannot be read what hinders sheets")]
    Store(#[from] StoreError),
    /// The change cannot be recorded.
    #[error("it cannot be recorded what hinders a sheet")]
    Report(#[from] ExecuteError<SheetRefusal>),
}

/// The policy and its means.
#[derive(Clone)]
pub struct SheetPolicy {
    /// Acts as the notifier.
    pub app: App,
    /// Acts as the notifier.
    pub pool: Pool,
    /// Now.
    pub clock: Clock,
    /// Names commands.
    pub ids: Ids,
}

impl SheetPolicy {
    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.round().await {
                tracing::warn!(error = ?error, "troubles of sheets cannot be reported");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Reports what has changed.
    ///
    /// # Errors
    /// [`SheetsError`].
    pub async fn round(&self) -> Result<(), SheetsError> {
        let sheets = SheetTroubles::new(self.pool.clone());
        let known: Vec<TenantId> = sheets.blocked().await?;
        let is_known: HashSet<TenantId> = known.iter().copied().collect();
        let before = self.clock.now() - STANDS_FOR;
        for hindered in sheets.hindered(&FOR_A_PERSON, before).await? {
            if !is_known.contains(&hindered.tenant) {
                self.report(hindered.tenant, Some(&hindered.kind)).await?;
            }
        }
        for tenant in sheets.written(&known).await? {
            self.report(tenant, None).await?;
        }
        Ok(())
    }

    async fn report(&self, tenant_id: TenantId, hindered: Option<&str>) -> Result<(), SheetsError> {
        let command_id = self.ids.next();
        let context = Context {
            tenant_id,
            actor: "notifier".to_owned(),
            command_id: CommandId(command_id),
            correlation_id: command_id,
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        };
        report_sheet::execute(&self.app, &context, hindered).await?;
        Ok(())
    }
}
