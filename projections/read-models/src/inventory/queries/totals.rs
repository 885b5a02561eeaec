//! The numbers of a dashboard. Products that left the catalogue, and those of cabinets that were taken away,
//! are not counted, and no units at warehouses that are left out.

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use measures::KnownWindows;
use serde::Serialize;

use super::excluded::counted_products;
use super::known_orders::known_orders;
use super::outlook::Windows;
use super::{MINE, connected};
use crate::QueryError;

/// A tenant in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Products in the catalogue.
    pub products: i64,
    /// Units that can be sold.
    pub available: i64,
    /// Units at warehouses that are left out.
    pub excluded_units: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Products with fewer than the threshold, but not none.
    pub low_stock: i64,
    /// Products with none.
    pub out_of_stock: i64,
    /// What is known of the windows below.
    pub orders_known: KnownWindows,
    /// Units ordered in the last 7 Moscow days, not cancelled.
    pub orders_last_7: i64,
    /// … 14 days.
    pub orders_last_14: i64,
    /// … 28 days.
    pub orders_last_28: i64,
}

/// Products by units available.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// None.
    pub out_of_stock: i64,
    /// 1 to 5.
    pub critical: i64,
    /// 6 to 20.
    pub low: i64,
    /// 21 to 50.
    pub medium: i64,
    /// 51 to 100.
    pub good: i64,
    /// More than 100.
    pub excellent: i64,
}

/// The tenant in numbers; `low` is the threshold below which stock is low.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn totals(tx: &Transaction<'_>, today: NaiveDate, low: i64) -> Result<Totals, QueryError> {
    let sql = format!(
        "SELECT p.*, o.* FROM ( \
             SELECT count(*) AS products, coalesce(sum(counted), 0)::bigint AS available, \
                    coalesce(sum(excluded_units), 0)::bigint AS excluded_units, \
                    coalesce(sum(in_way_to_client), 0)::bigint AS to_client, \
                    coalesce(sum(in_way_from_client), 0)::bigint AS from_client, \
                    count(*) FILTER (WHERE counted > 0 AND counted < $1) AS low_stock, \
                    count(*) FILTER (WHERE counted <= 0) AS out_of_stock \
               FROM ({}) c WHERE NOT delisted AND {}) p, \
         (SELECT coalesce(sum(d.units) FILTER (WHERE d.day > $3), 0)::bigint AS last_7, \
                 coalesce(sum(d.units) FILTER (WHERE d.day > $4), 0)::bigint AS last_14, \
                 coalesce(sum(d.units), 0)::bigint AS last_28 \
            FROM rm_inventory.order_days d JOIN rm_inventory.products q USING (tenant_id, product_id) \
           WHERE d.tenant_id = {MINE} AND NOT q.delisted AND d.day > $5 AND d.day <= $2 \
            AND {}) o",
        counted_products(),
        connected("c.cabinet_id", None),
        connected("q.cabinet_id", None)
    );
    let windows = Windows::ending(today);
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx
        .query_one(
            &statement,
            &[
                &low,
                &windows.today,
                &windows.before[0],
                &windows.before[1],
                &windows.before[2],
            ],
        )
        .await?;
    Ok(Totals {
        products: row.try_get("products")?,
        available: row.try_get("available")?,
        excluded_units: row.try_get("excluded_units")?,
        in_way_to_client: row.try_get("to_client")?,
        in_way_from_client: row.try_get("from_client")?,
        low_stock: row.try_get("low_stock")?,
        out_of_stock: row.try_get("out_of_stock")?,
        orders_known: known_orders(tx).await?.windows_of_all(today),
        orders_last_7: row.try_get("last_7")?,
        orders_last_14: row.try_get("last_14")?,
        orders_last_28: row.try_get("last_28")?,
    })
}

/// Products by units that can be sold.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn distribution(tx: &Transaction<'_>) -> Result<Distribution, QueryError> {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE counted <= 0), count(*) FILTER (WHERE counted BETWEEN 1 AND 5), \
                count(*) FILTER (WHERE counted BETWEEN 6 AND 20), \
                count(*) FILTER (WHERE counted BETWEEN 21 AND 50), \
                count(*) FILTER (WHERE counted BETWEEN 51 AND 100), \
                count(*) FILTER (WHERE counted > 100) \
           FROM ({}) c WHERE NOT delisted AND {}",
        counted_products(),
        connected("c.cabinet_id", None)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx.query_one(&statement, &[]).await?;
    Ok(Distribution {
        out_of_stock: row.try_get(0)?,
        critical: row.try_get(1)?,
        low: row.try_get(2)?,
        medium: row.try_get(3)?,
        good: row.try_get(4)?,
        excellent: row.try_get(5)?,
    })
}

/// Products of which something was recorded that could not be processed: they stand still, or are missing,
/// until someone has looked.
///
/// # Errors
/// [`QueryError`].
pub async fn unprocessed(tx: &Transaction<'_>) -> Result<i64, QueryError> {
    // As long as the list of parked streams: a handful.
    let sql = format!(
        "SELECT count(*) FROM rm_inventory.parked_streams WHERE tenant_id = {MINE} AND stream_type = 'product'"
    );
    let statement = tx.prepare_cached(&sql).await?;
    Ok(tx.query_one(&statement, &[]).await?.try_get(0)?)
}
