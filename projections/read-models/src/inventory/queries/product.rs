//! One product whole: its warehouses, and its pace at each of them.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use events::product::{Price, ProductSize, SizeUnits};
use measures::{Pace, Spell, covered};
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use super::excluded::{Exclusion, WHY, excluded};
use super::known_at::{position_at, sources_at};
use super::known_orders::known_orders;
use super::outlook::{
    OrderCounts, Paces, Windows, order_counts, orders_by_product, orders_until_by_product, outlooks,
};
use super::products::{COLUMNS, ProductSummary, current_products, products_known_at, summary};
use super::{MINE, connected};
use crate::QueryError;
use crate::inventory::store::price;

/// Stock and orders of a product at one warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Key.
    pub warehouse: String,
    /// Name.
    pub name: String,
    /// `fbo` or `fbs`.
    pub fulfilment: String,
    /// Whether the marketplace hides which warehouse this is.
    pub masked: bool,
    /// Why its units are left out of the product's, if they are.
    pub excluded: Option<Exclusion>,
    /// Units that can be sold.
    pub available: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units ordered from here.
    pub orders: OrderCounts,
    /// Pace here: units ordered from here, time in stock here.
    pub paces: Paces,
    /// Units of further kinds, by kind.
    pub buckets: BTreeMap<String, i64>,
    /// The marketplace's region of warehouses, when known.
    pub cluster: Option<String>,
    /// Units that can be sold by size, where the source tells sizes.
    pub sizes: Vec<SizeUnits>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductDetail {
    /// What a list shows.
    pub summary: ProductSummary,
    /// Barcodes of all sizes.
    pub barcodes: Vec<String>,
    /// Its sizes.
    pub sizes: Vec<ProductSize>,
    /// What it is sold for, when told.
    pub price: Option<Price>,
    /// Units on the way to buyers that no warehouse is told for.
    pub unassigned_to_client: i64,
    /// Units on the way back that no warehouse is told for.
    pub unassigned_from_client: i64,
    /// Whether its cabinet was taken away: lists and totals leave it out then.
    pub disconnected: bool,
    /// Per warehouse, in the order in which the cabinet's warehouses were first seen.
    pub levels: Vec<Level>,
}

/// One product with its levels; none when the tenant has no such product, or had none yet. With `as_known`
/// its stock is that known at `now`; see [`super::ProductQuery::as_known`].
///
/// # Errors
/// [`QueryError::Database`].
pub async fn product(
    tx: &Transaction<'_>,
    product_id: Uuid,
    now: DateTime<Utc>,
    as_known: bool,
) -> Result<Option<ProductDetail>, QueryError> {
    let windows = Windows::ending_at(now);
    let position = if as_known {
        Some(position_at(tx, now).await?)
    } else {
        None
    };
    let Some((mut summary, detail)) = described(tx, product_id, &windows, position).await? else {
        return Ok(None);
    };
    let orders = summary.outlook.orders;
    let mut found = outlooks(tx, now, Some(&[product_id])).await?;
    summary.outlook = found.remove(&product_id).unwrap_or_default();
    summary.outlook.orders = orders;
    let known = known_orders(tx).await?;
    summary.orders_known = known.windows(summary.cabinet_id, windows.today);
    if let Some(position) = position {
        let mut sources = sources_at(tx, position, &[product_id]).await?;
        summary.as_of = sources.remove(&product_id).unwrap_or_default();
    }
    let mut levels = levels(tx, product_id, &windows, position).await?;
    if let Some(until) = summary.outlook.known_until {
        // As the pace of the product: not before its orders are known.
        let observed = detail.observed_since.unwrap_or(until);
        let since = (known.of(summary.cabinet_id)).map_or(observed, |known| observed.max(known.since));
        let spells = warehouse_spells(tx, product_id, &windows).await?;
        let units = warehouse_units(tx, product_id, &windows, since, until).await?;
        for level in &mut levels {
            level.paces = paces_at(level, &spells, &units, &windows, since, until);
        }
    }
    let (to_client, from_client) = match position {
        None => (detail.unassigned_to_client, detail.unassigned_from_client),
        // The totals of that time, less what the warehouses of that time account for.
        Some(_) => (
            summary.in_way_to_client - levels.iter().map(|level| level.in_way_to_client).sum::<i64>(),
            summary.in_way_from_client - levels.iter().map(|level| level.in_way_from_client).sum::<i64>(),
        ),
    };
    Ok(Some(ProductDetail {
        summary,
        barcodes: detail.barcodes,
        sizes: detail.sizes,
        price: detail.price,
        unassigned_to_client: to_client,
        unassigned_from_client: from_client,
        disconnected: detail.disconnected,
        levels,
    }))
}

