//! Tenants, members, cabinets, syncs and the sheet's link: what the questions answer.

use database::Role;
use events::cabinet::{
    CabinetConnected, CabinetDisconnected, CredentialAccepted, CredentialFacts, CredentialRejected,
    CredentialRotated, Marketplace, ScheduleChanged, TokenKind,
};
use events::catalog::{CabinetEvent, SheetEvent, SyncEvent, TenantEvent};
use events::ids::{CredentialId, UserId};
use events::sheet::{SheetLayoutChanged, SheetLinked, SheetUnlinked};
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed,
    SyncQuarantined, SyncRequested, SyncStarted, Trigger,
};
use events::tenant::{
    MemberAdded, MemberRemoved, MemberRoleChanged, Role as Rank, TenantRegistered, TenantSuspended,
};
use read_models::Operations;
use read_models::operations::queries::{
    Cabinet, SyncQuery, SyncStatus, cabinet as one_cabinet, cabinets, members, sheet_layout, sheet_link,
    sync, syncs, tenant as own,
};
use uuid::Uuid;

use crate::world::{Log, World, at, cabinet, level, sync_id, tenant};

fn credential(n: u128) -> CredentialFacts {
    CredentialFacts {
        credential_id: CredentialId(Uuid::from_u128(n)),
        fingerprint: format!("f{n}"),
        token_kind: TokenKind::Personal,
        seller_id: None,
        expires_at: None,
        scopes: vec!["analytics".to_owned()],
    }
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(0x1000 + n))
}

fn connected() -> Log {
    let mut log = Log::default();
    let id = tenant(1).uuid();
    let registered = TenantRegistered {
        owner: user(1),
        language: "en".to_owned(),
        time_zone: "Europe/Moscow".to_owned(),
    };
    log.push(tenant(1), id, TenantEvent::from(registered));
    let event = CabinetConnected {
        marketplace: Marketplace::Wildberries,
        credential: credential(1),
    };
    log.push(tenant(1), cabinet(1).uuid(), CabinetEvent::from(event));
    log
}

async fn folded(log: &Log) -> World {
    let world = World::new().await;
    let applied = world.fold::<Operations>(&log.events, 3).await;
    assert_eq!((applied.parked, applied.unknown), (0, 0));
    world
}

macro_rules! ask {
    ($world:expr, |$tx:ident| $question:expr) => {{
        let pool = $world.pool(Role::Api);
        let mut session = pool.tenant(tenant(1)).await.unwrap();
        let owned = session.begin().await.unwrap();
        let $tx = &owned;
        $question.await.unwrap()
    }};
}

#[tokio::test]
async fn members_come_change_and_go() {
    let mut log = connected();
    let id = tenant(1).uuid();
    log.push(
        tenant(1),
        id,
        TenantEvent::from(MemberAdded {
            user_id: user(2),
            role: Rank::Viewer,
        }),
    );
    log.push(
        tenant(1),
        id,
        TenantEvent::from(MemberAdded {
            user_id: user(3),
            role: Rank::Member,
        }),
    );
    log.push(
        tenant(1),
        id,
        TenantEvent::from(MemberRoleChanged {
            user_id: user(2),
            role: Rank::Admin,
        }),
    );
    log.push(
        tenant(1),
        id,
        TenantEvent::from(MemberRemoved { user_id: user(3) }),
    );
    log.push(
        tenant(1),
        id,
        TenantEvent::from(TenantSuspended {
            reason: "unpaid".to_owned(),
        }),
    );
    let world = folded(&log).await;
    let known: Vec<_> = ask!(world, |tx| members(tx))
        .into_iter()
        .map(|member| (member.user_id, member.role))
        .collect();
    assert_eq!(
        known,
        [
            (user(1).uuid(), "owner".to_owned()),
            (user(2).uuid(), "admin".to_owned())
        ]
    );
    let tenant = ask!(world, |tx| own(tx)).unwrap();
    assert_eq!(
        (tenant.status.as_str(), tenant.reason.as_deref()),
        ("suspended", Some("unpaid"))
    );
}

#[tokio::test]
async fn a_verdict_counts_only_for_the_key_it_was_passed_on() {
    let mut log = connected();
    let id = cabinet(1).uuid();
    let mut push = |event: CabinetEvent| log.push(tenant(1), id, event);
    let time = at("2026-10-01T00:00:00Z");
    push(
        CredentialRotated {
            credential: credential(2),
        }
        .into(),
    );
    push(
        CredentialAccepted {
            credential_id: CredentialId(Uuid::from_u128(2)),
            checked_at: time,
        }
        .into(),
    );
    let old = CredentialId(Uuid::from_u128(1));
    push(
        CredentialRejected {
            credential_id: old,
            reason: "expired".to_owned(),
            checked_at: time,
        }
        .into(),
    );
    push(
        ScheduleChanged {
            interval_seconds: 1_800,
            paused: true,
        }
        .into(),
    );
    let world = folded(&log).await;
    let found: Cabinet = ask!(world, |tx| one_cabinet(tx, id)).unwrap();
    assert_eq!(found.credential_status, "accepted");
    assert_eq!(found.credential_reason, None);
    assert_eq!((found.interval_seconds, found.paused), (Some(1_800), true));
    assert_eq!(found.scopes, ["analytics"]);
    assert_eq!(found.last_sync, None);
}

