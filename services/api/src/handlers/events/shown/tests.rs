//! Every type of event has a decision, and what is told of each is written down.

use std::collections::{BTreeSet, HashMap};

use chrono::DateTime;
use events::catalog::ENTRIES;
use events::ids::{CommandId, EventId, TenantId};
use events::{Metadata, Recorded};
use uuid::Uuid;

use super::{SHOWN, all, kinds, named, of};

/// What is not told of: people, money, keys, settings, what products are called and what is ordered.
const HIDDEN: &[&str] = &[
    "tenant_registered",
    "tenant_renamed",
    "tenant_suspended",
    "tenant_reactivated",
    "member_added",
    "member_role_changed",
    "member_removed",
    "tenant_time_zone_changed",
    "tenant_erased",
    "user_registered",
    "password_changed",
    "telegram_linked",
    "telegram_unlinked",
    "telegram_unreachable",
    "user_deactivated",
    "user_reactivated",
    "admin_granted",
    "admin_revoked",
    "user_erased",
    "cabinet_connected",
    "credential_rotated",
    "credential_accepted",
    "credential_rejected",
    "credential_checked",
    "credential_offered",
    "credential_offer_refused",
    "credential_expiring",
    "schedule_changed",
    "cabinet_disconnected",
    "cabinet_reconnected",
    "cabinet_paused",
    "cabinet_resumed",
    "warehouse_excluded",
    "warehouse_included",
    "product_listed",
    "product_details_changed",
    "product_delisted",
    "product_relisted",
    "orders_observed",
    "sheet_linked",
    "sheet_unlinked",
    "sheet_layout_changed",
    "sheet_blocked",
    "sheet_unblocked",
    "subscription_started",
    "subscription_changed",
    "subscription_ended",
    "trial_ending",
    "payment_succeeded",
    "payment_failed",
    "alert_rule_set",
    "alert_rule_removed",
    "webhook_endpoint_added",
    "webhook_endpoint_changed",
    "webhook_secret_rotated",
    "webhook_endpoint_disabled",
    "webhook_endpoint_enabled",
    "webhook_endpoint_removed",
];

/// Longest data of an event of ordinary size, bytes.
const LONGEST: usize = 2_000;

/// The event of the golden file of its type and version.
fn sample(stream: &str, event_type: &str, version: u16) -> Recorded {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/golden");
    let payload = std::fs::read_to_string(format!("{folder}/{event_type}.v{version}.json")).unwrap();
    Recorded {
        position: 7,
        event_id: EventId(Uuid::from_u128(1)),
        stream: stream.to_owned(),
        stream_id: Uuid::from_u128(0xA),
        version: 1,
        event_type: event_type.to_owned(),
        event_version: version,
        payload,
        metadata: Metadata {
            tenant_id: TenantId(Uuid::from_u128(2)),
            command_id: CommandId(Uuid::from_u128(3)),
            correlation_id: Uuid::nil(),
            causation_id: None,
            actor: "user:somebody".to_owned(),
            traceparent: None,
        },
        recorded_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
    }
}

#[test]
fn every_type_of_event_is_shown_or_hidden_and_never_both() {
    let known: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.event_type).collect();
    let shown: BTreeSet<&str> = SHOWN.iter().map(|row| row.0).collect();
    let hidden: BTreeSet<&str> = HIDDEN.iter().copied().collect();
    let decided: BTreeSet<&str> = shown.union(&hidden).copied().collect();
    let undecided: Vec<_> = known.difference(&decided).collect();
    let gone: Vec<_> = decided.difference(&known).collect();
    assert!(
        undecided.is_empty() && gone.is_empty(),
        "undecided: {undecided:?}, gone: {gone:?}"
    );
    assert_eq!(shown.intersection(&hidden).count(), 0);
    for entry in ENTRIES {
        let row = SHOWN.iter().find(|row| row.0 == entry.event_type);
        assert!(row.is_none_or(|row| row.1 == entry.stream), "{entry:?}");
    }
}

#[test]
fn what_is_told_of_each_event_is_checked_in() {
    let product = Uuid::from_u128(0xA);
    let cabinets = HashMap::from([(product, Uuid::from_u128(0xC))]);
    let mut text = String::new();
    for entry in ENTRIES {
        for version in 1..=entry.version {
            let event = sample(entry.stream.as_str(), entry.event_type, version);
            let told = of(&event, &cabinets);
            assert_eq!(told.is_none(), HIDDEN.contains(&entry.event_type), "{entry:?}");
            let Some(told) = told else { continue };
            let data = told.data.to_string();
            assert!(data.len() <= LONGEST, "{}: {data}", told.name);
            // Names of warehouses, words of outside services and who did it stay here.
            for secret in ["Коледино", "somebody", "detail", "evidence", "payload"] {
                assert!(!data.contains(secret), "{}: {data}", told.name);
            }
            text.push_str(&format!("{} v{version} {} {data}\n", entry.event_type, told.name));
        }
    }
    support::golden("tests/it/snapshots/events.txt", &text);
}

#[test]
fn a_type_is_named_alone_or_by_its_group() {
    assert_eq!(named("stock"), ["stock.changed"]);
    assert_eq!(named("sync.failed"), ["sync.failed"]);
    assert_eq!(
        named("alert"),
        ["stock.low", "stock.out", "stock.recovered", "alert.closed"]
    );
    assert!(named("sync.").is_empty() && named("").is_empty());
    assert_eq!(kinds(&all()).len(), 3);
    assert_eq!(kinds(&named("alert")).len(), 1);
}