struct Described {
    barcodes: Vec<String>,
    sizes: Vec<ProductSize>,
    price: Option<Price>,
    unassigned_to_client: i64,
    unassigned_from_client: i64,
    observed_since: Option<DateTime<Utc>>,
    disconnected: bool,
}

async fn described(
    tx: &Transaction<'_>,
    product_id: Uuid,
    windows: &Windows,
    position: Option<i64>,
) -> Result<Option<(ProductSummary, Described)>, QueryError> {
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![
        &windows.today,
        &windows.before[0],
        &windows.before[1],
        &windows.before[2],
        &product_id,
    ];
    let (orders, source) = match &position {
        None => (
            orders_by_product(Some("ARRAY[$5::uuid]")),
            current_products(false),
        ),
        Some(position) => {
            params.push(&windows.now);
            params.push(position);
            (
                orders_until_by_product().replace("$now", "$6"),
                products_known_at(false)
                    .replace("$position", "$7")
                    .replace("$now", "$6"),
            )
        }
    };
    let sql = format!(
        "WITH o AS ({orders}), p AS ({source}) \
         SELECT {COLUMNS}, q.barcodes, q.sizes, q.price_minor, q.discounted_minor, q.currency, \
                q.unassigned_to_client, q.unassigned_from_client, q.observed_since, \
                NOT {} AS disconnected \
           FROM p JOIN rm_inventory.products q ON q.product_id = p.product_id \
          WHERE p.product_id = $5 AND q.tenant_id = {MINE} AND q.product_id = $5",
        connected("q.cabinet_id", position.map(|_| "$6"))
    );
    let statement = tx.prepare_cached(&sql).await?;
    let Some(row) = tx.query_opt(&statement, &params).await? else {
        return Ok(None);
    };
    let described = Described {
        barcodes: row.try_get::<_, Json<Vec<String>>>("barcodes")?.0,
        sizes: row.try_get::<_, Json<_>>("sizes")?.0,
        price: price(&row)?,
        unassigned_to_client: row.try_get("unassigned_to_client")?,
        unassigned_from_client: row.try_get("unassigned_from_client")?,
        observed_since: row.try_get("observed_since")?,
        disconnected: row.try_get("disconnected")?,
    };
    Ok(Some((summary(&row, false)?, described)))
}

/// Levels of product `$5` and the orders from each warehouse until `$6`, names resolved. `$stock` are the
/// levels, `$excluded` and `$why` the warehouses that are left out.
const LEVELS: &str = "
    WITH o AS (
        SELECT coalesce(a.resolved, d.warehouse) AS warehouse,
               sum(d.units) FILTER (WHERE d.day > $2)::bigint AS last_7,
               sum(d.units) FILTER (WHERE d.day > $3)::bigint AS last_14, sum(d.units)::bigint AS last_28,
               sum(d.returned)::bigint AS returned_28
          FROM (SELECT cabinet_id, warehouse, day, units, returned FROM rm_inventory.order_days
                 WHERE tenant_id = (SELECT core.current_tenant()) AND product_id = $5 AND day > $4
                   AND day < $1
                UNION ALL
                SELECT cabinet_id, warehouse, day, quantity,
                       CASE WHEN status IN ('returned', 'returned_defective') THEN quantity ELSE 0 END
                  FROM rm_inventory.orders
                 WHERE tenant_id = (SELECT core.current_tenant()) AND product_id = $5 AND day = $1
                   AND NOT cancelled AND ($7::bigint IS NULL OR ordered_at <= $6)) d
          LEFT JOIN rm_inventory.warehouse_aliases a
            ON a.tenant_id = (SELECT core.current_tenant()) AND a.cabinet_id = d.cabinet_id
           AND a.warehouse = d.warehouse
         GROUP BY 1),
    l AS ($stock)
    SELECT w.warehouse, w.name, w.fulfilment, w.masked, coalesce(l.available, 0) AS available,
           coalesce(l.in_way_to_client, 0) AS in_way_to_client,
           coalesce(l.in_way_from_client, 0) AS in_way_from_client, coalesce(o.last_7, 0) AS last_7,
           coalesce(o.last_14, 0) AS last_14, coalesce(o.last_28, 0) AS last_28,
           coalesce(o.returned_28, 0) AS returned_28, l.buckets, l.cluster, l.sizes, l.source,
           l.as_of, l.sync_id, l.changed_at, l.position, $why
      FROM l
      FULL JOIN o ON o.warehouse = l.warehouse
      JOIN rm_inventory.products p ON p.tenant_id = (SELECT core.current_tenant()) AND p.product_id = $5
      JOIN rm_inventory.warehouses w
        ON w.tenant_id = p.tenant_id AND w.cabinet_id = p.cabinet_id
       AND w.warehouse = coalesce(l.warehouse, o.warehouse)
      LEFT JOIN rm_inventory.warehouse_aliases n
        ON n.tenant_id = w.tenant_id AND n.cabinet_id = w.cabinet_id AND n.warehouse = w.warehouse
      LEFT JOIN ($excluded) x ON x.cabinet_id = w.cabinet_id AND x.warehouse = w.warehouse
     -- What was told by its name first is told by its id now, and nothing is left under the name.
     WHERE n.resolved IS NULL OR o.warehouse IS NOT NULL OR l.available <> 0 OR l.in_way_to_client <> 0
        OR l.in_way_from_client <> 0
     ORDER BY w.first_position, w.first_index";

