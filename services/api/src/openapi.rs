//! The contract, generated from the handlers. What every route shares (problems, keys, tokens, positions) is
//! added from the table of routes, so that no handler can forget it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::handlers::{
    admin, alert_rules, alerts, analytics, api_keys, auth, billing, cabinets, docs, erasure, events, exports,
    health, notifications, operations, products, sheets, syncs, tenants, warehouses, webhook_endpoints,
};
use crate::limits::NEVER_LIMITED;
use crate::problem::{Code, FieldProblem, ProblemBody};
use crate::quota;
use crate::routes::{Access, ROUTES, Route};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stock Tracker API",
        description = "Stock of marketplace sellers, with its whole history. Errors are RFC 9457 problems; \
            commands carry an Idempotency-Key and answer with the position of what they wrote; reads may wait \
            for a position with Stock-Min-Position and Prefer: wait=n.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        health::overall, health::live, health::ready,
        docs::document, docs::page, docs::script, docs::style,
        auth::register::handle, auth::login::handle, auth::refresh::handle, auth::logout::handle,
        auth::me::handle, auth::accept_invitation::handle, auth::reset_password::handle,
        auth::change_password::handle, auth::sessions::list, auth::sessions::end_others,
        auth::sessions::end_one,
        api_keys::create::handle, api_keys::list::handle, api_keys::revoke::handle,
        billing::usage::handle,
        erasure::tenant, erasure::user,
        tenants::show::handle, tenants::rename::handle, tenants::members::list, tenants::members::invite,
        tenants::members::change_role, tenants::members::remove, tenants::members::reset_password,
        admin::users, admin::access::change, admin::reset_password, admin::payments::record, admin::suspend,
        billing::done::handle, billing::plans::handle, billing::subscription::handle,
        billing::checkout::handle, billing::portal::handle, billing::end::cancel, billing::end::resume,
        billing::change_plan::handle, billing::webhook::handle,
        cabinets::connect::handle, cabinets::list::handle, cabinets::show::handle, cabinets::change::handle,
        cabinets::disconnect::handle, cabinets::replace_credential::handle, cabinets::check::handle,
        cabinets::request_sync::handle, cabinets::exclusions::put, cabinets::exclusions::delete,
        syncs::list::handle, syncs::show::handle, syncs::decide::release, syncs::decide::discard,
        operations::show::handle, operations::events::handle,
        products::list::handle, products::sync_all::handle, products::show::handle, products::history::handle,
        warehouses::list::handle, exports::xlsx::handle, exports::csv::handle,
        analytics::dashboard::handle, analytics::low_stock::handle, analytics::top_products::handle,
        analytics::sync_history::handle, analytics::stock_distribution::handle,
        analytics::warehouses::handle, analytics::turnover::handle,
        notifications::settings::show, notifications::settings::change, notifications::snoozes::list,
        notifications::snoozes::add, notifications::snoozes::remove,
        events::handle, alerts::list::handle, alert_rules::list::handle, alert_rules::set::handle,
        alert_rules::remove::handle,
        sheets::link::handle, sheets::show::handle, sheets::change::handle, sheets::unlink::handle,
        sheets::create::handle, sheets::preview::handle, sheets::test::handle, sheets::sync::handle,
        webhook_endpoints::list::handle, webhook_endpoints::add::handle, webhook_endpoints::show::handle,
        webhook_endpoints::change::handle, webhook_endpoints::remove::handle,
        webhook_endpoints::rotate::handle, webhook_endpoints::ping::handle,
        webhook_endpoints::deliveries::handle, webhook_endpoints::replay::handle,
    ),
    components(schemas(ProblemBody, FieldProblem)),
    modifiers(&Shared)
)]
struct Contract;

