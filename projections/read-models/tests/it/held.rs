//! What is held back of a source is shown in the sheet's note and with the cabinet until it ends.

use std::collections::BTreeMap;

use database::Role;
use events::cabinet::{CabinetConnected, CredentialFacts, Marketplace, TokenKind};
use events::catalog::{CabinetEvent, SyncEvent};
use events::ids::CredentialId;
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed,
    SyncQuarantined, SyncReleased, SyncRequested, Trigger,
};
use read_models::inventory::queries::sheet_rows;
use read_models::operations::queries::cabinets;
use read_models::{Inventory, Operations};
use uuid::Uuid;

use crate::world::{Log, World, at, cabinet, day, sync_id, tenant};

const TIME: &str = "2026-10-01T00:00:00Z";

fn doubt(state: DoubtState) -> Doubt {
    Doubt {
        state,
        warehouses: vec!["fbs:1".to_owned()],
        warehouse_name: Some("Подольск".to_owned()),
        rule: "warehouse_empty".to_owned(),
        before: 18,
        now: 0,
        since: at(TIME),
        contradicted: true,
        evidence: "18 units before, 0 now".to_owned(),
    }
}

fn report(source: &str, outcome: SourceOutcome, doubts: Vec<Doubt>) -> SourceReport {
    SourceReport {
        source: source.to_owned(),
        outcome,
        rows: 1,
        left_out: None,
        as_of: None,
        payload_sha256: String::new(),
        payload_bytes: None,
        error: None,
        doubts,
        covers_since: None,
    }
}

fn quarantined() -> SyncEvent {
    SyncQuarantined {
        sync_id: sync_id(1),
        attempt: 1,
        quarantined_at: at(TIME),
        reason: "warehouse_empty".to_owned(),
        evidence: "18 units before, 0 now".to_owned(),
        sources: vec![
            report("cards", SourceOutcome::Complete, vec![]),
            report("stock_fbs", SourceOutcome::Partial, vec![doubt(DoubtState::Held)]),
        ],
    }
    .into()
}

/// A sync that reports on the source in question.
fn completed(sync: u128, outcome: SourceOutcome, doubts: Vec<Doubt>) -> SyncEvent {
    SyncCompleted {
        sync_id: sync_id(sync),
        attempt: 1,
        completed_at: at(TIME),
        sources: vec![report("stock_fbs", outcome, doubts)],
        products_seen: 1,
        products_changed: 0,
    }
    .into()
}

fn discarded(sync: u128) -> SyncEvent {
    SyncDiscarded {
        sync_id: sync_id(sync),
        discarded_at: at(TIME),
    }
    .into()
}

fn released() -> SyncEvent {
    SyncReleased {
        sync_id: sync_id(1),
        released_at: at(TIME),
    }
    .into()
}

fn connected() -> CabinetEvent {
    CabinetConnected {
        marketplace: Marketplace::Wildberries,
        credential: CredentialFacts {
            credential_id: CredentialId(Uuid::from_u128(1)),
            fingerprint: "f1".to_owned(),
            token_kind: TokenKind::Personal,
            seller_id: None,
            expires_at: None,
            scopes: vec![],
        },
    }
    .into()
}

/// A cabinet with a product and a sync that holds something back; another sync was requested.
fn begin(log: &mut Log, n: u128) {
    let stream = cabinet(n).uuid();
    log.push(tenant(1), stream, connected());
    log.list(tenant(1), cabinet(n), 1);
    for sync in 1..=2 {
        let requested = SyncRequested {
            sync_id: sync_id(sync),
            trigger: Trigger::Schedule,
            forced: false,
            requested_at: at(TIME),
        };
        log.push(tenant(1), stream, SyncEvent::from(requested));
    }
    log.push(tenant(1), stream, quarantined());
}

/// What is held back of own stock and by which sync: as the sheet shows it, and as the cabinet does.
type Shown = (Vec<Doubt>, Option<Uuid>);

