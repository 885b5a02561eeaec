//! What an event is worth telling, and what it makes pointless.

use chrono::{DateTime, Utc};
use events::alert::{AlertCause, AlertClosed, AlertEnd, Seen, StockBecameLow, StockOut, StockRecovered};
use events::cabinet::{CabinetDisconnected, CredentialExpiring};
use events::ids::{CabinetId, CommandId, CredentialId, EventId, SyncId, TenantId};
use events::sheet::{LowStock, SheetBlocked, SheetUnblocked};
use events::sync::{SourceDegraded, SourceRecovered, SyncFailed};
use events::{Event, Metadata, Recorded};
use uuid::Uuid;

use super::{Matter, matter_of, outdated_by};
use application::domain::notice::NoticeKind as K;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn recorded() -> Recorded {
    Recorded {
        position: 5,
        event_id: EventId(Uuid::from_u128(1)),
        stream: "alert".into(),
        stream_id: Uuid::from_u128(9),
        version: 1,
        event_type: String::new(),
        event_version: 1,
        payload: String::new(),
        metadata: Metadata {
            tenant_id: TenantId(Uuid::from_u128(2)),
            command_id: CommandId(Uuid::from_u128(3)),
            correlation_id: Uuid::from_u128(3),
            causation_id: None,
            actor: "worker".into(),
            traceparent: None,
        },
        recorded_at: at(),
    }
}

fn seen(warehouse: Option<&str>) -> Seen {
    Seen {
        cabinet_id: CabinetId(Uuid::from_u128(4)),
        nm_id: 7,
        warehouse: warehouse.map(str::to_owned),
        warehouse_name: None,
        available: 0,
        orders: None,
        days_tenths: None,
        position: 4,
        at: at(),
        cause: AlertCause::Sync,
        sync_id: None,
        rule_id: None,
    }
}

fn low(warehouse: Option<&str>) -> Event {
    let event = StockBecameLow {
        seen: seen(warehouse),
        low: LowStock::default(),
        lost: None,
    };
    Event::Alert(event.into())
}

fn out() -> Event {
    let event = StockOut {
        seen: seen(None),
        pace_milli: None,
        price_minor: None,
        currency: None,
    };
    Event::Alert(event.into())
}

fn recovered() -> Event {
    let event = StockRecovered {
        seen: seen(None),
        since: at(),
        lost: None,
    };
    Event::Alert(event.into())
}

fn failed(attempt: u32, retry: bool) -> Event {
    let event = SyncFailed {
        sync_id: SyncId(Uuid::from_u128(5)),
        attempt,
        failed_at: at(),
        class: "unavailable".into(),
        detail: String::new(),
        retry_at: retry.then(at),
        sources: Vec::new(),
    };
    Event::Sync(event.into())
}

fn matter(event: &Event) -> Matter {
    matter_of(&recorded(), event).unwrap()
}

/// Whether `later` takes away an unsent notice of `earlier`.
fn takes_away(later: &Event, earlier: &Event) -> bool {
    let earlier = matter(earlier);
    outdated_by(&recorded(), later).iter().any(|pointless| {
        let is_meant = match pointless.is_prefix {
            true => earlier.subject.starts_with(&pointless.subject),
            false => earlier.subject == pointless.subject,
        };
        is_meant && pointless.kinds.contains(&earlier.kind)
    })
}

#[test]
fn an_out_takes_the_low_away_and_a_recovery_takes_both() {
    assert!(takes_away(&out(), &low(None)));
    assert!(takes_away(&recovered(), &low(None)));
    assert!(takes_away(&recovered(), &out()));
    assert!(takes_away(&low(None), &recovered()));
    let closed = Event::Alert(
        AlertClosed {
            warehouse: None,
            reason: AlertEnd::Delisted,
            position: 5,
            at: at(),
        }
        .into(),
    );
    assert!(takes_away(&closed, &low(None)) && takes_away(&closed, &out()));
    assert!(matter_of(&recorded(), &closed).is_none());
}

#[test]
fn a_warehouse_is_a_subject_of_its_own() {
    assert!(!takes_away(&out(), &low(Some("507"))));
    assert_eq!(
        matter(&low(Some("507"))).subject,
        format!("alert:{}:507", recorded().stream_id)
    );
}

#[test]
fn a_recovery_is_pointless_for_who_was_not_sent_the_beginning() {
    assert_eq!(matter(&recovered()).ends, [K::StockLow, K::StockOut]);
    let source = SourceRecovered {
        sync_id: SyncId(Uuid::from_u128(5)),
        source: "orders".into(),
        failing_since: at(),
        recovered_at: at(),
    };
    assert_eq!(matter(&Event::Sync(source.into())).ends, [K::SourceDegraded]);
}

#[test]
fn a_source_takes_away_what_was_not_sent_of_itself_only() {
    let degraded = |source: &str| {
        let event = SourceDegraded {
            sync_id: SyncId(Uuid::from_u128(5)),
            source: source.into(),
            failures: 3,
            failing_since: at(),
            worked_at: at(),
            error: None,
        };
        Event::Sync(event.into())
    };
    let recovered = SourceRecovered {
        sync_id: SyncId(Uuid::from_u128(5)),
        source: "orders".into(),
        failing_since: at(),
        recovered_at: at(),
    };
    let recovered = Event::Sync(recovered.into());
    assert!(takes_away(&recovered, &degraded("orders")));
    assert!(!takes_away(&recovered, &degraded("stocks")));
}

#[test]
fn a_failure_that_is_not_reported_takes_nothing_away() {
    assert!(takes_away(&failed(2, true), &failed(2, true)));
    assert!(!takes_away(&failed(1, true), &failed(2, true)));
    assert!(matter_of(&recorded(), &failed(1, true)).is_none());
}

#[test]
fn a_cabinet_that_is_gone_takes_everything_of_it_away() {
    let gone = CabinetDisconnected::default();
    let gone = Event::Cabinet(gone.into());
    let expiring = CredentialExpiring {
        credential_id: CredentialId(Uuid::from_u128(6)),
        days_left: 3,
        expires_at: at(),
    };
    assert!(takes_away(&gone, &failed(2, true)));
    assert!(takes_away(&gone, &Event::Cabinet(expiring.into())));
    assert!(
        !takes_away(&gone, &low(None)),
        "its alerts are closed by events of their own"
    );
}

#[test]
fn a_sheet_that_works_again_takes_the_block_away() {
    let blocked = Event::Sheet(
        SheetBlocked {
            reason: "trashed".into(),
        }
        .into(),
    );
    assert!(takes_away(&Event::Sheet(SheetUnblocked {}.into()), &blocked));
}