/// The whole document, as it is checked in and served.
#[must_use]
pub fn document() -> String {
    // A document is maps and strings only, which always serialise.
    let mut text = Contract::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

const BEARER: &str = "bearer";

mod finish;
mod webhooks;

struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        let problems: Vec<_> = Code::ALL
            .iter()
            .map(|code| json!({ "code": code.as_str(), "status": code.status(), "title": code.title() }))
            .collect();
        document
            .extensions
            .get_or_insert_default()
            .merge(Extensions::from_iter([("x-problems", problems)]));
        let components = document.components.get_or_insert_default();
        components.responses.extend(problem_responses());
        let empty = empty_bodies(&components.schemas);
        for route in ROUTES {
            let Some(operation) = document
                .paths
                .paths
                .get_mut(route.path)
                .and_then(|item| operation(item, route.method))
            else {
                continue;
            };
            add_problems(operation, route);
            allow_no_body(operation, &empty);
            if route.needs_key() {
                add_header(
                    operation,
                    "Idempotency-Key",
                    true,
                    "Names the command; the same key does it once",
                );
            }
            if let Some(note) = whom(route.access) {
                operation.security = Some(vec![SecurityRequirement::new(BEARER, [""; 0])]);
                add_position(operation);
                let text = operation.description.take().unwrap_or_default();
                operation.description = Some(format!("{text}\n\n{note}").trim().to_owned());
                if route.method == "get" {
                    add_header(
                        operation,
                        "Stock-Min-Position",
                        false,
                        "Position that the answer has to show",
                    );
                    add_header(
                        operation,
                        "Prefer",
                        false,
                        "`wait=n`: seconds to wait for it (at most 10); `handling=lenient`: else older data",
                    );
                }
            }
        }
        finish::finish(document);
        webhooks::describe(document);
    }
}

/// References to the bodies in which no field has to be there.
fn empty_bodies(schemas: &BTreeMap<String, RefOr<Schema>>) -> BTreeSet<String> {
    let empty = schemas.iter().filter(
        |(_, schema)| matches!(schema, RefOr::T(Schema::Object(object)) if object.required.is_empty()),
    );
    empty
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect()
}

/// No body at all is read as an empty object, which is enough where no field has to be there.
fn allow_no_body(operation: &mut Operation, empty: &BTreeSet<String>) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    let is_empty = |content: &RefOr<Content>| match content {
        RefOr::T(Content {
            schema: Some(RefOr::Ref(schema)),
            ..
        }) => empty.contains(&schema.ref_location),
        _ => false,
    };
    if body.content.values().all(is_empty) {
        body.required = Some(Required::False);
    }
}

/// Who may, in words; none where everybody may.
fn whom(access: Access) -> Option<String> {
    match access {
        Access::Public => None,
        Access::Platform => Some("Needs a platform administrator who is logged in.".to_owned()),
        Access::Needs(action) => {
            let role = ::auth::permission::role_name(action.least_role());
            let key = match action.scope() {
                Some(scope) => format!("An API key needs the scope `{scope}`."),
                None => "Not with an API key.".to_owned(),
            };
            Some(format!("Needs the role `{role}` or a higher one. {key}"))
        }
    }
}

/// The operation of a method.
pub(crate) fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "get" => item.get.as_mut(),
        "post" => item.post.as_mut(),
        "put" => item.put.as_mut(),
        "patch" => item.patch.as_mut(),
        "delete" => item.delete.as_mut(),
        _ => None,
    }
}

