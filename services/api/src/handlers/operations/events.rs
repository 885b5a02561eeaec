//! The progress of an operation as it happens: server-sent events whose ids are
//! positions of the log, so that a client that was cut off goes on where it was. A sync is followed in its
//! read model; how a sheet is followed is in [`sheet`].

mod sheet;

use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use events::ids::TenantId;
use futures_util::stream;
use read_models::operations::queries::{self, SyncDetail};
use read_models::{Inventory, Operations, QueryError, Reached};
use uuid::Uuid;

use super::{OperationView, is_behind, is_sheet_operation};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::handlers::sse::{Going, STILL_HERE, last_event_id, streamed};
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::rights::Ended;
use crate::state::ApiState;

/// Time between two looks at a busy read model.
const PACE: Duration = Duration::from_millis(100);
/// Watch an operation: an event whenever it changes, until it ends. The end of a sync is told when products,
/// totals and exports show all of it. A client that has seen the end gets 204
/// and stops. An event named `end` is the last one of a stream that ends before: its `reason` is
/// `token_expired` (come again with a new token), `access_ended`, `tenant_suspended`, `forbidden`, `stopping`
/// or `failed` (come again).
///
/// # Errors
/// 404; 429 where the user has 4 streams open, or the tenant 16.
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
    let seen = last_event_id(&request)?.unwrap_or(0);
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
        going: Going::begin(&call).await?,
        tenant: call.tenant(),
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

/// A connection that watches one sync.
struct Watch {
    state: Data<ApiState>,
    tenant: TenantId,
    going: Going,
    id: Uuid,
    /// Position of the last event the client has.
    seen: i64,
    /// Position up to which the read model has been looked at.
    position: i64,
    next: Option<SyncDetail>,
    ended: bool,
}

impl Watch {
    /// What is sent next; none at the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if self.ended || self.going.is_over() {
                return None;
            }
            let rechecked = self.going.place.rechecked();
            if let Some(last) = self.going.last_event().await {
                return Some(last);
            }
            if let Some(sync) = self.next.take().filter(|sync| sync.position > self.seen) {
                self.seen = sync.position;
                self.ended = sync.status.is_final();
                let shown = sync.position;
                return event(self.seen, &OperationView::of(sync, shown));
            }
            let stopping = self.state.stopping.clone();
            let waited = tokio::select! {
                () = stopping.cancelled() => continue,
                () = rechecked => return Some(self.going.sign_of_life().await),
                waited = self.wait() => waited,
            };
            match waited {
                Ok(true) => {}
                Ok(false) => return Some(Bytes::from_static(STILL_HERE)),
                Err(error) => {
                    tracing::warn!(error = ?error, "a watched operation cannot be read");
                    return Some(self.going.end(Ended::Failed));
                }
            }
        }
    }

    /// Waits for the read model to move, then looks, and waits until products show an end. False when nothing
    /// moved for a while.
    async fn wait(&mut self) -> Result<bool, QueryError> {
        let heartbeat = self.going.place.heartbeat();
        tokio::time::sleep(PACE).await;
        let reached = self
            .state
            .positions
            .wait_for::<Operations>(&self.state.reads, self.position + 1, heartbeat)
            .await?;
        let Reached::Yes(position) = reached else {
            return Ok(false);
        };
        let found = self.look(self.tenant).await?;
        if let Some(sync) = found.as_ref().filter(|sync| sync.status.is_final()) {
            let shown = self
                .state
                .positions
                .wait_for::<Inventory>(&self.state.reads, sync.position, heartbeat)
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
