//! Pace and limits of syncs, and of writing what they found into sheets.

use std::path::PathBuf;
use std::time::Duration;

use super::google::GoogleSettings;
use super::marketplaces::{OzonSettings, WildberriesSettings};
use super::source::{Problem, Source, malformed};

/// Settings of syncs and sheets.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// `ST_SYNC_INTERVAL_SECONDS`: rhythm of cabinets that were given none, whatever their tenant's plan;
    /// `None` for the plan's.
    pub interval: Option<Duration>,
    /// `ST_SYNC_ATTEMPTS`: attempts before a sync is given up.
    pub attempts: u32,
    /// `ST_SYNC_RETRY_SECONDS`: pause before the second attempt; it doubles with each.
    pub retry_pause: Duration,
    /// `ST_SYNC_PARALLEL`: syncs one worker has under way at a time.
    pub parallel: usize,
    /// `ST_SYNC_REQUESTS`: requests of syncs that one worker works on at a time.
    pub requests: usize,
    /// `ST_SYNC_PER_TENANT`: syncs of one tenant that are with the workers at a time.
    pub per_tenant: u32,
    /// `ST_SYNC_OUTSTANDING`: syncs that wait for the workers or are with them before the schedule adds more.
    pub outstanding: u32,
    /// `ST_ORDER_DAYS`: days of orders every sync asks for.
    pub order_days: i64,
    /// `ST_MARKETPLACE_SPEED`: how many times faster than published the marketplaces' limits are taken to be.
    pub marketplace_speed: u32,
    /// `ST_MARKETPLACE_LIMITS_FILE`: limits that take the place of those that come with the program.
    pub marketplace_limits_file: Option<PathBuf>,
    /// `ST_EGRESS_ADDRESS`: name of the address by which this process reaches the marketplaces.
    pub egress: String,
    /// `ST_SYNC_SOFT_LIMIT_SECONDS`: after this a sync starts no further request.
    pub soft_limit: Duration,
    /// `ST_SYNC_HARD_LIMIT_SECONDS`: after this a sync is broken off.
    pub hard_limit: Duration,
    /// `ST_PAYLOAD_DAYS`: how long raw answers are kept for audits; 0 keeps none.
    pub payload_days: u32,
    /// `ST_PAYLOAD_CABINET_MB`: most that is kept of one cabinet, in bytes.
    pub payload_cabinet_bytes: u64,
    /// `ST_PAYLOAD_TOTAL_MB`: most that is kept of all, in bytes.
    pub payload_total_bytes: u64,
    /// `ST_SHEET_COALESCE_MS`: time in which changes are gathered before a sheet is written.
    pub sheet_coalesce: Duration,
    /// `ST_SHEET_FRESHNESS_SECONDS`: longest time from a change to the sheet that shows it.
    pub sheet_freshness: Duration,
    /// `ST_SHEET_SETTLE_SECONDS`: time after which a write whose answer was lost has certainly ended at
    /// Google.
    pub sheet_settle: Duration,
}

