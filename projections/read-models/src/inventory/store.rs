//! Rows into the database: one statement a table and batch.

mod load;

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use futures_util::join;
use tokio_postgres::Error;
use tokio_postgres::types::Json;

pub(super) use load::{load, price};

use super::rows::{
    Absence, CabinetKey, Change, Day, Exclusion, Fresh, Level, LevelKey, Order, Product, ProductKey, Rows,
    Slot, Spell, Warehouse,
};
use crate::projection::{Plans, cause_of, insert_rows, plans, write_rows};

/// Writes what changed. Statements that do not wait for each other are on their way together. The widest
/// tables' futures are boxed: each column is a value in them.
pub(super) async fn store(mut rows: Rows, tx: &Transaction<'_>) -> Result<(), Error> {
    let orders: Vec<(CabinetKey, Order)> = std::mem::take(&mut rows.orders).into_iter().collect();
    let mut days = std::mem::take(&mut rows.days);
    let products: Vec<(&ProductKey, &Product)> = changed(&rows);
    let warehouses: Vec<(&CabinetKey, &Warehouse)> = rows.warehouses.iter().collect();
    let freshness = changed_freshness(&rows);
    store_absences(tx, &rows.absences).await?;
    store_exclusions(tx, &rows.exclusions).await?;
    let writes = join!(
        plans(tx, Plans::Kept),
        Box::pin(store_products(tx, &products, false)),
        Box::pin(store_levels(tx, &rows, false)),
        store_warehouses(tx, &warehouses),
        store_freshness(tx, &freshness),
        Box::pin(store_history(tx, &rows.history, false)),
        store_spells(tx, &rows.spells, false)
    );
    cause_of([
        writes.0, writes.1, writes.2, writes.3, writes.4, writes.5, writes.6,
    ])?;
    if orders.is_empty() {
        return Ok(());
    }
    plans(tx, Plans::MadeAnew).await?;
    note_days(tx, &mut days, &orders).await?;
    Box::pin(store_orders(tx, &orders, false)).await?;
    count_days(tx, &days).await
}

/// Writes what no later event changes into a copy nobody else sees, and forgets it.
pub(super) async fn spill(rows: &mut Rows, tx: &Transaction<'_>) -> Result<(), Error> {
    Box::pin(store_history(tx, &std::mem::take(&mut rows.history), true)).await?;
    store_spells(tx, &std::mem::take(&mut rows.spells), true).await
}

/// As [`store`], into tables that are empty and that nobody else sees.
pub(super) async fn fill(mut rows: Rows, tx: &Transaction<'_>) -> Result<(), Error> {
    spill(&mut rows, tx).await?;
    Box::pin(store_products(tx, &changed(&rows), true)).await?;
    Box::pin(store_levels(tx, &rows, true)).await?;
    let warehouses: Vec<(&CabinetKey, &Warehouse)> = rows.warehouses.iter().collect();
    store_warehouses(tx, &warehouses).await?;
    let freshness = changed_freshness(&rows);
    store_freshness(tx, &freshness).await?;
    store_absences(tx, &rows.absences).await?;
    store_exclusions(tx, &rows.exclusions).await?;
    let orders: Vec<(CabinetKey, Order)> = std::mem::take(&mut rows.orders).into_iter().collect();
    Box::pin(store_orders(tx, &orders, true)).await?;
    count_all_days(tx).await
}

fn changed_freshness(rows: &Rows) -> Vec<(&CabinetKey, &Fresh)> {
    rows.freshness.iter().filter(|(_, fresh)| fresh.changed).collect()
}

fn changed(rows: &Rows) -> Vec<(&ProductKey, &Product)> {
    rows.products
        .iter()
        .filter(|(_, product)| product.changed)
        .collect()
}

