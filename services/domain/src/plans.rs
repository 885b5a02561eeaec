//! What the plans allow of the schedule, as a table that whoever starts the process reads from a file.
//! Pure: no file here. What they allow of the API is the business of the crate `limits`, out of the same
//! file.

use std::collections::BTreeMap;

use events::subscription::Plan;

use crate::cabinet::SHORTEST_INTERVAL_SECONDS;
use crate::schedule::{DAY_SECONDS, Rhythm};

/// Rhythm of an installation without a table of plans, seconds: how often stock reports are renewed.
const USUAL_INTERVAL_SECONDS: u32 = 1800;
/// Hour of the tenant's day in which daily syncs begin where no table says so: after the marketplaces'
/// night, before the working day.
const USUAL_DAILY_HOUR: u32 = 5;

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    default: Option<Plan>,
    seconds: BTreeMap<Plan, u32>,
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

impl Plans {
    /// Of an installation that sells nothing: one rhythm, and no bound but the marketplaces' own.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            default: None,
            seconds: BTreeMap::new(),
            daily_hour: USUAL_DAILY_HOUR,
            everywhere: None,
        }
    }

    /// From minutes a plan, the plan of tenants without a contract, and the hour of daily syncs.
    ///
    /// # Errors
    /// [`PlansError`].
    pub fn new(minutes: &BTreeMap<Plan, u32>, default: Plan, daily_hour: u32) -> Result<Self, PlansError> {
        let mut seconds = BTreeMap::new();
        let mut below = u32::MAX;
        for plan in Plan::ALL {
            let interval = *minutes.get(&plan).ok_or(PlansError::Missing(plan))?;
            if !(SHORTEST_INTERVAL_SECONDS / 60..=DAY_SECONDS / 60).contains(&interval) {
                return Err(PlansError::Interval(plan));
            }
            if interval > below {
                return Err(PlansError::Order(plan));
            }
            below = interval;
            seconds.insert(plan, interval * 60);
        }
        if daily_hour > 23 {
            return Err(PlansError::Hour);
        }
        Ok(Self {
            default: Some(default),
            seconds,
            daily_hour,
            everywhere: None,
        })
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
        self.seconds.get(&self.in_force(plan)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use events::subscription::Plan;

    use super::{Plans, PlansError};
    use crate::schedule::Rhythm;

    fn minutes() -> BTreeMap<Plan, u32> {
        Plan::ALL.into_iter().zip([1440, 120, 30, 10]).collect()
    }

    fn plans() -> Plans {
        Plans::new(&minutes(), Plan::Starter, 5).unwrap()
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
        let with = |plan, interval| {
            let mut minutes = minutes();
            minutes.insert(plan, interval);
            Plans::new(&minutes, Plan::Starter, 5)
        };
        assert_eq!(
            with(Plan::Enterprise, 4),
            Err(PlansError::Interval(Plan::Enterprise))
        );
        assert_eq!(with(Plan::Free, 1441), Err(PlansError::Interval(Plan::Free)));
        assert_eq!(with(Plan::Pro, 121), Err(PlansError::Order(Plan::Pro)));
        assert_eq!(Plans::new(&minutes(), Plan::Pro, 24), Err(PlansError::Hour));
        assert_eq!(
            Plans::new(&BTreeMap::new(), Plan::Pro, 5),
            Err(PlansError::Missing(Plan::Free))
        );
    }
}
