//! The simulator's own switches over HTTP, for tests that run in another process.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::mail::{DeliveryState, EndpointConfig, Release};
use super::model::{Card, Settings};
use super::service::{Failure, Service};
use super::{Signing, checkout, customers, foreign};
use crate::server::{Answer, Call, with};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_seconds: Option<i64>,
    to: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetCard {
    behaviour: Option<Card>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Complete {
    #[serde(default)]
    email: Option<String>,
    #[serde(default = "pays")]
    card: Option<Card>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
const fn pays() -> Option<Card> {
    Some(Card::Pays)
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct SetMail {
    hold: Option<bool>,
    concurrency: Option<usize>,
    retry: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lose {
    deliveries: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetEndpoint {
    urls: Option<Vec<String>>,
    secrets: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSigning {
    time: Signing,
}

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let path: Vec<&str> = call.path["/_sim/".len()..].split('/').collect();
    let done = || Answer::empty(204);
    let found = |yes: bool| Answer::empty(if yes { 204 } else { 404 });
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["clock"]) => clock(service),
        ("POST", ["clock"]) => with::<Move>(call, |wanted| {
            let by = match (wanted.advance_seconds, wanted.to) {
                (Some(seconds), None) => TimeDelta::seconds(seconds),
                (None, Some(to)) => to - service.now(),
                _ => return Answer::json(400, &json!({"error": "give advance_seconds or to"})),
            };
            if by < TimeDelta::zero() {
                return Answer::json(400, &json!({"error": "the clock does not go back"}));
            }
            service.advance(by);
            clock(service)
        }),
        ("POST", ["signing"]) => with::<SetSigning>(call, |set| {
            service.sign_with(set.time);
            done()
        }),
        ("POST", ["settings"]) => with::<Settings>(call, |settings| {
            service.with(|world| world.settings = settings);
            done()
        }),
        ("POST", ["fail"]) => with::<Failure>(call, |failure| {
            service.fail(failure);
            done()
        }),
        ("POST", ["customers", id, "card"]) => {
            with::<SetCard>(call, |set| found(set_card(service, id, set.behaviour)))
        }
        ("POST", ["checkout", id, "complete"]) => with::<Complete>(call, |wanted| {
            let paid =
                service.with(|world| checkout::complete(world, id, wanted.email.as_deref(), wanted.card));
            match paid {
                checkout::Paid::Yes => done(),
                checkout::Paid::Declined => Answer::empty(402),
                checkout::Paid::NotOpen => Answer::empty(404),
            }
        }),
        ("POST", ["foreign", "subscription"]) => {
            let id = service.with(foreign::subscription);
            Answer::json(200, &json!({"id": id}))
        }
        ("POST", ["foreign", "invoice"]) => {
            let id = service.with(|world| foreign::invoice(world, call.param("customer")));
            Answer::json(200, &json!({"id": id}))
        }
        ("GET", ["endpoints"]) => Answer::json(200, &service.with(|world| world.mail.endpoints.clone())),
        ("POST", ["endpoints"]) => with::<EndpointConfig>(call, |endpoint| {
            let number = service.with(|world| {
                world.mail.endpoints.push(endpoint);
                world.mail.endpoints.len() - 1
            });
            Answer::json(200, &json!({"endpoint": number}))
        }),
        ("POST", ["endpoints", number]) => with::<SetEndpoint>(call, |set| {
            let number: usize = number.parse().unwrap_or(usize::MAX);
            found(change_endpoint(service, number, set.urls, set.secrets))
        }),
        _ => deliveries(service, call, &path),
    }
}

fn deliveries(service: &Service, call: &Call, path: &[&str]) -> Answer {
    match (call.method.as_str(), path) {
        ("GET", ["deliveries"]) => {
            let now = service.now().timestamp();
            let (all, quiet) =
                service.with(|world| (world.mail.deliveries.clone(), world.mail.is_quiet(now)));
            let held = all.iter().filter(|one| one.state == DeliveryState::Held).count();
            Answer::json(200, &json!({"quiet": quiet, "held": held, "deliveries": all}))
        }
        ("POST", ["deliveries"]) => with::<SetMail>(call, |set| {
            service.with(|world| {
                world.mail.hold = set.hold.unwrap_or(world.mail.hold);
                world.mail.concurrency = set.concurrency.unwrap_or(world.mail.concurrency);
                world.mail.retry = set.retry.unwrap_or(world.mail.retry);
            });
            Answer::empty(204)
        }),
        ("POST", ["deliveries", "release"]) => with::<Release>(call, |release| {
            let now = service.now().timestamp();
            let made = service.with(|world| world.mail.release(&release, now));
            Answer::json(200, &json!({"deliveries": made}))
        }),
        ("POST", ["deliveries", "lose"]) => with::<Lose>(call, |lose| {
            let lost = service.with(|world| world.mail.lose(&lose.deliveries));
            Answer::json(200, &json!({"lost": lost}))
        }),
        ("POST", ["events", id, "resend"]) => Answer::empty(if resend(service, id) { 204 } else { 404 }),
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}

fn clock(service: &Service) -> Answer {
    let now = service.now();
    Answer::json(200, &json!({"now": now, "seconds": now.timestamp()}))
}

/// Gives a customer another card, or takes it away. A change by script makes no event.
pub(crate) fn set_card(service: &Service, id: &str, card: Option<Card>) -> bool {
    service.with(|world| {
        let Some(customer) = world.customers.get_mut(id) else {
            return false;
        };
        let new = customer.payment_method.is_none();
        match card {
            Some(card) if new => customers::attach(world, id, card),
            card => {
                customer.card = card;
                if card.is_none() {
                    customer.payment_method = None;
                }
            }
        }
        true
    })
}

pub(crate) fn change_endpoint(
    service: &Service,
    number: usize,
    urls: Option<Vec<String>>,
    secrets: Option<Vec<String>>,
) -> bool {
    service.with(|world| {
        let Some(endpoint) = world.mail.endpoints.get_mut(number) else {
            return false;
        };
        if let Some(urls) = urls {
            endpoint.urls = urls;
        }
        if let Some(secrets) = secrets {
            endpoint.secrets = secrets;
        }
        true
    })
}

/// Sends an event once more to every endpoint that wants it.
pub(crate) fn resend(service: &Service, id: &str) -> bool {
    service.with(|world| {
        let Some(kind) = world.events.get(id).map(|event| event.kind.clone()) else {
            return false;
        };
        let now = world.now;
        world.mail.again(id, &kind, now)
    })
}
