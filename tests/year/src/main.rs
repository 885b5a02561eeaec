//! Years played by hand: more of them, longer, busier than the tests'.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use year::{Failure, Market, Plan};

/// Plays sellers' years through the simulators and compares every number.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the sellers sell.
    #[arg(long, value_enum, default_value_t = Where::Wildberries)]
    market: Where,
    /// The first year's seed; the others count up from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Years, each with a seed of its own.
    #[arg(long, default_value_t = 1)]
    years: u64,
    /// Days of each.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Syncs a day.
    #[arg(long, default_value_t = 4)]
    syncs_per_day: u32,
    /// Articles at first.
    #[arg(long, default_value_t = 120)]
    articles: usize,
    /// The marketplace's warehouses at first.
    #[arg(long, default_value_t = 12)]
    warehouses: usize,
    /// Part of the time in which a source does not work, in thousandths.
    #[arg(long, default_value_t = 50)]
    per_mille: u32,
    /// Rows of answers that are damaged, in thousandths.
    #[arg(long, default_value_t = 3)]
    damaged: u32,
    /// Days between two comparisons.
    #[arg(long, default_value_t = 7)]
    compared_every: u32,
    /// End at the first alert that is not the marketplace's truth, instead of listing it
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Where {
    Wildberries,
    Ozon,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(play(&Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be told when standard error is closed.
            drop(writeln!(std::io::stderr(), "year: {error} ({error:?})"));
            ExitCode::FAILURE
        }
    }
}

async fn play(arguments: &Arguments) -> Result<(), Failure> {
    for seed in arguments.seed..arguments.seed + arguments.years {
        let plan = Plan {
            market: match arguments.market {
                Where::Wildberries => Market::Wildberries,
                Where::Ozon => Market::Ozon,
            },
            seed,
            days: arguments.days,
            syncs_per_day: arguments.syncs_per_day,
            articles: arguments.articles,
            warehouses: arguments.warehouses,
            per_mille: arguments.per_mille,
            damaged: arguments.damaged,
            compared_every: arguments.compared_every,
            strict: arguments.strict,
        };
        let report = Box::pin(year::play(&plan)).await?;
        writeln!(std::io::stdout(), "seed {seed}: {report:#?}")?;
    }
    Ok(())
}
