//! Alerts: one row for each time in which stock was low or gone, its numbers, its end, and names of today.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use database::Role;
use events::alert::{
    AlertCause, AlertClosed, AlertEnd, Lost, Seen, StockBecameLow, StockOut, StockRecovered,
};
use events::catalog::AlertEvent;
use events::ids::{CabinetId, ProductId, TenantId};
use events::sheet::LowStock;
use read_models::operations::{AlertDetail, AlertKind, AlertQuery, AlertState, alerts};
use read_models::{Inventory, Operations};

use crate::world::{Dice, Log, World, at, cabinet, level, sync_id, tenant};

const BEGAN: &str = "2026-10-01T10:00:00Z";

fn seen(cabinet: CabinetId, nm_id: i64, warehouse: Option<&str>, available: i64, at: DateTime<Utc>) -> Seen {
    Seen {
        cabinet_id: cabinet,
        nm_id,
        warehouse: warehouse.map(str::to_owned),
        warehouse_name: warehouse.map(|key| format!("name of {key}")),
        available,
        orders: Some(14),
        days_tenths: Some(available * 5),
        position: 1,
        at,
        cause: AlertCause::Sync,
        sync_id: Some(sync_id(1)),
        rule_id: None,
    }
}

fn low(seen: Seen, lost: Option<Lost>) -> AlertEvent {
    let low = LowStock {
        below_units: None,
        below_days: Some(7),
    };
    StockBecameLow { seen, low, lost }.into()
}

fn out(seen: Seen) -> AlertEvent {
    StockOut {
        seen,
        pace_milli: Some(2_000),
        price_minor: Some(100_000),
        currency: Some("RUB".to_owned()),
    }
    .into()
}

fn lost(hours: i64) -> Lost {
    Lost {
        since: at(BEGAN),
        seconds: hours * 3_600,
        orders_tenths: Some(hours),
        turnover_minor: Some(hours * 1_000),
        currency: Some("RUB".to_owned()),
    }
}

fn recovered(seen: Seen, lost: Option<Lost>) -> AlertEvent {
    let since = at(BEGAN);
    StockRecovered { seen, since, lost }.into()
}

fn closed(warehouse: Option<&str>, reason: AlertEnd) -> AlertEvent {
    AlertClosed {
        warehouse: warehouse.map(str::to_owned),
        reason,
        position: 2,
        at: at("2026-10-02T10:00:00Z"),
    }
    .into()
}

