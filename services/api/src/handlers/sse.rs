//! Answers that go on: server-sent events (WHATWG HTML, section 9.2). A stream has one of the places that a
//! user and a tenant have, ends with the rights of whoever opened it, and says so with its last event.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use serde_json::json;

use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::rights::{Ended, Rights};
use crate::streams::Place;

/// Milliseconds after which a client that was cut off asks again.
const RETRY: &str = "retry: 3000\n\n";
/// A comment that says nothing.
pub(super) const STILL_HERE: &[u8] = b": still here\n\n";

/// A stream while it lasts.
pub(super) struct Going {
    pub(super) place: Place,
    rights: Rights,
    is_over: bool,
}

impl Going {
    /// Takes a place for the caller's stream.
    ///
    /// # Errors
    /// 429 where there are as many as there may be.
    pub(super) async fn begin(call: &Call) -> Result<Self, Problem> {
        Ok(Self {
            place: call.state.streams.take(&call.principal).await?,
            rights: call.rights(),
            is_over: false,
        })
    }

    /// Whether the last event was sent.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The last event, where the rights have ended.
    pub(super) async fn last_event(&mut self) -> Option<Bytes> {
        let ended = self.rights.judge().await.err()?;
        Some(self.end(ended))
    }

    /// The last event, where the rights have ended; else a comment.
    pub(super) async fn sign_of_life(&mut self) -> Bytes {
        let last = self.last_event().await;
        last.unwrap_or_else(|| Bytes::from_static(STILL_HERE))
    }

    /// The last event.
    pub(super) fn end(&mut self, why: Ended) -> Bytes {
        self.is_over = true;
        let data = json!({ "reason": why.as_str() });
        // Without an id: the client goes on after the last one that it has seen.
        Bytes::from(format!("event: end\ndata: {data}\n\n"))
    }
}

/// The answer that goes on as long as there are chunks.
pub(super) fn streamed(chunks: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    let opening = stream::once(async { Bytes::from_static(RETRY.as_bytes()) });
    let all = futures_util::StreamExt::chain(opening, chunks);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::map(all, Ok::<_, actix_web::Error>))
}

/// The id of the last event that the client has, if it says so.
///
/// # Errors
/// 400 for what is no id.
pub(super) fn last_event_id(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(value) = request.headers().get("last-event-id") else {
        return Ok(None);
    };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let id = id.filter(|id: &i64| *id >= 0).ok_or_else(|| {
        Problem::new(
            Code::MalformedHeader,
            "Last-Event-ID must be the id of an event of this stream",
        )
        .at("header Last-Event-ID")
    })?;
    Ok(Some(id))
}
