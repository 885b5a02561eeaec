//! How fast products sell and how long their stock lasts.
//!
//! A window of 7, 14 or 28 Moscow days ends with the day of the instant asked for. Of it counts what is
//! known: from the first stock ever told of the product, or from where the cabinet's orders are known without
//! a gap, if that is later, until the newest complete answer of the cabinet's stock and order sources,
//! whichever is older. Within that, units ordered and not cancelled are divided by
//! the exact time in stock, by the marketplace's time (`as_of`); see `measures::Pace`. Returns count: they
//! were orders.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use measures::{Pace, Tenths, before_window, moscow_day, moscow_midnight};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::MINE;
use crate::QueryError;

/// Units ordered and not cancelled in the Moscow days up to and including a given one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OrderCounts {
    /// 7 days.
    pub last_7: i64,
    /// 14 days.
    pub last_14: i64,
    /// 28 days.
    pub last_28: i64,
    /// Units of the 28 days that came back. They are counted above: they were ordered and left the shelf.
    pub returned_28: i64,
}

/// Pace by window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paces {
    /// 7 days.
    pub last_7: Pace,
    /// 14 days.
    pub last_14: Pace,
    /// 28 days; days of stock are told by this one, like the marketplaces' own figures.
    pub last_28: Pace,
}

/// What is to be expected of a product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Units ordered, in whole windows.
    pub orders: OrderCounts,
    /// Until when stock and orders are known; none while one of them is not known at all.
    pub known_until: Option<DateTime<Utc>>,
    /// Units and time in stock, in what is known of the windows.
    pub paces: Paces,
}

impl Outlook {
    /// Days that `available` units last; see [`Pace::days_of_stock`].
    #[must_use]
    pub fn days_of_stock(&self, available: i64) -> Option<Tenths> {
        self.paces.last_28.days_of_stock(available)
    }

    /// The Moscow day on which `available` units are gone; see [`Pace::stock_out_on`].
    #[must_use]
    pub fn stock_out_on(&self, available: i64) -> Option<NaiveDate> {
        self.paces.last_28.stock_out_on(available, self.known_until?)
    }
}

/// The windows that end with an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) now: DateTime<Utc>,
    pub(super) today: NaiveDate,
    /// The days before the first ones of 7, 14 and 28 days.
    pub(super) before: [NaiveDate; 3],
    /// The instants at which they begin.
    pub(super) start: [DateTime<Utc>; 3],
}

impl Windows {
    pub(super) fn ending_at(now: DateTime<Utc>) -> Self {
        let mut windows = Self::ending(moscow_day(now));
        windows.now = now;
        windows
    }

    pub(super) fn ending(today: NaiveDate) -> Self {
        let before = [7, 14, 28].map(|days| before_window(today, days));
        Self {
            now: moscow_midnight(today.succ_opt().unwrap_or(today)),
            today,
            before,
            start: before.map(|day| moscow_midnight(day.succ_opt().unwrap_or(day))),
        }
    }
}

const SUMS: &str = "sum(d.units) FILTER (WHERE d.day > $2)::bigint AS last_7, \
    sum(d.units) FILTER (WHERE d.day > $3)::bigint AS last_14, sum(d.units)::bigint AS last_28, \
    sum(d.returned)::bigint AS returned_28";

/// Order windows per product. `$1` to `$4` are today and the days before the windows; of the days of one
/// product when `product` names its parameter.
pub(super) fn orders_by_product(products: Option<&str>) -> String {
    let only = products.map_or_else(String::new, |list| format!("AND d.product_id = ANY ({list})"));
    format!(
        "SELECT d.product_id, {SUMS} FROM rm_inventory.order_days d \
          WHERE d.tenant_id = {MINE} AND d.day > $4 AND d.day <= $1 {only} GROUP BY d.product_id"
    )
}

/// As [`orders_by_product`], of the last day only what was ordered until the instant that `$now` names.
pub(super) fn orders_until_by_product() -> String {
    format!(
        "SELECT d.product_id, {SUMS} FROM ( \
             SELECT product_id, day, units, returned FROM rm_inventory.order_days \
              WHERE tenant_id = {MINE} AND day > $4 AND day < $1 \
             UNION ALL \
             SELECT o.product_id, o.day, o.quantity, \
                    CASE WHEN o.status IN ('returned', 'returned_defective') THEN o.quantity ELSE 0 END \
               FROM rm_inventory.products p JOIN rm_inventory.orders o \
                 ON o.tenant_id = p.tenant_id AND o.product_id = p.product_id AND o.day = $1 \
              WHERE p.tenant_id = {MINE} AND o.ordered_at <= $now AND NOT o.cancelled) d \
          GROUP BY d.product_id"
    )
}

