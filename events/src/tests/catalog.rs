//! The table of events, and the ids that are derived and therefore stored for ever.

use std::collections::BTreeSet;

use chrono::DateTime;
use uuid::Uuid;

use crate::catalog::{ENTRIES, entry};
use crate::ids::{CabinetId, CommandId, EventId, ProductId, TenantId};
use crate::{Metadata, Recorded, StreamType, subject};

fn is_one_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn no_two_events_have_one_name_in_whatever_streams() {
    let names: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.event_type).collect();
    assert_eq!(names.len(), ENTRIES.len());
    for name in names {
        assert_eq!(entry(name).unwrap().event_type, name);
    }
}

#[test]
fn names_can_be_parts_of_subjects() {
    for entry in ENTRIES {
        assert!(is_one_word(entry.event_type), "{}", entry.event_type);
        assert!(entry.version >= 1);
    }
    for stream in StreamType::ALL {
        assert!(is_one_word(stream.as_str()));
        assert_eq!(StreamType::parse(stream.as_str()), Some(stream));
        assert_eq!(
            serde_json::to_value(stream).unwrap(),
            serde_json::json!(stream.as_str())
        );
    }
    assert_eq!(StreamType::parse("Product"), None);
}

#[test]
fn every_stream_has_an_event() {
    for stream in StreamType::ALL {
        assert!(ENTRIES.iter().any(|entry| entry.stream == stream), "{stream:?}");
    }
}

/// The ids of all products ever seen: another value here would open a second stream for each of them.
#[test]
fn the_id_of_a_product_follows_from_cabinet_and_article() {
    let cabinet: CabinetId = "0198c0de-0000-7000-8000-00000000cab1".parse().unwrap();
    assert_eq!(
        ProductId::of(cabinet, 168_100_200).to_string(),
        "1cc54acc-6886-50b1-a6e6-b30350f4bcb4"
    );
    assert_ne!(
        ProductId::of(cabinet, 168_100_200),
        ProductId::of(cabinet, 168_100_201)
    );
    assert_ne!(
        ProductId::of(cabinet, 168_100_200),
        ProductId::of(CabinetId(Uuid::nil()), 168_100_200)
    );
}

/// Commands that wait while a new program is installed are recognised by it.
#[test]
fn the_id_of_a_following_command_follows_from_parent_and_name() {
    let parent: Uuid = "0198c0de-0000-7000-8000-00000000c0de".parse().unwrap();
    assert_eq!(
        CommandId::derived(parent, "products#0").to_string(),
        "591ddea6-77c6-5518-af2d-6ee6f769e5b6"
    );
    assert_ne!(
        CommandId::derived(parent, "products#0"),
        CommandId::derived(parent, "products#1")
    );
}

#[test]
fn an_id_is_a_bare_uuid_in_json_and_in_text() {
    let text = "0198c0de-0000-7000-8000-00000000cab1";
    let id: TenantId = text.parse().unwrap();
    assert_eq!(id.to_string(), text);
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    assert!("not an id".parse::<TenantId>().is_err());
}

#[test]
fn a_subject_names_tenant_stream_id_and_type() {
    let id = Uuid::from_u128(2);
    let recorded = Recorded {
        position: 1,
        event_id: EventId(id),
        stream: "product".into(),
        stream_id: id,
        version: 1,
        event_type: "stock_observed".into(),
        event_version: 1,
        payload: "{}".into(),
        metadata: Metadata {
            tenant_id: TenantId(Uuid::from_u128(1)),
            command_id: CommandId(id),
            correlation_id: id,
            causation_id: None,
            actor: "worker".into(),
            traceparent: None,
        },
        recorded_at: DateTime::UNIX_EPOCH,
    };
    assert_eq!(
        subject::of(&recorded),
        "events.00000000-0000-0000-0000-000000000001.product.00000000-0000-0000-0000-000000000002.stock_observed"
    );
}