async fn shown(world: &World) -> BTreeMap<Uuid, [Shown; 2]> {
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    let of_sheet = sheet_rows(&tx, day("2026-10-01")).await.unwrap().freshness;
    let mut of_cabinets: BTreeMap<Uuid, Shown> = (cabinets(&tx, false).await.unwrap().into_iter())
        .map(|mut found| {
            let state = found.sources.remove("stock_fbs").unwrap();
            (found.cabinet_id, (state.held, state.held_by))
        })
        .collect();
    (of_sheet.into_iter())
        .filter(|source| source.source == "stock_fbs")
        .map(|source| {
            let of_cabinet = of_cabinets.remove(&source.cabinet_id).unwrap();
            (source.cabinet_id, [(source.held, source.held_by), of_cabinet])
        })
        .collect()
}

#[tokio::test]
async fn what_is_held_back_is_shown_until_an_answer_or_a_person_ends_it() {
    use SourceOutcome::{Cached, Complete, Failed, Partial};
    let failed = SyncFailed {
        sync_id: sync_id(2),
        attempt: 1,
        failed_at: at(TIME),
        class: "unavailable".to_owned(),
        detail: "503".to_owned(),
        retry_at: None,
        sources: vec![report("stock_fbs", Complete, vec![])],
    };
    let taken = doubt(DoubtState::Taken);
    let cases: [(&str, Vec<SyncEvent>, bool); 11] = [
        ("nothing happened since", vec![], true),
        ("a sync failed", vec![failed.into()], true),
        ("the source failed", vec![completed(2, Failed, vec![])], true),
        (
            "the source was not asked",
            vec![completed(2, Cached, vec![])],
            true,
        ),
        (
            "the answer was not complete",
            vec![completed(2, Partial, vec![])],
            true,
        ),
        ("another sync was discarded", vec![discarded(2)], true),
        ("a release has only begun", vec![released()], true),
        ("a complete answer", vec![completed(2, Complete, vec![])], false),
        (
            "an answer that was taken in the end",
            vec![completed(2, Complete, vec![taken])],
            false,
        ),
        ("a discard", vec![discarded(1)], false),
        // A level of it was refused, so it is not complete; still nothing is held any more.
        (
            "a release",
            vec![released(), completed(1, Partial, vec![])],
            false,
        ),
    ];
    // Each case in a cabinet of its own: what ends a hold ends it there only.
    let mut log = Log::default();
    for (n, (_, later, _)) in (1..).zip(&cases) {
        begin(&mut log, n);
        for event in later {
            log.push(tenant(1), cabinet(n).uuid(), event.clone());
        }
    }
    let mut dumps = Vec::new();
    for size in [1, 100] {
        let world = World::new().await;
        assert_eq!(world.fold::<Inventory>(&log.events, size).await.parked, 0);
        assert_eq!(world.fold::<Operations>(&log.events, size).await.parked, 0);
        let found = shown(&world).await;
        assert_eq!(found.len(), cases.len());
        for (n, (what, _, is_held)) in (1..).zip(&cases) {
            let expected = if *is_held {
                (vec![doubt(DoubtState::Held)], Some(sync_id(1).uuid()))
            } else {
                (vec![], None)
            };
            assert_eq!(found[&cabinet(n).uuid()], [expected.clone(), expected], "{what}");
        }
        dumps.push(world.dump::<Inventory>().await);
    }
    assert_eq!(dumps[0], dumps[1]);
}

#[tokio::test]
async fn a_sync_event_that_is_parked_ends_no_hold() {
    let mut log = Log::default();
    begin(&mut log, 1);
    let of_no_request = completed(3, SourceOutcome::Complete, vec![]);
    log.push(tenant(1), cabinet(1).uuid(), of_no_request);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    assert_eq!(world.fold::<Operations>(&log.events, 100).await.parked, 1);
    let [_, of_cabinet] = &shown(&world).await[&cabinet(1).uuid()];
    let held = (vec![doubt(DoubtState::Held)], Some(sync_id(1).uuid()));
    assert_eq!(*of_cabinet, held);
}
