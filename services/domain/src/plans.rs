//! What the plans cost and allow, as a table that the starting process reads from a file. Pure: no file
//! here. How many requests a minute they allow is the business of the crate `limits`, out of the same file.

use std::collections::BTreeMap;

use events::subscription::Plan;

use crate::cabinet::SHORTEST_INTERVAL_SECONDS;
use crate::schedule::{DAY_SECONDS, Rhythm};

/// Rhythm of an installation without a table of plans, seconds: how often stock reports are renewed.
const USUAL_INTERVAL_SECONDS: u32 = 1800;
/// Hour of the tenant's day in which daily syncs begin where no table says so: after the marketplaces'
/// night, before the working day.
const USUAL_DAILY_HOUR: u32 = 5;

/// What a plan costs and allows. None is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Price a month, cents of a US dollar.
    pub price_cents: u32,
    /// Shortest rhythm of syncs, minutes; 1440 is once a day.
    pub sync_interval_minutes: u32,
    /// Products that are kept up to date.
    pub products: Option<u32>,
    /// Cabinets that are synced.
    pub cabinets: Option<u32>,
    /// Calls of the API by programs, a calendar month (UTC).
    pub api_calls: Option<u32>,
    /// Whether events are sent to the customer's own addresses.
    pub webhooks: bool,
    /// Days of history that an auditor may ask for.
    pub history_days: Option<u32>,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    default: Option<Plan>,
    allowances: BTreeMap<Plan, Allowance>,
    daily_hour: u32,
    everywhere: Option<u32>,
}

/// The table cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlansError {
    /// A plan that can be sold has no line.
    #[error("the plan `{}` is missing", .0.as_str())]
    Missing(Plan),
    /// An interval that no schedule can keep.
    #[error("the plan `{}` needs an interval of 5 to 1440 minutes", .0.as_str())]
    Interval(Plan),
    /// A better plan that allows less.
    #[error("the plan `{}` allows less than the one below it", .0.as_str())]
    Order(Plan),
    /// No hour of a day.
    #[error("the daily hour must be 0 to 23")]
    Hour,
}

/// What a plan bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Connected cabinets.
    Cabinets,
    /// Shortest rhythm of syncs, seconds: what was asked for counts as used, and less is more.
    SyncInterval,
    /// Products that are kept up to date.
    Products,
    /// Calls of the API by programs in a calendar month (UTC).
    ApiCalls,
    /// Addresses of the customer's own to which events are sent: none, or any number.
    Webhooks,
    /// Days of history that may be asked for.
    HistoryDays,
}

impl Limit {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cabinets => "cabinets",
            Self::SyncInterval => "sync_interval_seconds",
            Self::Products => "products",
            Self::ApiCalls => "api_calls",
            Self::Webhooks => "webhooks",
            Self::HistoryDays => "history_days",
        }
    }
}

/// A plan does not allow something. The text is for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan `{}` allows {allowed} of `{}`, and {used} are used or asked for{}",
    .plan.as_str(), .limit.as_str(), way_out(*.lifted_by)
)]
pub struct PlanLimit {
    /// What is bounded.
    pub limit: Limit,
    /// How much is used, or was asked for.
    pub used: u64,
    /// How much the plan allows.
    pub allowed: u64,
    /// The tenant's plan.
    pub plan: Plan,
    /// The cheapest plan that allows it; none where no plan does.
    pub lifted_by: Option<Plan>,
}

fn way_out(lifted_by: Option<Plan>) -> String {
    lifted_by.map_or_else(String::new, |plan| {
        format!("; the plan `{}` allows it", plan.as_str())
    })
}

