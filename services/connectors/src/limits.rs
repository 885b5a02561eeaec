//! The marketplaces' limits as data: one table (`limits.toml`), read and judged at the start of a process,
//! with a file of the installation over it where numbers have changed since the program was made. The code
//! knows groups of methods by name and nothing of their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::NaiveDate;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::bucket::{Buckets, Limit, SharedBucket};

const DECLARED: &str = include_str!("../limits.toml");
/// For a group that is in no table, which the judgement at the start rules out: once a minute.
const UNKNOWN: Limit = Limit {
    interval: Duration::from_secs(60),
    burst: 1,
};
/// Longest wait for a limit while others wait for the waiter's place.
const CROWDED_PATIENCE: Duration = Duration::from_secs(5);
/// What a table must have, no more and no less.
const GROUPS: [(&str, &[&str]); 2] = [
    (
        "wildberries",
        &[
            "content",
            "remains_create",
            "remains_status",
            "remains_download",
            "wb_warehouses",
            "seller_warehouses",
            "prices",
            "order_feed",
            "supplier_orders",
            "marketplace",
            "marketplace_warehouses",
            "seller_info",
            "ping",
        ],
    ),
    ("ozon", &["all", "analytics_stocks", "attributes", "categories"]),
];

/// The table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// It is no such table.
    #[error("the table of the marketplaces' limits cannot be read")]
    Toml(#[from] toml::de::Error),
    /// A group of methods that the program does not know.
    #[error("there is no group `{0}`")]
    UnknownGroup(String),
    /// A group of methods that the program needs.
    #[error("the group `{0}` is missing")]
    Missing(String),
    /// The same group twice.
    #[error("the group `{0}` is there twice")]
    Twice(String),
    /// Numbers that no bucket can keep.
    #[error("`{0}` needs an interval of 1 ms to a day, a burst of 1 to 1000 and a refusal cost of 1 to 100")]
    Numbers(String),
    /// Nobody says where the numbers are from.
    #[error("`{0}` needs a source")]
    Source(String),
}

/// Whose requests share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedPer {
    /// Those of one seller account.
    Seller,
    /// Those that leave by one address.
    Address,
}

/// What kind of key is sent; it decides which numbers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Wildberries, the seller's own.
    Personal,
    /// Wildberries, bound to a service.
    Service,
    /// Wildberries, everybody's.
    Base,
    /// The same, sent together with the secret of a service.
    BaseWithSecret,
    /// Wildberries, for the sandbox.
    Test,
    /// Ozon's.
    ApiKey,
}

impl KeyKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Service => "service",
            Self::Base => "base",
            Self::BaseWithSecret => "base_with_secret",
            Self::Test => "test",
            Self::ApiKey => "api_key",
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    interval_ms: u64,
    burst: u32,
}

impl Numbers {
    fn limit(self) -> Limit {
        Limit {
            interval: Duration::from_millis(self.interval_ms),
            burst: self.burst,
        }
    }

    fn are_sound(self) -> bool {
        (1..=86_400_000).contains(&self.interval_ms) && (1..=1000).contains(&self.burst)
    }
}

const fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    marketplace: String,
    group: String,
    #[expect(dead_code, reason = "for whoever reads the table")]
    methods: String,
    counted_per: CountedPer,
    interval_ms: u64,
    burst: u32,
    base: Option<Numbers>,
    base_with_secret: Option<Numbers>,
    test: Option<Numbers>,
    personal: Option<Numbers>,
    service: Option<Numbers>,
    #[serde(default = "one")]
    refusal_cost: u32,
    source: String,
    #[expect(
        dead_code,
        reason = "for whoever reads the table; that it is a day is checked"
    )]
    #[serde(deserialize_with = "day")]
    as_of: NaiveDate,
}

fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|error| serde::de::Error::custom(format!("a day such as 2026-10-01 is expected: {error}")))
}

impl Entry {
    fn name(&self) -> String {
        format!("{}.{}", self.marketplace, self.group)
    }

    fn of(&self, kind: KeyKind) -> (Option<Numbers>, &'static str) {
        let own = match kind {
            KeyKind::Personal => self.personal,
            KeyKind::Service => self.service,
            KeyKind::Base => self.base,
            KeyKind::BaseWithSecret => self.base_with_secret,
            KeyKind::Test => self.test,
            KeyKind::ApiKey => None,
        };
        // Kinds without numbers of their own share the common bucket: the vendor counts per account.
        (own, if own.is_some() { kind.name() } else { "common" })
    }

