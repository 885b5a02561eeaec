//! A seller's year at high speed: a simulated marketplace lives hour by hour while the real policy, queue,
//! worker, relay and projector keep up with it, sources fail one time in twenty, keys end and are replaced.
//! Now and then, and at the end, every number in the read models has to be the marketplace's own.
//!
//! Start at [`Plan`] (what is played) and [`play`].

mod alerts;
mod compare;
mod counts;
mod end;
mod page;
mod person;
mod sheet;
mod shop;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

pub use shop::Market;
use shop::Shop;
use world::{Asked, World};

/// What goes wrong ends the run; nobody tells kinds apart.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Syncs that a checkpoint may take until one has seen everything: an answer after a clearance is doubted,
/// and believed when nothing contradicted it for [`DOUBT`].
const TRIES: u32 = 4;
/// Longer than an uncontradicted answer is doubted (`worker::sync::plausible::UNCONTRADICTED`).
const DOUBT: TimeDelta = TimeDelta::hours(7);

/// What is played. The same plan plays the same year.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Where the seller sells.
    pub market: Market,
    /// Everything that happens follows from it.
    pub seed: u64,
    /// How long.
    pub days: u32,
    /// Syncs a day.
    pub syncs_per_day: u32,
    /// Articles at first.
    pub articles: usize,
    /// The marketplace's warehouses at first.
    pub warehouses: usize,
    /// Part of the time in which a source does not work, in thousandths.
    pub per_mille: u32,
    /// Rows of answers that are damaged, in thousandths.
    pub damaged: u32,
    /// Days between two comparisons.
    pub compared_every: u32,
    /// Whether an alert that is not the marketplace's truth ends the year; else it is listed in the report.
    pub strict: bool,
}

impl Plan {
    /// A year of a small shop.
    #[must_use]
    pub const fn year(market: Market, seed: u64) -> Self {
        Self {
            market,
            seed,
            days: 365,
            syncs_per_day: 2,
            articles: 60,
            warehouses: 8,
            per_mille: 50,
            damaged: 3,
            compared_every: 14,
            strict: false,
        }
    }
}

/// What a year was like.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Events in the log.
    pub events: i64,
    /// Comparisons that found no difference.
    pub comparisons: u32,
    /// Syncs by how they ended; `paused` were not begun, because the key had been refused.
    pub syncs: BTreeMap<&'static str, u32>,
    /// What happened to the shop.
    pub happened: BTreeMap<String, u64>,
    /// Calls that failed on purpose, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Rows that were damaged on purpose, by kind.
    pub damaged: BTreeMap<String, u64>,
    /// Orders compared one by one, all comparisons together.
    pub orders: usize,
    /// Levels compared one by one, all comparisons together.
    pub levels: usize,
    /// Units by size or of further kinds at one warehouse, all comparisons together.
    pub parts: usize,
    /// Prices, all comparisons together.
    pub prices: usize,
    /// Cells of the seller's spreadsheet, all comparisons together.
    pub cells: usize,
    /// Products whose alerts were compared, all comparisons together.
    pub alerts: usize,
    /// Alerts that were not the marketplace's truth, in words.
    pub untrue: Vec<String>,
    /// Alerts by the type of their event.
    pub raised: BTreeMap<&'static str, u64>,
    /// What the second person did in the spreadsheet.
    pub person: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Takes up how a comparison of alerts came out.
    fn judge<T: Default>(&mut self, plan: &Plan, compared: Result<T, String>) -> Result<T, Failure> {
        compared.or_else(|error| match plan.strict {
            true => Err(error.into()),
            false => {
                self.untrue.push(error);
                Ok(T::default())
            }
        })
    }
}

/// What the seller does on which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Gives the cabinet a new key.
    Replace,
    /// Takes the key back at the marketplace and forgets to tell us.
    Revoke,
    /// The marketplace hides its warehouses, or shows them again.
    Hide(bool),
}

