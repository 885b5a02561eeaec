//! The same log gives the same rows, however it is cut, and however often it is delivered.

use events::cabinet::{WarehouseExcluded, WarehouseIncluded};
use events::catalog::{CabinetEvent, ProductEvent, SyncEvent};
use events::product::{
    InWay, MarketplaceTurnover, Price, ProductDelisted, ProductDetailsChanged, ProductRelisted, SizeUnits,
    StockLevel, StockObserved,
};
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed,
    SyncQuarantined, SyncRequested, SyncStarted, Trigger,
};
use read_models::{Inventory, Operations, Projection};

use crate::alerts::{Standings, push_random};
use crate::world::{Dice, Log, World, at, cabinet, details, level, order, sync_id, tenant};

const WAREHOUSES: [(&str, &str); 5] = [
    ("fbo:507", "Коледино"),
    ("fbo:117986", "Казань"),
    ("fbo:masked", "Склад WB"),
    ("fbs:1", "Подольск"),
    ("fbo:name:Тула", "Тула"),
];

/// Two tenants' worth of everything that can happen to products and syncs.
pub(crate) fn eventful(seed: u64, events: usize) -> Log {
    let mut dice = Dice(seed);
    let mut log = Log::default();
    let mut products = Vec::new();
    let mut syncs = 0;
    let mut standings = Standings::new();
    while log.events.len() < events {
        let owner = dice.roll(2);
        let (who, place) = (tenant(owner.into()), cabinet(owner.into()));
        if products.is_empty() || dice.roll(12) == 0 {
            let nm_id = 1_000 + i64::try_from(products.len()).unwrap();
            products.push((who, log.list(who, place, nm_id), nm_id));
            continue;
        }
        let (who, product, nm_id) = products[usize::try_from(dice.roll(products.len() as u64)).unwrap()];
        match dice.roll(15) {
            13 | 14 => {
                let what = (cabinet(owner.into()), product, nm_id);
                push_random(&mut log, &mut dice, who, what, &mut standings);
            }
            12 => {
                let (warehouse, _) = WAREHOUSES[usize::try_from(dice.roll(5)).unwrap()];
                let warehouse = warehouse.to_owned();
                let told = if dice.roll(2) == 0 {
                    CabinetEvent::from(WarehouseIncluded { warehouse })
                } else {
                    let reason = format!("reason {}", dice.roll(3));
                    CabinetEvent::from(WarehouseExcluded { warehouse, reason })
                };
                log.push(who, place.uuid(), told);
            }
            0 => {
                let mut changed = details(nm_id);
                changed.title = format!("Платье {}", dice.roll(5));
                changed.price = (dice.roll(2) == 0).then(|| Price {
                    price_minor: 100_000,
                    discounted_minor: Some(90_000),
                    currency: "RUB".to_owned(),
                });
                let event = ProductDetailsChanged {
                    details: changed,
                    sync_id: sync_id(2),
                };
                log.push(who, product.uuid(), ProductEvent::from(event));
            }
            1 => {
                log.push(
                    who,
                    product.uuid(),
                    ProductEvent::from(ProductDelisted { sync_id: sync_id(2) }),
                );
                log.push(
                    who,
                    product.uuid(),
                    ProductEvent::from(ProductRelisted { sync_id: sync_id(3) }),
                );
            }
            2 => {
                let observed = on_the_way();
                log.push(who, product.uuid(), ProductEvent::from(observed));
            }
            3 => {
                log.stock(
                    who,
                    product,
                    vec![level("fbo:masked", "Склад WB РФ", 9)],
                    &["fbo:507", "fbo:117986"],
                );
            }
            4 | 5 => {
                let lines = (0..=dice.roll(3))
                    .map(|_| {
                        let (key, name) = WAREHOUSES[usize::try_from(dice.roll(5)).unwrap()];
                        let id = format!("{nm_id}-{}", dice.roll(20));
                        let time = format!("2026-09-{:02}T2{}:10:00Z", 10 + dice.roll(15), dice.roll(4));
                        order(&id, &time, key, name, dice.roll(4) == 0)
                    })
                    .collect();
                log.orders(who, product, lines);
            }
            6 => {
                syncs += 1;
                push_sync(&mut log, &mut dice, who, place.uuid(), 100 + syncs);
            }
            _ => {
                let levels = (0..=dice.roll(3)).map(|_| told_level(&mut dice)).collect();
                log.stock(who, product, levels, &[]);
            }
        }
    }
    // Some steps are two events.
    log.events.truncate(events);
    log
}

/// Units on the way that no warehouse is told for, and the marketplace's own turnover.
fn on_the_way() -> StockObserved {
    StockObserved {
        sync_id: sync_id(2),
        source: "stock_fbs".to_owned(),
        as_of: at("2026-10-01T10:00:00Z"),
        levels: vec![],
        regrouped: vec![],
        unassigned_in_way: Some(InWay {
            to_client: 3,
            from_client: 2,
        }),
        turnover: Some(vec![MarketplaceTurnover {
            days_of_stock_milli: Some(1_500),
            ..MarketplaceTurnover::default()
        }]),
    }
}

fn told_level(dice: &mut Dice) -> StockLevel {
    let (key, name) = WAREHOUSES[usize::try_from(dice.roll(5)).unwrap()];
    let mut level = level(key, name, i64::try_from(dice.roll(50)).unwrap());
    if dice.roll(3) == 0 {
        level.buckets.insert("reserved".to_owned(), 2);
        level.cluster = Some("Москва".to_owned());
        level.sizes.push(SizeUnits {
            size_id: 7,
            name: "L".to_owned(),
            available: level.available,
        });
    }
    level
}

