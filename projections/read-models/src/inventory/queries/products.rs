//! Lists of products.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use events::product::MarketplaceTurnover;
use measures::KnownWindows;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use super::excluded::{counted_products, excluded};
use super::known_at::{position_at, sources_at};
use super::known_orders::known_orders;
use super::outlook::{
    Outlook, Windows, days_of_stock_sql, numbered, order_counts, orders_by_product, orders_until_by_product,
    outlooks, pace_tables, stock_out_sql,
};
use super::{LOW_STOCK, MINE, connected};
use crate::QueryError;

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
    /// Days that the stock lasts; what is not known comes last in both directions.
    DaysOfStock,
    /// The day on which the stock is gone; what is not known comes last in both directions.
    StockOut,
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
    /// Instant for which the first page was made: days of stock change from one instant to the next.
    pub now: DateTime<Utc>,
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
    /// At most so many tenths of a day of stock; products without known days are left out.
    pub most_days_of_stock: Option<i64>,
    /// Stock is gone on this day at the latest; products without a known day are left out.
    pub stock_out_until: Option<NaiveDate>,
    /// Whether products that left the catalogue are listed.
    pub delisted: bool,
    /// Whether the numbers are those known at [`Self::now`] (by our time of recording). Details are always
    /// today's, and so are the statuses of orders: an order cancelled since then does not count.
    pub as_known: bool,
    /// Order.
    pub sort: Sort,
    /// Direction.
    pub descending: bool,
    /// Last row of the previous page.
    pub after: Option<Cursor>,
    /// Most rows.
    pub limit: i64,
    /// The instant with whose Moscow day order windows end.
    pub now: DateTime<Utc>,
}

impl ProductQuery {
    /// The first `limit` products, last changed first.
    #[must_use]
    pub const fn new(now: DateTime<Utc>, limit: i64) -> Self {
        Self {
            search: None,
            cabinet_id: None,
            warehouse: None,
            min_stock: None,
            max_stock: None,
            low_stock: None,
            most_days_of_stock: None,
            stock_out_until: None,
            delisted: false,
            as_known: false,
            sort: Sort::Updated,
            descending: true,
            after: None,
            limit,
            now,
        }
    }

    /// Restricts the list to what is running out, by the default threshold.
    #[must_use]
    pub const fn running_out(mut self) -> Self {
        self.low_stock = Some(LOW_STOCK);
        self
    }
}

/// One product in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Units that can be sold, over all warehouses that are not left out.
    pub available: i64,
    /// Units at warehouses that are left out; with those above all units there are.
    pub excluded_units: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units that can be sold at the warehouse asked for.
    pub available_at_warehouse: Option<i64>,
    /// Units ordered, pace, and what is to be expected.
    pub outlook: Outlook,
    /// What is known of the windows in which they were ordered.
    pub orders_known: KnownWindows,
    /// The marketplace's own figures: for all of its regions together, then by region.
    pub figures: Vec<MarketplaceTurnover>,
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

pub(super) const COLUMNS: &str = "p.product_id, p.cabinet_id, p.marketplace, p.nm_id, p.vendor_code, p.brand, \
p.subject, \
    p.title, p.delisted, p.counted AS available, p.excluded_units, p.in_way_to_client, p.in_way_from_client, p.measured, p.last_7, \
    p.last_14, p.last_28, p.returned_28, p.marketplace_figures, p.as_of, p.listed_at, p.updated_at, p.position";

