//! Lists of products and one product whole.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use super::{LOW_STOCK, MINE};
use crate::QueryError;
use measures::before_window;

/// Order of a list; ties are broken by product id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Marketplace's article number.
    NmId,
    /// Seller's article, by code points.
    VendorCode,
    /// Units that can be sold; at the warehouse asked for, if any.
    Available,
    /// Units ordered in the last 7 days.
    Orders,
    /// Last change.
    #[default]
    Updated,
}

/// Where the next page begins. Opaque to clients; the API encodes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Order it belongs to.
    pub sort: Sort,
    /// Direction it belongs to.
    pub descending: bool,
    /// Sort key of the last row, if it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// Sort key of the last row, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Product of the last row.
    pub product_id: Uuid,
}

/// Which products, in which order.
#[derive(Debug, Clone)]
pub struct ProductQuery {
    /// Substring of nm id, seller's article, title or a barcode; case does not matter.
    pub search: Option<String>,
    /// One cabinet.
    pub cabinet_id: Option<Uuid>,
    /// Products that have or had a level at this warehouse key; stock limits then mean the level there.
    pub warehouse: Option<String>,
    /// Least units available.
    pub min_stock: Option<i64>,
    /// Most units available.
    pub max_stock: Option<i64>,
    /// Only `0 < available < low_stock`; overrides the limits above.
    pub low_stock: Option<i64>,
    /// Whether products that left the catalogue are listed.
    pub delisted: bool,
    /// Numbers as they were known at this time (ours, not the marketplace's); orders are always those of
    /// `today`.
    pub known_at: Option<DateTime<Utc>>,
    /// Order.
    pub sort: Sort,
    /// Direction.
    pub descending: bool,
    /// Last row of the previous page.
    pub after: Option<Cursor>,
    /// Most rows.
    pub limit: i64,
    /// The Moscow day with which order windows end.
    pub today: NaiveDate,
}

impl ProductQuery {
    /// The first `limit` products, last changed first.
    #[must_use]
    pub const fn new(today: NaiveDate, limit: i64) -> Self {
        Self {
            search: None,
            cabinet_id: None,
            warehouse: None,
            min_stock: None,
            max_stock: None,
            low_stock: None,
            delisted: false,
            known_at: None,
            sort: Sort::Updated,
            descending: true,
            after: None,
            limit,
            today,
        }
    }

    /// Restricts the list to what is running out, by the default threshold.
    #[must_use]
    pub const fn running_out(mut self) -> Self {
        self.low_stock = Some(LOW_STOCK);
        self
    }
}

/// Units ordered and not cancelled in the Moscow days up to and including a given one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OrderCounts {
    /// 7 days.
    pub last_7: i64,
    /// 14 days.
    pub last_14: i64,
    /// 28 days.
    pub last_28: i64,
}

/// One product in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductSummary {
    /// Its id.
    pub product_id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// Marketplace's article number.
    pub nm_id: i64,
    /// Seller's article.
    pub vendor_code: String,
    /// Brand, or empty.
    pub brand: String,
    /// Category.
    pub subject: String,
    /// Title.
    pub title: String,
    /// Whether it left the catalogue.
    pub delisted: bool,
    /// Units that can be sold, over all warehouses.
    pub available: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units that can be sold at the warehouse asked for.
    pub available_at_warehouse: Option<i64>,
    /// Units ordered.
    pub orders: OrderCounts,
    /// Source -> marketplace's time of its last recorded change.
    pub as_of: BTreeMap<String, DateTime<Utc>>,
    /// When we first saw it.
    pub listed_at: DateTime<Utc>,
    /// When we last recorded a change.
    pub updated_at: DateTime<Utc>,
    /// Position of that change; serves as an entity tag.
    pub position: i64,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductPage {
    /// Rows.
    pub items: Vec<ProductSummary>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// Stock and orders of a product at one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Level {
    /// Key.
    pub warehouse: String,
    /// Name.
    pub name: String,
    /// `fbo` or `fbs`.
    pub fulfilment: String,
    /// Whether the marketplace hides which warehouse this is.
    pub masked: bool,
    /// Units that can be sold.
    pub available: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units ordered from here.
    pub orders: OrderCounts,
    /// Source that told the stock; none where only orders are known.
    pub source: Option<String>,
    /// Marketplace's time of the last recorded change of stock.
    pub as_of: Option<DateTime<Utc>>,
    /// Sync that recorded it.
    pub sync_id: Option<Uuid>,
    /// When it was recorded.
    pub changed_at: Option<DateTime<Utc>>,
    /// Position of that change.
    pub position: Option<i64>,
}