async fn store_products(
    tx: &Transaction<'_>,
    products: &[(&ProductKey, &Product)],
    copied: bool,
) -> Result<(), Error> {
    insert_rows!(
        tx,
        products,
        copied,
        "products (tenant_id, product_id, cabinet_id, marketplace, nm_id, vendor_code, brand, \
           subject, \
            title, barcodes, sizes, price_minor, discounted_minor, currency, marketplace_figures, search, \
            delisted, available, in_way_to_client, in_way_from_client, \
            unassigned_to_client, unassigned_from_client, as_of, stock_sources, observed_since, \
            in_stock_since, listed_at, updated_at, first_position, position)",
        " \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], \
         $7::text[], \
            $8::text[], $9::text[], $10::jsonb[], $11::jsonb[], $12::bigint[], $13::bigint[], $14::text[], \
            $15::jsonb[], $16::text[], $17::boolean[], $18::bigint[], $19::bigint[], $20::bigint[], \
            $21::bigint[], $22::bigint[], $23::jsonb[], $24::jsonb[], $25::timestamptz[], \
            $26::timestamptz[], $27::timestamptz[], $28::timestamptz[], $29::bigint[], $30::bigint[]) \
         ON CONFLICT (tenant_id, product_id) DO UPDATE SET vendor_code = EXCLUDED.vendor_code, \
            brand = EXCLUDED.brand, subject = EXCLUDED.subject, title = EXCLUDED.title, \
            barcodes = EXCLUDED.barcodes, sizes = EXCLUDED.sizes, price_minor = EXCLUDED.price_minor, \
            discounted_minor = EXCLUDED.discounted_minor, currency = EXCLUDED.currency, \
            marketplace_figures = EXCLUDED.marketplace_figures, search = EXCLUDED.search, delisted = EXCLUDED.delisted, \
            available = EXCLUDED.available, in_way_to_client = EXCLUDED.in_way_to_client, \
            in_way_from_client = EXCLUDED.in_way_from_client, \
            unassigned_to_client = EXCLUDED.unassigned_to_client, \
            unassigned_from_client = EXCLUDED.unassigned_from_client, as_of = EXCLUDED.as_of, \
            stock_sources = EXCLUDED.stock_sources, observed_since = EXCLUDED.observed_since, \
            in_stock_since = EXCLUDED.in_stock_since, updated_at = EXCLUDED.updated_at, position = EXCLUDED.position",
        |((tenant, product_id), product)| *tenant,
        *product_id,
        product.cabinet_id,
        product.marketplace.as_str(),
        product.nm_id,
        product.vendor_code.as_str(),
        product.brand.as_str(),
        product.subject.as_str(),
        product.title.as_str(),
        Json(&product.barcodes),
        Json(&product.sizes),
        product.price.as_ref().map(|price| price.price_minor),
        product.price.as_ref().and_then(|price| price.discounted_minor),
        product.price.as_ref().map(|price| price.currency.as_str()),
        Json(&product.figures),
        search_text(product),
        product.delisted,
        product.available,
        product.in_way.to,
        product.in_way.from,
        product.unassigned.to,
        product.unassigned.from,
        Json(&product.as_of),
        Json(&product.stock_sources),
        product.observed_since,
        product.stock_sources.in_stock_since(),
        product.listed_at,
        product.updated_at,
        product.first_position,
        product.position,
    );
    Ok(())
}

/// What a search looks at, in lower case by Unicode's rules and not by the database's locale.
fn search_text(product: &Product) -> String {
    let mut text = product.nm_id.to_string();
    for part in [&product.vendor_code, &product.title]
        .into_iter()
        .chain(&product.barcodes)
    {
        text.push('\n');
        text.push_str(&part.to_lowercase());
    }
    text
}