/// A key is replaced in time, one is taken back, and one ends before it is replaced.
const WILDBERRIES: [(u32, Act); 7] = [
    (61, Act::Revoke),
    (62, Act::Replace),
    (100, Act::Hide(true)),
    (190, Act::Hide(false)),
    // The key of day 62 ended on day 242.
    (244, Act::Replace),
    (300, Act::Hide(true)),
    (330, Act::Replace),
];
/// The same with keys of three months.
const OZON: [(u32, Act); 5] = [
    (80, Act::Replace),
    (130, Act::Revoke),
    (131, Act::Replace),
    // The key of day 131 ended on day 221.
    (223, Act::Replace),
    (300, Act::Replace),
];

/// Plays the year and compares; every difference is a failure.
///
/// # Errors
/// The first difference between what the marketplace has and what the read models say, or a server that
/// refuses.
pub async fn play(plan: &Plan) -> Result<Report, Failure> {
    let began = Instant::now();
    let shop = Shop::open(plan).await?;
    let mut world = Box::pin(World::begin(shop, plan.seed)).await?;
    let mut report = Report::default();
    let hours = 24 / plan.syncs_per_day.clamp(1, 24);
    for day in 1..=plan.days {
        for act in acts(plan.market, day) {
            match act {
                Act::Replace => world.replace_key().await?,
                Act::Revoke => world.shop.revoke().await?,
                Act::Hide(hidden) => world.shop.hide(hidden).await?,
            }
        }
        for _ in 0..plan.syncs_per_day {
            world.live(hours).await?;
            let ended = world.sync().await?;
            *report.syncs.entry(ended.word()).or_default() += 1;
            let taken = world.take_alerts().await;
            let at = |error| format!("seed {}, day {day}: {error}", plan.seed);
            report.judge(plan, taken.map_err(at))?;
        }
        world.write_sheet().await?;
        let due = day % plan.compared_every == 0 || day == plan.days;
        if due && world.is_usable().await? {
            checkpoint(&mut world, plan, &mut report)
                .await
                .map_err(|error| format!("seed {}, day {day}: {error}", plan.seed))?;
        }
    }
    report.happened = world.shop.happened().await?;
    report.faults = world.shop.faults().await?;
    report.damaged = world.shop.damaged().await?;
    report.person = world.person_did();
    report.raised = world.watched.raised.clone();
    report.events = Box::pin(end::everything(world, &report)).await?;
    report.took = began.elapsed();
    Ok(report)
}

fn acts(market: Market, day: u32) -> Vec<Act> {
    let all: &[(u32, Act)] = match market {
        Market::Wildberries => &WILDBERRIES,
        Market::Ozon => &OZON,
    };
    all.iter()
        .filter(|(at, _)| *at == day)
        .map(|(_, act)| *act)
        .collect()
}

/// The weather is good for once: the next complete sync sees everything, and everything must be right.
async fn checkpoint(world: &mut World, plan: &Plan, report: &mut Report) -> Result<(), Failure> {
    world.shop.weather(0, 0, 0).await?;
    for _ in 0..TRIES {
        // What was ordered this second is not asked for yet.
        world.pass(TimeDelta::seconds(1));
        let ended = world.sync().await?;
        *report.syncs.entry(ended.word()).or_default() += 1;
        let taken = world.take_alerts().await;
        report.judge(plan, taken.map_err(|error| error.to_string()))?;
        if ended == Asked::Quarantined {
            world.pass(DOUBT);
        }
        if ended != Asked::Complete {
            continue;
        }
        world.caught_up().await?;
        let ledger = world.shop.ledger().await?;
        let compared = compare::everything(world, &ledger).await?;
        report.comparisons += 1;
        report.orders += compared.orders;
        report.levels += compared.levels;
        report.parts += compared.parts;
        report.prices += compared.prices;
        let alerts = world.compare_alerts(&ledger).map_err(|error| error.to_string());
        report.alerts += report.judge(plan, alerts)?;
        report.cells += Box::pin(world.compare_sheet()).await?;
        world
            .shop
            .weather(plan.seed, plan.per_mille, plan.damaged)
            .await?;
        return Ok(());
    }
    Err(format!("no sync saw everything: {}", world.last_end().await?).into())
}