#[tokio::test]
async fn a_disconnected_cabinet_is_listed_only_on_request() {
    let mut log = connected();
    log.push(
        tenant(1),
        cabinet(1).uuid(),
        CabinetEvent::from(CabinetDisconnected {}),
    );
    let world = folded(&log).await;
    assert_eq!(ask!(world, |tx| cabinets(tx, false)).len(), 0);
    assert_eq!(ask!(world, |tx| cabinets(tx, true))[0].status, "disconnected");
}

#[tokio::test]
async fn an_operation_goes_from_pending_over_retry_to_its_end() {
    let mut log = connected();
    let time = at("2026-10-01T00:00:00Z");
    let id = sync_id(7);
    let steps: [(SyncEvent, SyncStatus); 5] = [
        (
            SyncRequested {
                sync_id: id,
                trigger: Trigger::Manual,
                forced: true,
                requested_at: time,
            }
            .into(),
            SyncStatus::Pending,
        ),
        (
            SyncStarted {
                sync_id: id,
                attempt: 1,
                started_at: time,
            }
            .into(),
            SyncStatus::Running,
        ),
        (
            SyncFailed {
                sync_id: id,
                attempt: 1,
                failed_at: time,
                class: "rate_limited".to_owned(),
                detail: "429".to_owned(),
                retry_at: Some(at("2026-10-01T00:05:00Z")),
                sources: vec![],
            }
            .into(),
            SyncStatus::WaitingRetry,
        ),
        (
            SyncStarted {
                sync_id: id,
                attempt: 2,
                started_at: time,
            }
            .into(),
            SyncStatus::Running,
        ),
        (
            SyncQuarantined {
                sync_id: id,
                attempt: 2,
                quarantined_at: time,
                reason: "stock_vanished".to_owned(),
                evidence: "900 of 1000".to_owned(),
                sources: vec![],
            }
            .into(),
            SyncStatus::Quarantined,
        ),
    ];
    let world = World::new().await;
    for (step, expected) in steps {
        log.push(tenant(1), cabinet(1).uuid(), step);
        world.fold::<Operations>(&log.events, 10).await;
        let found = ask!(world, |tx| sync(tx, id.uuid())).unwrap();
        assert_eq!(found.status, expected);
        assert_eq!(found.finished_at.is_some(), expected.is_final());
        assert_eq!(found.retry_at.is_some(), expected == SyncStatus::WaitingRetry);
    }
    let last = ask!(world, |tx| cabinets(tx, false)).remove(0).last_sync.unwrap();
    assert_eq!(
        (last.sync_id, last.status, last.last_success_at),
        (id.uuid(), SyncStatus::Quarantined, None)
    );
}

#[tokio::test]
async fn what_a_cabinet_holds_back_is_shown_until_it_is_read_again_or_decided() {
    let time = at("2026-10-01T00:00:00Z");
    let report = |outcome, doubts| SourceReport {
        covers_since: None,
        source: "stock_fbs".to_owned(),
        outcome,
        rows: 1,
        as_of: None,
        payload_sha256: String::new(),
        payload_bytes: None,
        left_out: None,
        error: None,
        doubts,
    };
    let doubt = |state| Doubt {
        state,
        warehouses: vec![],
        warehouse_name: None,
        rule: "all_stock_gone".to_owned(),
        before: 18,
        now: 0,
        since: time,
        contradicted: false,
        evidence: "18 units before, 0 now".to_owned(),
    };
    let completed = |report| SyncCompleted {
        sync_id: sync_id(2),
        attempt: 1,
        completed_at: time,
        sources: vec![report],
        products_seen: 1,
        products_changed: 0,
    };
    let discarded = SyncDiscarded {
        sync_id: sync_id(1),
        discarded_at: time,
    };
    let taken = doubt(DoubtState::Taken);
    for (later, shown) in [
        (completed(report(SourceOutcome::Failed, vec![])).into(), 1),
        (completed(report(SourceOutcome::Cached, vec![])).into(), 1),
        (completed(report(SourceOutcome::Complete, vec![])).into(), 0),
        (completed(report(SourceOutcome::Complete, vec![taken])).into(), 0),
        (SyncEvent::from(discarded), 0),
    ] {
        let mut log = connected();
        for n in 1..=2 {
            let requested = SyncRequested {
                sync_id: sync_id(n),
                trigger: Trigger::Schedule,
                forced: false,
                requested_at: time,
            };
            log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(requested));
        }
        let quarantined = SyncQuarantined {
            sync_id: sync_id(1),
            attempt: 1,
            quarantined_at: time,
            reason: "all_stock_gone".to_owned(),
            evidence: "18 units before, 0 now".to_owned(),
            sources: vec![report(SourceOutcome::Partial, vec![doubt(DoubtState::Held)])],
        };
        log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(quarantined));
        log.push(tenant(1), cabinet(1).uuid(), later);
        let world = folded(&log).await;
        let found = ask!(world, |tx| cabinets(tx, false)).remove(0);
        let state = &found.sources["stock_fbs"];
        assert_eq!(state.held.len(), shown);
        let by = (shown > 0).then(|| sync_id(1).uuid());
        assert_eq!(state.held_by, by, "a person decides about the sync that holds it");
    }
}

