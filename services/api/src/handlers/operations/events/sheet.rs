//! Watching a sheet being written. Writing is no event, so there is nothing to be woken by: the role's own
//! table is looked at again and again. An event's id is the position that the cells show; the last one's is
//! beyond all of these.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use events::ids::TenantId;
use futures_util::stream;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::OperationView;
use super::super::show::{sheet_sync, sheet_view};
use super::event;
use crate::call::Call;
use crate::handlers::sse::{Going, STILL_HERE, streamed};
use crate::problem::Problem;
use crate::rights::Ended;
use crate::state::ApiState;

/// Time between two looks: a write takes a second or more, and every watcher's look is a query.
const PACE: Duration = Duration::from_millis(500);

/// Id of the last event: no position is as high.
const LAST: i64 = i64::MAX;

pub(super) async fn watch(call: Call, id: Uuid, seen: i64) -> Result<HttpResponse, Problem> {
    let tenant = call.tenant();
    let now = sheet_view(id, sheet_sync(&call, id).await?);
    if is_final(&now) && seen == LAST {
        return Ok(HttpResponse::NoContent().finish());
    }
    let watch = Watch {
        going: Going::begin(&call).await?,
        state: call.state,
        tenant,
        id,
        next: Some(now),
        told: None,
    };
    let chunks = stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next_chunk().await?;
        Some((chunk, watch))
    });
    Ok(streamed(chunks))
}

fn is_final(operation: &OperationView) -> bool {
    operation.status != "running"
}

/// A connection that watches one sheet.
struct Watch {
    state: Data<ApiState>,
    tenant: TenantId,
    going: Going,
    id: Uuid,
    next: Option<OperationView>,
    /// What the client was told last.
    told: Option<OperationView>,
}

impl Watch {
    /// What is sent next; none at the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        let silent_until = Instant::now() + self.going.place.heartbeat();
        loop {
            if self.told.as_ref().is_some_and(is_final) || self.going.is_over() {
                return None;
            }
            if let Some(last) = self.going.last_event().await {
                return Some(last);
            }
            if let Some(operation) = self.next.take().filter(|next| self.told.as_ref() != Some(next)) {
                let number = if is_final(&operation) {
                    LAST
                } else {
                    operation.progress.done
                };
                let chunk = event(number, &operation);
                self.told = Some(operation);
                return chunk;
            }
            if Instant::now() >= silent_until {
                return Some(Bytes::from_static(STILL_HERE));
            }
            let (stopping, rechecked) = (self.state.stopping.clone(), self.going.place.rechecked());
            tokio::select! {
                () = stopping.cancelled() => continue,
                () = rechecked => return Some(self.going.sign_of_life().await),
                () = tokio::time::sleep(PACE) => {}
            }
            match self.state.errands.sheet_sync(self.tenant, self.id).await {
                Ok(Some(sync)) => self.next = Some(sheet_view(self.id, sync)),
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(error = ?error, "a watched sheet cannot be looked at");
                    return Some(self.going.end(Ended::Failed));
                }
            }
        }
    }
}