/// What goes on at each place: whether nothing is left there.
pub(crate) type Standings = BTreeMap<(ProductId, Option<&'static str>), bool>;

/// The next change of a random place of a product.
pub(crate) fn push_random(
    log: &mut Log,
    dice: &mut Dice,
    who: TenantId,
    (cabinet, product, nm_id): (CabinetId, ProductId, i64),
    standings: &mut Standings,
) {
    let place = [None, Some("fbo:507"), Some("fbs:1")][usize::try_from(dice.roll(3)).unwrap()];
    let units = i64::try_from(dice.roll(9)).unwrap() + 1;
    let seen = |units| seen(cabinet, nm_id, place, units, at(BEGAN));
    let key = (product, place);
    let event = match (standings.get(&key).copied(), dice.roll(4)) {
        (None, 0) | (Some(false), 0 | 1) => {
            standings.insert(key, true);
            out(seen(0))
        }
        (None, _) => {
            standings.insert(key, false);
            low(seen(units), None)
        }
        (Some(true), 0) => {
            standings.insert(key, false);
            low(seen(units), Some(lost(units)))
        }
        (Some(is_out), 1 | 2) => {
            standings.remove(&key);
            recovered(seen(units * 10), is_out.then(|| lost(units)))
        }
        (Some(_), _) => {
            standings.remove(&key);
            closed(place, AlertEnd::Rule)
        }
    };
    log.push(who, product.uuid(), event);
}

/// Adds a filter.
type Narrow = fn(&mut AlertQuery);

/// A log with one product, and the times of a story told in alerts of it.
fn story(events: Vec<AlertEvent>) -> Log {
    let mut log = Log::default();
    let product = log.list(tenant(1), cabinet(1), 100);
    log.stock(tenant(1), product, vec![level("fbo:507", "Коледино", 0)], &[]);
    for event in events {
        log.push(tenant(1), product.uuid(), event);
    }
    log
}

async fn told(log: &Log) -> World {
    let world = World::new().await;
    for parked in [
        world.fold::<Inventory>(&log.events, 2).await.parked,
        world.fold::<Operations>(&log.events, 2).await.parked,
    ] {
        assert_eq!(parked, 0);
    }
    world
}

impl World {
    async fn alerts(&self, query: AlertQuery) -> Vec<AlertDetail> {
        let query = AlertQuery { limit: 100, ..query };
        let pool = self.pool(Role::Api);
        let mut session = pool.tenant(tenant(1)).await.unwrap();
        let tx = session.begin().await.unwrap();
        alerts(&tx, &query).await.unwrap()
    }
}

#[tokio::test]
async fn an_alert_is_one_row_from_its_beginning_to_its_end_and_the_next_one_is_another() {
    let here = |units, hour: &str| seen(cabinet(1), 100, None, units, at(hour));
    let log = story(vec![
        low(here(5, BEGAN), None),
        out(here(0, "2026-10-02T10:00:00Z")),
        low(here(2, "2026-10-03T10:00:00Z"), Some(lost(24))),
        out(here(0, "2026-10-04T10:00:00Z")),
        recovered(here(90, "2026-10-04T16:00:00Z"), Some(lost(6))),
        out(here(0, "2026-10-09T10:00:00Z")),
    ]);
    let world = told(&log).await;
    let rows = world.alerts(AlertQuery::default()).await;
    let [now, before] = rows.as_slice() else {
        panic!("two alerts: {rows:#?}");
    };
    assert_eq!(
        (now.state.as_str(), now.first_position, now.position),
        ("out", 8, 8)
    );
    assert_eq!(now.out_since, Some(at("2026-10-09T10:00:00Z")));
    assert_eq!((now.pace_milli, now.price_minor), (Some(2_000), Some(100_000)));
    assert_eq!(
        (before.state.as_str(), before.first_position, before.position),
        ("recovered", 3, 7)
    );
    assert_eq!(
        (before.since, before.ended_at),
        (at(BEGAN), Some(at("2026-10-04T16:00:00Z")))
    );
    assert_eq!((before.available, before.out_since), (90, None));
    assert_eq!(before.below_days, Some(7));
    let sum = &before.lost;
    assert_eq!(
        (sum.seconds, sum.orders_tenths, sum.turnover_minor),
        (30 * 3_600, Some(30), Some(30_000)),
        "of both times without stock"
    );
    assert_eq!(
        (before.title.as_deref(), before.nm_id),
        (Some("Платье Летнее 100"), 100)
    );
}

#[tokio::test]
async fn alerts_are_filtered_by_state_kind_and_place() {
    let here = |units| seen(cabinet(1), 100, None, units, at(BEGAN));
    let there = |units| {
        seen(
            cabinet(1),
            100,
            Some("fbo:507"),
            units,
            at("2026-10-03T10:00:00Z"),
        )
    };
    let log = story(vec![
        out(here(0)),
        low(there(3), None),
        low(here(1), Some(lost(1))),
        closed(Some("fbo:507"), AlertEnd::Warehouse),
        low(there(3), None),
    ]);
    let world = told(&log).await;
    let found = async |query: AlertQuery| -> Vec<i64> {
        let rows = world.alerts(query).await;
        rows.iter().map(|alert| alert.first_position).collect()
    };
    let all = AlertQuery::default;
    assert_eq!(found(all()).await, [7, 4, 3], "the newest first");
    let cases: [(Narrow, Vec<i64>); 13] = [
        (|query| query.going_on = Some(true), vec![7, 3]),
        (|query| query.going_on = Some(false), vec![4]),
        (|query| query.ended_as = Some(AlertState::Closed), vec![4]),
        (|query| query.ended_as = Some(AlertState::Recovered), vec![]),
        // What was out and is low now is low while it goes on.
        (|query| query.kind = Some(AlertKind::Low), vec![7, 4, 3]),
        (|query| query.kind = Some(AlertKind::Out), vec![]),
        (|query| query.warehouse = Some("fbo:507".to_owned()), vec![7, 4]),
        (|query| query.warehouse = Some(String::new()), vec![3]),
        (|query| query.subject = Some("Платья".to_owned()), vec![7, 4, 3]),
        (|query| query.subject = Some("Носки".to_owned()), vec![]),
        (|query| query.cabinet_id = Some(cabinet(2).uuid()), vec![]),
        (|query| query.since = Some(at("2026-10-02T00:00:00Z")), vec![7, 4]),
        (|query| query.before = Some(7), vec![4, 3]),
    ];
    for (narrow, expected) in cases {
        let mut query = all();
        narrow(&mut query);
        assert_eq!(found(query.clone()).await, expected, "{query:?}");
    }
    let ended = world
        .alerts(AlertQuery {
            going_on: Some(false),
            ..all()
        })
        .await;
    assert_eq!(ended[0].end_reason.as_deref(), Some("warehouse"));
}

#[tokio::test]
async fn a_renamed_warehouse_is_called_by_its_new_name() {
    let there = seen(cabinet(1), 100, Some("fbo:507"), 3, at(BEGAN));
    let mut log = story(vec![low(there, None)]);
    let product = ProductId::of(cabinet(1), 100);
    log.stock(tenant(1), product, vec![level("fbo:507", "Коледино WB", 3)], &[]);
    let world = told(&log).await;
    let rows = world.alerts(AlertQuery::default()).await;
    assert_eq!(rows[0].warehouse_name.as_deref(), Some("Коледино WB"));
    assert_eq!(rows[0].warehouse.as_deref(), Some("fbo:507"));
}

#[tokio::test]
async fn an_end_without_a_beginning_parks_the_stream_and_leaves_no_row() {
    let log = story(vec![closed(None, AlertEnd::Delisted)]);
    let world = World::new().await;
    assert_eq!(world.fold::<Operations>(&log.events, 10).await.parked, 1);
    assert_eq!(world.count("rm_operations.alerts").await, 0);
}

#[tokio::test]
async fn alerts_that_go_on_are_found_in_their_own_index() {
    let world = told(&story(vec![])).await;
    let session = world.projector.get().await.unwrap();
    session
        .batch_execute(
            "INSERT INTO rm_operations.alerts (tenant_id, first_position, product_id, place, cabinet_id, nm_id, \
                state, cause, since, was_out, ended_at, available, seen_position, seen_at, out_seconds, position) \
             SELECT '00000000-0000-0000-0000-00000000a001', n, gen_random_uuid(), '', gen_random_uuid(), n, 'low', \
                'sync', now(), false, CASE WHEN n % 100 > 0 THEN now() END, 1, n, now(), 0, n \
               FROM generate_series(1, 20000) n; ANALYZE rm_operations.alerts",
        )
        .await
        .unwrap();
    let plan = session
        .query(
            "EXPLAIN SELECT * FROM rm_operations.alerts \
              WHERE tenant_id = '00000000-0000-0000-0000-00000000a001' AND ended_at IS NULL \
                AND first_position < 9000 ORDER BY first_position DESC LIMIT 51",
            &[],
        )
        .await
        .unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(
        plan.iter().any(|line| line.contains("alerts_going_on_by_age")),
        "{plan:#?}"
    );
}