/// One product whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductDetail {
    /// What a list shows.
    pub summary: ProductSummary,
    /// Barcodes of all sizes.
    pub barcodes: Vec<String>,
    /// Units on the way to buyers that no warehouse is told for.
    pub unassigned_to_client: i64,
    /// Units on the way back that no warehouse is told for.
    pub unassigned_from_client: i64,
    /// Per warehouse, in the order in which the cabinet's warehouses were first seen.
    pub levels: Vec<Level>,
}

/// Order windows per product. `$1` and `$2`, `$3`, `$4` are today and the days before the windows.
pub(super) const ORDERS_BY_PRODUCT: &str = "
    SELECT d.product_id, sum(d.units) FILTER (WHERE d.day > $2)::bigint AS last_7,
           sum(d.units) FILTER (WHERE d.day > $3)::bigint AS last_14, sum(d.units)::bigint AS last_28
      FROM rm_inventory.order_days d
     WHERE d.tenant_id = (SELECT core.current_tenant()) AND d.day > $4 AND d.day <= $1
     GROUP BY d.product_id";

const COLUMNS: &str = "p.product_id, p.cabinet_id, p.marketplace, p.nm_id, p.vendor_code, p.brand, \
p.subject, \
    p.title, p.delisted, p.available, p.in_way_to_client, p.in_way_from_client, p.measured, p.last_7, \
    p.last_14, \
    p.last_28, p.as_of, p.listed_at, p.updated_at, p.position";

/// The products that match, one page of them.
///
/// # Errors
/// [`QueryError::Cursor`] when the cursor is of another order; [`QueryError::Database`].
pub async fn products(tx: &Transaction<'_>, query: &ProductQuery) -> Result<ProductPage, QueryError> {
    let windows = Windows::ending(query.today);
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![
        &windows.today,
        &windows.before_7,
        &windows.before_14,
        &windows.before_28,
    ];
    let search = query.search.as_ref().map(|text| text.to_lowercase());
    let mut conditions = String::new();
    let mut source = current_products(query.warehouse.is_some());
    if let Some(at) = &query.known_at {
        params.push(at);
        source = products_known_at(query.warehouse.is_some());
    }
    if let Some(warehouse) = &query.warehouse {
        params.push(warehouse);
        source = source.replace("$warehouse", &format!("${}", params.len()));
    }
    if let Some(text) = &search {
        params.push(text);
        conditions.push_str(&format!(" AND strpos(p.search, ${}) > 0", params.len()));
    }
    if let Some(cabinet) = &query.cabinet_id {
        params.push(cabinet);
        conditions.push_str(&format!(" AND p.cabinet_id = ${}", params.len()));
    }
    if !query.delisted {
        conditions.push_str(" AND NOT p.delisted");
    }
    if let Some(threshold) = &query.low_stock {
        params.push(threshold);
        conditions.push_str(&format!(" AND p.measured > 0 AND p.measured < ${}", params.len()));
    } else {
        for (limit, comparison) in [(&query.min_stock, ">="), (&query.max_stock, "<=")] {
            if let Some(limit) = limit {
                params.push(limit);
                conditions.push_str(&format!(" AND p.measured {comparison} ${}", params.len()));
            }
        }
    }
    let key = query.sort.expression();
    let (beyond, direction) = if query.descending {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    if let Some(cursor) = &query.after {
        params.push(cursor.key_for(query)?);
        params.push(&cursor.product_id);
        let (k, id) = (params.len() - 1, params.len());
        conditions.push_str(&format!(" AND ({key}, p.product_id) {beyond} (${k}, ${id})"));
    }
    let limit = query.limit.max(1);
    let one_more = limit + 1;
    params.push(&one_more);
    let sql = format!(
        "WITH o AS ({ORDERS_BY_PRODUCT}), p AS ({source}) SELECT {COLUMNS} FROM p WHERE true{conditions} \
         ORDER BY {key} {direction}, p.product_id {direction} LIMIT ${}",
        params.len()
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &params).await?;
    let has_warehouse = query.warehouse.is_some();
    let mut items = rows
        .iter()
        .map(|row| summary(row, has_warehouse))
        .collect::<Result<Vec<_>, _>>()?;
    let more = usize::try_from(limit).is_ok_and(|limit| items.len() > limit);
    if more {
        items.pop();
    }
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::after(last, query));
    Ok(ProductPage { items, next })
}

