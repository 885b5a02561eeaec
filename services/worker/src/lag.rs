//! How far policies are behind the log: a figure for operators. A policy passes over events of other
//! streams than its own, so its position may stand still while the log grows; only what it has to take up
//! counts.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Pool};

/// Events that are counted at most: beyond it the age says enough.
pub const MOST: i32 = 10_000;

/// What a policy has not taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLag {
    /// Name of the policy.
    pub policy: String,
    /// Events, counted up to [`MOST`].
    pub events: u64,
    /// When the oldest of them was recorded.
    pub since: Option<DateTime<Utc>>,
}

/// Asks how far every policy is behind.
///
/// # Errors
/// [`DatabaseError`].
pub async fn of_policies(pool: &Pool) -> Result<Vec<PolicyLag>, DatabaseError> {
    let session = pool.get().await?;
    let statement = session
        .prepare_cached(
            "SELECT p.policy, count(e.position), min(e.recorded_at) \
               FROM core.policy_positions p \
               LEFT JOIN LATERAL core.policy_events(p.position, $1) e ON true \
              GROUP BY p.policy ORDER BY p.policy",
        )
        .await?;
    let rows = session.query(&statement, &[&MOST]).await?;
    rows.iter()
        .map(|row| {
            Ok(PolicyLag {
                policy: row.try_get(0)?,
                events: u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0),
                since: row.try_get(2)?,
            })
        })
        .collect()
}
