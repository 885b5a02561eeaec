//! What a cabinet's syncs have to remember between them: which articles and warehouses were ever seen, and
//! how large the last believed answer was. It follows from what was observed and is written before the
//! observations are, so it can know too much but never too little.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use database::{DatabaseError, Pool};
use events::ids::{CabinetId, SyncId, TenantId};

/// Size of an answer about a cabinet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Units that can be sold, over all articles.
    pub available: i64,
    /// Articles in the catalogue.
    pub articles: i64,
    /// Articles of which there is something to sell.
    pub stocked: i64,
}

/// The last believed answer, and the implausible one that waits for confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// Its size.
    pub totals: Totals,
    /// What is doubted.
    pub doubted: Option<Doubted>,
}

/// An answer that waits for confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubted {
    /// Whose, while it is held for a person; none when later syncs were believed that did not see what is
    /// doubted.
    pub held_by: Option<SyncId>,
    /// By which rule; empty where that was not kept.
    pub rule: String,
}

/// One cabinet's memory.
#[derive(Debug, Clone)]
pub struct Memory {
    pool: Pool,
    tenant_id: TenantId,
    cabinet_id: CabinetId,
}

impl Memory {
    /// The memory of a cabinet.
    #[must_use]
    pub const fn new(pool: Pool, tenant_id: TenantId, cabinet_id: CabinetId) -> Self {
        Self {
            pool,
            tenant_id,
            cabinet_id,
        }
    }