const STOCK_NOW: &str = "SELECT * FROM rm_inventory.stock_levels \
    WHERE tenant_id = (SELECT core.current_tenant()) AND product_id = $5";

/// The last change of every warehouse up to position `$7`; those regrouped away by then are left out.
const STOCK_THEN: &str = "SELECT * FROM (SELECT DISTINCT ON (h.warehouse) h.warehouse, \
        h.available_after AS available, h.to_client_after AS in_way_to_client, \
        h.from_client_after AS in_way_from_client, NULL::jsonb AS buckets, NULL::text AS cluster, \
        NULL::jsonb AS sizes, h.source, h.as_of, h.sync_id, \
        h.recorded_at AS changed_at, h.position \
        FROM rm_inventory.product_history h \
       WHERE h.tenant_id = (SELECT core.current_tenant()) AND h.product_id = $5 AND h.position <= $7 \
         AND h.warehouse IS NOT NULL AND h.kind IN ('stock', 'regrouped') \
       ORDER BY h.warehouse, h.position DESC, h.index DESC) t WHERE t.available IS NOT NULL";

async fn levels(
    tx: &Transaction<'_>,
    product_id: Uuid,
    windows: &Windows,
    position: Option<i64>,
) -> Result<Vec<Level>, QueryError> {
    let stock = if position.is_some() { STOCK_THEN } else { STOCK_NOW };
    let sql = LEVELS
        .replace("$stock", stock)
        .replace("$excluded", &excluded(position.map(|_| "$6")))
        .replace("$why", WHY);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &windows.today,
                &windows.before[0],
                &windows.before[1],
                &windows.before[2],
                &product_id,
                &windows.now,
                &position,
            ],
        )
        .await?;
    Ok(rows.iter().map(level).collect::<Result<_, _>>()?)
}

/// Changes of a warehouse's stock: marketplace's time, units before and after.
type Moves = HashMap<String, Vec<(DateTime<Utc>, i64, i64)>>;

/// What changed at each warehouse since the longest window began, and what lies there now.
struct Told {
    moves: Moves,
    now: HashMap<String, i64>,
}

