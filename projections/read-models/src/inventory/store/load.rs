//! What folding a batch has to know of earlier ones.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use events::catalog::{ProductEvent, SyncEvent};
use events::product::Price;
use events::{Event, Recorded};
use futures_util::join;
use tokio_postgres::types::Json;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::super::rows::{CabinetKey, Fresh, Level, LevelKey, Pair, Product, ProductKey, Rows, Slot};
use crate::held::Held;
use crate::projection::cause_of;

/// Fetches the products and levels that the batch touches and that are not in memory yet, and how the sources
/// of its cabinets were doing. A stream that begins in the batch has none.
pub(in crate::inventory) async fn load(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    batch: &[(&Recorded, &Event)],
) -> Result<(), Error> {
    let mut begun: BTreeSet<ProductKey> = BTreeSet::new();
    let mut products: BTreeSet<ProductKey> = BTreeSet::new();
    let mut levels: BTreeSet<LevelKey> = BTreeSet::new();
    let mut cabinets: BTreeSet<(Uuid, Uuid)> = BTreeSet::new();
    for (event, fact) in batch {
        let fact = match fact {
            Event::Product(fact) => fact,
            Event::Sync(
                SyncEvent::SyncCompleted(_)
                | SyncEvent::SyncFailed(_)
                | SyncEvent::SyncQuarantined(_)
                | SyncEvent::SyncDiscarded(_),
            ) => {
                cabinets.insert((event.metadata.tenant_id.uuid(), event.stream_id));
                continue;
            }
            _ => continue,
        };
        let key = (event.metadata.tenant_id.uuid(), event.stream_id);
        if event.version == 1 {
            begun.insert(key);
        }
        if begun.contains(&key) {
            continue;
        }
        if !rows.products.contains_key(&key) {
            products.insert(key);
        }
        if let ProductEvent::StockObserved(observed) = fact {
            let told = observed
                .levels
                .iter()
                .map(|level| &level.warehouse)
                .chain(&observed.regrouped);
            levels.extend(
                told.map(|warehouse| (key.0, key.1, warehouse.clone()))
                    .filter(|level| !rows.levels.contains_key(level)),
            );
        }
    }
    let loads = join!(
        load_products(&mut rows.products, tx, &products),
        load_levels(&mut rows.levels, tx, &levels),
        load_freshness(&mut rows.freshness, tx, &cabinets)
    );
    cause_of([loads.0, loads.1, loads.2])
}

async fn load_products(
    rows: &mut BTreeMap<ProductKey, Product>,
    tx: &Transaction<'_>,
    keys: &BTreeSet<ProductKey>,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached(
            "SELECT p.* FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant, product) \
               JOIN products p ON p.tenant_id = k.tenant AND p.product_id = k.product",
        )
        .await?;
    let (tenants, products): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    for row in tx.query(&statement, &[&tenants, &products]).await? {
        rows.insert(
            (row.try_get("tenant_id")?, row.try_get("product_id")?),
            Product {
                cabinet_id: row.try_get("cabinet_id")?,
                marketplace: row.try_get("marketplace")?,
                nm_id: row.try_get("nm_id")?,
                vendor_code: row.try_get("vendor_code")?,
                brand: row.try_get("brand")?,
                subject: row.try_get("subject")?,
                title: row.try_get("title")?,
                barcodes: row.try_get::<_, Json<_>>("barcodes")?.0,
                sizes: row.try_get::<_, Json<_>>("sizes")?.0,
                price: price(&row)?,
                figures: row.try_get::<_, Json<_>>("marketplace_figures")?.0,
                delisted: row.try_get("delisted")?,
                available: row.try_get("available")?,
                in_way: Pair {
                    to: row.try_get("in_way_to_client")?,
                    from: row.try_get("in_way_from_client")?,
                },
                unassigned: Pair {
                    to: row.try_get("unassigned_to_client")?,
                    from: row.try_get("unassigned_from_client")?,
                },
                as_of: row.try_get::<_, Json<_>>("as_of")?.0,
                stock_sources: row.try_get::<_, Json<_>>("stock_sources")?.0,
                observed_since: row.try_get("observed_since")?,
                listed_at: row.try_get("listed_at")?,
                updated_at: row.try_get("updated_at")?,
                first_position: row.try_get("first_position")?,
                position: row.try_get("position")?,
                changed: false,
            },
        );
    }
    Ok(())
}

