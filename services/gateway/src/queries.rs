//! `queries.*`: the read models, and the schedule, for those who may not ask the database.

use application::wire::{Cabinets, DueCabinet, DueCabinets, Operation};
use bytes::Bytes;
use events::ids::{CabinetId, TenantId};
use messaging::rpc::{Problem, Request, Service};
use read_models::operations::queries as operations;
use tracing::Instrument as _;

use crate::commands::{parse, to_json};
use crate::{Gateway, problem};

/// Cabinets in one answer, at most.
const MOST_DUE: u32 = 500;

pub(crate) fn service(gateway: &Gateway) -> Service {
    macro_rules! on {
        ($service:expr, $name:literal, $handler:path) => {{
            let gateway = gateway.clone();
            $service.on($name, move |request| {
                let gateway = gateway.clone();
                async move {
                    let span = runtime::trace::question(&request.subject, request.traceparent.as_deref());
                    $handler(&gateway, &request).instrument(span).await
                }
            })
        }};
    }
    let service = crate::service("queries");
    let service = on!(service, "due_cabinets", due_cabinets);
    let service = on!(service, "cabinets", cabinets);
    on!(service, "operation", operation)
}

async fn due_cabinets(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: DueCabinets = parse(request)?;
    let due = due(gateway, &body)
        .await
        .map_err(|error| problem::internal(&error))?;
    to_json(&due)
}

async fn due(gateway: &Gateway, question: &DueCabinets) -> Result<Vec<DueCabinet>, database::DatabaseError> {
    let session = gateway.pool.get().await?;
    let limit = i32::try_from(question.limit.min(MOST_DUE)).unwrap_or(i32::MAX);
    let most = i32::try_from(question.most_outstanding).unwrap_or(i32::MAX);
    let statement = session
        .prepare_cached("SELECT tenant_id, cabinet_id, never_synced FROM core.next_due_cabinets($1, $2, $3)")
        .await?;
    let rows = session
        .query(&statement, &[&gateway.clock.now(), &limit, &most])
        .await?;
    Ok(rows
        .iter()
        .map(|row| DueCabinet {
            tenant_id: TenantId(row.get(0)),
            cabinet_id: CabinetId(row.get(1)),
            never_synced: row.get(2),
        })
        .collect())
}

async fn cabinets(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: Cabinets = parse(request)?;
    let mut session = gateway
        .pool
        .tenant(body.tenant_id)
        .await
        .map_err(|error| problem::internal(&error))?;
    let transaction = session.begin().await.map_err(|error| problem::internal(&error))?;
    let cabinets = operations::cabinets(&transaction, false)
        .await
        .map_err(|error| problem::internal(&error))?;
    to_json(&cabinets)
}

async fn operation(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: Operation = parse(request)?;
    let mut session = gateway
        .pool
        .tenant(body.tenant_id)
        .await
        .map_err(|error| problem::internal(&error))?;
    let transaction = session.begin().await.map_err(|error| problem::internal(&error))?;
    let found = operations::sync(&transaction, body.operation_id)
        .await
        .map_err(|error| problem::internal(&error))?
        .ok_or_else(|| problem::no_such("operation"))?;
    to_json(&found)
}
