//! One call from request to last byte: deadline, size limit, and the two ways to read a body.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::told::date;
use super::{CallRecord, HttpClient, Turn};
use crate::error::{CallError, CallFailure};
use crate::marketplace::Meter;

/// How much of an error's body is read: enough for every documented one.
const ERROR_BODY: u64 = 64 * 1024;

/// A request that can be sent, and sent again.
#[derive(Clone)]
pub(crate) struct Call {
    endpoint: &'static str,
    method: Method,
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<(Cow<'static, str>, Bytes)>,
    deadline: Duration,
    limit: u64,
}

impl Call {
    /// `path` is appended to `base`; `endpoint` is the template that stands for both in logs.
    pub(crate) fn new(
        endpoint: &'static str,
        method: Method,
        base: &str,
        path: &str,
    ) -> Result<Self, CallError> {
        let address = format!("{}{path}", base.trim_end_matches('/'));
        let url = Url::parse(&address).ok().filter(Url::has_host).ok_or_else(|| {
            CallError::new(
                endpoint,
                CallFailure::Unsendable {
                    what: "the base address is no URL",
                },
            )
        })?;
        Ok(Self::to(endpoint, method, url))
    }

    /// A call of exactly this address.
    pub(crate) fn to(endpoint: &'static str, method: Method, url: Url) -> Self {
        Self {
            endpoint,
            method,
            url,
            headers: Vec::new(),
            body: None,
            deadline: Duration::from_secs(30),
            limit: 32 * 1024 * 1024,
        }
    }

    pub(crate) fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// Adds query parameters, encoded.
    pub(crate) fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.url.query_pairs_mut().extend_pairs(pairs);
        self
    }

    /// Adds a JSON body.
    pub(crate) fn json(self, body: &impl serde::Serialize) -> Result<Self, CallError> {
        let bytes = serde_json::to_vec(body).map_err(|source| {
            let what = "our own request".to_owned();
            CallError::new(
                self.endpoint,
                CallFailure::Malformed {
                    what,
                    source: Some(source),
                },
            )
        })?;
        Ok(self.body(Cow::Borrowed("application/json"), bytes.into()))
    }

    /// Adds a body of any type.
    pub(crate) fn body(mut self, content_type: Cow<'static, str>, body: Bytes) -> Self {
        self.body = Some((content_type, body));
        self
    }

    /// Adds the body of a form, encoded already.
    pub(crate) fn form(self, encoded: String) -> Self {
        self.body(Cow::Borrowed("application/x-www-form-urlencoded"), encoded.into())
    }

    /// Sets the query, encoded already.
    pub(crate) fn encoded_query(mut self, encoded: &str) -> Self {
        self.url.set_query(Some(encoded));
        self
    }

    /// Sets the `Authorization` header, marked so that nothing prints it.
    pub(crate) fn authorization(self, value: &str) -> Result<Self, CallError> {
        self.secret(AUTHORIZATION, value)
    }

    /// Adds a header that carries a credential, marked so that nothing prints it.
    pub(crate) fn secret(mut self, name: HeaderName, value: &str) -> Result<Self, CallError> {
        let mut header = HeaderValue::from_str(value).ok().ok_or_else(|| {
            let what = "the credential has characters that a header cannot carry";
            CallError::new(self.endpoint, CallFailure::Unsendable { what })
        })?;
        header.set_sensitive(true);
        self.headers.push((name, header));
        Ok(self)
    }

    /// Adds a header that is no credential.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Time for the whole call, body included.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Largest body that is read, in bytes after decompression.
    pub(crate) fn limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }
}

/// An answer whose body was read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The vendor's clock at the time of the answer.
    pub(crate) fn date(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        date(&self.headers)
    }
}

/// How a streamed body ended.
pub(crate) struct Streamed {
    pub(crate) bytes: u64,
    pub(crate) date: Option<chrono::DateTime<chrono::Utc>>,
}

/// An answer whose body was not yet read.
pub(crate) struct Opened<'a> {
    client: &'a HttpClient,
    call: &'a Call,
    response: reqwest::Response,
    started: Instant,
    /// Held until the last byte is read.
    _turn: Option<Turn>,
}

