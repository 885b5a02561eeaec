//! The messages of outgoing webhooks in the document: one entry a type, with the schema that is checked in
//! under `docs/api/webhooks/`.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, RefOr, Required, ResponseBuilder};

macro_rules! types {
    ($($name:literal)*) => {
        /// Every type with its schema.
        const TYPES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../docs/api/webhooks/", $name, ".schema.json")))),*];
    };
}

types! {
    "stock.low" "stock.out" "stock.recovered" "sync.failed" "sync.quarantined" "source.degraded"
    "source.recovered" "credential.expiring" "credential.rejected" "sheet.blocked"
    "subscription.trial_ending" "subscription.payment_failed" "subscription.ended" "cabinet.paused"
    "webhook.disabled" "ping"
}

/// What receivers get with every message.
const HEADERS: [(&str, &str); 3] = [
    (
        "webhook-id",
        "Id of the message, the same at every attempt and replay; receivers tell repetitions by it",
    ),
    ("webhook-timestamp", "Time of the attempt, seconds since 1970"),
    (
        "webhook-signature",
        "`v1,<base64>` of HMAC-SHA256 over `id.timestamp.body`; two, with a blank between, in a rotation",
    ),
];

/// Adds them.
pub(super) fn describe(document: &mut OpenApi) {
    let mut webhooks = Paths::new();
    let items: BTreeMap<String, PathItem> = TYPES
        .iter()
        .filter_map(|(name, text)| Some(((*name).to_owned(), item(name, text)?)))
        .collect();
    webhooks.paths = items;
    document.webhooks = Some(webhooks);
}

/// None where the schema cannot be read, which a test excludes.
fn item(name: &str, text: &str) -> Option<PathItem> {
    let mut schema: serde_json::Value = serde_json::from_str(text).ok()?;
    let object = schema.as_object_mut()?;
    object.remove("$schema");
    let title = object.get("title")?.as_str()?.to_owned();
    let schema: RefOr<Schema> = serde_json::from_value(schema).ok()?;
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .required(Some(Required::True))
        .build();
    let taken = ResponseBuilder::new()
        .description(
            "The message is taken; any other status is a failure, and 410 switches the endpoint off.",
        )
        .build();
    let mut operation = OperationBuilder::new()
        .tag("webhooks")
        .operation_id(Some(format!("webhook_{}", name.replace('.', "_"))))
        .summary(Some(title))
        .request_body(Some(body))
        .response("2XX", taken);
    for (header, description) in HEADERS {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(header)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(description))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).build())),
        );
    }
    Some(PathItem::new(HttpMethod::Post, operation))
}

#[cfg(test)]
mod tests {
    use application::domain::notice::NoticeKind;
    use notifications::webhooks::PING;
    use serde_json::Value;

    use super::TYPES;

    #[test]
    fn every_type_of_message_is_in_the_document_with_its_schema_word_for_word() {
        let kinds = NoticeKind::ALL.iter().map(|kind| kind.as_str()).chain([PING]);
        let kinds: Vec<&str> = kinds.collect();
        let listed: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, kinds);
        let document: Value = serde_json::from_str(&super::super::document()).unwrap();
        for (name, text) in TYPES {
            let mut wanted: Value = serde_json::from_str(text).unwrap();
            wanted.as_object_mut().unwrap().remove("$schema");
            let body = &document["webhooks"][name]["post"]["requestBody"];
            assert_eq!(body["content"]["application/json"]["schema"], wanted, "{name}");
        }
    }
}
