//! The simulator's own switches over HTTP, for tests that run in another process.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::limits::Limits;
use super::service::Service;
use super::text::parse_moscow;
use super::tokens::{TokenKind, scope, token};
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
struct Mask {
    masked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLimits {
    /// Absent or null switches limits off.
    speed: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetStock {
    sid: Option<Uuid>,
    nm_id: u64,
    warehouse: String,
    units: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    sid: Option<Uuid>,
    kind: TokenKind,
    scope: Option<u32>,
    /// Seconds from now; negative makes an expired token.
    expires_in: Option<i64>,
}

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let first = service.sellers().first().copied();
    let result = match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/sellers") => Ok(Answer::json(200, &service.sellers())),
        ("GET", "/_sim/truth") => return truth(service, call, first),
        ("POST", "/_sim/purge") => {
            service.purge_tasks();
            Ok(Answer::empty(204))
        }
        ("POST", "/_sim/advance") => body::<Advance>(call).map(|advance| {
            service.advance(advance.steps);
            let changed = service.mutate_fraction(advance.fraction);
            Answer::json(200, &json!({"steps": advance.steps, "changedCells": changed}))
        }),
        ("POST", "/_sim/mask") => body::<Mask>(call).map(|mask| {
            service.mask(mask.masked);
            Answer::empty(204)
        }),
        ("POST", "/_sim/limits") => body::<SetLimits>(call).map(|limits| {
            service.limits(limits.speed.map_or(Limits::Off, Limits::Speed));
            Answer::empty(204)
        }),
        ("POST", "/_sim/revoke") => body::<Revoke>(call).map(|revoke| {
            service.revoke(&revoke.token);
            Answer::empty(204)
        }),
        ("POST", "/_sim/stock") => body::<SetStock>(call).map(|set| {
            let known = set
                .sid
                .or(first)
                .is_some_and(|sid| service.set_stock(sid, set.nm_id, &set.warehouse, set.units));
            Answer::empty(if known { 204 } else { 404 })
        }),
        ("POST", "/_sim/token") => body::<NewToken>(call).map(|wanted| match wanted.sid.or(first) {
            Some(sid) => {
                let life = chrono::TimeDelta::seconds(wanted.expires_in.unwrap_or(180 * 86_400));
                let text = token(
                    sid,
                    wanted.kind,
                    wanted.scope.unwrap_or(scope::ALL),
                    service.now() + life,
                );
                Answer::json(200, &json!({"token": text}))
            }
            None => Answer::empty(404),
        }),
        _ => Ok(Answer::json(404, &json!({"error": "no such control"}))),
    };
    result.unwrap_or_else(|error| Answer::json(400, &json!({"error": error.to_string()})))
}

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, serde_json::Error> {
    if call.body.is_empty() {
        serde_json::from_str("{}")
    } else {
        call.json()
    }
}

fn truth(service: &Service, call: &Call, first: Option<Uuid>) -> Answer {
    let sid = call.param("sid").map_or(first, |text| text.parse().ok());
    let since = call
        .param("since")
        .and_then(parse_moscow)
        .map(super::text::from_millis);
    match sid.and_then(|sid| service.truth(sid, since)) {
        Some(truth) => Answer::json(200, &truth),
        None => Answer::empty(404),
    }
}