/// The products that match, one page of them. Those of a cabinet that was taken away are left out; an earlier
/// instant shows those that were connected then.
///
/// # Errors
/// [`QueryError::Cursor`] when the cursor is of another order; [`QueryError::Database`].
pub async fn products(tx: &Transaction<'_>, query: &ProductQuery) -> Result<ProductPage, QueryError> {
    let now = match &query.after {
        Some(cursor) => cursor.now,
        None => query.now,
    };
    let windows = Windows::ending_at(now);
    let position = if query.as_known {
        Some(position_at(tx, now).await?)
    } else {
        None
    };
    // The texts that are looked at are in lower case by Unicode's rules too.
    let search = query.search.as_ref().map(|text| text.to_lowercase());
    let statement = Statement::new(query, &windows, position.as_ref(), search.as_ref())?;
    let prepared = tx.prepare_cached(&statement.sql).await?;
    let rows = tx.query(&prepared, &statement.params).await?;
    let has_warehouse = query.warehouse.is_some();
    let mut items = rows
        .iter()
        .map(|row| summary(row, has_warehouse))
        .collect::<Result<Vec<_>, _>>()?;
    let more = usize::try_from(query.limit.max(1)).is_ok_and(|limit| items.len() > limit);
    if more {
        items.pop();
    }
    let ids: Vec<Uuid> = items.iter().map(|item| item.product_id).collect();
    let mut found = outlooks(tx, now, Some(&ids)).await?;
    let known = known_orders(tx).await?;
    for item in &mut items {
        item.orders_known = known.windows(item.cabinet_id, windows.today);
        let orders = item.outlook.orders;
        item.outlook = found.remove(&item.product_id).unwrap_or_default();
        // Those that the list was sorted by; at an earlier instant they end with it.
        item.outlook.orders = orders;
    }
    if let Some(position) = position {
        let mut sources = sources_at(tx, position, &ids).await?;
        for item in &mut items {
            item.as_of = sources.remove(&item.product_id).unwrap_or_default();
        }
    }
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::after(last, query, now));
    Ok(ProductPage { items, next })
}

/// The text of a list's statement and what it is asked with.
struct Statement<'a> {
    sql: String,
    params: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Statement<'a> {
    fn new(
        query: &'a ProductQuery,
        windows: &'a Windows,
        position: Option<&'a i64>,
        search: Option<&'a String>,
    ) -> Result<Self, QueryError> {
        let [before_7, before_14, before_28] = &windows.before;
        let mut made = Self {
            sql: String::new(),
            params: vec![&windows.today, before_7, before_14, before_28],
        };
        let mut tables = made.tables(query, windows, position);
        let mut conditions = made.conditions(query, windows, search);
        let key = query.sort.expression(query.descending);
        let (beyond, direction) = if query.descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        if let Some(cursor) = &query.after {
            let k = made.add(cursor.key_for(query)?);
            let id = made.add(&cursor.product_id);
            conditions.push_str(&format!(" AND ({key}, p.product_id) {beyond} ({k}, {id})"));
        }
        // One more than asked for tells whether there is a next page.
        let limit = made.add(&query.limit);
        tables.push_str(&format!(
            " SELECT {COLUMNS} FROM p WHERE true{conditions} \
              ORDER BY {key} {direction}, p.product_id {direction} LIMIT greatest({limit}::bigint, 1) + 1"
        ));
        made.sql = tables;
        Ok(made)
    }

    /// Adds a parameter and returns its place.
    fn add(&mut self, value: &'a (dyn ToSql + Sync)) -> String {
        self.params.push(value);
        format!("${}", self.params.len())
    }

    fn tables(&mut self, query: &'a ProductQuery, windows: &'a Windows, position: Option<&'a i64>) -> String {
        let at_warehouse = query.warehouse.is_some();
        let mut orders = orders_by_product(None);
        let mut source = current_products(at_warehouse);
        let mut pace = String::new();
        if query.needs_pace() || position.is_some() {
            let now = self.add(&windows.now);
            if let Some(position) = position {
                let place = self.add(position);
                orders = orders_until_by_product().replace("$now", &now);
                source = products_known_at(at_warehouse)
                    .replace("$position", &place)
                    .replace("$now", &now);
            }
            if query.needs_pace() {
                let first = self.params.len();
                for start in &windows.start {
                    self.params.push(start);
                }
                // The instant stands before the position, if there is one; its own number is put in first.
                pace = pace_tables("").replace("$now", &now);
                pace = numbered(&pace, first);
                pace.push_str(", ");
                let measured = format!(
                    "{} AS days_of_stock, {} AS stock_out, q.*",
                    days_of_stock_sql("q.counted"),
                    stock_out_sql("q.counted")
                );
                source = format!(
                    "SELECT {measured} FROM ({source}) q LEFT JOIN pace ON pace.product_id = q.product_id"
                );
            }
        }
        if let Some(warehouse) = &query.warehouse {
            let place = self.add(warehouse);
            source = source.replace("$warehouse", &place);
        }
        format!("WITH o AS ({orders}), {pace}p AS ({source})")
    }

    fn conditions(
        &mut self,
        query: &'a ProductQuery,
        windows: &'a Windows,
        search: Option<&'a String>,
    ) -> String {
        let at = query.as_known.then(|| self.add(&windows.now));
        let mut conditions = format!(" AND {}", connected("p.cabinet_id", at.as_deref()));
        if let Some(text) = search {
            let place = self.add(text);
            conditions.push_str(&format!(" AND strpos(p.search, {place}) > 0"));
        }
        if let Some(cabinet) = &query.cabinet_id {
            let place = self.add(cabinet);
            conditions.push_str(&format!(" AND p.cabinet_id = {place}"));
        }
        if !query.delisted {
            conditions.push_str(" AND NOT p.delisted");
        }
        if let Some(threshold) = &query.low_stock {
            let place = self.add(threshold);
            conditions.push_str(&format!(" AND p.measured > 0 AND p.measured < {place}"));
        } else {
            for (limit, comparison) in [(&query.min_stock, ">="), (&query.max_stock, "<=")] {
                if let Some(limit) = limit {
                    let place = self.add(limit);
                    conditions.push_str(&format!(" AND p.measured {comparison} {place}"));
                }
            }
        }
        if let Some(days) = &query.most_days_of_stock {
            let place = self.add(days);
            conditions.push_str(&format!(" AND p.days_of_stock <= {place}"));
        }
        if let Some(day) = &query.stock_out_until {
            let place = self.add(day);
            conditions.push_str(&format!(" AND p.stock_out <= {place}::date - date '1970-01-01'"));
        }
        conditions
    }
}

