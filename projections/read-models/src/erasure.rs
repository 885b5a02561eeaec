//! A tenant that was erased has no rows, in whatever projection: the frame sees the event, empties every
//! table of the tenant at the end of the batch, and takes no notice of what still comes for it. It belongs
//! to the frame so that no projection can forget it, and a rebuild comes to the same rows as the live fold.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Transaction;
use events::Recorded;
use tokio_postgres::Error;
use uuid::Uuid;

/// The event after which nothing of a tenant is shown.
const ERASED: &str = "tenant_erased";

/// Tenants that were erased before, and in this batch.
#[derive(Default)]
pub(crate) struct Erasure {
    gone: HashSet<Uuid>,
    new: BTreeMap<Uuid, i64>,
}

impl Erasure {
    pub(crate) async fn load(tx: &Transaction<'_>) -> Result<Self, Error> {
        let statement = tx.prepare_cached("SELECT tenant_id FROM erased_tenants").await?;
        let rows = tx.query(&statement, &[]).await?;
        Ok(Self {
            gone: rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
            new: BTreeMap::new(),
        })
    }

    /// Whether the event is nothing to be folded: it erases, or comes after that.
    pub(crate) fn takes(&mut self, event: &Recorded) -> bool {
        let tenant = event.metadata.tenant_id.uuid();
        if event.event_type == ERASED && self.gone.insert(tenant) {
            self.new.insert(tenant, event.position);
        }
        !self.gone.is_empty() && self.gone.contains(&tenant)
    }

    /// Whether the tenant is among those that are gone.
    pub(crate) fn has(&self, tenant: Uuid) -> bool {
        self.gone.contains(&tenant)
    }

    /// Empties the tables of those who went in this batch. Comes after everything else was written.
    pub(crate) async fn store(self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.new.is_empty() {
            return Ok(());
        }
        let (tenants, positions): (Vec<Uuid>, Vec<i64>) = self.new.into_iter().unzip();
        let deletes = tx
            .query(
                "SELECT format('DELETE FROM %I WHERE tenant_id = ANY ($1)', c.relname) FROM pg_class c
                   JOIN pg_attribute a
                     ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
                    AND c.relname <> 'erased_tenants'
                  ORDER BY c.relname",
                &[],
            )
            .await?;
        for delete in deletes {
            tx.execute(delete.try_get::<_, &str>(0)?, &[&tenants]).await?;
        }
        tx.execute(
            "INSERT INTO erased_tenants (tenant_id, position) SELECT * FROM unnest($1::uuid[], $2::bigint[])",
            &[&tenants, &positions],
        )
        .await?;
        Ok(())
    }
}
