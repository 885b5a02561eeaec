//! What happens in a tenant, as it happens: server-sent events whose ids are positions of the log, so that a
//! client that was cut off goes on where it was. What is told of is in [`shown`]; how streams wait is in
//! [`crate::streams`].

mod shown;

use std::collections::HashMap;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use events::{Recorded, StreamType};
use futures_util::stream;
use read_models::QueryError;
use read_models::inventory::queries::cabinets_of;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::call::Call;
use crate::handlers::sse::{Going, last_event_id, streamed};
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::rights::Ended;
use crate::state::ApiState;
use crate::streams::{self, WINDOW, Woken};

/// Events that one query reads.
const PAGE: i64 = 200;
/// Positions of the log after which a client does not go on where it was: it has to read the state anew.
const MOST_BEHIND: i64 = 1_000_000;

/// Which events.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Names of types, or of groups of them (`sync`, `stock`, `alert`), with commas between; left out for
    /// all.
    #[param(required = false, value_type = String, example = "sync.completed,alert")]
    pub types: Vec<&'static str>,
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet_id: Option<Uuid>,
    /// Of one product; syncs are of none.
    #[param(required = false)]
    pub product_id: Option<Uuid>,
    /// Position after which to begin, such as the `Stock-Position` of an answer; left out to begin now.
    /// `Last-Event-ID` counts more.
    #[param(required = false, minimum = 0)]
    pub after: Option<i64>,
}

impl Input for EventFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let types = fields.optional("types", types);
        Some(Self {
            types: types.unwrap_or_else(shown::all),
            cabinet_id: fields.optional("cabinet_id", shape::uuid),
            product_id: fields.optional("product_id", shape::uuid),
            after: fields.optional("after", shape::integer(0, i64::MAX)),
        })
    }
}

