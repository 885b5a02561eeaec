//! The role `sheets`.

use std::sync::Arc;

use connectors::http::{CallObserver, CallRecord, HttpClient};
use database::Role;
use runtime::Metrics;
use sheets::{GoogleMeans, Notice, SheetsOptions};

use crate::Failure;
use crate::assembly::Assembly;

/// Time that reading and writing a sheet usually take at most, out of the bound on its freshness.
const WRITING: std::time::Duration = std::time::Duration::from_secs(5);

/// Keeps every linked spreadsheet equal to the read models.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Sheets)?;
    let (options, accounts, token_hosts) = crate::assembly::google(&assembly.settings, &pool);
    let google = GoogleMeans {
        http: HttpClient::new(Arc::new(CountedCalls(assembly.metrics.clone())))?,
        options,
        accounts,
        token_hosts,
        service_account: assembly.settings.google.service_account.clone(),
    };
    let settings = &assembly.settings.sync;
    let metrics = assembly.metrics.clone();
    let options = SheetsOptions {
        observer: Arc::new(move |notice| match notice {
            Notice::Sent { cells } => metrics.sheet_written(cells as u64),
            Notice::Failed { class } => metrics.sheet_failed(class),
        }),
        coalesce: settings.sheet_coalesce,
        // What is gathered has to be read and written too.
        coalesce_at_most: settings.sheet_freshness.saturating_sub(WRITING),
        settle: settings.sheet_settle,
        ..SheetsOptions::new(
            pool.clone(),
            assembly.broker.clone(),
            assembly.vault(pool)?,
            assembly.clock.clone(),
            google,
            assembly.ids.next(),
        )
    };
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("sheets", async move {
        sheets::run(options, stop).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}

/// Counts requests to Google by endpoint and status. The host is not told: there is only one.
struct CountedCalls(Metrics);

impl CallObserver for CountedCalls {
    fn observe(&self, record: &CallRecord<'_>) {
        self.0.sheet_call(record.endpoint, record.status);
    }
}
