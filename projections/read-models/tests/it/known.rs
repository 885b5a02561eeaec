//! How old what is known is, and of which days orders are known.

use chrono::{DateTime, NaiveDate, Utc};
use database::Role;
use deadpool_postgres::Transaction;
use events::catalog::SyncEvent;
use events::ids::ProductId;
use events::sync::{SourceOutcome, SourceReport, SyncCompleted, SyncFailed};
use read_models::Inventory;
use read_models::inventory::queries::{freshness, product, sheet_rows, totals, warehouse_totals};

use crate::world::{Log, World, at, cabinet, day, level, sync_id, tenant};

/// Runs a question in the tenant's transaction.
macro_rules! ask {
    ($world:expr, |$tx:ident| $question:expr) => {{
        let pool = $world.pool(Role::Api);
        let mut session = pool.tenant(tenant(1)).await.unwrap();
        let owned = session.begin().await.unwrap();
        let $tx: &Transaction<'_> = &owned;
        $question.await.unwrap()
    }};
}

fn today() -> NaiveDate {
    day("2026-10-01")
}

/// The last instant of it.
fn now() -> DateTime<Utc> {
    at("2026-10-01T20:59:59.999999Z")
}

/// An article with stock.
fn one() -> (Log, ProductId) {
    let mut log = Log::default();
    let id = log.list(tenant(1), cabinet(1), 1);
    log.stock(tenant(1), id, vec![level("fbo:507", "Коледино", 5)], &[]);
    (log, id)
}

#[tokio::test]
async fn freshness_keeps_the_age_of_the_last_complete_answer_through_failures() {
    let (mut log, _) = one();
    let report = |outcome, as_of: Option<&str>, error: Option<&str>| SourceReport {
        source: "orders".to_owned(),
        outcome,
        rows: 1,
        as_of: as_of.map(at),
        payload_sha256: String::new(),
        payload_bytes: None,
        left_out: None,
        error: error.map(str::to_owned),
        doubts: Vec::new(),
        covers_since: None,
    };
    let completed = SyncCompleted {
        sync_id: sync_id(1),
        attempt: 1,
        completed_at: at("2026-10-01T05:00:00Z"),
        sources: vec![report(
            SourceOutcome::Complete,
            Some("2026-10-01T04:30:00Z"),
            None,
        )],
        products_seen: 3,
        products_changed: 3,
    };
    log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(completed));
    let failed = SyncFailed {
        sync_id: sync_id(2),
        attempt: 1,
        failed_at: at("2026-10-01T06:00:00Z"),
        class: "unavailable".to_owned(),
        detail: "503".to_owned(),
        retry_at: None,
        sources: vec![report(SourceOutcome::Failed, None, Some("503"))],
    };
    log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(failed));
    for size in [1, 100] {
        let world = World::new().await;
        world.fold::<Inventory>(&log.events, size).await;
        let known = ask!(world, |tx| freshness(tx));
        assert_eq!(known.len(), 1);
        assert_eq!(
            (known[0].outcome.as_str(), known[0].error.as_deref()),
            ("failed", Some("503"))
        );
        assert_eq!(known[0].as_of, Some(at("2026-10-01T04:30:00Z")));
        assert_eq!(known[0].sync_id, sync_id(2).uuid());
        assert_eq!(known[0].complete_by, Some(sync_id(1).uuid()));
    }
}

/// A sync that read the orders of a time as a whole.
fn read_orders(log: &mut Log, cabinet_number: u128, since: Option<&str>, until: &str) {
    let report = SourceReport {
        source: "orders".to_owned(),
        outcome: SourceOutcome::Complete,
        rows: 1,
        as_of: Some(at(until)),
        payload_sha256: String::new(),
        payload_bytes: None,
        left_out: None,
        error: None,
        doubts: Vec::new(),
        covers_since: since.map(at),
    };
    let completed = SyncCompleted {
        sync_id: sync_id(1),
        attempt: 1,
        completed_at: at(until),
        sources: vec![report],
        products_seen: 1,
        products_changed: 1,
    };
    let stream = cabinet(cabinet_number).uuid();
    log.push(tenant(1), stream, SyncEvent::from(completed));
}

#[tokio::test]
async fn a_window_of_orders_is_known_when_answers_join_on_to_each_other_from_its_beginning() {
    type Reads<'a> = &'a [(Option<&'a str>, &'a str)];
    let cases: [(Reads<'_>, i64, bool, bool); 5] = [
        // The first answer of a new cabinet reads thirty days.
        (
            &[(Some("2026-09-01T09:00:00Z"), "2026-10-01T09:00:00Z")],
            28,
            true,
            true,
        ),
        // Ten days are no window of fourteen.
        (
            &[(Some("2026-09-21T09:00:00Z"), "2026-10-01T09:00:00Z")],
            10,
            true,
            false,
        ),
        // Answers that join on add up.
        (
            &[
                (Some("2026-08-20T09:00:00Z"), "2026-09-20T09:00:00Z"),
                (Some("2026-09-20T09:00:00Z"), "2026-10-01T09:00:00Z"),
            ],
            28,
            true,
            true,
        ),
        // After a gap only what came since counts.
        (
            &[
                (Some("2026-08-20T09:00:00Z"), "2026-09-10T09:00:00Z"),
                (Some("2026-09-21T09:00:00Z"), "2026-10-01T09:00:00Z"),
            ],
            10,
            true,
            false,
        ),
        // What older programs recorded has at least seven days.
        (&[(None, "2026-10-01T09:00:00Z")], 7, true, false),
    ];
    for (reads, days, last_7, last_28) in cases {
        for size in [1, 100] {
            let (mut log, id) = one();
            for (since, until) in reads {
                read_orders(&mut log, 1, *since, until);
            }
            let world = World::new().await;
            world.fold::<Inventory>(&log.events, size).await;
            let shown = ask!(world, |tx| product(tx, id.uuid(), now(), false)).unwrap();
            let known = shown.summary.orders_known;
            assert_eq!(
                (known.days, known.last_7, known.last_28),
                (days, last_7, last_28),
                "{reads:?}"
            );
            let all = ask!(world, |tx| totals(tx, today(), 10)).orders_known;
            assert_eq!(all, known);
        }
    }
}

#[tokio::test]
async fn orders_of_the_tenant_are_known_where_those_of_every_cabinet_are() {
    let (mut log, _) = one();
    log.list(tenant(1), cabinet(2), 9);
    read_orders(&mut log, 1, Some("2026-09-01T09:00:00Z"), "2026-10-01T09:00:00Z");
    read_orders(&mut log, 2, Some("2026-09-21T09:00:00Z"), "2026-10-01T09:00:00Z");
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let known = ask!(world, |tx| totals(tx, today(), 10)).orders_known;
    assert_eq!((known.days, known.last_7, known.last_28), (10, true, false));
    let sums = ask!(world, |tx| warehouse_totals(tx, None, today()));
    assert!(sums.iter().all(|place| place.orders_last_7.is_some()));
    let rows = ask!(world, |tx| sheet_rows(tx, today()));
    assert!(rows.known_orders.windows(cabinet(1).uuid(), today()).last_28);
    assert!(!rows.known_orders.windows(cabinet(2).uuid(), today()).last_28);
}