/// One product with its levels; none when the tenant has no such product.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn product(
    tx: &Transaction<'_>,
    product_id: Uuid,
    today: NaiveDate,
) -> Result<Option<ProductDetail>, QueryError> {
    let windows = Windows::ending(today);
    let sql = format!(
        "WITH o AS ({ORDERS_BY_PRODUCT} HAVING d.product_id = $5), p AS ({}) \
         SELECT {COLUMNS}, p.barcodes, p.unassigned_to_client, p.unassigned_from_client \
           FROM p WHERE p.product_id = $5",
        current_products(false)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let params: [&(dyn ToSql + Sync); 5] = [
        &windows.today,
        &windows.before_7,
        &windows.before_14,
        &windows.before_28,
        &product_id,
    ];
    let Some(row) = tx.query_opt(&statement, &params).await? else {
        return Ok(None);
    };
    let statement = tx.prepare_cached(LEVELS).await?;
    let levels = tx.query(&statement, &params).await?;
    Ok(Some(ProductDetail {
        summary: summary(&row, false)?,
        barcodes: row.try_get::<_, Json<Vec<String>>>("barcodes")?.0,
        unassigned_to_client: row.try_get("unassigned_to_client")?,
        unassigned_from_client: row.try_get("unassigned_from_client")?,
        levels: levels.iter().map(level).collect::<Result<_, _>>()?,
    }))
}

/// Levels of product `$5` and the orders from each warehouse, names resolved.
const LEVELS: &str = "
    WITH o AS (
        SELECT coalesce(a.resolved, d.warehouse) AS warehouse,
               sum(d.units) FILTER (WHERE d.day > $2)::bigint AS last_7,
               sum(d.units) FILTER (WHERE d.day > $3)::bigint AS last_14, sum(d.units)::bigint AS last_28
          FROM rm_inventory.order_days d
          LEFT JOIN rm_inventory.warehouse_aliases a
            ON a.tenant_id = d.tenant_id AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse
         WHERE d.tenant_id = (SELECT core.current_tenant()) AND d.product_id = $5 AND d.day > $4
           AND d.day <= $1
         GROUP BY 1),
    l AS (
        SELECT * FROM rm_inventory.stock_levels
         WHERE tenant_id = (SELECT core.current_tenant()) AND product_id = $5)
    SELECT w.warehouse, w.name, w.fulfilment, w.masked, coalesce(l.available, 0) AS available,
           coalesce(l.in_way_to_client, 0) AS in_way_to_client,
           coalesce(l.in_way_from_client, 0) AS in_way_from_client, coalesce(o.last_7, 0) AS last_7,
           coalesce(o.last_14, 0) AS last_14, coalesce(o.last_28, 0) AS last_28, l.source, l.as_of, l.sync_id,
           l.changed_at, l.position
      FROM l
      FULL JOIN o ON o.warehouse = l.warehouse
      JOIN rm_inventory.products p ON p.tenant_id = (SELECT core.current_tenant()) AND p.product_id = $5
      JOIN rm_inventory.warehouses w
        ON w.tenant_id = p.tenant_id AND w.cabinet_id = p.cabinet_id
       AND w.warehouse = coalesce(l.warehouse, o.warehouse)
     ORDER BY w.first_position, w.first_index";

/// Products as they are now, with what the list measures and counts.
fn current_products(at_warehouse: bool) -> String {
    let (measured, join) = if at_warehouse {
        (
            "l.available",
            "JOIN rm_inventory.stock_levels l ON l.tenant_id = q.tenant_id AND l.product_id = q.product_id \
             AND l.warehouse = $warehouse",
        )
    } else {
        ("q.available", "")
    };
    format!(
        "SELECT q.*, {measured} AS measured, coalesce(o.last_7, 0) AS last_7, coalesce(o.last_14, 0) AS \
           last_14, \
                coalesce(o.last_28, 0) AS last_28 \
           FROM rm_inventory.products q {join} LEFT JOIN o ON o.product_id = q.product_id \
          WHERE q.tenant_id = {MINE}"
    )
}

/// Products with the numbers of the last change recorded up to `$5`.
fn products_known_at(at_warehouse: bool) -> String {
    let (measured, join) = if at_warehouse {
        (
            "l.available_after",
            "JOIN (SELECT DISTINCT ON (product_id) product_id, available_after \
                     FROM rm_inventory.product_history \
                    WHERE tenant_id = (SELECT core.current_tenant()) AND recorded_at <= $5 \
                      AND warehouse = $warehouse AND kind IN ('stock', 'regrouped') \
                    ORDER BY product_id, position DESC, index DESC) l \
               ON l.product_id = q.product_id AND l.available_after IS NOT NULL",
        )
    } else {
        ("h.total_available", "")
    };
    format!(
        "SELECT q.product_id, q.cabinet_id, q.marketplace, q.nm_id, q.vendor_code, q.brand, q.subject, \
           q.title, \
                q.search, h.delisted, h.total_available AS available, h.total_to_client AS in_way_to_client, \
                h.total_from_client AS in_way_from_client, {measured} AS measured, \
                coalesce(o.last_7, 0) AS last_7, coalesce(o.last_14, 0) AS last_14, \
                coalesce(o.last_28, 0) AS last_28, q.as_of, q.listed_at, h.recorded_at AS updated_at, \
                h.position \
           FROM rm_inventory.products q \
           JOIN (SELECT DISTINCT ON (product_id) * FROM rm_inventory.product_history \
                  WHERE tenant_id = {MINE} AND recorded_at <= $5 \
                  ORDER BY product_id, position DESC, index DESC) h ON h.product_id = q.product_id \
           {join} LEFT JOIN o ON o.product_id = q.product_id \
          WHERE q.tenant_id = {MINE}"
    )
}

/// Ends of the order windows.
pub(super) struct Windows {
    pub(super) today: NaiveDate,
    pub(super) before_7: NaiveDate,
    pub(super) before_14: NaiveDate,
    pub(super) before_28: NaiveDate,
}

impl Windows {
    pub(super) fn ending(today: NaiveDate) -> Self {
        Self {
            today,
            before_7: before_window(today, 7),
            before_14: before_window(today, 14),
            before_28: before_window(today, 28),
        }
    }
}

impl Sort {
    const fn expression(self) -> &'static str {
        match self {
            Self::NmId => "p.nm_id",
            Self::VendorCode => "p.vendor_code COLLATE \"C\"",
            Self::Available => "p.measured",
            Self::Orders => "p.last_7",
            Self::Updated => "p.position",
        }
    }
}

