//! What Stripe's refusals mean, and what to do about each.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::error::{CallError, CallFailure, FailureClass, is_vendors_word};
use crate::http::{self, Reply};
use crate::scrub::{without_addresses, without_card_numbers};

/// Longest piece of Stripe's words that is kept, in characters.
const MESSAGE: usize = 400;
/// Longest word such as a type or a code, in characters.
const WORD: usize = 100;
/// Longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A call to Stripe that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// Stripe understood and said no: the request is wrong, or the object is not in a state for it. Repeating
    /// it is useless.
    #[error("{endpoint}: Stripe refuses: {refusal}")]
    Refused {
        /// Method and path template.
        endpoint: &'static str,
        /// Stripe's answer.
        refusal: Box<Refusal>,
    },
    /// 401 or 403: Stripe does not accept the API key, or the key may not do this.
    #[error("{endpoint}: Stripe does not accept the API key: {refusal}")]
    KeyRefused {
        /// Method and path template.
        endpoint: &'static str,
        /// Stripe's answer.
        refusal: Box<Refusal>,
    },
    /// 409, 424, 429 or 5xx, or Stripe says itself that the same request may be sent again. A write may have
    /// happened or not; with the same idempotency key it happens once.
    #[error("{endpoint}: Stripe cannot answer at the moment: {refusal}")]
    Busy {
        /// Method and path template.
        endpoint: &'static str,
        /// Stripe's answer.
        refusal: Box<Refusal>,
        /// Least time to wait, where Stripe names one.
        retry_after: Option<Duration>,
    },
    /// No connection, or it broke. A write may have happened or not.
    #[error("Stripe cannot be reached")]
    Unreachable(#[source] CallError),
    /// No complete answer in time. A write may have happened or not.
    #[error("{endpoint}: no complete answer from Stripe within {} s", deadline.as_secs_f64())]
    TimedOut {
        /// Method and path template.
        endpoint: &'static str,
        /// The deadline that passed.
        deadline: Duration,
    },
    /// The answer is not what the contract says, or the request cannot be built.
    #[error("Stripe's answer cannot be used")]
    Unreadable(#[source] CallError),
}

/// What Stripe says about a request that it does not fulfil (docs.stripe.com/api/errors). Without addresses
/// of e-mail and without digits of cards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `invalid_request_error`, `card_error`, `idempotency_error`, `api_error`, …; none if it was no answer
    /// of Stripe's own service.
    pub kind: Option<String>,
    /// Short word for what is wrong, such as `resource_missing`.
    pub code: Option<String>,
    /// The bank's reason, for a card.
    pub decline_code: Option<String>,
    /// The parameter that is wrong, such as `line_items[0][price]`.
    pub param: Option<String>,
    /// Stripe's words.
    pub message: Option<String>,
    /// Id of the request, for Stripe's support.
    pub request_id: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        let named = [
            ("type", &self.kind),
            ("code", &self.code),
            ("decline code", &self.decline_code),
            ("parameter", &self.param),
            ("request", &self.request_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl StripeError {
    /// What the caller should do about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Refused { .. } => FailureClass::Refused,
            Self::KeyRefused { .. } => FailureClass::Credential,
            Self::Busy {
                retry_after: Some(delay),
                ..
            } => FailureClass::Wait { delay: *delay },
            Self::Busy { .. } | Self::Unreachable(_) | Self::TimedOut { .. } => FailureClass::Transient,
            Self::Unreadable(error) => error.class(),
        }
    }

    /// What Stripe said, if it said something.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } | Self::KeyRefused { refusal, .. } | Self::Busy { refusal, .. } => {
                Some(refusal)
            }
            Self::Unreachable(_) | Self::TimedOut { .. } | Self::Unreadable(_) => None,
        }
    }

    /// Whether the object that was named does not exist, or not in this account.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. }
            if refusal.status == 404 || refusal.code.as_deref() == Some("resource_missing"))
    }
}

impl From<CallError> for StripeError {
    fn from(error: CallError) -> Self {
        match error.failure {
            CallFailure::Network(_) => Self::Unreachable(error),
            CallFailure::Timeout { deadline } => Self::TimedOut {
                endpoint: error.endpoint,
                deadline,
            },
            _ => Self::Unreadable(error),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Words,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Words {
    r#type: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

/// The meaning of an answer that is no success.
pub(super) fn failure(endpoint: &'static str, reply: &Reply, api_key: &str) -> StripeError {
    let words = serde_json::from_slice::<Body>(&reply.body)
        .unwrap_or_default()
        .error;
    let own =
        is_vendors_word(&reply.headers, &reply.body) && (words.r#type.is_some() || words.code.is_some());
    let word = |text: Option<String>| text.map(|text| clean(&text, WORD, api_key));
    let refusal = Box::new(Refusal {
        status: reply.status,
        kind: word(words.r#type),
        code: word(words.code),
        decline_code: word(words.decline_code),
        param: word(words.param),
        message: words.message.map(|text| clean(&text, MESSAGE, api_key)),
        request_id: word(header(&reply.headers, "request-id")),
    });
    let may = header(&reply.headers, "stripe-should-retry");
    match reply.status {
        401 | 403 if own => StripeError::KeyRefused { endpoint, refusal },
        409 | 424 | 429 | 500.. => busy(endpoint, refusal, reply),
        // What a gate before Stripe refuses says nothing about the request.
        _ if !own || may.as_deref() == Some("true") => busy(endpoint, refusal, reply),
        _ => StripeError::Refused { endpoint, refusal },
    }
}

fn busy(endpoint: &'static str, refusal: Box<Refusal>, reply: &Reply) -> StripeError {
    StripeError::Busy {
        endpoint,
        refusal,
        retry_after: retry_after(&reply.headers),
    }
}

/// `Retry-After`, at most an hour.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    http::retry_after(headers, LONGEST_WAIT)
}

fn header(headers: &HeaderMap, name: &'static str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Stripe names what was sent: addresses of people, and the key with all but its ends as stars.
fn clean(text: &str, longest: usize, api_key: &str) -> String {
    let text = match api_key {
        "" => text.to_owned(),
        key => text.replace(key, "<key>"),
    };
    let short: String = text.chars().filter(|c| !c.is_control()).take(longest).collect();
    without_card_numbers(&without_addresses(&short))
}

#[cfg(test)]
mod tests;
