//! Every version of every event, as a file that some log may hold.

use serde_json::Value;

use super::{expected_and_found, folder, read, samples, updating, versions};
use crate::catalog::{ENTRIES, Entry};
use crate::sync::{SourceOutcome, SourceReport, SyncCompleted};
use crate::{Decoded, Event, codec};

fn payload(entry: &Entry, version: u16) -> String {
    let name = format!("{}.v{version}.json", entry.event_type);
    let text = read(&folder("golden").join(name));
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

fn decode(entry: &Entry, version: u16) -> Event {
    let decoded = codec::decode(
        entry.stream.as_str(),
        entry.event_type,
        version,
        &payload(entry, version),
    );
    match decoded {
        Ok(Decoded::Known(event)) => event,
        other => panic!("{} version {version}: {other:?}", entry.event_type),
    }
}

/// Runs before anything is compared, since the other tests need the files.
fn write_what_is_missing() {
    for event in samples::all() {
        let name = format!("{}.v{}.json", event.event_type(), event.event_version());
        let path = folder("golden").join(name);
        if !path.exists() {
            std::fs::write(path, event.to_json().unwrap() + "\n").unwrap();
        }
    }
}

#[test]
fn every_version_of_every_event_has_a_golden_file_and_there_are_no_others() {
    if updating() {
        write_what_is_missing();
    }
    let (expected, found) = expected_and_found("golden", "json");
    assert_eq!(found, expected);
}

#[test]
fn every_golden_file_decodes_to_its_own_event() {
    for (entry, version) in versions() {
        let event = decode(entry, version);
        assert_eq!(event.stream_type(), entry.stream);
        assert_eq!(event.event_type(), entry.event_type);
        assert_eq!(event.event_version(), entry.version);
    }
}

#[test]
fn a_golden_file_of_the_current_version_is_written_again_byte_by_byte() {
    for entry in ENTRIES {
        let again = decode(entry, entry.version).to_json().unwrap();
        assert_eq!(again, payload(entry, entry.version));
    }
}

#[test]
fn every_golden_file_of_the_current_version_means_what_its_sample_says() {
    let samples = samples::all();
    let named: Vec<&str> = samples.iter().map(Event::event_type).collect();
    let listed: Vec<&str> = ENTRIES.iter().map(|entry| entry.event_type).collect();
    assert_eq!(named, listed, "one sample per line of the catalog, in its order");
    for (entry, sample) in ENTRIES.iter().zip(samples) {
        assert_eq!(decode(entry, entry.version), sample);
    }
}

#[test]
fn a_payload_says_its_type_first() {
    for (entry, version) in versions() {
        let start = format!("{{\"type\":\"{}\"", entry.event_type);
        assert!(
            payload(entry, version).starts_with(&start),
            "{}",
            entry.event_type
        );
    }
}

#[test]
fn a_sync_completed_of_version_1_is_lifted_to_the_current_shape() {
    let entry = crate::catalog::entry("sync_completed").unwrap();
    let old = payload(entry, 1);
    for later in ["outcome", "payload_bytes", "error"] {
        assert!(!old.contains(later), "version 1 did not know `{later}`");
    }
    let report = |source: &str, rows, as_of: Option<&str>, hash: &str| SourceReport {
        source: source.into(),
        outcome: SourceOutcome::Complete,
        rows,
        as_of: as_of.map(samples::at),
        payload_sha256: hash.repeat(8),
        left_out: None,
        payload_bytes: None,
        error: None,
        doubts: Vec::new(),
        covers_since: None,
    };
    let expected = SyncCompleted {
        sync_id: samples::id("51c1"),
        attempt: 1,
        completed_at: samples::at("2026-02-03T04:05:06Z"),
        sources: vec![
            report("cards", 1_204, None, "0a1b2c3d"),
            report("stock_fbo", 9_850, Some("2026-02-03T04:00:00Z"), "4e5f6071"),
        ],
        products_seen: 1_204,
        products_changed: 61,
    };
    assert_eq!(decode(entry, 1), crate::catalog::SyncEvent::from(expected).into());
}

/// Every number that version 1 told is told by the lifted event, and what it did not know is unknown or none.
#[test]
fn observations_of_version_1_are_lifted_without_a_change_of_what_they_said() {
    for (event_type, later) in [
        ("product_listed", ["sizes", "price"]),
        ("product_details_changed", ["sizes", "price"]),
        ("stock_observed", ["buckets", "cluster"]),
        ("orders_observed", ["size_id", "cluster"]),
    ] {
        let entry = crate::catalog::entry(event_type).unwrap();
        let old = payload(entry, 1);
        for word in later {
            assert!(
                !old.contains(word),
                "version 1 of {event_type} did not know `{word}`"
            );
        }
        let mut lifted: Value = serde_json::from_str(&decode(entry, 1).to_json().unwrap()).unwrap();
        drop_members(&mut lifted, &["size_id", "cluster"]);
        assert_eq!(
            lifted,
            serde_json::from_str::<Value>(&old).unwrap(),
            "{event_type}"
        );
    }
}

fn drop_members(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| !(names.contains(&name.as_str()) && member.is_null()));
            members
                .values_mut()
                .for_each(|member| drop_members(member, names));
        }
        Value::Array(members) => members.iter_mut().for_each(|member| drop_members(member, names)),
        _ => {}
    }
}

#[test]
fn a_sheet_layout_changed_of_version_1_chose_a_language_and_nothing_else() {
    let entry = crate::catalog::entry("sheet_layout_changed").unwrap();
    let lifted = crate::sheet::SheetLayoutChanged {
        language: "ru".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        decode(entry, 1),
        Event::from(crate::catalog::SheetEvent::from(lifted))
    );
}
