//! The simulator's own switches over HTTP, for tests that run in another process.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::service::Service;
use super::tokens::{TokenKind, scope, token};
use crate::server::{Answer, Call, asked_seller, control, with};
use crate::text::{from_millis, parse_moscow};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mask {
    masked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cap {
    /// Absent or null: none.
    rows: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
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

/// Names a seller in a query.
const SELLER: &str = "sid";

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    if let Some(answer) = control(service, SELLER, call) {
        return answer;
    }
    let seller = asked_seller(service, SELLER, call);
    let done = || Answer::empty(204);
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/truth") => {
            let since = call.param("since").and_then(parse_moscow).map(from_millis);
            match seller.and_then(|sid| service.truth(sid, since)) {
                Some(truth) => Answer::json(200, &truth),
                None => Answer::empty(404),
            }
        }
        ("POST", "/_sim/purge") => {
            service.purge_tasks();
            done()
        }
        ("POST", "/_sim/mask") => with::<Mask>(call, |mask| {
            service.mask(mask.masked);
            done()
        }),
        ("POST", "/_sim/restless") => with::<Switch>(call, |switch| {
            service.restless(switch.on);
            done()
        }),
        ("POST", "/_sim/bare-order-ids") => with::<Switch>(call, |switch| {
            service.bare_ids(switch.on);
            done()
        }),
        ("POST", "/_sim/feed-cap") => with::<Cap>(call, |cap| {
            service.cap_feed(cap.rows);
            done()
        }),
        ("POST", "/_sim/revoke") => with::<Revoke>(call, |revoke| {
            service.revoke(&revoke.token);
            done()
        }),
        ("POST", "/_sim/stock") => with::<SetStock>(call, |set| {
            let known = set
                .sid
                .or(seller)
                .is_some_and(|sid| service.set_stock(sid, set.nm_id, &set.warehouse, set.units));
            Answer::empty(if known { 204 } else { 404 })
        }),
        ("POST", "/_sim/token") => with::<NewToken>(call, |wanted| match wanted.sid.or(seller) {
            Some(sid) => {
                let life = chrono::TimeDelta::seconds(wanted.expires_in.unwrap_or(180 * 86_400));
                let scope = wanted.scope.unwrap_or(scope::ALL);
                let text = token(sid, wanted.kind, scope, service.now() + life);
                Answer::json(200, &json!({"token": text}))
            }
            None => Answer::empty(404),
        }),
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}
