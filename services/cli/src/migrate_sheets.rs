//! The tool `sheets migrate`: moves sheets of earlier layouts and tells what became of everything. It acts as
//! the role `sheets`, under the same leases, so it may run beside it.

use std::sync::Arc;

use connectors::http::{HttpClient, NoObserver};
use database::{Pool, Role};
use events::ids::TenantId;
use runtime::{Clock, Ids, Settings};
use sheets::{Choice, GoogleMeans, MigrateError, Moved, Sheets, SheetsOptions};

use crate::{Failure, assembly};

/// The tool's name at the broker, with the rights of the role.
const USER: &str = "sheets";
/// Connections of the tool.
const CONNECTIONS: usize = 2;

/// Moves the sheets and prints a report. Exit code 1 when one of them could not be moved.
#[expect(clippy::print_stdout, reason = "the report is what the tool is for")]
pub(crate) async fn run(settings: &Settings, only: Option<TenantId>, choice: Choice) -> Result<u8, Failure> {
    let pool = Pool::open(settings.database.required_url()?, Role::Sheets, CONNECTIONS)?;
    let (options, accounts, token_hosts) = assembly::google(settings, &pool);
    let google = GoogleMeans {
        http: HttpClient::new(Arc::new(NoObserver))?,
        options,
        accounts,
        token_hosts,
        service_account: settings.google.service_account.clone(),
    };
    let vault = vault::Vault::new(pool.clone(), crate::keys::masters(settings)?);
    let options = SheetsOptions {
        settle: settings.sync.sheet_settle,
        ..SheetsOptions::new(
            pool,
            assembly::link(settings, USER).await?,
            vault,
            Clock::system(),
            google,
            Ids::system().next(),
        )
    };
    let sheets = Sheets::new(options);
    // What was linked a moment ago shall be known, also while the role is not running.
    let mut reached = None;
    loop {
        let position = sheets.catch_up_once().await?;
        if position.is_none() || position == reached {
            break;
        }
        reached = position;
    }
    let moved = sheets.migrate(only, choice).await?;
    println!(
        "{} sheets{}",
        moved.len(),
        if choice.dry_run {
            "; nothing is changed"
        } else {
            ""
        }
    );
    let mut sound = true;
    for (tenant, outcome) in &moved {
        sound &= outcome.is_ok();
        println!("{}", told(*tenant, outcome));
    }
    Ok(u8::from(!sound))
}

fn told(tenant: TenantId, outcome: &Result<Moved, MigrateError>) -> String {
    let moved = match outcome {
        Ok(moved) => moved,
        Err(error) => return format!("tenant {tenant}: FAIL {error}"),
    };
    let worksheet = moved.worksheet.as_deref().map_or_else(
        || "no worksheet yet".to_owned(),
        |title| format!("worksheet “{title}”"),
    );
    let backup = moved.backup.as_ref().filter(|_| moved.changed);
    let backup = backup.map_or_else(String::new, |title| format!("; copied to “{title}”"));
    let done = if moved.changed { "moved" } else { "not changed" };
    format!(
        "tenant {tenant}: spreadsheet {}, {worksheet}: {done}{backup}; {}",
        moved.spreadsheet_id, moved.report
    )
}
