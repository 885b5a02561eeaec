//! What a tenant used in a calendar month (UTC), and the quota of calls by programs.
//!
//! A replica of the API takes a slice out of the month's quota with one statement and admits calls out of it
//! without asking again. What is taken counts as used from that moment, so any number of replicas together
//! never admit more than the quota. What a replica does not use it gives back ([`Usage::settle`]). One that
//! dies loses its tenants at most [`PART_OF_QUOTA`] of their quota.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use database::Pool;
use events::ids::TenantId;

use crate::StoreError;

/// A slice is this part of the quota, and a single call of a quota that is no larger.
pub const PART_OF_QUOTA: u32 = 1_000;
/// Calls that are taken at once where there is no quota.
const SLICE_WITHOUT_QUOTA: u32 = 100;
/// How old a figure may be that is only shown.
pub const FRESH: TimeDelta = TimeDelta::seconds(10);

/// A calendar month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(NaiveDate);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        let day = at.date_naive();
        Self(day.with_day(1).unwrap_or(day))
    }

    /// When it begins.
    #[must_use]
    pub fn begins(self) -> DateTime<Utc> {
        self.0.and_time(NaiveTime::MIN).and_utc()
    }

    /// When the next one begins.
    #[must_use]
    pub fn ends(self) -> DateTime<Utc> {
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(self.0);
        next.and_time(NaiveTime::MIN).and_utc()
    }

    /// Its first day, as the tables have it.
    #[must_use]
    pub const fn first_day(self) -> NaiveDate {
        self.0
    }
}

/// The usage of all tenants. Cheap to clone; clones share what they have taken.
#[derive(Clone)]
pub struct Usage {
    pool: Pool,
    taken: Arc<Mutex<HashMap<TenantId, Entry>>>,
}

/// What a tenant used in a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthUsage {
    /// Calls of the API by programs that count.
    pub api_calls: u64,
    /// Syncs that have completed.
    pub syncs: u64,
    /// The most products that were seen at the end of a sync.
    pub products: u64,
    /// The most cabinets that were connected when a sync ended or one was connected.
    pub cabinets: u64,
}

/// What was decided about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether the call is within the quota. It counts until it is given back.
    pub admitted: bool,
    /// Calls used in the month, this one included if it was admitted.
    pub used: u64,
    /// The month in which it counts.
    pub month: Month,
}

type Entry = Arc<tokio::sync::Mutex<Slice>>;

/// What this replica knows of a tenant's month.
#[derive(Debug, Default)]
struct Slice {
    month: Option<Month>,
    /// Calls that may still be admitted without asking.
    left: u64,
    /// Used and taken by all replicas, as last seen.
    used: u64,
    seen_at: Option<DateTime<Utc>>,
    /// Under this quota the answer was no at this moment. For a while asking again is no use, unless the
    /// quota grows.
    refused: Option<(u64, DateTime<Utc>)>,
    /// Whether a call came since the slice was last settled.
    active: bool,
}

impl Slice {
    /// Of this month, unless it is of a later one already. Of an earlier one, what was left is of no use any
    /// more.
    fn turn_to(&mut self, month: Month) -> Month {
        let newest = self.month.map_or(month, |known| known.max(month));
        if self.month != Some(newest) {
            *self = Self {
                month: Some(newest),
                ..Self::default()
            };
        }
        newest
    }

    const fn used_by_all(&self) -> u64 {
        self.used.saturating_sub(self.left)
    }
}

