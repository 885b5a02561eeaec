//! The part of a sheet's numbers that is known by size.

use std::collections::HashMap;

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use events::product::ProductSize;
use measures::before_window;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::MINE;
use super::sheet::SheetCell;
use crate::QueryError;

/// A size of a product. Which sizes there are is the catalogue's to say, so a size that is sold out stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetSize {
    /// The marketplace's id, unique inside the product.
    pub size_id: i64,
    /// As the catalogue names it, or empty.
    pub name: String,
    /// Per warehouse where something was told of this size.
    pub cells: Vec<SheetCell>,
}

/// Sizes of the products that have several. Units and orders of which no size was told, or none that the
/// catalogue has, are in no size. The 7 days of orders end with the Moscow day `today`.
pub(super) async fn sheet_sizes(
    tx: &Transaction<'_>,
    today: NaiveDate,
) -> Result<HashMap<Uuid, Vec<SheetSize>>, QueryError> {
    let mut sizes: HashMap<Uuid, Vec<SheetSize>> = HashMap::new();
    for (product, names) in size_names(tx).await? {
        let listed = names.into_iter().map(|(size_id, name)| SheetSize {
            size_id,
            name,
            cells: Vec::new(),
        });
        sizes.insert(product, listed.collect());
    }
    units(tx, &mut sizes).await?;
    orders(tx, today, &mut sizes).await?;
    Ok(sizes)
}

/// Id and name of every size of the products that have several.
pub(super) async fn size_names(
    tx: &Transaction<'_>,
) -> Result<HashMap<Uuid, Vec<(i64, String)>>, QueryError> {
    let sql = format!(
        "SELECT p.product_id, p.sizes FROM rm_inventory.products p \
          WHERE p.tenant_id = {MINE} AND jsonb_array_length(p.sizes) > 1"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let mut names = HashMap::new();
    for row in tx.query(&statement, &[]).await? {
        let Json(listed): Json<Vec<ProductSize>> = row.try_get("sizes")?;
        let listed = listed.into_iter().map(|size| (size.size_id, size.name));
        names.insert(row.try_get("product_id")?, listed.collect());
    }
    Ok(names)
}

async fn units(tx: &Transaction<'_>, sizes: &mut HashMap<Uuid, Vec<SheetSize>>) -> Result<(), QueryError> {
    let sql = format!(
        "SELECT l.product_id, l.warehouse, s.size_id, coalesce(s.name, '') AS name, s.available \
           FROM rm_inventory.products p JOIN rm_inventory.stock_levels l USING (tenant_id, product_id) \
          CROSS JOIN LATERAL jsonb_to_recordset(l.sizes) AS s (size_id bigint, name text, available bigint) \
          WHERE p.tenant_id = {MINE} AND jsonb_array_length(p.sizes) > 1 AND s.available <> 0"
    );
    let statement = tx.prepare_cached(&sql).await?;
    for row in tx.query(&statement, &[]).await? {
        let (size_id, name): (i64, &str) = (row.try_get("size_id")?, row.try_get("name")?);
        let Some(listed) = sizes.get_mut(&row.try_get("product_id")?) else {
            continue;
        };
        // A source names sizes where it does not know their ids.
        let told = listed.iter_mut().find(|size| match size_id {
            0 => size.name == name,
            id => size.size_id == id,
        });
        if let Some(size) = told {
            size.cells.push(SheetCell {
                warehouse: row.try_get("warehouse")?,
                available: row.try_get("available")?,
                orders_last_7: 0,
            });
        }
    }
    Ok(())
}

async fn orders(
    tx: &Transaction<'_>,
    today: NaiveDate,
    sizes: &mut HashMap<Uuid, Vec<SheetSize>>,
) -> Result<(), QueryError> {
    let sql = format!(
        "SELECT o.product_id, coalesce(a.resolved, o.warehouse) AS warehouse, o.size_id, \
                sum(o.quantity)::bigint AS units \
           FROM rm_inventory.products p JOIN rm_inventory.orders o \
             ON o.tenant_id = p.tenant_id AND o.product_id = p.product_id AND o.day > $1 AND o.day <= $2 \
           LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = o.tenant_id \
                AND a.cabinet_id = o.cabinet_id AND a.warehouse = o.warehouse \
          WHERE p.tenant_id = {MINE} AND jsonb_array_length(p.sizes) > 1 AND NOT o.cancelled \
            AND o.size_id IS NOT NULL \
          GROUP BY 1, 2, 3"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let before = before_window(today, 7);
    for row in tx.query(&statement, &[&before, &today]).await? {
        let size_id: i64 = row.try_get("size_id")?;
        let listed = sizes.get_mut(&row.try_get("product_id")?);
        let told = listed.and_then(|listed| listed.iter_mut().find(|size| size.size_id == size_id));
        if let Some(size) = told {
            size.cells.push(SheetCell {
                warehouse: row.try_get("warehouse")?,
                available: 0,
                orders_last_7: row.try_get("units")?,
            });
        }
    }
    Ok(())
}
