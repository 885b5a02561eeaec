//! Sends one message to one receiver, once, and says what came of it. When to try again is decided by
//! [`super::schedule`], and by whoever keeps the messages.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Method;
use tokio::time::Instant;

use super::guard::Refused;
use super::resolver::{GuardedResolver, Lookup, ResolveError, SystemLookup};
use super::sign::{self, Secret, SignError};
use super::target::{Policy, Target};
use crate::error::{CallError, CallFailure};
use crate::http::{self, BuildError, Call, CallObserver, HttpClient};

/// Stands for all receivers in metrics and logs.
const ENDPOINT: &str = "POST webhook";
/// Time for a delivery, from resolving the name to the end of the answer.
const DEADLINE: Duration = Duration::from_secs(15);
/// How much of an answer is read, in bytes, before the connection is closed.
const ANSWER: u64 = 64 * 1024;
/// Longest `Retry-After` that is believed; the schedule goes no further either.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// One message, as it goes out.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The same at every attempt; receivers know repetitions by it. Letters, digits, `_` and `-`.
    pub id: &'a str,
    /// The time of this attempt.
    pub sent_at: DateTime<Utc>,
    /// One secret, or two while the receiver changes over to the new one.
    pub secrets: &'a [Secret],
    /// JSON, sent byte for byte.
    pub body: Bytes,
}

/// A receiver took the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// From resolving the name to the end of the answer.
    pub duration: Duration,
}

/// A receiver did not take the message. Holds nothing of what it answered but the status.
#[derive(Debug, thiserror::Error)]
#[error("the message was not delivered")]
pub struct DeliveryError {
    /// From resolving the name to the end of the answer, or of the attempt.
    pub duration: Duration,
    /// Why.
    #[source]
    pub failure: DeliveryFailure,
}

impl DeliveryError {
    /// The kind of failure.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.failure.outcome()
    }
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryFailure {
    /// 410: the receiver wants no more messages.
    #[error("the receiver answered 410: the endpoint is gone")]
    Gone,
    /// 429: the receiver wants fewer messages.
    #[error("the receiver answered 429: too many messages")]
    RateLimited {
        /// What it asks for in `Retry-After`, a day at most.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("the receiver answered {status}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// What it asks for in `Retry-After`, a day at most.
        retry_after: Option<Duration>,
    },
    /// 3xx. Redirects are not followed: the new address was not checked, and the customer did not enter it.
    #[error("the receiver answered {status}; redirects are not followed")]
    Redirect {
        /// HTTP status.
        status: u16,
    },
    /// Any other status that is no success.
    #[error("the receiver answered {status}")]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// No answer in time, or no connection within the shorter time for that.
    #[error("the receiver did not answer within {} s", deadline.as_secs())]
    Timeout {
        /// The deadline that passed.
        deadline: Duration,
    },
    /// The name could not be resolved, or the connection failed or broke.
    #[error("the connection to the receiver failed")]
    Connection(#[source] CallError),
    /// The receiver's certificate is not valid, or it does not speak TLS.
    #[error("there is no protected connection to the receiver")]
    Tls(#[source] CallError),
    /// The host is, or its name leads to, an address that is not called.
    #[error("the receiver has an address that is not called")]
    Blocked(#[source] Refused),
    /// The message is wrong in itself; it was not sent.
    #[error("the message cannot be sent")]
    Unsendable(#[source] SignError),
}

impl DeliveryFailure {
    /// The kind of failure.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Gone => Outcome::Gone,
            Self::RateLimited { .. } => Outcome::RateLimited,
            Self::Unavailable { .. } => Outcome::Unavailable,
            Self::Redirect { .. } => Outcome::Redirect,
            Self::Status { .. } => Outcome::Refused,
            Self::Timeout { .. } => Outcome::Timeout,
            Self::Connection(_) => Outcome::Connection,
            Self::Tls(_) => Outcome::Tls,
            Self::Blocked(_) => Outcome::Blocked,
            Self::Unsendable(_) => Outcome::Unsendable,
        }
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Gone => Some(410),
            Self::RateLimited { .. } => Some(429),
            Self::Unavailable { status, .. } | Self::Redirect { status } | Self::Status { status } => {
                Some(*status)
            }
            Self::Timeout { .. }
            | Self::Connection(_)
            | Self::Tls(_)
            | Self::Blocked(_)
            | Self::Unsendable(_) => None,
        }
    }

    /// How long the receiver asks us to wait, if it does.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What came of an attempt, as a word for tables, metrics and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 2xx.
    Delivered,
    /// 410.
    Gone,
    /// 429.
    RateLimited,
    /// 5xx.
    Unavailable,
    /// 3xx.
    Redirect,
    /// Any other status.
    Refused,
    /// No answer in time.
    Timeout,
    /// No connection, or a broken one.
    Connection,
    /// No valid TLS.
    Tls,
    /// An address that is not called.
    Blocked,
    /// A message that cannot be signed.
    Unsendable,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Delivered,
        Self::Gone,
        Self::RateLimited,
        Self::Unavailable,
        Self::Redirect,
        Self::Refused,
        Self::Timeout,
        Self::Connection,
        Self::Tls,
        Self::Blocked,
        Self::Unsendable,
    ];

    /// The word, which does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Redirect => "redirect",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Blocked => "blocked",
            Self::Unsendable => "unsendable",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// The client for receivers. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    http: HttpClient,
    policy: Policy,
    deadline: Duration,
}