async fn store_levels(tx: &Transaction<'_>, rows: &Rows, copied: bool) -> Result<(), Error> {
    let mut written: Vec<(&LevelKey, &Level)> = Vec::new();
    let mut removed: Vec<&LevelKey> = Vec::new();
    for (key, slot) in &rows.levels {
        match slot {
            Slot::Found(_) => {}
            Slot::Written(level) => written.push((key, level)),
            Slot::Removed => removed.push(key),
        }
    }
    write_rows!(
        tx,
        &removed,
        "DELETE FROM stock_levels l USING unnest($1::uuid[], $2::uuid[], $3::text[]) AS k(tenant, product, \
           warehouse) \
          WHERE l.tenant_id = k.tenant AND l.product_id = k.product AND l.warehouse = k.warehouse",
        |(tenant, product, warehouse)| *tenant,
        *product,
        warehouse.as_str()
    );
    insert_rows!(
        tx,
        &written,
        copied,
        "stock_levels (tenant_id, product_id, warehouse, cabinet_id, available, \
           in_way_to_client, \
            in_way_from_client, buckets, cluster, sizes, source, as_of, sync_id, changed_at, position)",
        " \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[], \
            $7::bigint[], $8::jsonb[], $9::text[], $10::jsonb[], $11::text[], $12::timestamptz[], $13::uuid[], \
            $14::timestamptz[], $15::bigint[]) \
         ON CONFLICT (tenant_id, product_id, warehouse) DO UPDATE SET available = EXCLUDED.available, \
            buckets = EXCLUDED.buckets, cluster = EXCLUDED.cluster, sizes = EXCLUDED.sizes, \
            in_way_to_client = EXCLUDED.in_way_to_client, in_way_from_client = EXCLUDED.in_way_from_client, \
            source = EXCLUDED.source, as_of = EXCLUDED.as_of, sync_id = EXCLUDED.sync_id, \
            changed_at = EXCLUDED.changed_at, position = EXCLUDED.position",
        |((tenant, product, warehouse), level)| *tenant,
        *product,
        warehouse.as_str(),
        level.cabinet_id,
        level.available,
        level.in_way.to,
        level.in_way.from,
        Json(&level.buckets),
        level.cluster.as_deref(),
        Json(&level.sizes),
        level.source.as_str(),
        level.as_of,
        level.sync_id,
        level.changed_at,
        level.position,
    );
    Ok(())
}

/// The merge of [`Warehouse::merge`] with what is stored; rows that would stay as they are, are not written.
async fn store_warehouses(tx: &Transaction<'_>, seen: &[(&CabinetKey, &Warehouse)]) -> Result<(), Error> {
    write_rows!(
        tx,
        seen,
        "INSERT INTO warehouses AS w (tenant_id, cabinet_id, warehouse, name, fulfilment, masked, in_stock, \
            in_orders, first_position, first_index, name_position, name_index, names) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], \
            $7::boolean[], $8::boolean[], $9::bigint[], $10::integer[], $11::bigint[], $12::integer[], \
            $13::jsonb[]) \
         ON CONFLICT (tenant_id, cabinet_id, warehouse) DO UPDATE SET \
            (name, fulfilment, name_position, name_index) = (SELECT n.name, n.fulfilment, n.position, \
            n.index \
                FROM (VALUES (EXCLUDED.in_stock, EXCLUDED.name_position, EXCLUDED.name_index, EXCLUDED.name, \
                              EXCLUDED.fulfilment), \
                             (w.in_stock, w.name_position, w.name_index, w.name, w.fulfilment)) \
                     AS n(stock, position, index, name, fulfilment) \
               ORDER BY n.stock DESC, n.position DESC, n.index DESC LIMIT 1), \
            (first_position, first_index) = (SELECT f.position, f.index \
                FROM (VALUES (EXCLUDED.first_position, EXCLUDED.first_index), (w.first_position, \
                w.first_index)) \
                     AS f(position, index) ORDER BY f.position, f.index LIMIT 1), \
            names = (SELECT coalesce(jsonb_agg(n.name ORDER BY n.name COLLATE \"C\"), '[]') \
                       FROM (SELECT jsonb_array_elements_text(w.names) AS name \
                             UNION SELECT jsonb_array_elements_text(EXCLUDED.names)) n), \
            in_stock = w.in_stock OR EXCLUDED.in_stock, in_orders = w.in_orders OR EXCLUDED.in_orders",
        |((tenant, cabinet, key), warehouse)| *tenant,
        *cabinet,
        key.as_str(),
        warehouse.name.as_str(),
        warehouse.fulfilment,
        warehouse.masked,
        warehouse.in_stock,
        warehouse.in_orders,
        warehouse.first.0,
        warehouse.first.1,
        warehouse.named.0,
        warehouse.named.1,
        Json(&warehouse.names),
    );
    Ok(())
}