#[tokio::test]
async fn progress_counts_what_a_sync_recorded() {
    let mut log = connected();
    let time = at("2026-10-01T00:00:00Z");
    let requested = SyncRequested {
        sync_id: sync_id(1),
        trigger: Trigger::Schedule,
        forced: false,
        requested_at: time,
    };
    log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(requested));
    let product = log.list(tenant(1), cabinet(1), 1);
    let last = log.stock(tenant(1), product, vec![level("fbo:507", "Коледино", 5)], &[]);
    let world = folded(&log).await;
    let found = ask!(world, |tx| sync(tx, sync_id(1).uuid())).unwrap();
    assert_eq!((found.recorded, found.position), (2, last));
}

#[tokio::test]
async fn syncs_are_listed_newest_first_in_pages_and_by_state() {
    let mut log = connected();
    let time = at("2026-10-01T00:00:00Z");
    for n in 1..=5 {
        let sync_id = sync_id(n);
        let requested = SyncRequested {
            sync_id,
            trigger: Trigger::Schedule,
            forced: false,
            requested_at: time,
        };
        log.push(tenant(1), cabinet(n % 2).uuid(), SyncEvent::from(requested));
    }
    let started = SyncStarted {
        sync_id: sync_id(3),
        attempt: 1,
        started_at: time,
    };
    log.push(tenant(1), cabinet(1).uuid(), SyncEvent::from(started));
    let world = folded(&log).await;
    let ids = |list: Vec<read_models::operations::queries::SyncDetail>| {
        list.into_iter()
            .map(|found| (found.sync_id.as_u128() - 0x5000, found.first_position))
            .collect::<Vec<_>>()
    };
    let first = ids(ask!(world, |tx| syncs(
        tx,
        &SyncQuery {
            limit: 3,
            ..SyncQuery::default()
        }
    )));
    assert_eq!(first.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [5, 4, 3]);
    let query = SyncQuery {
        limit: 3,
        before: Some(first[2].1),
        ..SyncQuery::default()
    };
    assert_eq!(
        ids(ask!(world, |tx| syncs(tx, &query)))
            .iter()
            .map(|(n, _)| *n)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    let running = SyncQuery {
        limit: 9,
        status: Some(SyncStatus::Running),
        ..SyncQuery::default()
    };
    assert_eq!(ids(ask!(world, |tx| syncs(tx, &running))).len(), 1);
    let there = SyncQuery {
        limit: 9,
        cabinet_id: Some(cabinet(0).uuid()),
        ..SyncQuery::default()
    };
    assert_eq!(ids(ask!(world, |tx| syncs(tx, &there))).len(), 2);
}

#[tokio::test]
async fn a_sheet_speaks_its_own_language_else_the_tenants() {
    let mut log = connected();
    let id = tenant(1).uuid();
    let world = World::new().await;
    let linked = SheetLinked {
        spreadsheet_id: "1AbC".to_owned(),
        worksheet: "Products".to_owned(),
        credential_id: None,
    };
    log.push(tenant(1), id, SheetEvent::from(linked));
    world.fold::<Operations>(&log.events, 10).await;
    assert_eq!(ask!(world, |tx| sheet_link(tx)).unwrap().language, "en");
    log.push(
        tenant(1),
        id,
        SheetEvent::from(SheetLayoutChanged {
            language: "ru".to_owned(),
            number_formats: true,
            ..SheetLayoutChanged::default()
        }),
    );
    let usual = ask!(world, |tx| sheet_layout(tx)).0;
    assert_eq!((usual.language.as_str(), usual.number_formats), ("en", false));
    world.fold::<Operations>(&log.events, 10).await;
    assert_eq!(ask!(world, |tx| sheet_link(tx)).unwrap().language, "ru");
    let (chosen, position) = ask!(world, |tx| sheet_layout(tx));
    assert_eq!((chosen.language.as_str(), chosen.number_formats), ("ru", true));
    assert_eq!(position, ask!(world, |tx| sheet_link(tx)).unwrap().position);
    log.push(tenant(1), id, SheetEvent::from(SheetUnlinked {}));
    world.fold::<Operations>(&log.events, 10).await;
    assert_eq!(ask!(world, |tx| sheet_link(tx)), None);
    // Exports look as they were chosen to look, sheet or not.
    assert!(ask!(world, |tx| sheet_layout(tx)).0.number_formats);
}
