//! The simulator's own switches over HTTP, for tests that run in another process.

use serde::Deserialize;
use serde_json::json;

use super::account::METHODS;
use super::limits::OzonLimits;
use super::service::Service;
use super::wire::Dialect;
use crate::server::{Answer, Call};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Advance {
    steps: usize,
    fraction: f64,
}

impl Default for Advance {
    fn default() -> Self {
        Self {
            steps: 1,
            fraction: 0.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLimits {
    /// Absent or null switches limits off.
    speed: Option<f64>,
}

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

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let first = service.sellers().first().copied();
    let result = match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/sellers") => Ok(Answer::json(200, &service.sellers())),
        ("GET", "/_sim/truth") => {
            let client_id = call.param("clientId").map_or(first, |text| text.parse().ok());
            Ok(match client_id.and_then(|id| service.truth(id, None)) {
                Some(truth) => Answer::json(200, &truth),
                None => Answer::empty(404),
            })
        }
        ("POST", "/_sim/advance") => body::<Advance>(call).map(|advance| {
            service.advance(advance.steps);
            let changed = service.mutate_fraction(advance.fraction);
            Answer::json(200, &json!({"steps": advance.steps, "changedCells": changed}))
        }),
        ("POST", "/_sim/limits") => body::<SetLimits>(call).map(|limits| {
            service.limits(limits.speed.map_or(OzonLimits::Off, OzonLimits::Speed));
            Answer::empty(204)
        }),
        ("POST", "/_sim/dialect") => body::<SetDialect>(call).map(|set| {
            service.dialect(set.dialect);
            Answer::empty(204)
        }),
        ("POST", "/_sim/deactivate") => body::<Deactivate>(call).map(|deactivate| {
            service.deactivate(&deactivate.key);
            Answer::empty(204)
        }),
        ("POST", "/_sim/stock") => body::<SetStock>(call).map(|set| {
            let known = set
                .client_id
                .or(first)
                .is_some_and(|id| service.set_stock(id, set.sku, &set.warehouse, set.units));
            Answer::empty(if known { 204 } else { 404 })
        }),
        ("POST", "/_sim/key") => {
            body::<NewKey>(call).map(|wanted| new_key(service, wanted.client_id.or(first), &wanted))
        }
        _ => Ok(Answer::json(404, &json!({"error": "no such control"}))),
    };
    result.unwrap_or_else(|error| Answer::json(400, &json!({"error": error.to_string()})))
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

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, serde_json::Error> {
    if call.body.is_empty() {
        serde_json::from_str("{}")
    } else {
        call.json()
    }
}