async fn store_freshness(tx: &Transaction<'_>, news: &[(&CabinetKey, &Fresh)]) -> Result<(), Error> {
    write_rows!(
        tx,
        news,
        "INSERT INTO freshness (tenant_id, cabinet_id, source, as_of, complete_at, complete_by, covers_since, \
            outcome, outcome_at, error, sync_id, held, held_by, position) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], \
            $6::uuid[], $7::timestamptz[], $8::text[], $9::timestamptz[], $10::text[], $11::uuid[], \
            $12::jsonb[], $13::uuid[], $14::bigint[]) \
         ON CONFLICT (tenant_id, cabinet_id, source) DO UPDATE SET as_of = EXCLUDED.as_of, \
            complete_at = EXCLUDED.complete_at, complete_by = EXCLUDED.complete_by, \
            covers_since = EXCLUDED.covers_since, outcome = EXCLUDED.outcome, \
            outcome_at = EXCLUDED.outcome_at, error = EXCLUDED.error, sync_id = EXCLUDED.sync_id, \
            held = EXCLUDED.held, held_by = EXCLUDED.held_by, position = EXCLUDED.position",
        |((tenant, cabinet, source), fresh)| *tenant,
        *cabinet,
        source.as_str(),
        fresh.as_of,
        fresh.complete_at,
        fresh.complete_by,
        fresh.covers_since,
        fresh.outcome.as_str(),
        fresh.outcome_at,
        fresh.error.as_deref(),
        fresh.sync_id,
        Json(&fresh.held.doubts),
        fresh.held.by,
        fresh.position,
    );
    Ok(())
}

/// One at a time and in order, since one that goes and comes back is one row. There are few.
async fn store_absences(tx: &Transaction<'_>, absences: &[Absence]) -> Result<(), Error> {
    for absence in absences {
        let sql = if absence.left {
            "INSERT INTO cabinet_absences (tenant_id, cabinet_id, left_position, left_at) \
             VALUES ($1, $2, $3, $4)"
        } else {
            "UPDATE cabinet_absences SET back_at = $4 \
              WHERE tenant_id = $1 AND cabinet_id = $2 AND left_position < $3 AND back_at IS NULL"
        };
        let statement = tx.prepare_cached(sql).await?;
        let (tenant, cabinet) = (absence.tenant_id, absence.cabinet_id);
        tx.execute(&statement, &[&tenant, &cabinet, &absence.position, &absence.at])
            .await?;
    }
    Ok(())
}

/// As absences. Another reason for what is left out already replaces the first; since when stays.
async fn store_exclusions(tx: &Transaction<'_>, exclusions: &[Exclusion]) -> Result<(), Error> {
    for exclusion in exclusions {
        let Exclusion {
            tenant_id,
            cabinet_id,
            warehouse,
            reason,
            by,
            position,
            at,
        } = exclusion;
        let Some(reason) = reason else {
            let statement = tx
                .prepare_cached(
                    "UPDATE warehouse_exclusions SET included_at = $5 \
                      WHERE tenant_id = $1 AND cabinet_id = $2 AND warehouse = $3 \
                        AND excluded_position < $4 AND included_at IS NULL",
                )
                .await?;
            tx.execute(&statement, &[tenant_id, cabinet_id, warehouse, position, at])
                .await?;
            continue;
        };
        let statement = tx
            .prepare_cached(
                "WITH known AS ( \
                     UPDATE warehouse_exclusions SET reason = $6, excluded_by = $7 \
                      WHERE tenant_id = $1 AND cabinet_id = $2 AND warehouse = $3 \
                        AND excluded_position < $4 AND included_at IS NULL RETURNING 1) \
                 INSERT INTO warehouse_exclusions (tenant_id, cabinet_id, warehouse, excluded_position, \
                    excluded_at, reason, excluded_by) \
                 SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT FROM known)",
            )
            .await?;
        tx.execute(
            &statement,
            &[tenant_id, cabinet_id, warehouse, position, at, reason, by],
        )
        .await?;
    }
    Ok(())
}