    fn judge(&self) -> Result<(), LimitsError> {
        let common = Numbers {
            interval_ms: self.interval_ms,
            burst: self.burst,
        };
        let others = [
            self.base,
            self.base_with_secret,
            self.test,
            self.personal,
            self.service,
        ];
        let mut all = others.into_iter().flatten().chain([common]);
        if !all.all(Numbers::are_sound) || !(1..=100).contains(&self.refusal_cost) {
            return Err(LimitsError::Numbers(self.name()));
        }
        if self.source.trim().is_empty() {
            return Err(LimitsError::Source(self.name()));
        }
        let known = GROUPS.iter().any(|(marketplace, groups)| {
            *marketplace == self.marketplace && groups.contains(&self.group.as_str())
        });
        if known {
            Ok(())
        } else {
            Err(LimitsError::UnknownGroup(self.name()))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    limit: Vec<Entry>,
}

/// What holds for one group of methods and one kind of key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The limit.
    pub limit: Limit,
    /// Whose requests share it.
    pub counted_per: CountedPer,
    /// Requests that one answered with 4xx counts as.
    pub refusal_cost: u32,
    /// The numbers that hold: those of one kind of key, or the common ones. Part of the bucket's key.
    pub column: &'static str,
}

/// The table.
#[derive(Debug, Clone)]
pub struct LimitTable(BTreeMap<String, Entry>);

impl LimitTable {
    /// The table that comes with the program.
    ///
    /// # Errors
    /// [`LimitsError`] never, as a test shows.
    pub fn built_in() -> Result<Self, LimitsError> {
        let table = Self::read(DECLARED)?;
        for (marketplace, groups) in GROUPS {
            for group in groups {
                let name = format!("{marketplace}.{group}");
                if !table.0.contains_key(&name) {
                    return Err(LimitsError::Missing(name));
                }
            }
        }
        Ok(table)
    }

    /// The same with entries of another table in the place of those of the same group.
    ///
    /// # Errors
    /// [`LimitsError`] naming what is wrong.
    pub fn with(mut self, text: &str) -> Result<Self, LimitsError> {
        self.0.extend(Self::read(text)?.0);
        Ok(self)
    }

    fn read(text: &str) -> Result<Self, LimitsError> {
        let file: File = toml::from_str(text)?;
        let mut entries = BTreeMap::new();
        for entry in file.limit {
            entry.judge()?;
            if let Some(earlier) = entries.insert(entry.name(), entry) {
                return Err(LimitsError::Twice(earlier.name()));
            }
        }
        Ok(Self(entries))
    }

    /// What holds for a group of a marketplace and a kind of key.
    #[must_use]
    pub fn rule(&self, marketplace: &str, group: &str, kind: KeyKind) -> Rule {
        let Some(entry) = self.0.get(&format!("{marketplace}.{group}")) else {
            return Rule {
                limit: UNKNOWN,
                counted_per: CountedPer::Seller,
                refusal_cost: 1,
                column: "common",
            };
        };
        let (own, column) = entry.of(kind);
        let common = Numbers {
            interval_ms: entry.interval_ms,
            burst: entry.burst,
        };
        Rule {
            limit: own.unwrap_or(common).limit(),
            counted_per: entry.counted_per,
            refusal_cost: entry.refusal_cost,
            column,
        }
    }
}

/// What a process needs to keep the limits: the table, the buckets, and by which address it leaves.
#[derive(Debug, Clone)]
pub struct Limits {
    table: Arc<LimitTable>,
    buckets: Arc<Buckets>,
    egress: String,
    speed: f64,
    crowded: Arc<AtomicBool>,
}

impl Limits {
    /// `egress` names the address that requests leave by: processes behind one address give one name.
    /// `speed` 1.0 keeps the vendors' limits; simulators are talked to with a clock that runs `speed` times
    /// as fast. Delays that a 429 names are always obeyed as they are.
    #[must_use]
    pub fn new(table: LimitTable, buckets: Buckets, egress: String, speed: f64) -> Self {
        Self {
            table: Arc::new(table),
            buckets: Arc::new(buckets),
            egress,
            speed,
            crowded: Arc::default(),
        }
    }

    /// A time that the vendor's clock knows, on a clock that runs as fast as the limits do.
    #[must_use]
    pub fn pace(&self, time: Duration) -> Duration {
        if self.speed > 1.0 && self.speed.is_finite() {
            time.div_f64(self.speed)
        } else {
            time
        }
    }

    /// Says whether others wait for the place of whoever waits here: then nobody waits longer than a few
    /// seconds for a limit, and the work is put back instead.
    pub fn crowd(&self, crowded: bool) {
        self.crowded.store(crowded, Ordering::Relaxed);
    }

    /// How long a request may wait for its turn, of the time its client would allow.
    pub(crate) fn patience(&self, allowed: Duration) -> Duration {
        if self.crowded.load(Ordering::Relaxed) {
            allowed.min(CROWDED_PATIENCE)
        } else {
            allowed
        }
    }

    /// The table that comes along, kept by this process alone. For tools and tests.
    #[must_use]
    pub fn local(speed: f64) -> Self {
        // An empty table would be careful, and does not come along, as a test shows.
        let table = LimitTable::built_in().unwrap_or_else(|_| LimitTable(BTreeMap::new()));
        Self::new(table, Buckets::local(), "here".to_owned(), speed)
    }