async fn warehouse_spells(
    tx: &Transaction<'_>,
    product_id: Uuid,
    windows: &Windows,
) -> Result<Told, QueryError> {
    // Recorded after it was so; a day is more than clocks differ by.
    let recorded = windows.start[2] - TimeDelta::days(1);
    let bound = position_at(tx, recorded).await?;
    let sql = format!(
        "SELECT h.warehouse, h.as_of, coalesce(h.available_before, 0), coalesce(h.available_after, 0) \
           FROM rm_inventory.product_history h \
          WHERE h.tenant_id = {MINE} AND h.product_id = $1 AND h.position > $2 \
            AND h.warehouse IS NOT NULL AND h.as_of IS NOT NULL AND h.kind IN ('stock', 'regrouped') \
          ORDER BY h.position, h.index"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let mut moves = Moves::new();
    for row in tx.query(&statement, &[&product_id, &bound]).await? {
        let changes = moves.entry(row.try_get(0)?).or_default();
        changes.push((row.try_get(1)?, row.try_get(2)?, row.try_get(3)?));
    }
    let sql = format!(
        "SELECT l.warehouse, l.available FROM rm_inventory.stock_levels l \
          WHERE l.tenant_id = {MINE} AND l.product_id = $1"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let mut now = HashMap::new();
    for row in tx.query(&statement, &[&product_id]).await? {
        now.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(Told { moves, now })
}

impl Told {
    /// When something lay at a warehouse, until `until`. What did not change since the window began was so
    /// all the time.
    fn spells(&self, warehouse: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Spell> {
        let none = Vec::new();
        let changes = self.moves.get(warehouse).unwrap_or(&none);
        let before = match changes.first() {
            Some((_, before, _)) => *before,
            None => self.now.get(warehouse).copied().unwrap_or_default(),
        };
        let mut since = (before > 0).then_some(from);
        let (mut spells, mut reached) = (Vec::new(), from);
        for (at, _, after) in changes {
            reached = reached.max(*at);
            match since {
                None if *after > 0 => since = Some(reached),
                Some(began) if *after <= 0 => {
                    spells.push((began, reached));
                    since = None;
                }
                _ => {}
            }
        }
        if let Some(began) = since {
            spells.push((began, until.max(began)));
        }
        spells
    }
}

/// Units by warehouse and window, ordered between `since` and `until`.
async fn warehouse_units(
    tx: &Transaction<'_>,
    product_id: Uuid,
    windows: &Windows,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<HashMap<String, [i64; 3]>, QueryError> {
    let sql = format!(
        "SELECT coalesce(a.resolved, d.warehouse), \
                coalesce(sum(d.quantity) FILTER (WHERE d.day > $2), 0)::bigint, \
                coalesce(sum(d.quantity) FILTER (WHERE d.day > $3), 0)::bigint, sum(d.quantity)::bigint \
           FROM rm_inventory.orders d \
           LEFT JOIN rm_inventory.warehouse_aliases a \
             ON a.tenant_id = {MINE} AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse \
          WHERE d.tenant_id = {MINE} AND d.product_id = $5 AND d.day > $4 AND d.day <= $1 \
            AND NOT d.cancelled AND d.ordered_at >= $6 AND d.ordered_at < $7 \
          GROUP BY 1"
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
                &product_id,
                &since,
                &until,
            ],
        )
        .await?;
    let units = |row: &Row| {
        Ok((
            row.try_get(0)?,
            [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?],
        ))
    };
    Ok(rows
        .iter()
        .map(units)
        .collect::<Result<_, tokio_postgres::Error>>()?)
}

fn paces_at(
    level: &Level,
    told: &Told,
    units: &HashMap<String, [i64; 3]>,
    windows: &Windows,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Paces {
    let units = units.get(&level.warehouse).copied().unwrap_or_default();
    let spells = told.spells(&level.warehouse, since, until);
    let pace = |index: usize| {
        let start = windows.start.get(index).copied().unwrap_or(until).max(since);
        Pace {
            units: units.get(index).copied().unwrap_or_default(),
            in_stock: covered(spells.clone(), start, until)
                .num_microseconds()
                .unwrap_or(i64::MAX),
        }
    };
    Paces {
        last_7: pace(0),
        last_14: pace(1),
        last_28: pace(2),
    }
}

fn level(row: &Row) -> Result<Level, tokio_postgres::Error> {
    Ok(Level {
        warehouse: row.try_get("warehouse")?,
        name: row.try_get("name")?,
        fulfilment: row.try_get("fulfilment")?,
        masked: row.try_get("masked")?,
        excluded: Exclusion::of(row)?,
        available: row.try_get("available")?,
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        orders: order_counts(row)?,
        paces: Paces::default(),
        buckets: row
            .try_get::<_, Option<Json<_>>>("buckets")?
            .map_or_else(BTreeMap::new, |json| json.0),
        cluster: row.try_get("cluster")?,
        sizes: row
            .try_get::<_, Option<Json<_>>>("sizes")?
            .map_or_else(Vec::new, |json| json.0),
        source: row.try_get("source")?,
        as_of: row.try_get("as_of")?,
        sync_id: row.try_get("sync_id")?,
        changed_at: row.try_get("changed_at")?,
        position: row.try_get("position")?,
    })
}