/// Instants until which a cabinet's stock and orders are both known, at most `$now`, and since when its
/// orders are.
const HORIZONS: &str = "
    SELECT f.cabinet_id, least($now::timestamptz, max(f.as_of) FILTER (WHERE starts_with(f.source, 'stock')),
           max(f.as_of) FILTER (WHERE f.source = 'orders')) AS until,
           max(f.covers_since) FILTER (WHERE f.source = 'orders') AS since
      FROM rm_inventory.freshness f
     WHERE f.tenant_id = (SELECT core.current_tenant())
     GROUP BY f.cabinet_id
    HAVING count(f.as_of) FILTER (WHERE starts_with(f.source, 'stock')) > 0
       AND count(f.as_of) FILTER (WHERE f.source = 'orders') > 0";

/// Tables `h`, `q`, `u`, `spells`, `pieces`, `i` and `pace` of a WITH, for all products of the tenant or for
/// those that `$only` lets through. `$2` to `$4` are the days before the windows; `$now`, `$start_7`,
/// `$start_14`, `$start_28` have to be replaced. Days on the rim of what is known are counted order by order;
/// the whole ones between come from `order_days`. Spells of several sources are laid over each other: a piece
/// is what a spell adds to those that began before it.
pub(super) fn pace_tables(only: &str) -> String {
    let moscow = |at: &str| format!("(({at} AT TIME ZONE 'UTC') + interval '3 hours')::date");
    // Before orders are known, nothing was sold as far as is known, and time in stock would count all the
    // same.
    let since = "greatest(p.observed_since, h.since)";
    let (since_day, until_day) = (moscow(since), moscow("h.until"));
    let length = |start: &str| {
        format!(
            "(extract(epoch FROM sum(ended_at - greatest(began_at, {start})) \
               FILTER (WHERE ended_at > greatest(began_at, {start}))) * 1000000)::bigint"
        )
    };
    format!(
        "h AS ({HORIZONS}), \
         q AS (SELECT p.product_id, h.until, {since} AS since, p.in_stock_since, \
                      {since_day} AS since_day, {until_day} AS until_day \
                 FROM rm_inventory.products p JOIN h ON h.cabinet_id = p.cabinet_id \
                WHERE p.tenant_id = {MINE} AND p.observed_since IS NOT NULL AND {since} < h.until {only}), \
         u AS (SELECT d.product_id, coalesce(sum(d.units) FILTER (WHERE d.day > $2), 0)::bigint AS units_7, \
                      coalesce(sum(d.units) FILTER (WHERE d.day > $3), 0)::bigint AS units_14, \
                      sum(d.units)::bigint AS units_28 \
                 FROM (SELECT q.product_id, c.day, c.units \
                         FROM q JOIN rm_inventory.order_days c ON c.product_id = q.product_id \
                        WHERE c.tenant_id = {MINE} AND c.day > $4 AND c.day > q.since_day \
                          AND c.day < q.until_day \
                       UNION ALL \
                       SELECT q.product_id, o.day, o.quantity \
                         FROM q JOIN rm_inventory.orders o \
                           ON o.product_id = q.product_id AND o.day IN (q.since_day, q.until_day) \
                        WHERE o.tenant_id = {MINE} AND o.day > $4 AND NOT o.cancelled \
                          AND o.ordered_at >= q.since AND o.ordered_at < q.until) d \
                GROUP BY d.product_id), \
         spells AS (SELECT q.product_id, greatest(s.began_at, q.since) AS began_at, \
                           least(s.ended_at, q.until) AS ended_at \
                      FROM q JOIN rm_inventory.stock_spells s ON s.product_id = q.product_id \
                     WHERE s.tenant_id = {MINE} AND s.ended_at > $start_28 AND s.began_at < q.until \
                    UNION ALL \
                    SELECT product_id, greatest(in_stock_since, since), until \
                      FROM q WHERE in_stock_since < until), \
         pieces AS (SELECT product_id, ended_at, \
                           greatest(began_at, max(ended_at) OVER (PARTITION BY product_id \
                               ORDER BY began_at, ended_at \
                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS began_at \
                      FROM spells), \
         i AS (SELECT product_id, {} AS stock_7, {} AS stock_14, {} AS stock_28 \
                 FROM pieces GROUP BY product_id), \
         pace AS (SELECT q.product_id, q.until, coalesce(u.units_7, 0) AS units_7, \
                         coalesce(u.units_14, 0) AS units_14, coalesce(u.units_28, 0) AS units_28, \
                         coalesce(i.stock_7, 0) AS stock_7, coalesce(i.stock_14, 0) AS stock_14, \
                         coalesce(i.stock_28, 0) AS stock_28 \
                    FROM q LEFT JOIN u ON u.product_id = q.product_id \
                    LEFT JOIN i ON i.product_id = q.product_id)",
        length("$start_7"),
        length("$start_14"),
        length("$start_28")
    )
}

