//! The tool `erase`: acts for those who ask for them, and the ledger that cleans a restored backup again.

use std::io::Write as _;
use std::path::Path;

use auth::erasures::{Erasure, Erasures};
use database::{Pool, Role};
use runtime::Settings;

use crate::Failure;
use crate::args::EraseAction;

/// Runs it with the worker's rights, who finishes erasures.
pub(crate) async fn run(settings: &Settings, action: &EraseAction) -> Result<u8, Failure> {
    let pool = Pool::open(settings.database.required_url()?, Role::Worker, 2)?;
    let ledger = Erasures::new(pool);
    match action {
        EraseAction::Ledger => print_ledger(&ledger).await,
        EraseAction::Acts => print_acts(&ledger).await,
        EraseAction::Replay { file } => replay(&ledger, file).await,
    }
}

/// One line of JSON per erasure; ids and times only.
async fn print_ledger(ledger: &Erasures) -> Result<u8, Failure> {
    let lines = ledger.ledger().await?;
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(0)
}

/// One act per line, with the entries of the log that concern it.
async fn print_acts(ledger: &Erasures) -> Result<u8, Failure> {
    let entries = ledger.ledger().await?;
    let mut acts = Vec::with_capacity(entries.len());
    for entry in &entries {
        acts.extend(ledger.act(entry.tenant_id, entry.subject).await?);
    }
    let mut out = std::io::stdout().lock();
    for act in acts {
        writeln!(out, "{act}")?;
    }
    Ok(0)
}

/// Enters every line that this database lacks; the workers carry them out as soon as they run. A file with a
/// line that cannot be read is not entered at all.
#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn replay(ledger: &Erasures, file: &Path) -> Result<u8, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = text.lines().zip(1_usize..);
    let erasures = lines.filter(|(line, _)| !line.trim().is_empty());
    let erasures: Vec<Erasure> = erasures
        .map(|(line, number)| {
            serde_json::from_str(line).map_err(|error| format!("{}, line {number}: {error}", file.display()))
        })
        .collect::<Result<_, _>>()?;
    let mut entered = 0_u64;
    for erasure in &erasures {
        entered += u64::from(ledger.enter(erasure).await?);
    }
    println!("{entered} erasures were entered; workers carry them out");
    Ok(0)
}