    /// Adds the articles of this sync and returns all that were ever seen.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn articles(&self, seen: &[i64]) -> Result<BTreeSet<i64>, DatabaseError> {
        let (tenant, cabinet) = (self.tenant_id.uuid(), self.cabinet_id.uuid());
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let known = transaction
            .prepare_cached(
                "SELECT nm_id FROM core.cabinet_products WHERE tenant_id = $1 AND cabinet_id = $2",
            )
            .await?;
        let mut articles: BTreeSet<i64> = transaction
            .query(&known, &[&tenant, &cabinet])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let new: Vec<i64> = seen
            .iter()
            .copied()
            .filter(|nm_id| !articles.contains(nm_id))
            .collect();
        if !new.is_empty() {
            let insert = transaction
                .prepare_cached(
                    "INSERT INTO core.cabinet_products (tenant_id, cabinet_id, nm_id) \
                     SELECT $1, $2, n FROM unnest($3::bigint[]) AS n ON CONFLICT DO NOTHING",
                )
                .await?;
            transaction.execute(&insert, &[&tenant, &cabinet, &new]).await?;
            articles.extend(new);
        }
        transaction.commit().await?;
        Ok(articles)
    }

    /// Adds warehouses (key and name) and returns the key under which each unambiguous name is known. A key
    /// with an id wins over one that was made from the name.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn warehouse_keys(
        &self,
        seen: &BTreeMap<String, String>,
    ) -> Result<HashMap<String, String>, DatabaseError> {
        let (tenant, cabinet) = (self.tenant_id.uuid(), self.cabinet_id.uuid());
        let (keys, names): (Vec<&str>, Vec<&str>) = seen
            .iter()
            .map(|(key, name)| (key.as_str(), name.as_str()))
            .unzip();
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO core.cabinet_warehouses AS w (tenant_id, cabinet_id, key, name) \
                 SELECT $1, $2, k, n FROM unnest($3::text[], $4::text[]) AS t(k, n) \
                 ON CONFLICT (tenant_id, cabinet_id, key) DO UPDATE SET name = EXCLUDED.name \
                  WHERE w.name <> EXCLUDED.name",
            )
            .await?;
        transaction
            .execute(&upsert, &[&tenant, &cabinet, &keys, &names])
            .await?;
        let known = transaction
            .prepare_cached(
                "SELECT key, name FROM core.cabinet_warehouses WHERE tenant_id = $1 AND cabinet_id = $2",
            )
            .await?;
        let rows = transaction.query(&known, &[&tenant, &cabinet]).await?;
        transaction.commit().await?;
        Ok(keys_by_name(rows.iter().map(|row| (row.get(0), row.get(1)))))
    }

    /// The last believed answer; none before the first.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn believed(&self) -> Result<Option<Believed>, DatabaseError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "SELECT available, articles, doubted_by, coalesce(stocked, 0), doubted_rule \
                 FROM core.cabinet_totals WHERE tenant_id = $1 AND cabinet_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&statement, &[&self.tenant_id.uuid(), &self.cabinet_id.uuid()])
            .await?;
        transaction.commit().await?;
        Ok(row.map(|row| {
            let held_by = row.get::<_, Option<uuid::Uuid>>(2).map(SyncId);
            let rule: Option<String> = row.get(4);
            Believed {
                totals: Totals {
                    available: row.get(0),
                    articles: row.get(1),
                    stocked: row.get(3),
                },
                doubted: (held_by.is_some() || rule.is_some()).then(|| Doubted {
                    held_by,
                    rule: rule.unwrap_or_default(),
                }),
            }
        }))
    }

    /// Keeps what is believed now.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn believe(&self, believed: &Believed) -> Result<(), DatabaseError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "INSERT INTO core.cabinet_totals \
                    (tenant_id, cabinet_id, available, articles, doubted_by, stocked, doubted_rule) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, cabinet_id) DO UPDATE \
                    SET available = EXCLUDED.available, articles = EXCLUDED.articles, \
                        doubted_by = EXCLUDED.doubted_by, stocked = EXCLUDED.stocked, \
                        doubted_rule = EXCLUDED.doubted_rule",
            )
            .await?;
        transaction
            .execute(
                &statement,
                &[
                    &self.tenant_id.uuid(),
                    &self.cabinet_id.uuid(),
                    &believed.totals.available,
                    &believed.totals.articles,
                    &believed
                        .doubted
                        .as_ref()
                        .and_then(|doubted| doubted.held_by)
                        .map(SyncId::uuid),
                    &believed.totals.stocked,
                    &believed.doubted.as_ref().map(|doubted| doubted.rule.as_str()),
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Key by fulfilment and name. Where several warehouses share a name, none is listed: a guess would move
/// stock.
fn keys_by_name<'a>(warehouses: impl Iterator<Item = (&'a str, &'a str)>) -> HashMap<String, String> {
    let mut by_name: HashMap<String, Option<&str>> = HashMap::new();
    for (key, name) in warehouses.filter(|(key, _)| !is_made_from_name(key)) {
        by_name
            .entry(made_from_name(key, name))
            .and_modify(|known| *known = known.filter(|known| *known == key))
            .or_insert(Some(key));
    }
    by_name
        .into_iter()
        .filter_map(|(name, key)| Some((name, key?.to_owned())))
        .collect()
}

/// Whether a key was made from the name, for want of an id.
#[must_use]
pub fn is_made_from_name(key: &str) -> bool {
    key.get(3..).is_some_and(|rest| rest.starts_with(":name:"))
}

/// The key that would have been made from this name.
fn made_from_name(key: &str, name: &str) -> String {
    format!("{}:name:{name}", key.get(..3).unwrap_or("fbo"))
}

#[cfg(test)]
mod tests {
    use super::keys_by_name;

    #[test]
    fn a_name_finds_the_id_it_is_known_under_unless_two_warehouses_share_it() {
        let keys = keys_by_name(
            [
                ("fbo:507", "Коледино"),
                ("fbo:name:Коледино", "Коледино"),
                ("fbs:1", "Коледино"),
                ("fbo:1", "Казань"),
                ("fbo:2", "Казань"),
            ]
            .into_iter(),
        );
        assert_eq!(keys.get("fbo:name:Коледино").map(String::as_str), Some("fbo:507"));
        assert_eq!(keys.get("fbs:name:Коледино").map(String::as_str), Some("fbs:1"));
        assert_eq!(keys.get("fbo:name:Казань"), None);
    }
}
