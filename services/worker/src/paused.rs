//! How many cabinets rest, and why: a figure for operators, counted now and then from what the sync policy
//! keeps of every cabinet. Nobody is told of single cabinets here; their owners see them in the read models.

use database::{DatabaseError, Pool};

/// Cabinets whose syncs rest. One that rests for two reasons counts for the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paused {
    /// The marketplace refuses the key, or the key has ended.
    pub key_refused: u64,
    /// The marketplace wants to be paid.
    pub payment: u64,
    /// The plan allows fewer cabinets.
    pub plan: u64,
    /// A person has paused the schedule.
    pub person: u64,
}

impl Paused {
    /// The figures by the reason's name.
    #[must_use]
    pub const fn by_reason(self) -> [(&'static str, u64); 4] {
        [
            ("key_refused", self.key_refused),
            ("payment", self.payment),
            ("plan", self.plan),
            ("person", self.person),
        ]
    }
}

/// Counts all tenants' cabinets, those that were taken away left out.
///
/// # Errors
/// [`DatabaseError`].
pub async fn count(pool: &Pool) -> Result<Paused, DatabaseError> {
    let session = pool.get().await?;
    // Scans: there is one narrow row a cabinet, and it is asked once a minute.
    let statement = session
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE NOT usable AND unusable_why IS DISTINCT FROM 'payment_required'), \
                    count(*) FILTER (WHERE NOT usable AND unusable_why = 'payment_required'), \
                    count(*) FILTER (WHERE usable AND paused_by_plan), \
                    count(*) FILTER (WHERE usable AND NOT paused_by_plan) \
               FROM core.cabinet_work \
              WHERE (NOT usable OR paused OR paused_by_plan) AND unusable_why IS DISTINCT FROM 'disconnected'",
        )
        .await?;
    let row = session.query_one(&statement, &[]).await?;
    let counted = |column: usize| -> Result<u64, DatabaseError> {
        Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
    };
    Ok(Paused {
        key_refused: counted(0)?,
        payment: counted(1)?,
        plan: counted(2)?,
        person: counted(3)?,
    })
}