/// Statuses above 399 that an operation may answer with. What every route of a kind shares is said here; a
/// handler's own are in its annotation, without a body. There is no `default`: it would document everything,
/// and a status that nobody thought of could not be noticed.
fn add_problems(operation: &mut Operation, route: &Route) {
    let takes = |operation: &Operation, name: &str| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .filter_map(|given| match given {
                RefOr::T(given) => Some(given),
                RefOr::Ref(_) => None,
            })
            .any(|given| given.name == name)
    };
    let mut statuses = vec![500];
    if !route.path.starts_with(NEVER_LIMITED) {
        statuses.push(429);
    }
    if route.access != Access::Public {
        statuses.extend([400, 401, 403, 422, 503]);
    }
    if let Access::Needs(action) = route.access
        && action.scope().is_some()
        && quota::is_counted(route.path)
    {
        statuses.push(402);
    }
    if route.method != "get" {
        statuses.extend([400, 408, 413, 415, 422, 503]);
    }
    if route.needs_key() {
        statuses.push(409);
    }
    if route.path.contains("{id}") {
        statuses.push(404);
    }
    if takes(operation, "If-Match") {
        statuses.extend([412, 428]);
    }
    let responses = &mut operation.responses.responses;
    for (status, response) in &mut *responses {
        if let (Some(status), RefOr::T(given)) = (status.parse().ok().filter(is_problem), &mut *response)
            && given.content.is_empty()
        {
            *response = shared(status);
        }
    }
    for status in statuses {
        responses
            .entry(status.to_string())
            .or_insert_with(|| shared(status));
    }
}

const fn is_problem(status: &u16) -> bool {
    *status >= 400
}

fn shared(status: u16) -> RefOr<Response> {
    RefOr::Ref(Ref::from_response_name(format!("Problem{status}")))
}

/// One answer for each status that a problem has, with the codes of those problems.
fn problem_responses() -> BTreeMap<String, RefOr<Response>> {
    let statuses: BTreeSet<u16> = Code::ALL.iter().map(|code| code.status()).collect();
    let response = |status: u16| {
        let codes = Code::ALL.iter().filter(|code| code.status() == status);
        let codes: Vec<String> = codes.map(|code| format!("`{}`", code.as_str())).collect();
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description(codes.join(", "))
            .content("application/problem+json", content)
            .build();
        (format!("Problem{status}"), RefOr::T(response))
    };
    statuses.into_iter().map(response).collect()
}

fn add_header(operation: &mut Operation, name: &str, required: bool, description: &str) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(parameter));
}

/// Every answer with data says which position it shows.
fn add_position(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).build()))
                .description(Some(
                    "Position of the log that this shows, or that the command wrote",
                ))
                .build();
            response
                .headers
                .insert("Stock-Position".to_owned(), header.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::OpenApi as _;

    use super::{Contract, document};
    use crate::routes::{ALIASES, Access, ROUTES};

    fn documented() -> BTreeSet<(String, String)> {
        let value: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let mut found = BTreeSet::new();
        for (path, item) in value["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                found.insert((method.clone(), path.clone()));
            }
        }
        found
    }

    #[test]
    fn every_route_is_documented_and_nothing_else_is() {
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .filter(|route| !ALIASES.contains(&route.path))
            .map(|route| (route.method.to_owned(), route.path.to_owned()))
            .collect();
        let documented = documented();
        let missing: Vec<_> = routed.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&routed).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "missing {missing:?}, invented {invented:?}"
        );
    }

    #[test]
    fn every_operation_tells_its_problems_and_every_command_its_key() {
        let mut contract = Contract::openapi();
        for route in ROUTES.iter().filter(|route| !ALIASES.contains(&route.path)) {
            let item = contract.paths.paths.get_mut(route.path).unwrap();
            let operation = super::operation(item, route.method).unwrap();
            let responses = &operation.responses.responses;
            assert!(responses.contains_key("500"), "{route:?}");
            // It would make every status a documented one.
            assert!(!responses.contains_key("default"), "{route:?}");
            let refuses = responses.contains_key("401") && responses.contains_key("403");
            assert!(refuses || route.access == Access::Public, "{route:?}");
            let keyed = operation
                .parameters
                .iter()
                .flatten()
                .any(|given| matches!(given, super::RefOr::T(given) if given.name == "Idempotency-Key"));
            assert_eq!(keyed, route.needs_key(), "{route:?}");
        }
    }

    #[test]
    fn the_checked_in_document_is_the_one_that_is_served() {
        support::golden("../../docs/api/openapi.json", &document());
    }
}
