//! How a call to Stripe is made: inside ten seconds, in one version of the API, with the key of what caused
//! it, and again where Stripe says that it may be. What the calls are is in [`calls`].
//!
//! Requests are built with the core of `async-stripe`; the way out is the house's own HTTP client.

mod calls;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use stripe_client_core::{Outcome, RequestBuilder, RequestStrategy, StripeMethod};
use tokio::time::{Instant, sleep};

use super::API_VERSION;
use super::error::{StripeError, failure, retry_after};
use crate::error::CallError;
use crate::http::{Call, HttpClient, Reply};
use crate::json;

pub use calls::{EventPage, ListedEvent};
pub use stripe_client_core::IdempotencyKey;

const VERSION: HeaderName = HeaderName::from_static("stripe-version");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How a client behaves; the defaults are for Stripe itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where Stripe is; no slash at the end.
    pub url: String,
    /// Time for a call with all its attempts and pauses.
    pub deadline: Duration,
    /// Attempts for one call.
    pub attempts: u32,
    /// Pause before the second attempt where Stripe names none; doubled for each further one.
    pub pause: Duration,
    /// Largest answer in bytes, decompressed; a page of 100 events is below 2 MB.
    pub answer_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: "https://api.stripe.com".to_owned(),
            deadline: Duration::from_secs(10),
            attempts: 3,
            pause: Duration::from_millis(500),
            answer_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The client of one Stripe account. Cheap to clone.
#[derive(Clone)]
pub struct Stripe {
    http: HttpClient,
    api_key: SecretString,
    options: Options,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// One request: where it goes, and which key makes a repetition of it harmless.
struct Request<'a> {
    /// Method and path template, for logs and metrics.
    endpoint: &'static str,
    parts: RequestBuilder,
    key: Option<&'a IdempotencyKey>,
}

impl<'a> Request<'a> {
    fn get(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self {
            endpoint,
            parts: RequestBuilder::new(StripeMethod::Get, path),
            key: None,
        }
    }

    fn post(endpoint: &'static str, path: impl Into<String>, key: Option<&'a IdempotencyKey>) -> Self {
        Self {
            endpoint,
            parts: RequestBuilder::new(StripeMethod::Post, path),
            key,
        }
    }

    /// Stripe passes the key of a DELETE over, since repeating one is harmless; it helps their support.
    fn delete(endpoint: &'static str, path: impl Into<String>, key: &'a IdempotencyKey) -> Self {
        Self {
            endpoint,
            parts: RequestBuilder::new(StripeMethod::Delete, path),
            key: Some(key),
        }
    }

    fn form(mut self, form: &impl serde::Serialize) -> Self {
        self.parts = self.parts.form(form);
        self
    }

    fn query(mut self, query: &impl serde::Serialize) -> Self {
        self.parts = self.parts.query(query);
        self
    }
}

impl Stripe {
    /// `api_key` is a secret key, `sk_…`, or a restricted one, `rk_…`.
    #[must_use]
    pub fn new(http: HttpClient, api_key: SecretString, options: Options) -> Self {
        Self {
            http,
            api_key,
            options,
        }
    }

    /// Sends a request and reads the answer.
    async fn ask<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, StripeError> {
        let endpoint = request.endpoint;
        let body = self.send(request).await?;
        json::decode(&body).map_err(|failure| CallError::new(endpoint, failure).into())
    }

    /// Sends a request, again where that may help, and gives the body of a success.
    async fn send(&self, request: Request<'_>) -> Result<Bytes, StripeError> {
        let until = Instant::now() + self.options.deadline;
        let mut tries = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let call = self.call(&request)?.deadline(left);
            let (error, again) = match self.exchange(&call).await {
                Ok(reply) if reply.is_success() => return Ok(reply.body),
                Ok(reply) => {
                    let error = failure(request.endpoint, &reply, self.api_key.expose_secret());
                    let again = Again::read(&reply.headers);
                    (error, again)
                }
                Err(error) => (StripeError::from(error), Again::default()),
            };
            tries += 1;
            let pause = self.pause(&error, again, tries);
            let in_time = |pause: &Duration| *pause < until.saturating_duration_since(Instant::now());
            let Some(pause) = pause.filter(in_time) else {
                return Err(self.bounded(error));
            };
            tracing::info!(
                endpoint = request.endpoint,
                error = %error,
                tries,
                "a call to Stripe is made again"
            );
            sleep(pause).await;
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Reply, CallError> {
        let opened = self.http.open(call).await?;
        if (200..300).contains(&opened.status()) {
            opened.expect_json()?;
        }
        opened.read().await
    }

    fn call(&self, request: &Request<'_>) -> Result<Call, StripeError> {
        let RequestBuilder {
            query,
            body,
            path,
            method,
        } = &request.parts;
        let method = match method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let bearer = format!("Bearer {}", self.api_key.expose_secret());
        let mut call = Call::new(request.endpoint, method, &self.options.url, path)?
            .authorization(&bearer)?
            .header(VERSION, HeaderValue::from_static(API_VERSION))
            .limit(self.options.answer_bytes);
        if let Some(key) = request.key {
            call = call.secret(KEY, key.as_str())?;
        }
        if let Some(query) = query {
            call = call.encoded_query(query);
        }
        if let Some(body) = body {
            call = call.form(body.clone());
        }
        Ok(call)
    }

    /// How long to wait before another attempt; none where there is to be none.
    fn pause(&self, error: &StripeError, again: Again, tries: u32) -> Option<Duration> {
        let status = match error {
            // Another attempt of what ran out of time has no time left.
            StripeError::TimedOut { .. } | StripeError::Unreadable(_) => return None,
            StripeError::Unreachable(_) => None,
            StripeError::Refused { refusal, .. }
            | StripeError::KeyRefused { refusal, .. }
            | StripeError::Busy { refusal, .. } => Some(refusal.status),
        };
        // What Stripe says counts more than the status; the package would look at the status all the same.
        let status = status.filter(|_| again.may != Some(true));
        let strategy = RequestStrategy::Retry(self.options.attempts);
        match strategy.test(status, again.may, tries) {
            Outcome::Stop => None,
            Outcome::Continue(_) => {
                let doubled = self.options.pause.saturating_mul(1 << (tries - 1).min(6));
                Some(again.after.unwrap_or(doubled))
            }
        }
    }

    /// The deadline of the last attempt was what was left of the whole one.
    fn bounded(&self, error: StripeError) -> StripeError {
        match error {
            StripeError::TimedOut { endpoint, .. } => StripeError::TimedOut {
                endpoint,
                deadline: self.options.deadline,
            },
            other => other,
        }
    }
}

/// What Stripe says about another attempt (docs.stripe.com/error-low-level).
#[derive(Debug, Clone, Copy, Default)]
struct Again {
    /// `Stripe-Should-Retry`.
    may: Option<bool>,
    /// `Retry-After`.
    after: Option<Duration>,
}

impl Again {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        Self {
            may: text("stripe-should-retry").and_then(|text| text.parse().ok()),
            after: retry_after(headers),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn our_version_is_the_one_that_the_package_was_made_for() {
        assert_eq!(super::API_VERSION, stripe_client_core::VERSION.as_str());
    }
}
