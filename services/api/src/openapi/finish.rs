//! What linters and code generators expect of a document beyond the operations themselves: where the server
//! is, what the groups are about, a description of every response, no schema that nothing refers to.

use std::collections::BTreeSet;

use utoipa::openapi::info::ContactBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, RefOr, ResponseBuilder};

/// The groups of operations, in the order of the page.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Registration, login, sessions and passwords."),
    ("api-keys", "Keys for programs."),
    ("tenants", "The business and its members."),
    ("billing", "Plans, the subscription and what was used."),
    ("cabinets", "Seller accounts at the marketplaces and their keys."),
    ("syncs", "Attempts to bring a cabinet up to date."),
    ("operations", "Progress of work that outlives its request."),
    ("events", "What happens, as it happens."),
    ("products", "Products, stock by warehouse, exports."),
    ("analytics", "Figures over all products."),
    (
        "alerts",
        "Rules for stock that runs out, and what was found by them.",
    ),
    ("notifications", "What you are notified of, and when."),
    ("sheets", "The Google spreadsheet."),
    (
        "webhooks",
        "Messages to addresses of the business, and what became of them.",
    ),
    ("admin", "For administrators of the platform."),
    ("health", "Whether the process works."),
    ("docs", "This document."),
];

/// Adds all of it.
pub(super) fn finish(document: &mut OpenApi) {
    document.info.contact = Some(ContactBuilder::new().name(Some("Stock Tracker")).build());
    let here = ServerBuilder::new()
        .url("/")
        .description(Some("The installation that serves this document"));
    document.servers = Some(vec![here.build()]);
    describe_tags(document);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            // Said of each, since none is the default.
            operation.security.get_or_insert_default();
            describe_responses(operation);
            take_headings_out(operation);
            allow_for_broken_requests(operation);
        }
    }
    drop_unused(document);
}

fn describe_tags(document: &mut OpenApi) {
    let used: BTreeSet<String> = document
        .paths
        .paths
        .values_mut()
        .flat_map(operations)
        .flat_map(|operation| operation.tags.clone().unwrap_or_default())
        .collect();
    let known = TAGS.iter().filter(|(name, _)| used.contains(*name));
    let tags = known.map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)).build());
    document.tags = Some(tags.collect());
}

/// A response needs a description; an empty one is left out by the library that writes the document.
fn describe_responses(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = match status.as_str() {
                "201" => "It was created.",
                "202" => "It was accepted and goes on after this answer.",
                "204" => "It was done; there is nothing to return.",
                _ => "It worked.",
            }
            .to_owned();
        }
    }
}

/// A handler's documentation has its errors under a heading, as Rust has it; here they are a paragraph.
fn take_headings_out(operation: &mut Operation) {
    if let Some(text) = &mut operation.description {
        *text = text.replace("# Errors\n", "Errors: ").trim().to_owned();
    }
}

/// The server itself refuses what is no HTTP, also where the operation never refuses a caller.
fn allow_for_broken_requests(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    if !responses.keys().any(|status| status.starts_with('4')) {
        let refused = ResponseBuilder::new().description("The request is not valid HTTP; there is no body.");
        responses.insert("400".to_owned(), RefOr::T(refused.build()));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// Takes out schemas and responses that are not referred to, until all that is left is.
fn drop_unused(document: &mut OpenApi) {
    loop {
        // A document is maps and strings only, which always serialise.
        let text = document.to_json().unwrap_or_default();
        let is_used = |kind: &str, name: &str| text.contains(&format!("\"#/components/{kind}/{name}\""));
        let Some(components) = &mut document.components else {
            return;
        };
        let before = components.schemas.len() + components.responses.len();
        components.schemas.retain(|name, _| is_used("schemas", name));
        components.responses.retain(|name, _| is_used("responses", name));
        if components.schemas.len() + components.responses.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::TAGS;
    use crate::openapi::document;

    fn parsed() -> Value {
        serde_json::from_str(&document()).unwrap()
    }

    fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap();
            methods
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
    }

    fn references<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(target) if name == "$ref" => drop(into.insert(target)),
                        value => references(value, into),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_component_and_every_component_is_referred_to() {
        let document = parsed();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let missing: Vec<_> = found
            .iter()
            .filter(|target| document.pointer(&target[1..]).is_none())
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        for kind in ["schemas", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let target = format!("#/components/{kind}/{name}");
                assert!(found.contains(target.as_str()), "{target}");
            }
        }
    }

    #[test]
    fn every_response_has_a_description_and_every_operation_a_tag_that_is_explained() {
        let document = parsed();
        let tags: BTreeSet<_> = TAGS.iter().map(|(name, _)| *name).collect();
        for (name, operation) in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let described = response["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty());
                assert!(described || response["$ref"].is_string(), "{name} {status}");
            }
            assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{name}");
            assert!(operation["security"].is_array(), "{name}");
            let text = operation["description"].as_str().unwrap_or_default();
            assert!(!text.contains("# "), "{name}: a heading in {text:?}");
        }
    }

    #[test]
    fn no_operation_has_the_name_of_its_request() {
        // Generated TypeScript names the parameters of an operation after it and `Request`.
        let document = parsed();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            let taken = schemas.keys().any(|schema| {
                let schema = schema.strip_suffix("Request").unwrap_or_default();
                schema.eq_ignore_ascii_case(&id.replace('_', ""))
            });
            let own_body = operation["requestBody"].is_object();
            assert!(own_body || !taken, "{name}: {id}");
        }
    }

    #[test]
    fn what_is_no_json_is_text_or_bytes() {
        let document = parsed();
        for (name, operation) in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (media, content) in response["content"].as_object().into_iter().flatten() {
                    if !media.contains("json") && content["schema"].is_object() {
                        assert_eq!(content["schema"]["type"], "string", "{name} {status} {media}");
                    }
                }
            }
        }
    }
}
