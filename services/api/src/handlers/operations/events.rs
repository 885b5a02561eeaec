//! The progress of an operation as it happens: server-sent events (WHATWG HTML, section 9.2) whose ids are
//! positions of the log, so that a client that was cut off goes on where it was. A sync is followed in its
//! read model; how a sheet is followed is in [`sheet`].

mod sheet;

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use auth::Principal;
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use events::ids::TenantId;
use futures_util::{Stream, stream};
use read_models::operations::queries::{self, SyncDetail};
use read_models::{Inventory, Operations, QueryError, Reached};
use uuid::Uuid;

use super::{OperationView, is_behind, is_sheet_operation};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Silence after which a comment is sent, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Time between two looks at a busy read model.
const PACE: Duration = Duration::from_millis(100);
/// Milliseconds after which a client that was cut off asks again.
const RETRY: &str = "retry: 3000\n\n";
/// A comment that says nothing.
const STILL_HERE: &[u8] = b": still here\n\n";

/// Watch an operation: an event whenever it changes, until it ends. The end of a sync is told when products,
/// totals and exports show all of it. A client that has seen the end gets 204
/// and stops.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/operations/{id}/events", tag = "operations",
    operation_id = "operation_events",
    params(("id" = Uuid, Path, description = "Id of the operation"),
           ("Last-Event-ID" = Option<i64>, Header, description = "Id of the last event that was received")),
    responses((status = 200, description = "Events named `operation`; the data of each is an `OperationView` as JSON",
               content_type = "text/event-stream", body = String),
              (status = 204, description = "The last event was received already")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "operation")?;
    let Nothing = input::query(&request)?;
    let seen = last_event_id(&request)?;
    if is_sheet_operation(id) {
        return sheet::watch(call, id, seen).await;
    }
    let question = async |tx: &Transaction<'_>| {
        let inventory = Model::Inventory.position(tx).await?;
        Ok((queries::sync(tx, id).await?, inventory))
    };
    let ((sync, inventory), position) = call.read(&request, Model::Operations, question).await?;
    let sync = sync.ok_or_else(|| Problem::not_found("operation"))?;
    let behind = is_behind(&sync, inventory);
    if sync.status.is_final() && sync.position <= seen {
        return Ok(HttpResponse::NoContent().finish());
    }
    let watch = Watch {
        ends_at: call.trace.now + auth::access::LIFETIME,
        principal: call.principal,
        state: call.state.clone(),
        id,
        seen,
        // The end is not told before products show it, and it is looked for at once.
        position: if behind { position - 1 } else { position },
        next: Some(sync).filter(|_| !behind),
        ended: false,
    };
    let chunks = stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next_chunk().await?;
        Some((chunk, watch))
    });
    Ok(streamed(chunks))
}

/// The answer that goes on as long as there are chunks.
fn streamed(chunks: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    let opening = stream::once(async { Bytes::from_static(RETRY.as_bytes()) });
    let all = futures_util::StreamExt::chain(opening, chunks);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::map(all, Ok::<_, actix_web::Error>))
}

/// A connection that watches one sync.
struct Watch {
    state: Data<ApiState>,
    principal: Principal,
    ends_at: DateTime<Utc>,
    id: Uuid,
    /// Position of the last event the client has.
    seen: i64,
    /// Position up to which the read model has been looked at.
    position: i64,
    next: Option<SyncDetail>,
    ended: bool,
}

impl Watch {
    /// What is sent next; none at the end. The client comes again after a failure or after the access token's
    /// time, and is judged anew then.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if self.ended || self.state.clock.now() >= self.ends_at {
                return None;
            }
            if let Some(sync) = self.next.take().filter(|sync| sync.position > self.seen) {
                self.seen = sync.position;
                self.ended = sync.status.is_final();
                let shown = sync.position;
                return event(self.seen, &OperationView::of(sync, shown));
            }
            let stopping = self.state.stopping.clone();
            let waited = tokio::select! {
                () = stopping.cancelled() => return None,
                waited = self.wait() => waited,
            };
            match waited {
                Ok(true) => {}
                Ok(false) => return Some(Bytes::from_static(STILL_HERE)),
                Err(error) => {
                    tracing::warn!(error = ?error, "a watched operation cannot be read");
                    return None;
                }
            }
        }
    }

    /// Waits for the read model to move, then looks, and waits until products show an end. False when nothing
    /// moved for a while.
    async fn wait(&mut self) -> Result<bool, QueryError> {
        tokio::time::sleep(PACE).await;
        let reached = self
            .state
            .positions
            .wait_for::<Operations>(&self.state.reads, self.position + 1, HEARTBEAT)
            .await?;
        let Reached::Yes(position) = reached else {
            return Ok(false);
        };
        let found = self.look(self.principal.tenant_id).await?;
        if let Some(sync) = found.as_ref().filter(|sync| sync.status.is_final()) {
            let shown = self
                .state
                .positions
                .wait_for::<Inventory>(&self.state.reads, sync.position, HEARTBEAT)
                .await?;
            if !matches!(shown, Reached::Yes(_)) {
                return Ok(false);
            }
        }
        self.position = position;
        self.next = found;
        Ok(true)
    }

    async fn look(&self, tenant: TenantId) -> Result<Option<SyncDetail>, QueryError> {
        let mut session = self
            .state
            .reads
            .tenant(tenant)
            .await
            .map_err(QueryError::Database)?;
        let transaction = session.begin().await.map_err(QueryError::Database)?;
        let found = queries::sync(&transaction, self.id).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

fn event(id: i64, operation: &OperationView) -> Option<Bytes> {
    let data = match serde_json::to_string(operation) {
        Ok(data) => data,
        Err(error) => {
            tracing::error!(error = %error, "an operation cannot be written");
            return None;
        }
    };
    Some(Bytes::from(format!(
        "id: {id}\nevent: operation\ndata: {data}\n\n"
    )))
}

fn last_event_id(request: &HttpRequest) -> Result<i64, Problem> {
    let Some(value) = request.headers().get("last-event-id") else {
        return Ok(0);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| {
            Problem::new(
                Code::MalformedHeader,
                "Last-Event-ID must be the id of an event of this stream",
            )
            .at("header Last-Event-ID")
        })
}