async fn store_history(tx: &Transaction<'_>, history: &[Change], copied: bool) -> Result<(), Error> {
    insert_rows!(
        tx,
        history,
        copied,
        "product_history (tenant_id, product_id, position, index, cabinet_id, recorded_at, \
           as_of, kind, \
            source, sync_id, warehouse, warehouse_name, available_before, available_after, to_client_before, \
            to_client_after, from_client_before, from_client_after, orders, detail, total_available, \
            total_to_client, total_from_client, delisted)",
        " \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::uuid[], \
         $6::timestamptz[], \
            $7::timestamptz[], $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::bigint[], \
            $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], \
            $20::text[], \
            $21::bigint[], $22::bigint[], $23::bigint[], $24::boolean[])",
        |change| change.tenant_id,
        change.product_id,
        change.position,
        change.index,
        change.cabinet_id,
        change.recorded_at,
        change.as_of,
        change.kind,
        change.source.as_deref(),
        change.sync_id,
        change.warehouse.as_deref(),
        change.warehouse_name.as_deref(),
        change.available.0,
        change.available.1,
        change.to_client.0,
        change.to_client.1,
        change.from_client.0,
        change.from_client.1,
        change.orders,
        change.detail.as_deref(),
        change.total_available,
        change.total.to,
        change.total.from,
        change.delisted,
    );
    Ok(())
}

async fn store_spells(tx: &Transaction<'_>, spells: &[Spell], copied: bool) -> Result<(), Error> {
    insert_rows!(
        tx,
        spells,
        copied,
        "stock_spells (tenant_id, product_id, source, began_at, ended_at, position)",
        " \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], \
            $6::bigint[])",
        |spell| spell.tenant_id,
        spell.product_id,
        spell.source.as_str(),
        spell.began_at,
        spell.ended_at,
        spell.position,
    );
    Ok(())
}