    /// The bucket of a group for a seller and a kind of key. `part` tells apart what the group counts
    /// separately.
    pub(crate) fn bucket(
        &self,
        marketplace: &str,
        group: &str,
        part: &str,
        kind: KeyKind,
        seller: &str,
    ) -> Arc<SharedBucket> {
        let rule = self.table.rule(marketplace, group, kind);
        let mut limit = rule.limit.at_speed(self.speed);
        // One of a burst stays in reserve: requests do not arrive as evenly as they are sent.
        limit.burst = limit.burst.saturating_sub(1).max(1);
        let whose = match rule.counted_per {
            CountedPer::Seller => format!("seller {seller}"),
            CountedPer::Address => format!("address {}", self.egress),
        };
        // Keys show neither sellers nor addresses.
        let mut whose = hex::encode(Sha256::digest(whose));
        whose.truncate(32);
        let key = format!("{marketplace}.{whose}.{group}{part}.{}", rule.column);
        self.buckets.of(&key, limit)
    }

    /// Requests that a refused one counts as.
    pub(crate) fn refusal_cost(&self, marketplace: &str, group: &str) -> u32 {
        self.table
            .rule(marketplace, group, KeyKind::Personal)
            .refusal_cost
    }
}

#[cfg(test)]
mod tests {
    use super::{CountedPer, KeyKind, LimitTable, LimitsError};

    /// Requests in an hour of steady use, from the vendor's "period / requests" columns.
    fn per_hour(group: &str, kind: KeyKind) -> u128 {
        let table = LimitTable::built_in().unwrap();
        3_600_000 / table.rule("wildberries", group, kind).limit.interval.as_millis()
    }

    #[test]
    fn the_table_that_comes_along_gives_the_documented_rates() {
        use KeyKind::{Base, BaseWithSecret, Personal, Service, Test};
        assert_eq!(per_hour("content", Personal), 100 * 60);
        assert_eq!(per_hour("wb_warehouses", Service), 3 * 60);
        assert_eq!(per_hour("remains_status", Personal), 12 * 60);
        assert_eq!(per_hour("remains_status", Base), 4);
        assert_eq!(per_hour("remains_create", Test), 4);
        assert_eq!(per_hour("supplier_orders", Personal), 60);
        assert_eq!(
            per_hour("supplier_orders", BaseWithSecret),
            60,
            "the secret lifts a base token"
        );
        for group in ["marketplace", "marketplace_warehouses"] {
            assert_eq!(per_hour(group, Personal), 300 * 60);
            assert_eq!(per_hour(group, Base), 300 * 60);
        }
        assert_eq!(per_hour("ping", Personal), 360);
        let table = LimitTable::built_in().unwrap();
        let rule = |group, kind| table.rule("wildberries", group, kind);
        assert_eq!(rule("order_feed", Base).limit.interval.as_secs(), 10_800);
        assert_eq!(rule("marketplace", Personal).refusal_cost, 10);
        assert_eq!(rule("content", Personal).refusal_cost, 1);
        assert_eq!(
            (rule("content", Base).column, rule("order_feed", Base).column),
            ("common", "base")
        );
    }

    #[test]
    fn no_second_sees_more_than_ozons_fifty_requests() {
        let all = LimitTable::built_in()
            .unwrap()
            .rule("ozon", "all", KeyKind::ApiKey)
            .limit;
        assert!(u128::from(all.burst) + 1000 / all.interval.as_millis() <= 50);
    }

    const CHANGED: &str = "[[limit]]\nmarketplace = \"ozon\"\ngroup = \"all\"\nmethods = \"all\"\n\
        counted_per = \"address\"\ninterval_ms = 100\nburst = 2\nsource = \"their letter\"\nas_of = \"2026-11-20\"\n";

    #[test]
    fn a_file_of_the_installation_changes_what_it_names_and_nothing_else() {
        let table = LimitTable::built_in().unwrap().with(CHANGED).unwrap();
        let all = table.rule("ozon", "all", KeyKind::ApiKey);
        assert_eq!((all.limit.burst, all.counted_per), (2, CountedPer::Address));
        assert_eq!(
            table
                .rule("ozon", "analytics_stocks", KeyKind::ApiKey)
                .limit
                .interval
                .as_millis(),
            500
        );
    }

    #[test]
    fn a_table_that_cannot_be_kept_is_refused_by_name() {
        let with = |from: &str, to: &str| {
            LimitTable::built_in()
                .unwrap()
                .with(&CHANGED.replace(from, to))
                .unwrap_err()
        };
        assert!(
            matches!(with("\"all\"\nmethods", "\"most\"\nmethods"), LimitsError::UnknownGroup(name) if name == "ozon.most")
        );
        assert!(matches!(
            with("interval_ms = 100", "interval_ms = 0"),
            LimitsError::Numbers(_)
        ));
        assert!(matches!(with("burst = 2", "burst = 0"), LimitsError::Numbers(_)));
        assert!(matches!(with("their letter", " "), LimitsError::Source(_)));
        assert!(matches!(with("2026-11-20", "lately"), LimitsError::Toml(_)));
        assert!(matches!(with("burst = 2", "bust = 2"), LimitsError::Toml(_)));
        let twice = format!("{CHANGED}{CHANGED}");
        let twice = LimitTable::built_in().unwrap().with(&twice).unwrap_err();
        assert!(matches!(twice, LimitsError::Twice(name) if name == "ozon.all"));
    }
}
