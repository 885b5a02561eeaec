//! What the receiver knows: secrets and behaviour of its endpoints, and all that arrived.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::verify::{Verdict, verify};
use super::{control, page};
use crate::clock::Clock;
use crate::server::{Answer, Call, Simulated, lock};

/// How an endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reaction {
    /// With a status of failure, such as 500.
    Fail {
        /// HTTP status.
        status: u16,
    },
    /// As usual, but late; `release` of the listener lets all go that wait.
    Slow {
        /// Milliseconds.
        millis: u64,
    },
    /// With a redirect.
    Redirect {
        /// HTTP status, 301 to 308.
        status: u16,
        /// Value of `Location`.
        location: String,
    },
    /// With 410: no more messages, please.
    Gone,
    /// With 429 and `Retry-After`.
    RateLimited {
        /// Seconds.
        retry_seconds: u64,
    },
    /// Not at all: the connection is closed.
    Close,
}

/// Which endpoint behaves how, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The whole path of the endpoint.
    pub path: String,
    /// Deliveries to meet; all if absent.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens to them.
    pub reaction: Reaction,
}

impl Rule {
    /// For every delivery to an endpoint.
    #[must_use]
    pub fn at(path: &str, reaction: Reaction) -> Self {
        Self {
            path: path.to_owned(),
            times: None,
            reaction,
        }
    }

    /// For so many deliveries and then no more.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// One delivery as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Place in the order of arrival, from 1.
    pub number: u64,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// The endpoint.
    pub path: String,
    /// `webhook-id`, empty if there was none.
    pub id: String,
    /// `webhook-timestamp` as it came.
    pub timestamp: String,
    /// How many signatures it carried.
    pub signatures: usize,
    /// What the check found.
    pub verdict: Verdict,
    /// The status of the answer; 0 if the connection was closed instead.
    pub status: u16,
    /// The body as it came.
    pub body: String,
}

impl Delivery {
    /// Whether the receiver took it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// How often a message arrived at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Times that it was taken; more than one is a double.
    pub accepted: u64,
    /// Times that it arrived.
    pub attempts: u64,
}

#[derive(Default)]
struct Endpoint {
    secrets: Vec<String>,
    rule: Option<Rule>,
    counts: HashMap<String, Count>,
}

impl Endpoint {
    /// The reaction to the next delivery.
    fn next(&mut self) -> Option<Reaction> {
        let rule = self.rule.as_mut()?;
        let reaction = rule.reaction.clone();
        rule.times = rule.times.map(|times| times.saturating_sub(1));
        if rule.times == Some(0) {
            self.rule = None;
        }
        Some(reaction)
    }
}

#[derive(Default)]
struct State {
    endpoints: HashMap<String, Endpoint>,
    deliveries: Vec<Delivery>,
}

/// The receiver's whole state.
pub(crate) struct Service {
    clock: Clock,
    tolerance: Option<u64>,
    state: Mutex<State>,
}

impl Service {
    pub(super) fn new(clock: Clock, tolerance: Option<u64>) -> Self {
        Self {
            clock,
            tolerance,
            state: Mutex::default(),
        }
    }

    pub(super) fn secrets(&self, path: &str, secrets: Vec<String>) {
        let mut state = lock(&self.state);
        state.endpoints.entry(path.to_owned()).or_default().secrets = secrets;
    }

    pub(super) fn react(&self, rule: Rule) {
        let mut state = lock(&self.state);
        let endpoint = state.endpoints.entry(rule.path.clone()).or_default();
        endpoint.rule = Some(rule).filter(|rule| rule.times != Some(0));
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        let state = lock(&self.state);
        let rules = state
            .endpoints
            .values()
            .filter_map(|endpoint| endpoint.rule.clone());
        let mut rules: Vec<Rule> = rules.collect();
        rules.sort_by(|one, other| one.path.cmp(&other.path));
        rules
    }

    pub(super) fn calm(&self, path: Option<&str>) {
        let mut state = lock(&self.state);
        for (known, endpoint) in &mut state.endpoints {
            if path.is_none_or(|path| path == known) {
                endpoint.rule = None;
            }
        }
    }