impl Plans {
    /// Of an installation that sells nothing: one rhythm, and no bound but the marketplaces' own.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            default: None,
            allowances: BTreeMap::new(),
            daily_hour: USUAL_DAILY_HOUR,
            everywhere: None,
        }
    }

    /// From what each plan allows, the plan of tenants without a contract, and the hour of daily syncs.
    ///
    /// # Errors
    /// [`PlansError`].
    pub fn new(
        allowances: BTreeMap<Plan, Allowance>,
        default: Plan,
        daily_hour: u32,
    ) -> Result<Self, PlansError> {
        let mut below: Option<Allowance> = None;
        for plan in Plan::ALL {
            let allowance = *allowances.get(&plan).ok_or(PlansError::Missing(plan))?;
            let interval = allowance.sync_interval_minutes;
            if !(SHORTEST_INTERVAL_SECONDS / 60..=DAY_SECONDS / 60).contains(&interval) {
                return Err(PlansError::Interval(plan));
            }
            if below.is_some_and(|below| allowance.is_less_than(&below)) {
                return Err(PlansError::Order(plan));
            }
            below = Some(allowance);
        }
        if daily_hour > 23 {
            return Err(PlansError::Hour);
        }
        Ok(Self {
            default: Some(default),
            allowances,
            daily_hour,
            everywhere: None,
        })
    }

    /// What a tenant may have whose contracts give this plan; none where the installation sells nothing and
    /// therefore limits nothing.
    #[must_use]
    pub fn allowance(&self, plan: Option<Plan>) -> Option<&Allowance> {
        self.allowances.get(&self.in_force(plan)?)
    }

    /// All plans with what they allow, the least first; empty where nothing is sold.
    pub fn sold(&self) -> impl Iterator<Item = (Plan, &Allowance)> {
        self.allowances.iter().map(|(plan, allowance)| (*plan, allowance))
    }

    /// Whether the plan of a tenant has room for `more` of something beside what is used. A rhythm is as many
    /// seconds as are asked for, and no more.
    ///
    /// # Errors
    /// [`PlanLimit`] where it has not.
    pub fn check(&self, plan: Option<Plan>, limit: Limit, used: u64, more: u64) -> Result<(), PlanLimit> {
        let (Some(plan), Some(allowance)) = (self.in_force(plan), self.allowance(plan)) else {
            return Ok(());
        };
        let wanted = used.saturating_add(more);
        if allowance.admits(limit, wanted) {
            return Ok(());
        }
        Err(PlanLimit {
            limit,
            used,
            allowed: allowance.of(limit).unwrap_or(u64::MAX),
            plan,
            lifted_by: self.cheapest(|other| other.admits(limit, wanted)),
        })
    }

    /// The cheapest plan that satisfies a need, for the message of a refusal; none where no plan does.
    #[must_use]
    pub fn cheapest(&self, satisfies: impl Fn(&Allowance) -> bool) -> Option<Plan> {
        self.sold()
            .find(|(_, allowance)| satisfies(allowance))
            .map(|(plan, _)| plan)
    }

    /// The same with one rhythm for all plans, for an installation whose owner decides.
    #[must_use]
    pub fn everywhere(self, seconds: Option<u32>) -> Self {
        Self {
            everywhere: seconds,
            ..self
        }
    }

    /// The plan of a tenant whose contracts give this one, or none.
    #[must_use]
    pub fn in_force(&self, plan: Option<Plan>) -> Option<Plan> {
        plan.or(self.default)
    }

    /// Shortest rhythm that a cabinet may be given, seconds.
    #[must_use]
    pub fn shortest_seconds(&self, plan: Option<Plan>) -> u32 {
        let of_plan = self.of(plan).unwrap_or(SHORTEST_INTERVAL_SECONDS);
        self.everywhere
            .map_or(of_plan, |seconds| seconds.min(of_plan))
            .max(SHORTEST_INTERVAL_SECONDS)
    }

    /// Rhythm of a cabinet that was given none, seconds.
    #[must_use]
    pub fn usual_seconds(&self, plan: Option<Plan>) -> u32 {
        self.everywhere
            .or_else(|| self.of(plan))
            .unwrap_or(USUAL_INTERVAL_SECONDS)
    }

    /// The rhythm a cabinet has: its own, but never shorter than its tenant's plan allows by now.
    #[must_use]
    pub fn rhythm(&self, plan: Option<Plan>, own_seconds: Option<u32>) -> Rhythm {
        let seconds = own_seconds.map_or_else(
            || self.usual_seconds(plan),
            |own| own.max(self.shortest_seconds(plan)),
        );
        if seconds == DAY_SECONDS {
            Rhythm::Daily {
                hour: self.daily_hour,
            }
        } else {
            Rhythm::Every { seconds }
        }
    }

    fn of(&self, plan: Option<Plan>) -> Option<u32> {
        self.allowance(plan)
            .map(|allowance| allowance.sync_interval_minutes * 60)
    }
}

impl Allowance {
    /// The bound; none where there is none.
    #[must_use]
    pub fn of(&self, limit: Limit) -> Option<u64> {
        match limit {
            Limit::Cabinets => self.cabinets.map(u64::from),
            Limit::SyncInterval => Some(u64::from(self.sync_interval_minutes) * 60),
            Limit::Products => self.products.map(u64::from),
            Limit::ApiCalls => self.api_calls.map(u64::from),
            Limit::Webhooks => (!self.webhooks).then_some(0),
            Limit::HistoryDays => self.history_days.map(u64::from),
        }
    }

    /// Whether so much of something is within the bound.
    #[must_use]
    pub fn admits(&self, limit: Limit, wanted: u64) -> bool {
        match limit {
            Limit::SyncInterval => self.of(limit).is_none_or(|least| wanted >= least),
            _ => self.of(limit).is_none_or(|most| wanted <= most),
        }
    }

