//! Which migrations this program has and a database lacks: what `doctor` reports and `migrate` counts by.
//! It only looks; applying them is the database crate's.

use database::DatabaseError;
use secrecy::SecretString;

mod core {
    refinery::embed_migrations!("../../migrations/core");
}

/// How a database stands against this program.
pub(crate) struct Standing {
    /// Migrations that are applied.
    pub(crate) applied: Vec<i64>,
    /// Migrations of this program that are not, as `V<number>__<name>`.
    pub(crate) missing: Vec<String>,
    /// The newest one that is applied and that this program does not know.
    pub(crate) newer: Option<i64>,
}

/// Asks a database, as the login of the address.
pub(crate) async fn standing(url: &SecretString) -> Result<Standing, DatabaseError> {
    let client = database::connect(url, None).await?;
    let there = client
        .query_one(
            "SELECT to_regclass('public.refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?;
    let applied: Vec<i64> = if there.try_get(0)? {
        let select = "SELECT version::bigint FROM public.refinery_schema_history ORDER BY version";
        let rows = client.query(select, &[]).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let runner = core::migrations::runner();
    // Embedded in the order of their names, applied in that of their numbers.
    let mut known: Vec<_> = runner.get_migrations().iter().collect();
    known.sort_by_key(|migration| migration.version());
    let is_known = |version: i64| {
        known
            .iter()
            .any(|migration| i64::from(migration.version()) == version)
    };
    Ok(Standing {
        missing: known
            .iter()
            .filter(|migration| !applied.contains(&i64::from(migration.version())))
            .map(ToString::to_string)
            .collect(),
        newer: applied
            .iter()
            .copied()
            .filter(|version| !is_known(*version))
            .max(),
        applied,
    })
}