    pub(super) fn deliveries(&self, path: Option<&str>, after: u64) -> Vec<Delivery> {
        let state = lock(&self.state);
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        let wanted = state.deliveries.iter().skip(start);
        wanted
            .filter(|delivery| path.is_none_or(|path| path == delivery.path))
            .cloned()
            .collect()
    }

    pub(super) fn last(&self, most: usize) -> (usize, Vec<Delivery>) {
        let state = lock(&self.state);
        let last = state.deliveries.iter().rev().take(most).cloned().collect();
        (state.deliveries.len(), last)
    }

    pub(super) fn count(&self, path: &str, id: &str) -> Count {
        let state = lock(&self.state);
        let endpoint = state.endpoints.get(path);
        let count = endpoint.and_then(|endpoint| endpoint.counts.get(id));
        count.copied().unwrap_or_default()
    }

    /// Counts of every message of every endpoint, or of one.
    pub(super) fn counts(&self, path: Option<&str>) -> HashMap<String, HashMap<String, Count>> {
        let state = lock(&self.state);
        let wanted = state.endpoints.iter().filter(|(known, endpoint)| {
            path.is_none_or(|path| path == known.as_str()) && !endpoint.counts.is_empty()
        });
        wanted
            .map(|(path, endpoint)| (path.clone(), endpoint.counts.clone()))
            .collect()
    }

    pub(super) fn forget(&self) {
        let mut state = lock(&self.state);
        state.deliveries.clear();
        for endpoint in state.endpoints.values_mut() {
            endpoint.counts.clear();
        }
    }

    fn take(&self, call: &Call) -> Answer {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let endpoint = state.endpoints.entry(call.path.clone()).or_default();
        let verdict = verify(call, &endpoint.secrets, now.timestamp(), self.tolerance);
        let answer = match endpoint.next() {
            Some(Reaction::Slow { millis }) => usual(verdict).late(millis),
            Some(reaction) => unusual(&reaction),
            None => usual(verdict),
        };
        let header = |name| call.header(name).unwrap_or_default().to_owned();
        let id = header("webhook-id");
        let count = endpoint.counts.entry(id.clone()).or_default();
        count.attempts += 1;
        count.accepted += u64::from((200..300).contains(&answer.status));
        let number = state.deliveries.len() as u64 + 1;
        state.deliveries.push(Delivery {
            number,
            at: now,
            path: call.path.clone(),
            id,
            timestamp: header("webhook-timestamp"),
            signatures: header("webhook-signature").split_whitespace().count(),
            verdict,
            status: answer.status,
            body: String::from_utf8_lossy(&call.body).into_owned(),
        });
        answer
    }
}

fn usual(verdict: Verdict) -> Answer {
    if verdict.passes() {
        Answer::empty(204)
    } else {
        Answer::json(401, &serde_json::json!({"error": verdict.words()}))
    }
}

fn unusual(reaction: &Reaction) -> Answer {
    match reaction {
        Reaction::Fail { status } => Answer::raw(*status, "text/plain", "failed as scripted"),
        Reaction::Slow { millis } => Answer::empty(204).late(*millis),
        Reaction::Redirect { status, location } => Answer::empty(*status).header("Location", location),
        Reaction::Gone => Answer::empty(410),
        Reaction::RateLimited { retry_seconds } => Answer::empty(429).header("Retry-After", retry_seconds),
        Reaction::Close => Answer::none(),
    }
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", _) => self.take(call),
            ("GET", "/") => page::show(self),
            _ => Answer::empty(404),
        }
    }

    fn control(&self, call: &Call) -> Answer {
        control::answer(self, call)
    }

    fn principal(&self, _call: &Call) -> Option<String> {
        None
    }

    fn rate_limited(&self, _call: &Call, retry_seconds: u64) -> Answer {
        Answer::empty(429).header("Retry-After", &retry_seconds)
    }

    fn tick(&self) {}
}
