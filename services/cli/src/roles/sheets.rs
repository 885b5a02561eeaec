//! The role `sheets`.

use database::Role;
use sheets::{GoogleMeans, SheetsOptions};

use crate::Failure;
use crate::assembly::Assembly;

/// Keeps every linked spreadsheet equal to the read models.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Sheets)?;
    let (options, accounts, token_hosts) = assembly.google();
    let google = GoogleMeans {
        http: assembly.http()?,
        options,
        accounts,
        token_hosts,
        service_account: assembly.settings.google.service_account.clone(),
    };
    let settings = &assembly.settings.sync;
    let options = SheetsOptions {
        coalesce: settings.sheet_coalesce,
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
