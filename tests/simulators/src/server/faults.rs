//! Scripted misbehaviour: what the real services did at least once, on demand and counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use super::answer::Answer;
use super::lock;

/// What happens to a call that a [`Fault`] matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// The service's own 429, with its own headers and body.
    RateLimited {
        /// Seconds until the next call may be sent (`X-Ratelimit-Retry` at Wildberries).
        retry_seconds: u64,
    },
    /// Any status with any body, instead of the real answer.
    Status {
        /// HTTP status.
        status: u16,
        /// Body sent as is.
        #[serde(default)]
        body: String,
        /// Content type; `application/json` if absent.
        #[serde(default)]
        content_type: Option<String>,
    },
    /// Accepts the call and answers late, or only after `release` when `millis` is absent.
    Hang {
        /// Milliseconds to wait.
        #[serde(default)]
        millis: Option<u64>,
    },
    /// Does the work at once and answers late, or only after `release` when `millis` is absent.
    Late {
        /// Milliseconds to wait.
        #[serde(default)]
        millis: Option<u64>,
    },
    /// Announces the whole body and closes the connection after half of it.
    CutBody,
    /// Takes the call and closes the connection without a word.
    Reset,
    /// The first two thirds of the real body, as if they were all of it.
    Truncated,
    /// Renames a field everywhere in the real JSON answer.
    RenameField {
        /// The name to look for.
        from: String,
        /// The name to send.
        to: String,
    },
    /// Takes a field away everywhere in the real JSON answer.
    RemoveField {
        /// The name to look for.
        name: String,
    },
    /// Gives a field another type everywhere in the real JSON answer.
    RetypeField {
        /// The name to look for.
        name: String,
        /// What to send in its place.
        value: Value,
    },
    /// The real answer under another content type.
    ContentType {
        /// The type to announce.
        value: String,
    },
    /// An HTML page with status 200, as a proxy would send.
    HtmlPage,
    /// Status 200 and no body.
    EmptyBody,
    /// Every row of the answer's list twice.
    DuplicateRows,
    /// Does the work and then answers 500: the client cannot know that it was done.
    DoneButFailed,
}

/// A rule: which calls it hits, how many of them, and what happens then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Beginning of the path; empty matches every path.
    #[serde(default)]
    pub path: String,
    /// Further text that the path has to contain, for instance `:batchUpdate`.
    #[serde(default)]
    pub contains: String,
    /// HTTP method, any if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Seller (`sid`) or service-account e-mail, any if absent.
    #[serde(default)]
    pub seller: Option<String>,
    /// Matching calls that pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// Calls to hit, all if absent.
    #[serde(default)]
    pub count: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// Hits every call whose path begins with `path`.
    #[must_use]
    pub fn on(path: &str, effect: Effect) -> Self {
        Self {
            path: path.to_owned(),
            contains: String::new(),
            method: None,
            seller: None,
            skip: 0,
            count: None,
            effect,
        }
    }

    /// Only paths that also contain `text`.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.contains);
        self
    }

    /// Only calls of one seller or service account.
    #[must_use]
    pub fn seller(mut self, seller: &str) -> Self {
        self.seller = Some(seller.to_owned());
        self
    }

    /// Lets the first `skip` matching calls pass.
    #[must_use]
    pub const fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Hits `count` calls and then no more.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    fn matches(&self, method: &str, path: &str, principal: Option<&str>) -> bool {
        path.starts_with(&self.path)
            && path.contains(&self.contains)
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .seller
                .as_ref()
                .is_none_or(|wanted| principal == Some(wanted.as_str()))
    }
}