pub(super) fn read(source: &Source) -> Result<SyncSettings, Problem> {
    let seconds = |name, expected, range| source.number(name, expected, range).map(Duration::from_secs);
    let megabytes = |name| {
        let most = source.number(name, "megabytes, 1 to 1048576", 1..=1_048_576);
        most.map(|most: u64| most * 1024 * 1024)
    };
    let soft = "ST_SYNC_SOFT_LIMIT_SECONDS";
    let settings = SyncSettings {
        interval: source
            .parsed("ST_SYNC_INTERVAL_SECONDS", "seconds, 300 to 86400", |text| {
                // No answer of a marketplace is asked for again within five minutes, so a shorter rhythm
                // reads nothing every other time.
                text.parse()
                    .ok()
                    .filter(|seconds| (300..=86_400).contains(seconds))
            })?
            .map(Duration::from_secs),
        attempts: source.number("ST_SYNC_ATTEMPTS", "a number, 1 to 100", 1..=100)?,
        retry_pause: seconds("ST_SYNC_RETRY_SECONDS", "seconds, 1 to 3600", 1..=3600)?,
        parallel: source.number("ST_SYNC_PARALLEL", "a number, 1 to 64", 1..=64)?,
        requests: source.number("ST_SYNC_REQUESTS", "a number, 2 to 256", 2..=256)?,
        per_tenant: source.number("ST_SYNC_PER_TENANT", "a number, 1 to 64", 1..=64)?,
        outstanding: source.number("ST_SYNC_OUTSTANDING", "a number, 1 to 100000", 1..=100_000)?,
        order_days: source.number("ST_ORDER_DAYS", "days, 7 to 30", 7..=30)?,
        marketplace_speed: source.number("ST_MARKETPLACE_SPEED", "a number, 1 to 100000", 1..=100_000)?,
        marketplace_limits_file: source.text("ST_MARKETPLACE_LIMITS_FILE").map(PathBuf::from),
        egress: source.required("ST_EGRESS_ADDRESS", "a name or an address", |text| {
            (1..=100).contains(&text.len()).then(|| text.to_owned())
        })?,
        // Below a minute not even the second page of a report comes: three requests a minute are allowed.
        soft_limit: seconds(soft, "seconds, 60 to 7199", 60..=7199)?,
        hard_limit: seconds("ST_SYNC_HARD_LIMIT_SECONDS", "seconds, 61 to 7200", 61..=7200)?,
        payload_days: source.number("ST_PAYLOAD_DAYS", "days, 0 to 365", 0..=365)?,
        payload_cabinet_bytes: megabytes("ST_PAYLOAD_CABINET_MB")?,
        payload_total_bytes: megabytes("ST_PAYLOAD_TOTAL_MB")?,
        sheet_coalesce: source
            .number("ST_SHEET_COALESCE_MS", "milliseconds, 0 to 60000", 0..=60_000)
            .map(Duration::from_millis)?,
        sheet_freshness: seconds("ST_SHEET_FRESHNESS_SECONDS", "seconds, 6 to 3600", 6..=3600)?,
        sheet_settle: seconds("ST_SHEET_SETTLE_SECONDS", "seconds, 1 to 3600", 1..=3600)?,
    };
    if settings.soft_limit >= settings.hard_limit {
        let given = settings.soft_limit.as_secs().to_string();
        return Err(malformed(soft, "less than ST_SYNC_HARD_LIMIT_SECONDS", &given));
    }
    if settings.sheet_coalesce >= settings.sheet_freshness {
        let given = settings.sheet_coalesce.as_millis().to_string();
        let expected = "less than ST_SHEET_FRESHNESS_SECONDS, which would end every gathering before";
        return Err(malformed("ST_SHEET_COALESCE_MS", expected, &given));
    }
    Ok(settings)
}

/// Longest that Google works on one request (usage limits of the Sheets API: 180 seconds).
const GOOGLE_WORKS: Duration = Duration::from_secs(180);

/// Refuses what is for simulators only where an address is the vendor's own: a marketplace would be asked
/// more often than it allows, and a write that Google still works on would be made a second time.
pub(super) fn check(
    settings: &SyncSettings,
    wildberries: &WildberriesSettings,
    ozon: &OzonSettings,
    google: &GoogleSettings,
) -> Result<(), Problem> {
    let marketplaces = [
        &wildberries.content_url,
        &wildberries.analytics_url,
        &wildberries.statistics_url,
        &wildberries.marketplace_url,
        &wildberries.common_url,
        &wildberries.prices_url,
        &ozon.url,
    ];
    let speed = settings.marketplace_speed;
    if speed > 1 && marketplaces.iter().any(|url| is_vendors(url)) {
        let expected = "1 while an address of a marketplace is the marketplace's own";
        return Err(malformed("ST_MARKETPLACE_SPEED", expected, &speed.to_string()));
    }
    if settings.sheet_settle < GOOGLE_WORKS && is_vendors(&google.sheets_url) {
        let given = settings.sheet_settle.as_secs().to_string();
        let expected = "180 at least while ST_GOOGLE_SHEETS_URL is Google's own";
        return Err(malformed("ST_SHEET_SETTLE_SECONDS", expected, &given));
    }
    Ok(())
}

/// Whether an address is at one of the vendors themselves.
fn is_vendors(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host
        .split(['/', ':'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["wildberries.ru", "ozon.ru", "googleapis.com"]
        .iter()
        .any(|vendor| {
            host.strip_suffix(vendor)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
}
