//! Commands and queries over the broker, for processes that hold no database password. Services are listed by
//! the broker's own tools (`$SRV.PING`), share their requests as a queue group, and refuse with the same
//! problem document that the HTTP API gives.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::header::HeaderName;
use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, ServiceExt, endpoint};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::Broker;

/// Requests that one process works on at a time; more wait in the link.
const CONCURRENCY: usize = 256;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a request was refused: RFC 9457 in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title} ({status}): {detail}")]
pub struct Problem {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status with the same meaning.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
}

/// What comes back from a request that was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The service refused. This is an answer.
    #[error("the request was refused")]
    Refused(#[source] Problem),
    /// No process serves this subject at the moment. Nothing was done.
    #[error("no service answers to `{0}`")]
    NoService(String),
    /// No answer came in time. Whether it was done is unknown: ask again with the same command id.
    #[error("no answer from `{0}` in time")]
    TimedOut(String),
    /// The request could not be sent, or its answer not be read.
    #[error("the request to `{subject}` failed")]
    Failed {
        /// Subject asked.
        subject: String,
        /// What went wrong.
        #[source]
        source: Cause,
    },
}

/// A request as a handler gets it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Subject, `commands.<name>`.
    pub subject: String,
    /// Body.
    pub payload: Bytes,
    /// W3C trace context, if the caller sent one.
    pub traceparent: Option<String>,
}

/// What a handler gives back.
pub type Answer = Pin<Box<dyn Future<Output = Result<Bytes, Problem>> + Send>>;
/// A handler.
pub type Handler = Arc<dyn Fn(Request) -> Answer + Send + Sync>;

/// A service in the making: a name that begins all its subjects, a version, and handlers.
pub struct Service {
    name: String,
    version: String,
    handlers: HashMap<String, Handler>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("handlers", &self.handlers.keys())
            .finish()
    }
}

impl Service {
    /// `name` is `commands` or `queries`; `version` is semantic, `1.0.0`.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            handlers: HashMap::new(),
        }
    }

    /// Answers `<service>.<name>`.
    #[must_use]
    pub fn on<F, Fut>(mut self, name: &str, handler: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, Problem>> + Send + 'static,
    {
        self.handlers.insert(
            name.to_owned(),
            Arc::new(move |request| Box::pin(handler(request))),
        );
        self
    }
}

/// A service that is being served. Dropping it stops taking requests; those being worked on are finished.
#[derive(Debug)]
pub struct Serving {
    _service: async_nats::service::Service,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves until the result is dropped. Any number of processes may serve the same; each request reaches one.
///
/// # Errors
/// [`RpcError::Failed`] when the service cannot be announced.
pub async fn serve(broker: &Broker, service: Service) -> Result<Serving, RpcError> {
    let Service {
        name,
        version,
        handlers,
    } = service;
    let failed = |source: Cause| RpcError::Failed {
        subject: name.clone(),
        source,
    };
    let announced = broker
        .client()
        .service_builder()
        .queue_group(&name)
        .start(&name, &version)
        .await
        .map_err(failed)?;
    let group = announced.group(&name);
    let mut requests: SelectAll<endpoint::Endpoint> = SelectAll::new();
    for handler in handlers.keys() {
        requests.push(group.endpoint(handler).await.map_err(failed)?);
    }
    let prefix = format!("{name}.");
    let task = tokio::spawn(async move {
        let slots = Arc::new(Semaphore::new(CONCURRENCY));
        while let Some(request) = requests.next().await {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let handler = request
                .message
                .subject
                .strip_prefix(&prefix)
                .and_then(|name| handlers.get(name));
            let Some(handler) = handler.cloned() else { continue };
            tokio::spawn(async move {
                answer(&request, &handler).await;
                drop(slot);
            });
        }
    });
    Ok(Serving {
        _service: announced,
        task,
    })
}

async fn answer(request: &async_nats::service::Request, handler: &Handler) {
    let message = &request.message;
    let traceparent = message.headers.as_ref().and_then(|headers| {
        headers
            .get(HeaderName::from_static(crate::headers::TRACEPARENT))
            .map(|value| value.as_str().to_owned())
    });
    let given = Request {
        subject: message.subject.to_string(),
        payload: message.payload.clone(),
        traceparent,
    };
    let sent = match handler(given).await {
        Ok(body) => request.respond(Ok(body)).await,
        Err(problem) => refuse(request, &problem).await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, subject = %message.subject, "the answer could not be sent");
    }
}

/// The service interface knows errors only as two headers; the problem document travels as the body beside
/// them.
async fn refuse(
    request: &async_nats::service::Request,
    problem: &Problem,
) -> Result<(), async_nats::client::PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_SERVICE_ERROR, crate::dead::one_line(&problem.title));
    headers.insert(NATS_SERVICE_ERROR_CODE, problem.status.to_string());
    let body = serde_json::to_vec(problem).unwrap_or_default();
    request.respond_with_headers(Ok(body.into()), headers).await
}

/// Sends a request to whoever serves `subject` and waits up to `timeout` for the answer.
///
/// # Errors
/// [`RpcError`]; [`RpcError::Refused`] is the service's own answer.
pub async fn request(
    broker: &Broker,
    subject: &str,
    payload: Bytes,
    timeout: Duration,
) -> Result<Bytes, RpcError> {
    request_traced(broker, subject, payload, None, timeout).await
}

/// [`request`] with a W3C trace context.
///
/// # Errors
/// As [`request`].
pub async fn request_traced(
    broker: &Broker,
    subject: &str,
    payload: Bytes,
    traceparent: Option<&str>,
    timeout: Duration,
) -> Result<Bytes, RpcError> {
    let mut headers = HeaderMap::new();
    if let Some(trace) = traceparent {
        headers.insert(HeaderName::from_static(crate::headers::TRACEPARENT), trace);
    }
    let request = async_nats::client::Request::new()
        .payload(payload)
        .headers(headers)
        .timeout(Some(timeout));
    // The limit is set twice: the client's own begins only when the request has found a place in its queue.
    let sent = tokio::time::timeout(timeout, broker.client().send_request(subject.to_owned(), request)).await;
    let Ok(sent) = sent else {
        return Err(RpcError::TimedOut(subject.to_owned()));
    };
    match sent {
        Ok(message) => read_answer(subject, message),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            Err(RpcError::NoService(subject.to_owned()))
        }
        Err(error) if error.kind() == RequestErrorKind::TimedOut => {
            Err(RpcError::TimedOut(subject.to_owned()))
        }
        Err(error) => Err(RpcError::Failed {
            subject: subject.to_owned(),
            source: Box::new(error),
        }),
    }
}

fn read_answer(subject: &str, message: Message) -> Result<Bytes, RpcError> {
    let refused = message
        .headers
        .as_ref()
        .is_some_and(|headers| headers.get(NATS_SERVICE_ERROR_CODE).is_some());
    if !refused {
        return Ok(message.payload);
    }
    match serde_json::from_slice::<Problem>(&message.payload) {
        Ok(problem) => Err(RpcError::Refused(problem)),
        Err(source) => Err(RpcError::Failed {
            subject: subject.to_owned(),
            source: Box::new(source),
        }),
    }
}
