//! Figures beside their limits, measured in one run on real servers: a figure alone says more about the
//! machine than about the program, a ratio can be compared between runs and machines.

mod alerts;
mod append;
pub mod child;
mod fairness;
mod latency;
mod memory;
mod postgres_es;
mod reading;
mod report;
mod request;
pub mod sheet;
mod sync;
mod webhook;
mod world;

use std::io::Write as _;
use std::time::{Duration, Instant};

use runtime::Clock;

pub use report::{Limit, Machine, Report, Row, Target};
use world::Servers;

/// What goes wrong while measuring ends the run; nobody tells kinds apart.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The benchmarks by name, in order.
pub const NAMES: [&str; 10] = [
    "append", "reading", "alerts", "latency", "request", "webhook", "sheet", "sync", "fairness", "memory",
];

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// How long each contender works, all turns together.
    pub slice: Duration,
    /// Streams that commands go to in turn.
    pub streams: usize,
    /// Rows of the one `COPY`.
    pub copied: usize,
    /// Events of the log that is read.
    pub log: i64,
    /// Events of it that are relayed.
    pub relayed: i64,
    /// How long commands come at a steady rate.
    pub open_loop: Duration,
    /// Articles they are about.
    pub live_articles: usize,
    /// Products in the sheet.
    pub sheet_rows: usize,
    /// Articles of the seller that is synced.
    pub sync_articles: usize,
    /// Articles, each at a hundred warehouses, of the seller beside whom the others are measured.
    pub heavy_articles: usize,
    /// Times that each of the others reads everything.
    pub fairness_rounds: usize,
    /// Warehouses of the seller whose syncs have to fit into memory, with as many articles.
    pub memory_warehouses: usize,
}

impl Sizes {
    /// Large enough for the figures to mean something.
    #[must_use]
    pub const fn full() -> Self {
        Self {
            slice: Duration::from_secs(4),
            streams: 50_000,
            copied: 200_000,
            log: 300_000,
            relayed: 200_000,
            open_loop: Duration::from_secs(8),
            live_articles: 10_000,
            sheet_rows: 10_000,
            sync_articles: 10_000,
            heavy_articles: 10_000,
            fairness_rounds: 40,
            memory_warehouses: 100,
        }
    }

    /// Just enough to see that everything works.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            slice: Duration::from_millis(150),
            streams: 2_000,
            copied: 1_000,
            log: 3_000,
            relayed: 2_000,
            open_loop: Duration::from_millis(300),
            live_articles: 500,
            sheet_rows: 200,
            sync_articles: 100,
            heavy_articles: 100,
            fairness_rounds: 3,
            memory_warehouses: 10,
        }
    }
}

/// Measures what is named (everything for an empty list) and tells on standard error what it is at.
///
/// # Errors
/// When a name is unknown, a server refuses, or a benchmark finds something wrong.
pub async fn run(sizes: &Sizes, quick: bool, only: &[String]) -> Result<Report, Failure> {
    if let Some(unknown) = only.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("there is no benchmark `{unknown}`, only {}", NAMES.join(", ")).into());
    }
    let at = Clock::system()
        .now()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let before = load()?;
    let servers = Servers::start().await;
    let fdatasync_ms = fdatasync_ms()?;
    let nats = support::own_nats().await.version().to_owned();
    let mut rows = Vec::new();
    for name in NAMES {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let began = Instant::now();
        rows.extend(match name {
            "append" => Box::pin(append::run(&servers, sizes)).await?,
            "reading" => Box::pin(reading::run(&servers, sizes)).await?,
            "alerts" => Box::pin(alerts::run(&servers, sizes)).await?,
            "latency" => Box::pin(latency::run(&servers, sizes)).await?,
            "request" => Box::pin(request::run(&servers, sizes)).await?,
            "webhook" => Box::pin(webhook::run(&servers, sizes)).await?,
            "sheet" => sheet::run(sizes)?,
            "fairness" => Box::pin(fairness::run(sizes)).await?,
            "memory" => Box::pin(memory::run(&servers, sizes)).await?,
            _ => Box::pin(sync::run(&servers, sizes)).await?,
        });
        writeln!(
            std::io::stderr(),
            "{name}: {:.0} s",
            began.elapsed().as_secs_f64()
        )?;
    }
    let machine = Machine {
        cpus: std::thread::available_parallelism()?.get(),
        postgres: servers.postgres.version().to_owned(),
        nats,
        fdatasync_ms,
        load: [before, load()?],
    };
    Ok(Report {
        at,
        quick,
        optimised: !cfg!(debug_assertions),
        machine,
        rows,
    })
}

/// Median of some writes of a block, each forced to the disk.
fn fdatasync_ms() -> Result<f64, Failure> {
    let mut file = std::fs::File::create(support::scratch_folder("fdatasync").join("file"))?;
    let block = [0_u8; 4_096];
    let mut times = Vec::new();
    for _ in 0..101 {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn load() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}