impl Usage {
    /// Over `pool`, whose role has to be `st_api` or `st_worker`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            taken: Arc::default(),
        }
    }

    /// Counts a call of a program, if the quota of the month has room for it; none is no quota.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn admit(
        &self,
        tenant: TenantId,
        quota: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<Counted, StoreError> {
        let entry = self.entry(tenant);
        let mut slice = entry.lock().await;
        let month = slice.turn_to(Month::of(now));
        slice.active = true;
        let most = quota.map_or(u64::MAX, u64::from);
        // What was taken under a better plan is of no use under this one.
        let spent = slice.left > 0 && slice.used_by_all() >= most;
        let hopeless = slice
            .refused
            .is_some_and(|(under, at)| most <= under && now < at + FRESH);
        if slice.left == 0 && !hopeless {
            self.claim(tenant, &mut slice, month, quota, now).await?;
        }
        let admitted = slice.left > 0 && !spent;
        if admitted {
            slice.left -= 1;
        } else if !hopeless {
            slice.refused = Some((most, now));
        }
        Ok(Counted {
            admitted,
            used: slice.used_by_all(),
            month,
        })
    }

    /// Takes back a call that was admitted and does not count after all.
    pub async fn give_back(&self, tenant: TenantId, counted: Counted) {
        let entry = self.entry(tenant);
        let mut slice = entry.lock().await;
        if counted.admitted && slice.month == Some(counted.month) {
            slice.left += 1;
            slice.refused = None;
        }
    }

    /// Calls used in the month of a moment: what all replicas have taken, without what is left of it here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_calls(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let entry = self.entry(tenant);
        let mut slice = entry.lock().await;
        slice.turn_to(Month::of(now));
        slice.used = self.month(tenant, now).await?.api_calls;
        slice.seen_at = Some(now);
        Ok(slice.used_by_all())
    }

    /// The same as it was known here within the last [`FRESH`], without asking again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recent_api_calls(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let entry = self.entry(tenant);
        let known = {
            let mut slice = entry.lock().await;
            slice.turn_to(Month::of(now));
            let is_fresh = slice.seen_at.is_some_and(|at| now < at + FRESH);
            is_fresh.then(|| slice.used_by_all())
        };
        match known {
            Some(used) => Ok(used),
            None => self.api_calls(tenant, now).await,
        }
    }

    /// What a tenant used in the month of a moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn month(&self, tenant: TenantId, at: DateTime<Utc>) -> Result<MonthUsage, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT api_calls, syncs, products, cabinets FROM core.usage_months \
                  WHERE tenant_id = $1 AND month = $2",
            )
            .await?;
        let month = Month::of(at).first_day();
        let row = transaction.query_opt(&select, &[&tenant.uuid(), &month]).await?;
        transaction.commit().await?;
        let Some(row) = row else {
            return Ok(MonthUsage::default());
        };
        let count = |column| -> Result<u64, StoreError> {
            Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
        };
        Ok(MonthUsage {
            api_calls: count(0)?,
            syncs: count(1)?,
            products: count(2)?,
            cabinets: count(3)?,
        })
    }

    /// Gives back what was taken and not used since this was last called, and forgets tenants that have not
    /// called; all of it at the end of the process. To be called every few seconds.
    ///
    /// # Errors
    /// [`StoreError`]; what was not given back stays taken and is tried again.
    pub async fn settle(&self, ends: bool) -> Result<(), StoreError> {
        let all: Vec<(TenantId, Entry)> = {
            let taken = self.lock();
            taken
                .iter()
                .map(|(tenant, entry)| (*tenant, Arc::clone(entry)))
                .collect()
        };
        for (tenant, entry) in all {
            // One that is being used is not idle.
            let Ok(mut slice) = entry.try_lock() else { continue };
            if std::mem::take(&mut slice.active) && !ends {
                continue;
            }
            if let (Some(month), 1..) = (slice.month, slice.left) {
                self.release(tenant, month, slice.left).await?;
                slice.used = slice.used_by_all();
                slice.left = 0;
            }
            drop(slice);
            let mut taken = self.lock();
            // The map's and ours: nobody else has it.
            if taken
                .get(&tenant)
                .is_some_and(|kept| Arc::strong_count(kept) <= 2)
            {
                taken.remove(&tenant);
            }
        }
        Ok(())
    }

    async fn claim(
        &self,
        tenant: TenantId,
        slice: &mut Slice,
        month: Month,
        quota: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let wanted = quota.map_or(SLICE_WITHOUT_QUOTA, |quota| (quota / PART_OF_QUOTA).max(1));
        let most = quota.map_or(i64::MAX, i64::from);
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let claim = transaction
            .prepare_cached("SELECT granted, used FROM core.claim_api_calls($1, $2, $3, $4)")
            .await?;
        let row = transaction
            .query_one(
                &claim,
                &[&tenant.uuid(), &month.first_day(), &i64::from(wanted), &most],
            )
            .await?;
        transaction.commit().await?;
        slice.left = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        slice.used = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
        slice.seen_at = Some(now);
        slice.refused = None;
        Ok(())
    }

    async fn release(&self, tenant: TenantId, month: Month, left: u64) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.usage_months SET api_calls = greatest(0, api_calls - $3) \
                  WHERE tenant_id = $1 AND month = $2",
            )
            .await?;
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        transaction
            .execute(&update, &[&tenant.uuid(), &month.first_day(), &left])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    fn entry(&self, tenant: TenantId) -> Entry {
        Arc::clone(self.lock().entry(tenant).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Entry>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Month;

    #[test]
    fn a_month_ends_where_the_next_one_begins_in_utc() {
        let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let december = Month::of(at("2026-12-31T23:59:59.999Z"));
        assert_eq!(december.begins(), at("2026-12-01T00:00:00Z"));
        assert_eq!(december.ends(), at("2027-01-01T00:00:00Z"));
        assert_eq!(
            Month::of(december.ends()),
            Month::of(at("2027-01-01T03:00:00+03:00"))
        );
        assert_ne!(Month::of(december.ends()), december);
    }
}
