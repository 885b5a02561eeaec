//! The bodies against the schemas that are checked in, for every type there is.

use application::domain::notice::NoticeKind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::*;

fn schema_of<T: JsonSchema>(kind: &str, title: &str) -> Value {
    // In one piece: it stands inside the contract of the API, where references would lead elsewhere.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut data = Value::from(settings.into_generator().into_root_schema_for::<T>());
    let object = data.as_object_mut().unwrap();
    object.remove("$schema");
    object.remove("title");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {
            "type": { "type": "string", "enum": [kind] },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it happened." },
            "data": data,
        },
        "required": ["type", "timestamp", "data"],
    })
}

/// The schema of a type's message.
fn schema(kind: NoticeKind) -> Value {
    let name = kind.as_str();
    match kind {
        NoticeKind::StockLow => schema_of::<Data<StockLow>>(name, "Stock became low"),
        NoticeKind::StockOut => schema_of::<Data<StockOut>>(name, "Nothing is left to sell"),
        NoticeKind::StockRecovered => schema_of::<Data<StockRecovered>>(name, "Stock is enough again"),
        NoticeKind::SyncFailed => schema_of::<Data<SyncFailed>>(name, "A sync failed twice in a row"),
        NoticeKind::SyncQuarantined => {
            schema_of::<Data<SyncQuarantined>>(name, "A sync's result is held back")
        }
        NoticeKind::SourceDegraded => schema_of::<Data<SourceDegraded>>(name, "A source keeps failing"),
        NoticeKind::SourceRecovered => schema_of::<Data<SourceRecovered>>(name, "A source works again"),
        NoticeKind::CredentialExpiring => schema_of::<Data<CredentialExpiring>>(name, "A key ends soon"),
        NoticeKind::CredentialRejected => schema_of::<Data<CredentialRejected>>(name, "A key is refused"),
        NoticeKind::SheetBlocked => {
            schema_of::<Data<SheetBlocked>>(name, "The spreadsheet cannot be written")
        }
        NoticeKind::TrialEnding => schema_of::<Data<TrialEnding>>(name, "The trial ends soon"),
        NoticeKind::PaymentFailed => schema_of::<Data<PaymentFailed>>(name, "A payment failed"),
        NoticeKind::SubscriptionEnded => schema_of::<Data<SubscriptionEnded>>(name, "A subscription ended"),
        NoticeKind::CabinetPaused => schema_of::<Data<CabinetPaused>>(name, "A cabinet rests"),
        NoticeKind::WebhookDisabled => {
            schema_of::<Data<WebhookDisabled>>(name, "An endpoint was switched off")
        }
    }
}

#[test]
fn the_schema_of_every_type_is_checked_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/webhooks");
    let mut all = serde_json::Map::new();
    for kind in NoticeKind::ALL {
        all.insert(kind.as_str().to_owned(), schema(kind));
    }
    let ping = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An endpoint is tried on demand",
        "type": "object",
        "properties": {
            "type": { "type": "string", "enum": [notifications::webhooks::PING] },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it was asked for." },
            "data": {
                "type": "object",
                "properties": {
                    "endpoint_id": { "type": "string", "format": "uuid", "description": "The endpoint." }
                },
                "required": ["endpoint_id"],
            },
        },
        "required": ["type", "timestamp", "data"],
    });
    all.insert(notifications::webhooks::PING.to_owned(), ping);
    for (name, schema) in &all {
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        support::golden(format!("{folder}/{name}.schema.json"), &text);
    }
}

/// Of every event that there is a sample of: the messages, and that their fields are those of the schema.
#[test]
fn every_message_has_the_fields_of_its_schema_and_is_far_below_the_longest() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/golden");
    let mut seen = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (event_type, version) = name.rsplit_once(".v").unwrap();
        let entry = events::catalog::entry(event_type).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let decoded =
            events::codec::decode(entry.stream.as_str(), event_type, version.parse().unwrap(), &text);
        let Ok(events::Decoded::Known(event)) = decoded else {
            panic!("{name} cannot be read");
        };
        let happened = Happened {
            event: &event,
            stream_id: Uuid::from_u128(7),
            event_id: Uuid::from_u128(8),
            position: 9,
            recorded_at: DateTime::UNIX_EPOCH,
        };
        let Some((kind, body)) = compose(happened) else {
            continue;
        };
        assert!(body.len() < LONGEST / 10, "{name}: {} bytes", body.len());
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["type"], kind.as_str());
        assert_eq!(body["timestamp"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(body["data"]["position"].as_i64(), Some(9));
        let schema = schema(kind);
        let known = schema["properties"]["data"]["properties"].as_object().unwrap();
        for field in body["data"].as_object().unwrap().keys() {
            assert!(known.contains_key(field), "{name}: the schema has no {field}");
        }
        seen.insert(kind.as_str());
    }
    assert!(seen.len() >= 12, "{seen:?}");
}
