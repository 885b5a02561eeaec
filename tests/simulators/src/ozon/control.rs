//! The simulator's own switches over HTTP, for tests that run in another process.

use serde::Deserialize;
use serde_json::json;

use super::account::METHODS;
use super::service::Service;
use super::wire::Dialect;
use crate::server::{Answer, Call, asked_seller, control, with};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetDialect {
    dialect: Dialect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deactivate {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetStock {
    client_id: Option<u64>,
    sku: u64,
    warehouse: String,
    units: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewKey {
    client_id: Option<u64>,
    /// Methods of its role; all if absent.
    methods: Option<Vec<String>>,
    /// Seconds from now; negative makes an expired key.
    expires_in: Option<i64>,
}

/// Names a seller in a query.
const SELLER: &str = "clientId";

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    if let Some(answer) = control(service, SELLER, call) {
        return answer;
    }
    let seller = asked_seller(service, SELLER, call);
    let done = || Answer::empty(204);
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/truth") => match seller.and_then(|id| service.truth(id, None)) {
            Some(truth) => Answer::json(200, &truth),
            None => Answer::empty(404),
        },
        ("POST", "/_sim/dialect") => with::<SetDialect>(call, |set| {
            service.dialect(set.dialect);
            done()
        }),
        ("POST", "/_sim/deactivate") => with::<Deactivate>(call, |deactivate| {
            service.deactivate(&deactivate.key);
            done()
        }),
        ("POST", "/_sim/stock") => with::<SetStock>(call, |set| {
            let known = set
                .client_id
                .or(seller)
                .is_some_and(|id| service.set_stock(id, set.sku, &set.warehouse, set.units));
            Answer::empty(if known { 204 } else { 404 })
        }),
        ("POST", "/_sim/key") => with::<NewKey>(call, |wanted| {
            new_key(service, wanted.client_id.or(seller), &wanted)
        }),
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}

fn new_key(service: &Service, client_id: Option<u64>, wanted: &NewKey) -> Answer {
    let Some(client_id) = client_id else {
        return Answer::empty(404);
    };
    let methods: Vec<&str> = match &wanted.methods {
        Some(methods) => methods.iter().map(String::as_str).collect(),
        None => METHODS.to_vec(),
    };
    let life = chrono::TimeDelta::seconds(wanted.expires_in.unwrap_or(90 * 86_400));
    let key = service.key(client_id, &methods, service.now() + life);
    Answer::json(200, &json!({"clientId": client_id, "key": key}))
}
