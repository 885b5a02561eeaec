//! The vendor's request limits, and the buckets that keep them: they count per `Client-Id`, so all clients of
//! one cabinet in this process share them.
//!
//! Source: <https://docs.ozon.ru/api/seller/#tag/Limits>, October 2026, and what live callers report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::bucket::{Bucket, Limit};

/// Methods that share a bucket. Every call counts in [`Group::All`] as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// All methods together.
    All,
    /// `POST /v1/analytics/stocks`
    AnalyticsStocks,
}

impl Group {
    /// The limit of this group.
    #[must_use]
    pub fn limit(self) -> Limit {
        match self {
            // 50 in any second: a burst of 10 and 40 that come back in that second.
            Self::All => Limit {
                interval: Duration::from_millis(25),
                burst: 10,
            },
            // Not documented as a number; callers that keep half a second between two were never refused.
            Self::AnalyticsStocks => Limit {
                interval: Duration::from_millis(500),
                burst: 1,
            },
        }
    }
}

/// What this process remembers about one cabinet between clients.
#[derive(Debug)]
pub(super) struct Account {
    all: Bucket,
    analytics_stocks: Bucket,
}

impl Account {
    fn new(speed: f64) -> Self {
        let bucket = |group: Group| Bucket::new(group.limit().at_speed(speed));
        Self {
            all: bucket(Group::All),
            analytics_stocks: bucket(Group::AnalyticsStocks),
        }
    }

    pub(super) fn bucket(&self, group: Group) -> &Bucket {
        match group {
            Group::All => &self.all,
            Group::AnalyticsStocks => &self.analytics_stocks,
        }
    }

    /// Time until a call of the group could be sent.
    pub(super) fn wait(&self, group: Group) -> Duration {
        self.all.wait().max(self.bucket(group).wait())
    }
}

/// All cabinets this process has talked for. One per process: the limits are the vendor's, not a client's.
#[derive(Debug)]
pub struct Accounts {
    speed: f64,
    known: Mutex<HashMap<u64, Arc<Account>>>,
}

impl Accounts {
    /// `speed` 1.0 keeps the vendor's limits; simulators are talked to with a clock that runs `speed` times
    /// as fast. Delays that a 429 names are always obeyed as they are.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self {
            speed,
            known: Mutex::default(),
        }
    }

    pub(super) fn of(&self, client_id: u64) -> Arc<Account> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Account::new(self.speed));
        Arc::clone(known.entry(client_id).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Group};
    use std::sync::Arc;

    #[test]
    fn no_second_sees_more_than_fifty_requests() {
        let limit = Group::All.limit();
        let refilled = 1000 / limit.interval.as_millis();
        assert!(u128::from(limit.burst) + refilled <= 50);
    }

    #[test]
    fn two_clients_of_one_cabinet_share_buckets_and_two_cabinets_do_not() {
        let accounts = Accounts::new(1.0);
        assert!(Arc::ptr_eq(&accounts.of(1), &accounts.of(1)));
        assert!(!Arc::ptr_eq(&accounts.of(1), &accounts.of(2)));
    }
}