/// Products as they are now, with what the list measures and counts.
pub(super) fn current_products(at_warehouse: bool) -> String {
    let (measured, join) = if at_warehouse {
        (
            "l.available",
            "JOIN rm_inventory.stock_levels l ON l.tenant_id = q.tenant_id AND l.product_id = q.product_id \
             AND l.warehouse = $warehouse",
        )
    } else {
        ("q.counted", "")
    };
    let counted = counted_products();
    format!(
        "SELECT q.*, {measured} AS measured, {ORDERS} \
           FROM ({counted}) q {join} LEFT JOIN o ON o.product_id = q.product_id"
    )
}

const ORDERS: &str = "coalesce(o.last_7, 0) AS last_7, coalesce(o.last_14, 0) AS last_14, \
    coalesce(o.last_28, 0) AS last_28, coalesce(o.returned_28, 0) AS returned_28";

/// Products with the numbers of the last change recorded up to `$position`, less those of the warehouses that
/// were left out at `$now`.
pub(super) fn products_known_at(at_warehouse: bool) -> String {
    let last = |columns: &str, only: &str| {
        format!(
            "SELECT {columns} FROM rm_inventory.product_history c \
              WHERE c.tenant_id = {MINE} AND c.product_id = q.product_id AND c.position <= $position {only} \
              ORDER BY c.position DESC, c.index DESC LIMIT 1"
        )
    };
    let (measured, join) = if at_warehouse {
        let there = last(
            "c.available_after",
            "AND c.warehouse = $warehouse AND c.kind IN ('stock', 'regrouped')",
        );
        (
            "l.available_after",
            format!("JOIN LATERAL ({there}) l ON l.available_after IS NOT NULL"),
        )
    } else {
        ("h.total_available - coalesce(x.units, 0)", String::new())
    };
    let then = last("c.*", "");
    let excluded = excluded(Some("$now"));
    let there = last(
        "c.available_after",
        "AND c.warehouse = e.warehouse AND c.kind IN ('stock', 'regrouped')",
    );
    format!(
        "WITH e AS MATERIALIZED ({excluded}) \
         SELECT q.product_id, q.cabinet_id, q.marketplace, q.nm_id, q.vendor_code, q.brand, q.subject, \
                q.title, q.search, q.barcodes, h.delisted, \
                h.total_available - coalesce(x.units, 0) AS counted, coalesce(x.units, 0) AS excluded_units, \
                h.total_to_client AS in_way_to_client, h.total_from_client AS in_way_from_client, \
                {measured} AS measured, {ORDERS}, \
                '[]'::jsonb AS marketplace_figures, '{{}}'::jsonb AS as_of, q.listed_at, h.recorded_at AS updated_at, h.position \
           FROM rm_inventory.products q JOIN LATERAL ({then}) h ON true \
           LEFT JOIN LATERAL (SELECT sum(t.available_after)::bigint AS units \
                                FROM e CROSS JOIN LATERAL ({there}) t \
                               WHERE e.cabinet_id = q.cabinet_id) x ON true \
           {join} LEFT JOIN o ON o.product_id = q.product_id \
          WHERE q.tenant_id = {MINE}"
    )
}

