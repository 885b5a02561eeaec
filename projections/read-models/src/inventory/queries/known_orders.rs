//! Which time orders are known of, cabinet by cabinet.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use measures::{Known, KnownWindows};
use uuid::Uuid;

use super::{MINE, connected};
use crate::QueryError;

/// Since when and until when the orders of each cabinet are known without a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownOrders {
    cabinets: HashMap<Uuid, Known>,
    /// Whether a connected cabinet has been read and its orders are not known at all.
    has_blind: bool,
}

impl KnownOrders {
    /// The time of one cabinet; none where its orders were never read.
    #[must_use]
    pub fn of(&self, cabinet: Uuid) -> Option<Known> {
        self.cabinets.get(&cabinet).copied()
    }

    /// What is known of the windows of one cabinet that end with a day.
    #[must_use]
    pub fn windows(&self, cabinet: Uuid, today: NaiveDate) -> KnownWindows {
        self.of(cabinet)
            .map_or_else(KnownWindows::default, |known| known.windows(today))
    }

    /// What is known of them of all cabinets together: no more than of each. Without cabinets there is
    /// nothing that could be missing.
    #[must_use]
    pub fn windows_of_all(&self, today: NaiveDate) -> KnownWindows {
        if self.has_blind {
            return KnownWindows::default();
        }
        let whole = KnownWindows {
            days: 28,
            last_7: true,
            last_14: true,
            last_28: true,
        };
        self.cabinets.values().fold(whole, |all, known| {
            let one = known.windows(today);
            KnownWindows {
                days: all.days.min(one.days),
                last_7: all.last_7 && one.last_7,
                last_14: all.last_14 && one.last_14,
                last_28: all.last_28 && one.last_28,
            }
        })
    }
}

/// Which time orders are known of, of the connected cabinets.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn known_orders(tx: &Transaction<'_>) -> Result<KnownOrders, QueryError> {
    let sql = format!(
        "SELECT f.cabinet_id, max(f.covers_since) FILTER (WHERE f.source = 'orders') AS since, \
                max(f.as_of) FILTER (WHERE f.source = 'orders') AS until \
           FROM rm_inventory.freshness f WHERE f.tenant_id = {MINE} AND {} GROUP BY f.cabinet_id",
        connected("f.cabinet_id", None)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let mut known = KnownOrders::default();
    for row in tx.query(&statement, &[]).await? {
        let since: Option<DateTime<Utc>> = row.try_get("since")?;
        match since.zip(row.try_get("until")?) {
            Some((since, until)) => {
                known
                    .cabinets
                    .insert(row.try_get("cabinet_id")?, Known { since, until });
            }
            None => known.has_blind = true,
        }
    }
    Ok(known)
}