/// The rules in force.
pub(crate) struct Faults {
    rules: Mutex<Vec<Fault>>,
    release: Notify,
    held: AtomicUsize,
    arrived: Notify,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            rules: Mutex::new(Vec::new()),
            release: Notify::new(),
            held: AtomicUsize::new(0),
            arrived: Notify::new(),
        }
    }

    pub(crate) fn add(&self, fault: Fault) {
        lock(&self.rules).push(fault);
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        lock(&self.rules).clone()
    }

    /// Ends all rules and lets every waiting call go.
    pub(crate) fn clear(&self) {
        lock(&self.rules).clear();
        self.release.notify_waiters();
    }

    pub(crate) fn release(&self) {
        self.release.notify_waiters();
    }

    /// The effect of the first rule that hits this call.
    pub(crate) fn pick(&self, method: &str, path: &str, principal: Option<&str>) -> Option<Effect> {
        let mut rules = lock(&self.rules);
        let mut hit = None;
        for (index, rule) in rules.iter_mut().enumerate() {
            if !rule.matches(method, path, principal) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.count = rule.count.map(|count| count.saturating_sub(1));
            hit = Some((index, rule.effect.clone(), rule.count == Some(0)));
            break;
        }
        let (index, effect, spent) = hit?;
        if spent {
            rules.remove(index);
        }
        Some(effect)
    }

    /// Calls that wait at this moment.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Waits until so many calls are held.
    pub(crate) async fn until_held(&self, calls: usize) {
        loop {
            let arrived = self.arrived.notified();
            if self.held() >= calls {
                return;
            }
            arrived.await;
        }
    }

    pub(crate) async fn wait(&self, millis: Option<u64>) {
        let released = self.release.notified();
        // Counted only now: whoever sees the call waiting may release it.
        let _counted = Counted::new(&self.held);
        self.arrived.notify_waiters();
        match millis {
            Some(millis) => {
                // Either end is fine: the time is up, or somebody lets the call go before.
                let _elapsed = tokio::time::timeout(Duration::from_millis(millis), released).await;
            }
            None => released.await,
        }
    }
}

/// One call that waits, until it is dropped: also when its client goes away.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Changes a finished answer the way the effect says.
pub(crate) fn distort(effect: &Effect, mut answer: Answer) -> Answer {
    match effect {
        Effect::RenameField { from, to } => {
            let text = String::from_utf8_lossy(&answer.body);
            answer.body = Bytes::from(text.replace(&format!("\"{from}\":"), &format!("\"{to}\":")));
        }
        Effect::RemoveField { name } => change(&mut answer, &mut |fields| {
            fields.remove(name);
        }),
        Effect::RetypeField { name, value } => change(&mut answer, &mut |fields| {
            if let Some(field) = fields.get_mut(name) {
                field.clone_from(value);
            }
        }),
        Effect::HtmlPage => {
            let page =
                "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";
            answer = Answer::raw(200, "text/html; charset=utf-8", page);
        }
        Effect::EmptyBody => answer = Answer::empty(200),
        Effect::Truncated => answer.body = answer.body.slice(..answer.body.len() * 2 / 3),
        Effect::DuplicateRows => {
            if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
                duplicate(&mut value);
                answer = Answer {
                    body: Bytes::from(value.to_string()),
                    ..answer
                };
            }
        }
        Effect::DoneButFailed => {
            answer = Answer::json(
                500,
                &serde_json::json!({"title": "internal server error", "status": 500}),
            );
        }
        Effect::RateLimited { .. }
        | Effect::Status { .. }
        | Effect::ContentType { .. }
        | Effect::Hang { .. }
        | Effect::Late { .. }
        | Effect::CutBody
        | Effect::Reset => {}
    }
    answer
}

/// Changes every object of a JSON answer.
fn change(answer: &mut Answer, on_object: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    fn walk(value: &mut Value, on_object: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, on_object)),
            Value::Object(fields) => {
                on_object(fields);
                fields.values_mut().for_each(|field| walk(field, on_object));
            }
            _ => {}
        }
    }
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        walk(&mut value, on_object);
        answer.body = Bytes::from(value.to_string());
    }
}

/// Doubles the outermost lists of objects.
fn duplicate(value: &mut Value) {
    match value {
        Value::Array(rows) if rows.first().is_some_and(Value::is_object) => {
            *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        Value::Object(fields) => fields.values_mut().for_each(duplicate),
        _ => {}
    }
}
