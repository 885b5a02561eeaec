//! Who may make how many requests: a table per installation, with a plan for every tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::plans::{Allowance, Plans, PlansError};
use events::subscription::Plan;
use serde::Deserialize;

use crate::window::SLOTS;

const DECLARED: &str = include_str!("../limits.toml");

/// The table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is no such table.
    #[error("the table of limits cannot be read")]
    Toml(#[from] toml::de::Error),
    /// The plan of tenants of which nothing is known is not in it.
    #[error("`default_plan` names `{0}`, which the table does not have")]
    NoDefault(String),
    /// Not the plans that are sold, or not what a schedule can keep.
    #[error("the table has no schedule for the plans")]
    Schedule(#[from] PlansError),
    /// A plan that nobody can have.
    #[error("there is no plan `{0}`")]
    UnknownPlan(String),
    /// A quota that admits nobody or has no end.
    #[error("`{0}` needs at least 1 request and a window of 1 to 3600 seconds")]
    Quota(String),
}

/// So many requests in any span of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Most requests.
    pub requests: u32,
    /// Length of the window, seconds.
    pub window_seconds: u32,
}

impl Quota {
    /// Length of a slot, milliseconds.
    pub(crate) fn slot_ms(self) -> u64 {
        u64::from(self.window_seconds) * 1_000 / SLOTS
    }

    /// Length of the window.
    #[must_use]
    pub fn window(self) -> Duration {
        Duration::from_secs(u64::from(self.window_seconds))
    }

    fn is_sound(self) -> bool {
        // The bucket forgets after an hour (`nats/streams.toml`).
        self.requests >= 1 && (1..=3_600).contains(&self.window_seconds)
    }
}

/// What a plan allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    requests: u32,
    window_seconds: u32,
    #[serde(default)]
    price_cents: u32,
    sync_interval_minutes: Option<u32>,
    products: Option<u32>,
    cabinets: Option<u32>,
    api_calls: Option<u32>,
    #[serde(default)]
    webhooks: bool,
    history_days: Option<u32>,
}

impl Terms {
    const fn quota(self) -> Quota {
        Quota {
            requests: self.requests,
            window_seconds: self.window_seconds,
        }
    }
}

/// How many streams of events may be open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// Of one account, with all its logins and API keys.
    pub user: u32,
    /// Of one tenant.
    pub tenant: u32,
}

impl Default for Streams {
    fn default() -> Self {
        Self { user: 4, tenant: 16 }
    }
}

/// All quotas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    default_plan: String,
    /// Per address.
    pub address: Quota,
    /// Per user.
    pub user: Quota,
    /// Streams of events, in each process of the API.
    #[serde(default)]
    pub streams: Streams,
    plan: BTreeMap<String, Terms>,
    #[serde(default = "daily_hour")]
    daily_hour: u32,
}

const fn daily_hour() -> u32 {
    5
}

