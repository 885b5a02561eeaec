//! The receiver's own switches over HTTP, for tests that run in another process:
//!
//! | call | what it does |
//! |---|---|
//! | `POST /_sim/endpoints` `{"path": "/a", "secrets": ["whsec_…"]}` | secrets of an endpoint |
//! | `POST /_sim/rules` `{"path": "/a", "times": 3, "reaction": {"kind": "fail", "status": 500}}` | one or a list |
//! | `GET /_sim/rules`, `DELETE /_sim/rules?path=/a` | rules in force; ends one or all |
//! | `GET /_sim/deliveries?path=/a&after=7` | what arrived, in order |
//! | `GET /_sim/counts?path=/a` | accepted and attempts by path and message |
//! | `DELETE /_sim/deliveries` | forgets what arrived |

use serde::Deserialize;
use serde_json::json;

use super::service::{Rule, Service};
use crate::server::{Answer, Call, with};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    path: String,
    secrets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rules {
    Many(Vec<Rule>),
    One(Rule),
}

/// Answers `/_sim/*`.
pub(super) fn answer(service: &Service, call: &Call) -> Answer {
    let done = || Answer::empty(204);
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/_sim/endpoints") => with::<Endpoint>(call, |endpoint| {
            service.secrets(&endpoint.path, endpoint.secrets);
            done()
        }),
        ("GET", "/_sim/rules") => Answer::json(200, &service.rules()),
        ("POST", "/_sim/rules") => with::<Rules>(call, |rules| {
            match rules {
                Rules::Many(rules) => rules.into_iter().for_each(|rule| service.react(rule)),
                Rules::One(rule) => service.react(rule),
            }
            done()
        }),
        ("DELETE", "/_sim/rules") => {
            service.calm(call.param("path"));
            done()
        }
        ("GET", "/_sim/deliveries") => {
            let after = call.param("after").and_then(|text| text.parse().ok());
            let deliveries = service.deliveries(call.param("path"), after.unwrap_or_default());
            Answer::json(200, &deliveries)
        }
        ("GET", "/_sim/counts") => Answer::json(200, &service.counts(call.param("path"))),
        ("DELETE", "/_sim/deliveries") => {
            service.forget();
            done()
        }
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}