async fn load_levels(
    rows: &mut BTreeMap<LevelKey, Slot>,
    tx: &Transaction<'_>,
    keys: &BTreeSet<LevelKey>,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached(
            "SELECT l.* FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS k(tenant, product, warehouse) \
               JOIN stock_levels l \
                 ON l.tenant_id = k.tenant AND l.product_id = k.product AND l.warehouse = k.warehouse",
        )
        .await?;
    let tenants: Vec<_> = keys.iter().map(|(tenant, _, _)| *tenant).collect();
    let products: Vec<_> = keys.iter().map(|(_, product, _)| *product).collect();
    let warehouses: Vec<_> = keys.iter().map(|(_, _, warehouse)| warehouse.as_str()).collect();
    for row in tx.query(&statement, &[&tenants, &products, &warehouses]).await? {
        let level = Level {
            cabinet_id: row.try_get("cabinet_id")?,
            available: row.try_get("available")?,
            in_way: Pair {
                to: row.try_get("in_way_to_client")?,
                from: row.try_get("in_way_from_client")?,
            },
            buckets: row.try_get::<_, Json<_>>("buckets")?.0,
            cluster: row.try_get("cluster")?,
            sizes: row.try_get::<_, Json<_>>("sizes")?.0,
            source: row.try_get("source")?,
            as_of: row.try_get("as_of")?,
            sync_id: row.try_get("sync_id")?,
            changed_at: row.try_get("changed_at")?,
            position: row.try_get("position")?,
        };
        let key = (
            row.try_get("tenant_id")?,
            row.try_get("product_id")?,
            row.try_get("warehouse")?,
        );
        rows.insert(key, Slot::Found(level));
    }
    Ok(())
}

async fn load_freshness(
    rows: &mut BTreeMap<CabinetKey, Fresh>,
    tx: &Transaction<'_>,
    cabinets: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    if cabinets.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached(
            "SELECT f.* FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant, cabinet) \
               JOIN freshness f ON f.tenant_id = k.tenant AND f.cabinet_id = k.cabinet",
        )
        .await?;
    let (tenants, cabinets): (Vec<_>, Vec<_>) = cabinets.iter().copied().unzip();
    for row in tx.query(&statement, &[&tenants, &cabinets]).await? {
        let key = (
            row.try_get("tenant_id")?,
            row.try_get("cabinet_id")?,
            row.try_get("source")?,
        );
        // What is in memory is newer.
        rows.entry(key).or_insert(Fresh {
            as_of: row.try_get("as_of")?,
            complete_at: row.try_get("complete_at")?,
            complete_by: row.try_get("complete_by")?,
            covers_since: row.try_get("covers_since")?,
            outcome: row.try_get("outcome")?,
            outcome_at: row.try_get("outcome_at")?,
            error: row.try_get("error")?,
            sync_id: row.try_get("sync_id")?,
            held: Held {
                doubts: row.try_get::<_, Json<_>>("held")?.0,
                by: row.try_get("held_by")?,
            },
            position: row.try_get("position")?,
            changed: false,
        });
    }
    Ok(())
}

/// The price that a product's row tells, if any.
pub(in crate::inventory) fn price(row: &Row) -> Result<Option<Price>, Error> {
    let (price, currency): (Option<i64>, Option<String>) =
        (row.try_get("price_minor")?, row.try_get("currency")?);
    let discounted_minor = row.try_get("discounted_minor")?;
    Ok(price.zip(currency).map(|(price_minor, currency)| Price {
        price_minor,
        discounted_minor,
        currency,
    }))
}