impl Cursor {
    fn after(last: &ProductSummary, query: &ProductQuery) -> Self {
        let number = match query.sort {
            Sort::NmId => Some(last.nm_id),
            Sort::VendorCode => None,
            Sort::Available => Some(last.available_at_warehouse.unwrap_or(last.available)),
            Sort::Orders => Some(last.orders.last_7),
            Sort::Updated => Some(last.position),
        };
        let text = (query.sort == Sort::VendorCode).then(|| last.vendor_code.clone());
        Self {
            sort: query.sort,
            descending: query.descending,
            number,
            text,
            product_id: last.product_id,
        }
    }

    fn key_for(&self, query: &ProductQuery) -> Result<&(dyn ToSql + Sync), QueryError> {
        if self.sort != query.sort || self.descending != query.descending {
            return Err(QueryError::Cursor);
        }
        match (&self.number, &self.text) {
            (Some(number), None) if self.sort != Sort::VendorCode => Ok(number),
            (None, Some(text)) if self.sort == Sort::VendorCode => Ok(text),
            _ => Err(QueryError::Cursor),
        }
    }
}

fn summary(row: &Row, at_warehouse: bool) -> Result<ProductSummary, tokio_postgres::Error> {
    Ok(ProductSummary {
        product_id: row.try_get("product_id")?,
        cabinet_id: row.try_get("cabinet_id")?,
        marketplace: row.try_get("marketplace")?,
        nm_id: row.try_get("nm_id")?,
        vendor_code: row.try_get("vendor_code")?,
        brand: row.try_get("brand")?,
        subject: row.try_get("subject")?,
        title: row.try_get("title")?,
        delisted: row.try_get("delisted")?,
        available: row.try_get("available")?,
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        available_at_warehouse: if at_warehouse {
            Some(row.try_get("measured")?)
        } else {
            None
        },
        orders: order_counts(row)?,
        as_of: row.try_get::<_, Json<_>>("as_of")?.0,
        listed_at: row.try_get("listed_at")?,
        updated_at: row.try_get("updated_at")?,
        position: row.try_get("position")?,
    })
}

fn order_counts(row: &Row) -> Result<OrderCounts, tokio_postgres::Error> {
    Ok(OrderCounts {
        last_7: row.try_get("last_7")?,
        last_14: row.try_get("last_14")?,
        last_28: row.try_get("last_28")?,
    })
}

fn level(row: &Row) -> Result<Level, tokio_postgres::Error> {
    Ok(Level {
        warehouse: row.try_get("warehouse")?,
        name: row.try_get("name")?,
        fulfilment: row.try_get("fulfilment")?,
        masked: row.try_get("masked")?,
        available: row.try_get("available")?,
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        orders: order_counts(row)?,
        source: row.try_get("source")?,
        as_of: row.try_get("as_of")?,
        sync_id: row.try_get("sync_id")?,
        changed_at: row.try_get("changed_at")?,
        position: row.try_get("position")?,
    })
}