impl WebhookClient {
    /// A client over the system's resolver. `observer` is told about every attempt, with `receivers` in the
    /// place of the host.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub fn new(policy: Policy, observer: Arc<dyn CallObserver>) -> Result<Self, BuildError> {
        Self::with_lookup(policy, observer, Arc::new(SystemLookup))
    }

    /// A client over another lookup of names, whose answers are checked all the same.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub fn with_lookup(
        policy: Policy,
        observer: Arc<dyn CallObserver>,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, BuildError> {
        let resolver = Arc::new(GuardedResolver::new(lookup, policy));
        Ok(Self {
            http: HttpClient::for_receivers(observer, resolver, policy.https_only)?,
            policy,
            deadline: DEADLINE,
        })
    }

    /// The same client with another deadline than 15 s.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sends a message once.
    ///
    /// A status of 200 to 299 is a success, whatever follows it: of the answer's body, 64 KiB at most are
    /// read, and thrown away.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn send(&self, target: &Target, message: Message<'_>) -> Result<Delivered, DeliveryError> {
        let started = Instant::now();
        let outcome = self.attempt(target, message).await;
        let duration = started.elapsed();
        match outcome {
            Ok(status) => Ok(Delivered { status, duration }),
            Err(failure) => Err(DeliveryError { duration, failure }),
        }
    }

    async fn attempt(&self, target: &Target, message: Message<'_>) -> Result<u16, DeliveryFailure> {
        let Message {
            id,
            sent_at,
            secrets,
            body,
        } = message;
        let headers = sign::headers(id, sent_at, &body, secrets).map_err(DeliveryFailure::Unsendable)?;
        // No resolver sees an address, and the policy may be another one than when it was entered.
        if let Some(address) = target.address() {
            self.policy.permits(address).map_err(DeliveryFailure::Blocked)?;
        }
        let mut call = Call::to(ENDPOINT, Method::POST, target.url().clone())
            .body("application/json".into(), body)
            .deadline(self.deadline)
            .limit(ANSWER);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let opened = self.http.open(&call).await.map_err(unanswered)?;
        let (status, headers) = opened.discard().await;
        let retry_after = || http::retry_after(&headers, LONGEST_WAIT);
        match status {
            200..300 => Ok(status),
            300..400 => Err(DeliveryFailure::Redirect { status }),
            410 => Err(DeliveryFailure::Gone),
            429 => Err(DeliveryFailure::RateLimited {
                retry_after: retry_after(),
            }),
            500.. => Err(DeliveryFailure::Unavailable {
                status,
                retry_after: retry_after(),
            }),
            _ => Err(DeliveryFailure::Status { status }),
        }
    }
}

/// The meaning of a call that got no answer.
fn unanswered(error: CallError) -> DeliveryFailure {
    if let CallFailure::Timeout { deadline } = error.failure {
        return DeliveryFailure::Timeout { deadline };
    }
    if let CallFailure::Network(cause) = &error.failure
        && cause.is_timeout()
    {
        let deadline = http::CONNECT_TIMEOUT;
        return DeliveryFailure::Timeout { deadline };
    }
    if let Some(ResolveError::Refused(why)) = cause::<ResolveError>(&error) {
        return DeliveryFailure::Blocked(*why);
    }
    if cause::<rustls::Error>(&error).is_some() {
        return DeliveryFailure::Tls(error);
    }
    DeliveryFailure::Connection(error)
}

/// The first error of that type in the chain, also inside an I/O error, which does not show what it wraps as
/// its source.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
