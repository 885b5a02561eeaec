//! What every simulated marketplace does in the same way: time passes for its shops, and the controls for
//! that are the same. What differs is theirs: keys, warehouses by name, masking, dialects.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Call};
use super::lock;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::life::{HOUR, Shop, hour};

/// How far back a ledger's orders go unless asked otherwise: further than any sync asks.
const ORDER_DAYS: TimeDelta = TimeDelta::days(32);

/// Time of a marketplace.
pub(crate) struct Time {
    pub(crate) clock: Clock,
    /// Length of one step under a manual clock.
    step: TimeDelta,
    auto_seconds: Option<f64>,
    last_auto: Mutex<Instant>,
}

impl Time {
    pub(crate) fn new(clock: Clock, step: TimeDelta, auto_seconds: Option<f64>) -> Self {
        Self {
            clock,
            step,
            auto_seconds,
            last_auto: Mutex::new(Instant::now()),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Whether an automatic step is due; says so once.
    pub(crate) fn is_step_due(&self) -> bool {
        let Some(seconds) = self.auto_seconds else {
            return false;
        };
        let mut last = lock(&self.last_auto);
        let due = last.elapsed().as_secs_f64() >= seconds;
        if due {
            *last = Instant::now();
        }
        due
    }

    fn pass(&self, by: TimeDelta) -> i64 {
        if self.clock.is_manual() {
            self.clock.add(by);
        }
        self.now().timestamp_millis()
    }
}

/// A shop of a marketplace: it lives, can be pushed on by a step, and tells the truth about itself.
pub(crate) trait Stall: Shop {
    /// One step of the short-lived kind of life that demos and journeys use.
    fn step(&mut self, now: i64);
    /// Gives a fraction of the cells that hold stock another amount; returns how many changed.
    fn mutate_fraction(&mut self, fraction: f64) -> usize;
    /// The truth, with orders from `since` on. `hidden`: whether the marketplace hides its warehouses.
    fn ledger(&self, now: DateTime<Utc>, since: i64, hidden: bool) -> Ledger;
}

/// A marketplace full of shops.
pub(crate) trait Market {
    /// What names a seller.
    type Id: Copy + FromStr + Serialize;
    type Stall: Stall;

    fn time(&self) -> &Time;
    /// Sellers in the order of the configuration.
    fn sellers(&self) -> Vec<Self::Id>;
    fn with_world<T>(&self, seller: Self::Id, work: impl FnOnce(&mut Self::Stall) -> T) -> Option<T>;
    /// Switches or speeds up the limits.
    fn set_speed(&self, speed: Option<f64>);
    /// Whether warehouses are hidden at present.
    fn hides_warehouses(&self) -> bool;
    /// A step was made at this time.
    fn stepped(&self, _now: i64) {}

    fn advance(&self, steps: usize) {
        for _ in 0..steps {
            let now = self.time().pass(self.time().step);
            self.stepped(now);
            self.each_world(|world| world.step(now));
        }
    }

    /// All shops live for some hours; a life is not remembered by a data folder.
    fn live(&self, hours: u32) {
        for _ in 0..hours {
            let now = self.time().pass(TimeDelta::milliseconds(HOUR));
            self.each_world(|world| hour(world, now));
        }
    }

    fn each_world(&self, mut change: impl FnMut(&mut Self::Stall)) {
        for seller in self.sellers() {
            self.with_world(seller, &mut change);
        }
    }

    fn mutate_fraction(&self, fraction: f64) -> usize {
        let mut changed = 0;
        self.each_world(|world| changed += world.mutate_fraction(fraction));
        changed
    }

    fn ledger(&self, seller: Self::Id, since: Option<DateTime<Utc>>) -> Option<Ledger> {
        let now = self.time().now();
        let since = since.unwrap_or(now - ORDER_DAYS).timestamp_millis();
        let hidden = self.hides_warehouses();
        self.with_world(seller, |world| world.ledger(now, since, hidden))
    }
}

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
struct Hours {
    hours: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Speed {
    /// Absent or null switches limits off.
    speed: Option<f64>,
}

/// Answers the controls that all marketplaces share; none for any other. `name` is the query parameter that
/// names a seller.
pub(crate) fn control<M: Market>(market: &M, name: &str, call: &Call) -> Option<Answer> {
    let done = || Answer::empty(204);
    Some(match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/sellers") => Answer::json(200, &market.sellers()),
        ("POST", "/_sim/advance") => with::<Advance>(call, |wanted| {
            market.advance(wanted.steps);
            let changed = market.mutate_fraction(wanted.fraction);
            Answer::json(200, &json!({"steps": wanted.steps, "changedCells": changed}))
        }),
        ("POST", "/_sim/live") => with::<Hours>(call, |wanted| {
            market.live(wanted.hours);
            done()
        }),
        ("POST", "/_sim/limits") => with::<Speed>(call, |wanted| {
            market.set_speed(wanted.speed);
            done()
        }),
        ("GET", "/_sim/ledger") => {
            let since = call.param("since").and_then(|text| text.parse().ok());
            match asked_seller(market, name, call).and_then(|seller| market.ledger(seller, since)) {
                Some(ledger) => Answer::json(200, &ledger),
                None => Answer::empty(404),
            }
        }
        _ => return None,
    })
}

/// The seller that a control names, or the first one where it names none.
pub(crate) fn asked_seller<M: Market>(market: &M, name: &str, call: &Call) -> Option<M::Id> {
    match call.param(name) {
        Some(text) => text.parse().ok(),
        None => market.sellers().first().copied(),
    }
}

/// Answers with the parsed body, or with what is wrong with it. No body is an empty one.
pub(crate) fn with<Body: DeserializeOwned>(call: &Call, work: impl FnOnce(Body) -> Answer) -> Answer {
    let body = if call.body.is_empty() {
        serde_json::from_str("{}")
    } else {
        call.json()
    };
    match body {
        Ok(body) => work(body),
        Err(error) => Answer::json(400, &json!({"error": error.to_string()})),
    }
}