    /// Whether a plan that allows this allows less of anything than one below it.
    fn is_less_than(&self, below: &Self) -> bool {
        let fewer =
            |own: Option<u32>, other: Option<u32>| own.unwrap_or(u32::MAX) < other.unwrap_or(u32::MAX);
        self.sync_interval_minutes > below.sync_interval_minutes
            || fewer(self.products, below.products)
            || fewer(self.cabinets, below.cabinets)
            || fewer(self.api_calls, below.api_calls)
            || fewer(self.history_days, below.history_days)
            || (below.webhooks && !self.webhooks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use events::subscription::Plan;

    use super::{Allowance, Plans, PlansError};
    use crate::schedule::Rhythm;

    fn allowances() -> BTreeMap<Plan, Allowance> {
        let of = |minutes, most| Allowance {
            price_cents: 0,
            sync_interval_minutes: minutes,
            products: Some(most),
            cabinets: Some(most),
            api_calls: Some(most),
            webhooks: false,
            history_days: None,
        };
        let rows = [of(1440, 1), of(120, 2), of(30, 3), of(10, 4)];
        Plan::ALL.into_iter().zip(rows).collect()
    }

    fn plans() -> Plans {
        Plans::new(allowances(), Plan::Starter, 5).unwrap()
    }

    #[test]
    fn a_cabinet_without_a_rhythm_of_its_own_has_its_plans_and_none_goes_below_it() {
        let plans = plans();
        assert_eq!(
            plans.rhythm(Some(Plan::Pro), None),
            Rhythm::Every { seconds: 1800 }
        );
        assert_eq!(plans.rhythm(None, None), Rhythm::Every { seconds: 7200 });
        assert_eq!(plans.rhythm(Some(Plan::Free), None), Rhythm::Daily { hour: 5 });
        let after_a_downgrade = plans.rhythm(Some(Plan::Starter), Some(600));
        assert_eq!(after_a_downgrade, Rhythm::Every { seconds: 7200 });
        assert_eq!(
            plans.rhythm(Some(Plan::Enterprise), Some(900)),
            Rhythm::Every { seconds: 900 }
        );
        assert_eq!(
            plans.rhythm(Some(Plan::Pro), Some(86_400)),
            Rhythm::Daily { hour: 5 }
        );
    }

    #[test]
    fn one_rhythm_for_all_holds_for_whoever_chose_none() {
        let plans = plans().everywhere(Some(600));
        assert_eq!(plans.usual_seconds(Some(Plan::Free)), 600);
        assert_eq!(plans.shortest_seconds(Some(Plan::Free)), 600);
        let slow = self::plans().everywhere(Some(80_000));
        assert_eq!(slow.usual_seconds(Some(Plan::Pro)), 80_000);
        assert_eq!(
            slow.shortest_seconds(Some(Plan::Pro)),
            1800,
            "a seller may still choose"
        );
    }

    #[test]
    fn a_table_that_cannot_be_kept_is_refused_by_its_plan() {
        let with = |plan, change: &dyn Fn(&mut Allowance)| {
            let mut allowances = allowances();
            change(allowances.get_mut(&plan).unwrap());
            Plans::new(allowances, Plan::Starter, 5)
        };
        let interval = |minutes| move |allowance: &mut Allowance| allowance.sync_interval_minutes = minutes;
        assert_eq!(
            with(Plan::Enterprise, &interval(4)),
            Err(PlansError::Interval(Plan::Enterprise))
        );
        assert_eq!(
            with(Plan::Free, &interval(1441)),
            Err(PlansError::Interval(Plan::Free))
        );
        assert_eq!(with(Plan::Pro, &interval(121)), Err(PlansError::Order(Plan::Pro)));
        assert_eq!(
            with(Plan::Pro, &|pro| pro.products = Some(1)),
            Err(PlansError::Order(Plan::Pro))
        );
        assert_eq!(
            with(Plan::Starter, &|starter| starter.webhooks = true),
            Err(PlansError::Order(Plan::Pro)),
            "the plan above has none"
        );
        assert_eq!(Plans::new(allowances(), Plan::Pro, 24), Err(PlansError::Hour));
        assert_eq!(
            Plans::new(BTreeMap::new(), Plan::Pro, 5),
            Err(PlansError::Missing(Plan::Free))
        );
    }

    #[test]
    fn the_cheapest_plan_that_lifts_a_limit_is_named_and_none_where_no_plan_does() {
        let enough =
            |wanted| move |allowance: &Allowance| allowance.cabinets.is_none_or(|most| most >= wanted);
        assert_eq!(plans().cheapest(enough(3)), Some(Plan::Pro));
        assert_eq!(plans().cheapest(enough(9)), None);
        assert_eq!(Plans::unlimited().cheapest(enough(1)), None);
        assert_eq!(Plans::unlimited().allowance(Some(Plan::Free)), None);
    }
}