fn types(given: Given<'_>) -> Result<Vec<&'static str>, String> {
    let text = shape::text(1, 500)(given)?;
    let mut types = Vec::new();
    for name in text.split(',').map(str::trim) {
        let found = shown::named(name);
        if found.is_empty() {
            let known = shown::all().join(", ");
            return Err(format!(
                "must name types ({known}) or groups (sync, stock, alert), with commas between"
            ));
        }
        types.extend(found);
    }
    Ok(types)
}

/// Follow syncs, alerts and changes of stock as they happen.
///
/// The answer is a stream of server-sent events. The `id` of an event is its position, `event` its type, and
/// its data a small JSON object with ids and numbers:
///
/// - `sync.requested`, `sync.started`, `sync.completed`, `sync.failed`, `sync.quarantined`, `sync.released`,
///   `sync.discarded`, `source.degraded`, `source.recovered` (group `sync`)
/// - `stock.changed`: the levels of a product that changed, as they are now (group `stock`)
/// - `stock.low`, `stock.out`, `stock.recovered`, `alert.closed` (group `alert`)
///
/// An event comes when every other answer shows it. The first one is `ready`, with the position after which
/// the stream begins. A client that comes again with `Last-Event-ID` misses nothing; one that was away for a
/// million positions gets `reset`, has to read the state anew, and goes on from there. A comment comes every
/// 15 seconds of silence. The last event is `end`: its `reason` is `token_expired` (come again with a new
/// token), `access_ended`, `tenant_suspended`, `forbidden`, `stopping` or `failed` (come again).
///
/// # Errors
/// 422; 429 where the user has 4 streams open, or the tenant 16.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "events",
    params(EventFilter,
           ("Last-Event-ID" = Option<i64>, Header, description = "Id of the last event that was received")),
    responses((status = 200, description = "Events; the data of each is a JSON object",
               content_type = "text/event-stream", body = String)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: EventFilter = input::query(&request)?;
    let after = last_event_id(&request)?.or(filter.after);
    // Before the position is read: what comes from now on is told to this place.
    let going = Going::begin(&call).await?;
    let shown = streams::shown(&call.state).await?;
    call.state.streams.look(&call.state);
    let follow = Follow {
        state: call.state,
        tenant: call.principal.tenant_id,
        going,
        kinds: shown::kinds(&filter.types),
        filter,
        read: after.unwrap_or(shown),
        target: shown,
        is_ready: false,
    };
    let chunks = stream::unfold(follow, |mut follow| async move {
        let chunk = follow.next_chunk().await?;
        Some((chunk, follow))
    });
    Ok(streamed(chunks))
}

/// A connection that follows a tenant.
struct Follow {
    state: Data<ApiState>,
    tenant: events::ids::TenantId,
    going: Going,
    filter: EventFilter,
    kinds: Vec<StreamType>,
    /// Position up to which everything was told.
    read: i64,
    /// Position up to which there may be something.
    target: i64,
    is_ready: bool,
}

impl Follow {
    /// What is sent next; none at the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if self.going.is_over() {
                return None;
            }
            // Before the rights: what is told of them from now on wakes the stream.
            let looked = self.going.place.looked();
            self.target = self.target.max(self.going.place.news());
            if let Some(last) = self.going.last_event().await {
                return Some(last);
            }
            if let Some(opening) = self.opening() {
                return Some(opening);
            }
            if self.read < self.target {
                match self.read_on().await {
                    Ok(text) if text.is_empty() => {}
                    Ok(text) => return Some(Bytes::from(text)),
                    Err(error) => {
                        tracing::warn!(error = ?error, "the events of a stream cannot be read");
                        return Some(self.going.end(Ended::Failed));
                    }
                }
                continue;
            }
            self.read = self.read.max(looked);
            let stopping = self.state.stopping.clone();
            tokio::select! {
                () = stopping.cancelled() => {}
                woken = self.going.place.wait() => if woken == Woken::Silence {
                    return match self.going.last_event().await {
                        Some(last) => Some(last),
                        // The id alone moves the place at which the client would go on.
                        None => Some(Bytes::from(format!(": still here\nid: {}\n\n", self.read))),
                    };
                },
            }
        }
    }

    /// The first event.
    fn opening(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.is_ready, true) {
            return None;
        }
        let name = if self.target - self.read > MOST_BEHIND {
            self.read = self.target;
            "reset"
        } else {
            "ready"
        };
        let data = json!({ "position": self.read });
        let id = self.read;
        Some(Bytes::from(format!("id: {id}\nevent: {name}\ndata: {data}\n\n")))
    }

    /// Reads on, as far as one query goes; returns what is told of it.
    async fn read_on(&mut self) -> Result<String, ReadOnError> {
        let up_to = self.target.min(self.read + WINDOW);
        let store = &self.state.app.store;
        let page = store
            .read_tenant(self.tenant, &self.kinds, self.read, up_to, PAGE)
            .await?;
        let is_full = i64::try_from(page.len()).is_ok_and(|count| count >= PAGE);
        let read = match page.last() {
            Some(last) if is_full => last.position,
            _ => up_to,
        };
        let cabinets = self.cabinets(&page).await?;
        let mut text = String::new();
        for event in &page {
            let Some(told) = shown::of(event, &cabinets).filter(|told| self.wants(told)) else {
                continue;
            };
            let (id, name, data) = (event.position, told.name, told.data);
            text.push_str(&format!("id: {id}\nevent: {name}\ndata: {data}\n\n"));
        }
        self.read = read;
        Ok(text)
    }

    fn wants(&self, told: &shown::Shown) -> bool {
        let EventFilter {
            types,
            cabinet_id,
            product_id,
            ..
        } = &self.filter;
        types.contains(&told.name)
            && cabinet_id.is_none_or(|cabinet| told.cabinet == Some(cabinet))
            && product_id.is_none_or(|product| told.product == Some(product))
    }

    /// The cabinets of the products in a page: not every event of a product names its own.
    async fn cabinets(&self, page: &[Recorded]) -> Result<HashMap<Uuid, Uuid>, ReadOnError> {
        let products: Vec<Uuid> = (page.iter())
            .filter(|event| event.stream != StreamType::Sync.as_str())
            .map(|event| event.stream_id)
            .collect();
        if products.is_empty() {
            return Ok(HashMap::new());
        }
        let mut session = (self.state.reads.tenant(self.tenant).await).map_err(QueryError::Database)?;
        let transaction: Transaction<'_> = session.begin().await.map_err(QueryError::Database)?;
        let cabinets = cabinets_of(&transaction, &products).await?;
        transaction.commit().await.map_err(QueryError::from)?;
        Ok(cabinets)
    }
}

/// Why the stream cannot go on.
#[derive(Debug, thiserror::Error)]
enum ReadOnError {
    #[error("the log cannot be read")]
    Log(#[from] application::ReadError),
    #[error("the cabinets of products cannot be read")]
    Cabinets(#[from] QueryError),
}
