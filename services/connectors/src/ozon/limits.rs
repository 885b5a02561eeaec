//! Which methods share a bucket. The numbers are in the table ([`crate::limits`]); limits count per
//! `Client-Id`, so all clients of one cabinet share them, in this process and in the others.

use std::sync::Arc;
use std::time::Duration;

use super::description::Memory;
use crate::bucket::SharedBucket;
use crate::limits::{KeyKind, Limits};

/// Name of the marketplace in the table.
const OZON: &str = "ozon";

/// Methods that share a bucket. Every call counts in [`Group::All`] as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// All methods together.
    All,
    /// `POST /v1/analytics/stocks`
    AnalyticsStocks,
    /// `POST /v4/product/info/attributes`. Apart, so that a refusal there rests nothing that is needed.
    Attributes,
    /// `POST /v1/description-category/tree`. Apart for the same reason.
    Categories,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::AnalyticsStocks => "analytics_stocks",
            Self::Attributes => "attributes",
            Self::Categories => "categories",
        }
    }
}

/// What this process remembers about one cabinet between clients.
#[derive(Debug)]
pub(super) struct Account {
    id: String,
    limits: Limits,
    /// Shared with the other cabinets.
    pub(super) memory: Arc<Memory>,
}

impl Account {
    pub(super) fn bucket(&self, group: Group) -> Arc<SharedBucket> {
        self.limits
            .bucket(OZON, group.name(), "", KeyKind::ApiKey, &self.id)
    }

    /// How long a request may wait, of what its client allows.
    pub(super) fn patience(&self, allowed: Duration) -> Duration {
        self.limits.patience(allowed)
    }

    /// Time until a call of the group could be sent.
    pub(super) async fn wait(&self, group: Group) -> Duration {
        let all = self.bucket(Group::All).wait().await;
        all.max(self.bucket(group).wait().await)
    }
}

/// All cabinets this process has talked for. One per process: the limits are the vendor's, not a client's.
#[derive(Debug)]
pub struct Accounts {
    limits: Limits,
    memory: Arc<Memory>,
}

impl Accounts {
    /// With limits that this process keeps alone, on a clock that runs `speed` times as fast.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self::within(Limits::local(speed))
    }

    /// Within these limits.
    #[must_use]
    pub fn within(limits: Limits) -> Self {
        Self {
            limits,
            memory: Arc::default(),
        }
    }

    pub(super) fn of(&self, client_id: u64) -> Arc<Account> {
        Arc::new(Account {
            id: client_id.to_string(),
            limits: self.limits.clone(),
            memory: Arc::clone(&self.memory),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Group};
    use std::sync::Arc;

    #[tokio::test]
    async fn two_clients_of_one_cabinet_share_buckets_and_two_cabinets_do_not() {
        let accounts = Accounts::new(1.0);
        let bucket = |id, group| accounts.of(id).bucket(group);
        assert!(Arc::ptr_eq(&bucket(1, Group::All), &bucket(1, Group::All)));
        assert!(!Arc::ptr_eq(&bucket(1, Group::All), &bucket(2, Group::All)));
        assert!(!Arc::ptr_eq(
            &bucket(1, Group::All),
            &bucket(1, Group::AnalyticsStocks)
        ));
    }
}
