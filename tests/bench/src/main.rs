//! Measures and prints one report.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bench::{Failure, Sizes};
use clap::Parser;

/// Measures, each figure beside its limit.
#[derive(Debug, Parser)]
struct Arguments {
    /// Also writes the report as JSON to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only these: append, reading, alerts, latency, request, webhook, sheet, sync, fairness, memory.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Tiny sizes: shows that everything works, the figures mean nothing.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// The worker of a measured sync.
    #[command(hide = true, name = bench::child::COMMAND)]
    SyncChild {
        /// JSON.
        settings: String,
    },
    /// The plans of a large sheet.
    #[command(hide = true, name = bench::sheet::COMMAND)]
    SheetChild {
        /// Products in it.
        rows: usize,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be told when standard error is closed.
            drop(writeln!(std::io::stderr(), "bench: {error} ({error:?})"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: Arguments) -> Result<(), Failure> {
    match arguments.part {
        Some(Part::SyncChild { settings }) => return Box::pin(bench::child::run(&settings)).await,
        Some(Part::SheetChild { rows }) => {
            std::io::stdout().write_all(bench::sheet::child(rows)?.as_bytes())?;
            return Ok(());
        }
        None => {}
    }
    let sizes = if arguments.quick {
        Sizes::quick()
    } else {
        Sizes::full()
    };
    let report = Box::pin(bench::run(&sizes, arguments.quick, &arguments.only)).await?;
    if let Some(path) = arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    std::io::stdout().write_all(report.table().as_bytes())?;
    Ok(())
}