/// [`Pace::days_of_stock`] of 28 days in tenths, for SQL that sorts by it; `available` is a column.
pub(super) fn days_of_stock_sql(available: &str) -> String {
    let numerator = format!("({available}::numeric * pace.stock_28 * 10)");
    let denominator = "(pace.units_28::numeric * 86400000000)";
    let (whole, rest) = (
        format!("div({numerator}, {denominator})"),
        format!("mod({numerator}, {denominator})"),
    );
    known(
        available,
        &format!(
            "(SELECT n.days::bigint FROM (SELECT {whole} + CASE WHEN {rest} * 2 > {denominator} \
                 OR ({rest} * 2 = {denominator} AND mod({whole}, 2) = 1) THEN 1 ELSE 0 END AS days) n \
               WHERE n.days <= 9223372036854775807)"
        ),
    )
}

/// [`Pace::stock_out_on`] as the number of days since 1970-01-01.
pub(super) fn stock_out_sql(available: &str) -> String {
    let gone = format!(
        "(extract(epoch FROM pace.until) * 1000000 \
          + div({available}::numeric * pace.stock_28, pace.units_28::numeric))"
    );
    known(
        available,
        &format!(
            "(SELECT floor((n.gone + 10800000000) / 86400000000)::bigint FROM (SELECT {gone} AS gone) n \
               WHERE n.gone < 253402214400000000)"
        ),
    )
}

fn known(available: &str, value: &str) -> String {
    format!(
        "CASE WHEN {available} > 0 AND pace.units_28 >= {} AND pace.stock_28 > 0 THEN {value} END",
        measures::LEAST_SALES
    )
}

/// Puts the numbers of its parameters into [`pace_tables`]: `$now` and the windows' starts from `first` on.
pub(super) fn numbered(sql: &str, first: usize) -> String {
    let mut sql = sql.to_owned();
    for (index, name) in ["$now", "$start_7", "$start_14", "$start_28"].iter().enumerate() {
        sql = sql.replace(name, &format!("${}", first + index));
    }
    sql
}

/// The outlook of products, or of all of the tenant's. A product of which nothing is known is left out.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn outlooks(
    tx: &Transaction<'_>,
    now: DateTime<Utc>,
    products: Option<&[Uuid]>,
) -> Result<HashMap<Uuid, Outlook>, QueryError> {
    let windows = Windows::ending_at(now);
    let (orders, only) = match products {
        Some(_) => (orders_by_product(Some("$9")), "AND p.product_id = ANY ($9)"),
        // The parameter has to occur.
        None => (orders_by_product(None), "AND $9::uuid[] IS NULL"),
    };
    let sql = format!(
        "WITH o AS ({orders}), {} \
         SELECT coalesce(o.product_id, pace.product_id) AS product_id, coalesce(o.last_7, 0) AS last_7, \
                coalesce(o.last_14, 0) AS last_14, coalesce(o.last_28, 0) AS last_28, \
                coalesce(o.returned_28, 0) AS returned_28, {PACE_COLUMNS} \
           FROM o FULL JOIN pace ON pace.product_id = o.product_id",
        numbered(&pace_tables(only), 5)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &windows.today,
                &windows.before[0],
                &windows.before[1],
                &windows.before[2],
                &windows.now,
                &windows.start[0],
                &windows.start[1],
                &windows.start[2],
                &products,
            ],
        )
        .await?;
    let outlook = |row: &Row| {
        Ok((
            row.try_get("product_id")?,
            Outlook {
                orders: order_counts(row)?,
                known_until: row.try_get("until")?,
                paces: paces(row)?,
            },
        ))
    };
    Ok(rows
        .iter()
        .map(outlook)
        .collect::<Result<_, tokio_postgres::Error>>()?)
}

const PACE_COLUMNS: &str = "pace.until, pace.units_7, pace.units_14, pace.units_28, pace.stock_7, \
    pace.stock_14, pace.stock_28";

pub(super) fn paces(row: &Row) -> Result<Paces, tokio_postgres::Error> {
    let pace = |units: &str, stock: &str| {
        Ok::<_, tokio_postgres::Error>(Pace {
            units: row.try_get::<_, Option<i64>>(units)?.unwrap_or_default(),
            in_stock: row.try_get::<_, Option<i64>>(stock)?.unwrap_or_default(),
        })
    };
    Ok(Paces {
        last_7: pace("units_7", "stock_7")?,
        last_14: pace("units_14", "stock_14")?,
        last_28: pace("units_28", "stock_28")?,
    })
}

pub(super) fn order_counts(row: &Row) -> Result<OrderCounts, tokio_postgres::Error> {
    Ok(OrderCounts {
        last_7: row.try_get("last_7")?,
        last_14: row.try_get("last_14")?,
        last_28: row.try_get("last_28")?,
        returned_28: row.try_get("returned_28")?,
    })
}