fn push_sync(log: &mut Log, dice: &mut Dice, who: events::ids::TenantId, cabinet: uuid::Uuid, n: u128) {
    let (sync_id, time) = (sync_id(n), at("2026-10-01T08:00:00Z"));
    let requested = SyncRequested {
        sync_id,
        trigger: Trigger::Manual,
        forced: false,
        requested_at: time,
    };
    log.push(who, cabinet, SyncEvent::from(requested));
    log.push(
        who,
        cabinet,
        SyncEvent::from(SyncStarted {
            sync_id,
            attempt: 1,
            started_at: time,
        }),
    );
    if n.is_multiple_of(3) {
        hold(log, who, cabinet, n);
    }
    let outcome = if dice.roll(3) == 0 {
        SourceOutcome::Failed
    } else {
        SourceOutcome::Complete
    };
    let sources = vec![SourceReport {
        source: "orders".to_owned(),
        outcome,
        rows: dice.roll(100),
        as_of: None,
        payload_sha256: String::new(),
        left_out: None,
        payload_bytes: None,
        error: (outcome == SourceOutcome::Failed).then(|| "timeout".to_owned()),
        doubts: Vec::new(),
        covers_since: None,
    }];
    if dice.roll(2) == 0 {
        let completed = SyncCompleted {
            sync_id,
            attempt: 1,
            completed_at: time,
            sources,
            products_seen: 10,
            products_changed: 3,
        };
        log.push(who, cabinet, SyncEvent::from(completed));
    } else {
        let failed = SyncFailed {
            sync_id,
            attempt: 1,
            failed_at: time,
            class: "unavailable".to_owned(),
            detail: "503".to_owned(),
            retry_at: None,
            sources,
        };
        log.push(who, cabinet, SyncEvent::from(failed));
    }
}

/// An answer that is held back; of every other one a person does not believe it.
fn hold(log: &mut Log, who: events::ids::TenantId, cabinet: uuid::Uuid, n: u128) {
    let (sync_id, time) = (sync_id(n), at("2026-10-01T08:00:00Z"));
    let doubt = Doubt {
        state: DoubtState::Held,
        warehouses: vec!["fbo:507".to_owned()],
        warehouse_name: Some("Коледино".to_owned()),
        rule: "warehouse_empty".to_owned(),
        before: 120,
        now: 0,
        since: time,
        contradicted: false,
        evidence: "120 units before, 0 now".to_owned(),
    };
    let held = SyncQuarantined {
        sync_id,
        attempt: 1,
        quarantined_at: time,
        reason: "warehouse_empty".to_owned(),
        evidence: "120 units before, 0 now".to_owned(),
        sources: vec![SourceReport {
            source: "stock_fbo".to_owned(),
            outcome: SourceOutcome::Partial,
            rows: 1,
            as_of: None,
            payload_sha256: String::new(),
            left_out: None,
            payload_bytes: None,
            error: None,
            doubts: vec![doubt],
            covers_since: None,
        }],
    };
    log.push(who, cabinet, SyncEvent::from(held));
    if n.is_multiple_of(2) {
        let discarded_at = time;
        log.push(
            who,
            cabinet,
            SyncEvent::from(SyncDiscarded {
                sync_id,
                discarded_at,
            }),
        );
    }
}

async fn same_for_all_sizes<P: Projection>() {
    let log = eventful(7, 900);
    let mut dumps = Vec::new();
    for size in [1, 7, 64, 10_000] {
        let world = World::new().await;
        let applied = world.fold::<P>(&log.events, size).await;
        assert_eq!(applied.parked, 0, "batches of {size}");
        dumps.push(world.dump::<P>().await);
    }
    assert!(dumps[0].1.iter().any(|table| table.rows > 0));
    assert!(dumps.iter().all(|dump| *dump == dumps[0]), "{dumps:#?}");
}

#[tokio::test]
async fn inventory_does_not_depend_on_how_the_log_is_cut() {
    same_for_all_sizes::<Inventory>().await;
}

#[tokio::test]
async fn operations_do_not_depend_on_how_the_log_is_cut() {
    same_for_all_sizes::<Operations>().await;
}

#[tokio::test]
async fn totals_are_the_sums_of_the_levels_and_days_are_counts_of_orders() {
    let world = World::new().await;
    world.fold::<Inventory>(&eventful(11, 1_500).events, 50).await;
    let session = world.projector.get().await.unwrap();
    let wrong: i64 = session
        .query_one(
            "SELECT count(*) FROM rm_inventory.products p \
              WHERE ROW(available, in_way_to_client, in_way_from_client)::text IS DISTINCT FROM ( \
                    SELECT ROW(coalesce(sum(l.available), 0)::bigint, \
                           coalesce(sum(l.in_way_to_client), 0)::bigint + p.unassigned_to_client, \
                           coalesce(sum(l.in_way_from_client), 0)::bigint + p.unassigned_from_client)::text \
                      FROM rm_inventory.stock_levels l \
                     WHERE l.tenant_id = p.tenant_id AND l.product_id = p.product_id)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(wrong, 0);
    let differing: i64 = session
        .query_one(
            "SELECT count(*) FROM (SELECT tenant_id, product_id, day, warehouse, units FROM \
               rm_inventory.order_days) d \
               FULL JOIN (SELECT tenant_id, product_id, day, warehouse, sum(quantity)::bigint AS units \
                            FROM rm_inventory.orders WHERE NOT cancelled GROUP BY 1, 2, 3, 4) o \
                 USING (tenant_id, product_id, day, warehouse) WHERE d.units IS DISTINCT FROM o.units",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(differing, 0);
    assert!(world.count("rm_inventory.order_days").await > 0);
}