impl Table {
    /// From the text of a table.
    ///
    /// # Errors
    /// [`TableError`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let table: Self = toml::from_str(text)?;
        if !table.plan.contains_key(&table.default_plan) {
            return Err(TableError::NoDefault(table.default_plan));
        }
        let plans = table
            .plan
            .iter()
            .map(|(name, terms)| (name.as_str(), terms.quota()));
        let all = plans.chain([("address", table.address), ("user", table.user)]);
        let unsound = all.into_iter().find(|(_, quota)| !quota.is_sound());
        if let Some((name, _)) = unsound {
            return Err(TableError::Quota(name.to_owned()));
        }
        Ok(table)
    }

    /// The table that comes with the program.
    ///
    /// # Errors
    /// [`TableError`] never, as a test shows.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(DECLARED)
    }

    /// The quota of a plan; of the default one where the plan is not known.
    #[must_use]
    pub fn tenant(&self, plan: Option<&str>) -> Quota {
        let named = plan.and_then(|plan| self.plan.get(plan));
        let default = self.plan.get(&self.default_plan);
        named.or(default).map_or(self.user, |terms| terms.quota())
    }

    /// What the plans cost and allow. Strict: every plan that is sold has an interval, and no other
    /// is named.
    ///
    /// # Errors
    /// [`TableError`] naming what is wrong.
    pub fn plans(&self) -> Result<Plans, TableError> {
        // Of an installation that limits requests and sells nothing.
        if self
            .plan
            .values()
            .all(|terms| terms.sync_interval_minutes.is_none())
        {
            return Ok(Plans::unlimited());
        }
        let known = |name: &str| Plan::parse(name).ok_or_else(|| TableError::UnknownPlan(name.to_owned()));
        let mut allowances = BTreeMap::new();
        for (name, terms) in &self.plan {
            if let Some(sync_interval_minutes) = terms.sync_interval_minutes {
                let allowance = Allowance {
                    price_cents: terms.price_cents,
                    sync_interval_minutes,
                    products: terms.products,
                    cabinets: terms.cabinets,
                    api_calls: terms.api_calls,
                    webhooks: terms.webhooks,
                    history_days: terms.history_days,
                };
                allowances.insert(known(name)?, allowance);
            }
        }
        Ok(Plans::new(
            allowances,
            known(&self.default_plan)?,
            self.daily_hour,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use domain::plans::{Limit, PlanLimit};
    use events::subscription::Plan;

    use super::{DECLARED, Plans, Streams, Table, TableError};

    #[test]
    fn the_table_that_comes_along_is_sound_and_a_better_plan_admits_more() {
        let table = Table::built_in().unwrap();
        let of = |plan| table.tenant(Some(plan)).requests;
        assert_eq!(table.streams, Streams::default());
        assert!(of("starter") < of("pro") && of("pro") < of("enterprise"));
        assert_eq!(table.tenant(None), table.tenant(Some("free")));
        assert_eq!(table.tenant(Some("unheard of")), table.tenant(None));
        let plans = table.plans().unwrap();
        let every = Plan::ALL.map(|plan| plans.shortest_seconds(Some(plan)) / 60);
        assert_eq!(every, [1440, 120, 30, 10]);
        let sold: Vec<_> = plans
            .sold()
            .map(|(_, a)| (a.price_cents, a.products, a.cabinets, a.api_calls, a.webhooks))
            .collect();
        assert_eq!(
            sold,
            [
                (0, Some(100), Some(1), Some(100), false),
                (990, Some(100), Some(1), Some(1_000), false),
                (2_990, Some(1_000), Some(2), Some(10_000), true),
                (9_990, Some(10_000), None, Some(100_000), true),
            ]
        );
    }

    #[test]
    fn a_table_whose_schedule_cannot_be_kept_is_refused_before_anything_runs() {
        let with = |from: &str, to: &str| Table::parse(&DECLARED.replace(from, to)).unwrap().plans();
        let unsold = with("[plan.pro]", "[plan.gold]");
        assert!(matches!(unsold, Err(TableError::UnknownPlan(name)) if name == "gold"));
        let hasty = with("sync_interval_minutes = 10", "sync_interval_minutes = 1");
        assert!(matches!(hasty, Err(TableError::Schedule(_))));
        let without = with("sync_interval_minutes = 30", "");
        assert!(matches!(without, Err(TableError::Schedule(_))));
        let quota = "requests = 9\nwindow_seconds = 9\n";
        let unsold = format!("default_plan = \"p\"\n[address]\n{quota}[user]\n{quota}[plan.p]\n{quota}");
        let unsold = Table::parse(&unsold).unwrap().plans().unwrap();
        assert_eq!(
            unsold,
            Plans::unlimited(),
            "a table without a schedule sells none"
        );
    }

    #[test]
    fn a_table_that_admits_nobody_or_for_ever_is_refused_by_name() {
        let broken = DECLARED.replacen("requests = 1_200", "requests = 0", 1);
        assert!(matches!(Table::parse(&broken), Err(TableError::Quota(name)) if name == "address"));
        let endless = DECLARED.replacen("window_seconds = 60", "window_seconds = 7200", 1);
        assert!(matches!(Table::parse(&endless), Err(TableError::Quota(_))));
        let without = DECLARED.replace("default_plan = \"free\"", "default_plan = \"gone\"");
        assert!(matches!(Table::parse(&without), Err(TableError::NoDefault(_))));
        assert!(matches!(Table::parse("requets = 1"), Err(TableError::Toml(_))));
    }

    #[test]
    fn every_limit_of_every_plan_is_admitted_and_one_more_is_lifted_by_the_cheapest_plan_that_allows_it() {
        use Plan::{Enterprise, Free, Pro, Starter};
        let plans = Table::built_in().unwrap().plans().unwrap();
        let sold = [
            (Free, Limit::Products, 100, Some(Pro)),
            (Free, Limit::Cabinets, 1, Some(Pro)),
            (Free, Limit::ApiCalls, 100, Some(Starter)),
            (Free, Limit::HistoryDays, 30, Some(Starter)),
            (Free, Limit::Webhooks, 0, Some(Pro)),
            (Starter, Limit::Products, 100, Some(Pro)),
            (Starter, Limit::Cabinets, 1, Some(Pro)),
            (Starter, Limit::ApiCalls, 1_000, Some(Pro)),
            (Starter, Limit::HistoryDays, 90, Some(Pro)),
            (Starter, Limit::Webhooks, 0, Some(Pro)),
            (Pro, Limit::Products, 1_000, Some(Enterprise)),
            (Pro, Limit::Cabinets, 2, Some(Enterprise)),
            (Pro, Limit::ApiCalls, 10_000, Some(Enterprise)),
            (Pro, Limit::HistoryDays, 365, Some(Enterprise)),
            (Enterprise, Limit::Products, 10_000, None),
            (Enterprise, Limit::ApiCalls, 100_000, None),
        ];
        for (plan, limit, allowed, lifted_by) in sold {
            assert_eq!(
                plans.check(Some(plan), limit, allowed, 0),
                Ok(()),
                "{plan:?} {limit:?}"
            );
            let refused = PlanLimit {
                limit,
                used: allowed,
                allowed,
                plan,
                lifted_by,
            };
            assert_eq!(plans.check(Some(plan), limit, allowed, 1), Err(refused));
        }
        let unlimited = [
            (Pro, Limit::Webhooks),
            (Enterprise, Limit::Cabinets),
            (Enterprise, Limit::HistoryDays),
        ];
        for (plan, limit) in unlimited {
            assert_eq!(
                plans.check(Some(plan), limit, u64::MAX, 1),
                Ok(()),
                "{plan:?} {limit:?}"
            );
        }
        let intervals = [(Free, 86_400), (Starter, 7_200), (Pro, 1_800), (Enterprise, 600)];
        for (plan, shortest) in intervals {
            assert_eq!(plans.check(Some(plan), Limit::SyncInterval, shortest, 0), Ok(()));
            let refused = plans
                .check(Some(plan), Limit::SyncInterval, shortest - 1, 0)
                .unwrap_err();
            assert_eq!((refused.used, refused.allowed), (shortest - 1, shortest));
        }
    }
}
