//! What a cabinet's syncs have to remember between them: which articles and warehouses were ever seen, and
//! what is believed of each source. It follows from what was observed; articles and warehouses are written
//! before the observations are, so they can be too many but never too few.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use database::{DatabaseError, Pool};
use events::ids::{CabinetId, TenantId};

use crate::sync::plausible::beliefs::{Beliefs, Stock};

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

    /// All articles that were ever believed.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn articles(&self) -> Result<BTreeSet<i64>, DatabaseError> {
        let (tenant, cabinet) = (self.tenant_id.uuid(), self.cabinet_id.uuid());
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let known = transaction
            .prepare_cached(
                "SELECT nm_id FROM core.cabinet_products WHERE tenant_id = $1 AND cabinet_id = $2",
            )
            .await?;
        let rows = transaction.query(&known, &[&tenant, &cabinet]).await?;
        transaction.commit().await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Adds articles that are new to the cabinet. Those of an answer that is held back are not known by it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn add_articles(&self, new: &[i64]) -> Result<(), DatabaseError> {
        if new.is_empty() {
            return Ok(());
        }
        let (tenant, cabinet) = (self.tenant_id.uuid(), self.cabinet_id.uuid());
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.cabinet_products (tenant_id, cabinet_id, nm_id) \
                 SELECT $1, $2, n FROM unnest($3::bigint[]) AS n ON CONFLICT DO NOTHING",
            )
            .await?;
        transaction.execute(&insert, &[&tenant, &cabinet, &new]).await?;
        transaction.commit().await?;
        Ok(())
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

    /// What is believed. Before the first sync, and where a program of before kept nothing but sums, that is
    /// nothing, and the next answer is believed.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn beliefs(&self) -> Result<Beliefs, DatabaseError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "SELECT beliefs::text FROM core.cabinet_totals WHERE tenant_id = $1 AND cabinet_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&statement, &[&self.tenant_id.uuid(), &self.cabinet_id.uuid()])
            .await?;
        transaction.commit().await?;
        let Some(kept) = row.and_then(|row| row.get::<_, Option<String>>(0)) else {
            return Ok(Beliefs::default());
        };
        Ok(serde_json::from_str(&kept).unwrap_or_else(|error| {
            tracing::warn!(%error, cabinet.id = %self.cabinet_id, "beliefs of another program are not read");
            Beliefs::default()
        }))
    }

    /// Keeps what is believed now.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn believe(&self, beliefs: &Beliefs) -> Result<(), DatabaseError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "INSERT INTO core.cabinet_totals \
                    (tenant_id, cabinet_id, available, articles, stocked, beliefs) \
                 VALUES ($1, $2, $3, $4, $5, $6::text::jsonb) ON CONFLICT (tenant_id, cabinet_id) DO UPDATE \
                    SET available = EXCLUDED.available, articles = EXCLUDED.articles, \
                        stocked = EXCLUDED.stocked, beliefs = EXCLUDED.beliefs, \
                        doubted_by = NULL, doubted_rule = NULL",
            )
            .await?;
        let fbo = beliefs.fbo.as_ref();
        let available = fbo.map_or(0, Stock::units);
        let stocked = fbo.map_or(0, |stock| stock.stocked);
        let articles = beliefs.catalogue.as_ref().map_or(0, |known| known.articles);
        let kept = serde_json::json!(beliefs).to_string();
        transaction
            .execute(
                &statement,
                &[
                    &self.tenant_id.uuid(),
                    &self.cabinet_id.uuid(),
                    &available,
                    &articles,
                    &stocked,
                    &kept,
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
