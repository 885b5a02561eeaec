//! The way out for traces: the one HTTP client, for the exporter, which runs on a thread of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{
    Bytes, HttpClient as ExporterClient, HttpError, Request, Response, ResponseBodyTooLarge,
};
use tokio::runtime::Handle;

use super::HttpClient;

/// Time for one batch, answer included.
const DEADLINE: Duration = Duration::from_secs(5);
/// A collector answers with next to nothing.
const ANSWER: usize = 64 * 1024;

/// Sends batches of spans to a collector. Not counted with the calls to vendors.
#[derive(Debug)]
pub struct TraceClient {
    http: HttpClient,
    tokio: Handle,
    failing: AtomicBool,
}

impl TraceClient {
    /// Over the client of this process; `tokio` does the work, since the exporter's thread has no reactor.
    #[must_use]
    pub const fn new(http: HttpClient, tokio: Handle) -> Self {
        let failing = AtomicBool::new(false);
        Self { http, tokio, failing }
    }

    /// A collector that is away is told once, not with every batch.
    fn tell(&self, answered: &Answered) {
        let problem = match answered {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let failed_before = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !failed_before => {
                tracing::warn!(
                    problem,
                    "traces cannot be sent to the collector; they are dropped"
                );
            }
            None if failed_before => tracing::info!("traces are sent again"),
            _ => {}
        }
    }
}

type Answered = Result<Response<Bytes>, HttpError>;

impl ExporterClient for TraceClient {
    fn send_bytes<'client, 'answer>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Answered> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        let sent = self.tokio.spawn(send(self.http.clone(), request));
        Box::pin(async move {
            let answered = sent.await.unwrap_or_else(|error| Err(error.into()));
            self.tell(&answered);
            answered
        })
    }
}

async fn send(http: HttpClient, request: Request<Bytes>) -> Answered {
    let mut request = reqwest::Request::try_from(request)?;
    *request.timeout_mut() = Some(DEADLINE);
    let mut answer = http.inner.execute(request).await?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.extend(std::mem::take(answer.headers_mut()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER {
            return Err(Box::new(ResponseBodyTooLarge::new()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body.into())?)
}