impl ProductQuery {
    /// Whether the list cannot be made without the pace of every product.
    const fn needs_pace(&self) -> bool {
        matches!(self.sort, Sort::DaysOfStock | Sort::StockOut)
            || self.most_days_of_stock.is_some()
            || self.stock_out_until.is_some()
    }
}

/// Stands for what is not known, so that it comes last.
const fn unknown(descending: bool) -> i64 {
    if descending { -1 } else { i64::MAX }
}

impl Sort {
    fn expression(self, descending: bool) -> String {
        match self {
            Self::NmId => "p.nm_id".to_owned(),
            Self::VendorCode => "p.vendor_code COLLATE \"C\"".to_owned(),
            Self::Available => "p.measured".to_owned(),
            Self::Orders => "p.last_7".to_owned(),
            Self::Updated => "p.position".to_owned(),
            Self::DaysOfStock => format!("coalesce(p.days_of_stock, {})", unknown(descending)),
            Self::StockOut => format!("coalesce(p.stock_out, {})", unknown(descending)),
        }
    }
}

impl Cursor {
    fn after(last: &ProductSummary, query: &ProductQuery, now: DateTime<Utc>) -> Self {
        let unknown = unknown(query.descending);
        let number = match query.sort {
            Sort::NmId => Some(last.nm_id),
            Sort::VendorCode => None,
            Sort::Available => Some(last.available_at_warehouse.unwrap_or(last.available)),
            Sort::Orders => Some(last.outlook.orders.last_7),
            Sort::Updated => Some(last.position),
            Sort::DaysOfStock => {
                let days = last.outlook.days_of_stock(last.available);
                Some(days.map_or(unknown, |days| days.0))
            }
            Sort::StockOut => {
                let day = last.outlook.stock_out_on(last.available);
                Some(day.map_or(unknown, |day| day.to_epoch_days().into()))
            }
        };
        let text = (query.sort == Sort::VendorCode).then(|| last.vendor_code.clone());
        Self {
            sort: query.sort,
            descending: query.descending,
            number,
            text,
            product_id: last.product_id,
            now,
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

pub(super) fn summary(row: &Row, at_warehouse: bool) -> Result<ProductSummary, tokio_postgres::Error> {
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
        excluded_units: row.try_get("excluded_units")?,
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        available_at_warehouse: if at_warehouse {
            Some(row.try_get("measured")?)
        } else {
            None
        },
        outlook: Outlook {
            orders: order_counts(row)?,
            ..Outlook::default()
        },
        orders_known: KnownWindows::default(),
        figures: row.try_get::<_, Json<_>>("marketplace_figures")?.0,
        as_of: row.try_get::<_, Json<_>>("as_of")?.0,
        listed_at: row.try_get("listed_at")?,
        updated_at: row.try_get("updated_at")?,
        position: row.try_get("position")?,
    })
}

/// The cabinets of these products, by product, whether they left the catalogue or not.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn cabinets_of(tx: &Transaction<'_>, products: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, QueryError> {
    let sql = format!(
        "SELECT product_id, cabinet_id FROM rm_inventory.products \
          WHERE tenant_id = {MINE} AND product_id = ANY($1)"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&products]).await?;
    let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    Ok(rows
        .iter()
        .map(pair)
        .collect::<Result<_, tokio_postgres::Error>>()?)
}