impl HttpClient {
    /// Sends and waits for the status line.
    pub(crate) async fn open<'a>(&'a self, call: &'a Call) -> Result<Opened<'a>, CallError> {
        let turn = match &self.turns {
            Some((turns, tenant)) => Some(turns.take(*tenant).await),
            None => None,
        };
        let started = Instant::now();
        let mut request = self
            .inner
            .request(call.method.clone(), call.url.clone())
            .timeout(call.deadline);
        for (name, value) in &call.headers {
            request = request.header(name.clone(), value.clone());
        }
        if let Some((kind, body)) = &call.body {
            request = request.header(CONTENT_TYPE, kind.as_ref()).body(body.clone());
        }
        match request.send().await {
            Ok(response) => Ok(Opened {
                client: self,
                call,
                response,
                started,
                _turn: turn,
            }),
            Err(error) => {
                self.record(call, None, started, 0);
                Err(CallError::new(call.endpoint, transport(error, call.deadline)))
            }
        }
    }

    /// Sends and reads the whole body. Any status is an answer here; its meaning is the vendor's business.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, CallError> {
        let opened = self.open(call).await?;
        opened.read().await
    }

    fn record(&self, call: &Call, status: Option<u16>, started: Instant, bytes: u64) {
        let host = self
            .host
            .unwrap_or_else(|| call.url.host_str().unwrap_or_default());
        let record = CallRecord {
            host,
            endpoint: call.endpoint,
            status,
            duration: started.elapsed(),
            bytes,
        };
        tracing::debug!(
            host,
            endpoint = call.endpoint,
            status,
            duration_ms = u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
            bytes,
            "call ended"
        );
        self.observer.observe(&record);
    }
}

impl Opened<'_> {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// Refuses a success that announces something else than JSON.
    pub(crate) fn expect_json(&self) -> Result<(), CallError> {
        if self.status() == 204 {
            return Ok(());
        }
        crate::json::is_announced(self.response.headers())
            .map_err(|failure| CallError::new(self.call.endpoint, failure))
    }

    /// Reads the whole body. The body of a failure is cut at 64 KiB in place of failing again.
    pub(crate) async fn read(mut self) -> Result<Reply, CallError> {
        let status = self.status();
        let limit = if self.is_success() {
            self.call.limit
        } else {
            ERROR_BODY
        };
        let mut body = Vec::new();
        let outcome = loop {
            match self.response.chunk().await {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 <= limit => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) if self.is_success() => break Err(CallFailure::TooLarge { limit }),
                Ok(Some(_)) => break Ok(()),
                Err(error) => break Err(transport(error, self.call.deadline)),
            }
        };
        self.client
            .record(self.call, Some(status), self.started, body.len() as u64);
        outcome.map_err(|failure| CallError::new(self.call.endpoint, failure))?;
        let headers = std::mem::take(self.response.headers_mut());
        Ok(Reply {
            status,
            headers,
            body: body.into(),
        })
    }

    /// Reads the body as far as the limit of the call and throws it away, so that the connection can be used
    /// again. However that ends, the answer has been given: its status and headers are handed back.
    pub(crate) async fn discard(mut self) -> (u16, HeaderMap) {
        let mut bytes = 0;
        while bytes < self.call.limit {
            match self.response.chunk().await {
                Ok(Some(chunk)) => bytes += chunk.len() as u64,
                Ok(None) | Err(_) => break,
            }
        }
        let status = self.status();
        self.client.record(self.call, Some(status), self.started, bytes);
        (status, std::mem::take(self.response.headers_mut()))
    }

    /// Hands out the body piece by piece as it arrives, feeding every byte to `meter` as well. The first
    /// complaint of `feed` ends the call; a body that was cut is a failure of the connection.
    pub(crate) async fn stream<F>(mut self, meter: &mut Meter, mut feed: F) -> Result<Streamed, CallError>
    where
        F: FnMut(&[u8]) -> Result<(), CallFailure> + Send,
    {
        let limit = self.call.limit;
        let mut bytes = 0;
        let outcome = loop {
            match self.response.chunk().await {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) => {
                    bytes += chunk.len() as u64;
                    if bytes > limit {
                        break Err(CallFailure::TooLarge { limit });
                    }
                    meter.update(&chunk);
                    if let Err(failure) = feed(&chunk) {
                        break Err(failure);
                    }
                }
                Err(error) => break Err(transport(error, self.call.deadline)),
            }
        };
        self.client
            .record(self.call, Some(self.status()), self.started, bytes);
        outcome.map_err(|failure| CallError::new(self.call.endpoint, failure))?;
        Ok(Streamed {
            bytes,
            date: date(self.response.headers()),
        })
    }
}

fn transport(error: reqwest::Error, deadline: Duration) -> CallFailure {
    // A connection that does not come about is not a slow answer.
    if error.is_timeout() && !error.is_connect() {
        CallFailure::Timeout { deadline }
    } else {
        // The address may carry ids or secrets in its query.
        CallFailure::Network(error.without_url())
    }
}