/// Adds the days that orders are moved away from to those that are counted.
async fn note_days(
    tx: &Transaction<'_>,
    days: &mut BTreeSet<Day>,
    orders: &[(CabinetKey, Order)],
) -> Result<(), Error> {
    let statement = tx
        .prepare_cached(
            "SELECT DISTINCT o.tenant_id, o.product_id, o.day \
               FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS k(tenant, cabinet, id) \
               JOIN orders o ON o.tenant_id = k.tenant AND o.cabinet_id = k.cabinet AND o.order_id = k.id",
        )
        .await?;
    let tenants: Vec<_> = orders.iter().map(|((tenant, _, _), _)| *tenant).collect();
    let cabinets: Vec<_> = orders.iter().map(|((_, cabinet, _), _)| *cabinet).collect();
    let ids: Vec<_> = orders.iter().map(|((_, _, id), _)| id.as_str()).collect();
    for row in tx.query(&statement, &[&tenants, &cabinets, &ids]).await? {
        days.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    Ok(())
}

/// Replaces orders whole.
async fn store_orders(
    tx: &Transaction<'_>,
    orders: &[(CabinetKey, Order)],
    copied: bool,
) -> Result<(), Error> {
    insert_rows!(
        tx,
        orders,
        copied,
        "orders (tenant_id, cabinet_id, order_id, product_id, day, ordered_at, changed_at, \
            warehouse, warehouse_name, fulfilment, quantity, status, cancelled, price_minor, currency, \
            size_id, cluster, as_of, \
            sync_id, position)",
        " \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::date[], $6::timestamptz[], \
            $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], \
            $13::boolean[], \
            $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::timestamptz[], $19::uuid[], \
            $20::bigint[]) \
         ON CONFLICT (tenant_id, cabinet_id, order_id) DO UPDATE SET product_id = EXCLUDED.product_id, \
            day = EXCLUDED.day, ordered_at = EXCLUDED.ordered_at, changed_at = EXCLUDED.changed_at, \
            warehouse = EXCLUDED.warehouse, warehouse_name = EXCLUDED.warehouse_name, \
            fulfilment = EXCLUDED.fulfilment, quantity = EXCLUDED.quantity, status = EXCLUDED.status, \
            cancelled = EXCLUDED.cancelled, price_minor = EXCLUDED.price_minor, currency = \
            EXCLUDED.currency, size_id = EXCLUDED.size_id, cluster = EXCLUDED.cluster, \
            as_of = EXCLUDED.as_of, sync_id = EXCLUDED.sync_id, position = EXCLUDED.position \
          WHERE orders.position <= EXCLUDED.position",
        |((tenant, cabinet, id), order)| *tenant,
        *cabinet,
        id.as_str(),
        order.product_id,
        order.day,
        order.ordered_at,
        order.changed_at,
        order.warehouse.as_str(),
        order.warehouse_name.as_str(),
        order.fulfilment,
        order.quantity,
        order.status.as_str(),
        order.cancelled,
        order.price_minor,
        order.currency.as_deref(),
        order.size_id,
        order.cluster.as_deref(),
        order.as_of,
        order.sync_id,
        order.position,
    );
    Ok(())
}

/// Counts the touched days anew.
async fn count_days(tx: &Transaction<'_>, days: &BTreeSet<Day>) -> Result<(), Error> {
    write_rows!(
        tx,
        days,
        "DELETE FROM order_days d USING unnest($1::uuid[], $2::uuid[], $3::date[]) AS k(tenant, product, \
           day) \
          WHERE d.tenant_id = k.tenant AND d.product_id = k.product AND d.day = k.day",
        |(tenant, product, day)| *tenant,
        *product,
        *day
    );
    write_rows!(
        tx,
        days,
        "INSERT INTO order_days (tenant_id, product_id, day, warehouse, cabinet_id, units, returned) \
         SELECT o.tenant_id, o.product_id, o.day, o.warehouse, o.cabinet_id, sum(o.quantity)::bigint, \
                coalesce(sum(o.quantity) FILTER (WHERE o.status IN ('returned', 'returned_defective')), \
                0)::bigint \
           FROM unnest($1::uuid[], $2::uuid[], $3::date[]) AS k(tenant, product, day) \
           JOIN orders o ON o.tenant_id = k.tenant AND o.product_id = k.product AND o.day = k.day \
          WHERE NOT o.cancelled \
          GROUP BY o.tenant_id, o.product_id, o.day, o.warehouse, o.cabinet_id",
        |(tenant, product, day)| *tenant,
        *product,
        *day
    );
    Ok(())
}

/// Counts all days of a copy that has none yet.
async fn count_all_days(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.batch_execute(
        "SET LOCAL enable_seqscan = on; \
         INSERT INTO order_days (tenant_id, product_id, day, warehouse, cabinet_id, units, returned) \
         SELECT o.tenant_id, o.product_id, o.day, o.warehouse, o.cabinet_id, sum(o.quantity)::bigint, \
                coalesce(sum(o.quantity) FILTER (WHERE o.status IN ('returned', 'returned_defective')), \
                0)::bigint \
           FROM orders o \
          WHERE NOT o.cancelled \
          GROUP BY o.tenant_id, o.product_id, o.day, o.warehouse, o.cabinet_id; \
         SET LOCAL enable_seqscan = off",
    )
    .await
}
