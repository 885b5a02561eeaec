//! `commands.*`: parse, call one use case, map the answer.

use application::wire::{
    ChangeSchedule, CommandAnswer, CommandHead, DisconnectCabinet, RequestSync, UnlinkSheet,
};
use application::{Context, Receipt, change_schedule, disconnect_cabinet, request_sync, unlink_sheet};
use bytes::Bytes;
use messaging::rpc::{Problem, Request, Service};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::{Gateway, problem};

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
    let service = crate::service("commands");
    let service = on!(service, "request_sync", request_sync);
    let service = on!(service, "change_schedule", change_schedule);
    let service = on!(service, "disconnect_cabinet", disconnect_cabinet);
    on!(service, "unlink_sheet", unlink_sheet)
}

async fn request_sync(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: RequestSync = parse(request)?;
    let context = context(gateway, request, body.head);
    let requested = request_sync::execute(&gateway.app, &context, body.cabinet_id, body.trigger, body.forced)
        .await
        .map_err(problem::sync)?;
    answer(&requested.receipt, Some(requested.sync_id.uuid()))
}

async fn change_schedule(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: ChangeSchedule = parse(request)?;
    let context = context(gateway, request, body.head);
    let receipt = change_schedule::execute(
        &gateway.app,
        &context,
        body.cabinet_id,
        change_schedule::Wanted {
            interval_seconds: Some(body.interval_seconds),
            paused: body.paused,
        },
    )
    .await
    .map_err(problem::schedule)?;
    answer(&receipt, None)
}

async fn disconnect_cabinet(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: DisconnectCabinet = parse(request)?;
    let context = context(gateway, request, body.head);
    let receipt = disconnect_cabinet::execute(&gateway.app, &context, body.cabinet_id)
        .await
        .map_err(problem::cabinet)?;
    answer(&receipt, None)
}

async fn unlink_sheet(gateway: &Gateway, request: &Request) -> Result<Bytes, Problem> {
    let body: UnlinkSheet = parse(request)?;
    let context = context(gateway, request, body.head);
    let receipt = unlink_sheet::execute(&gateway.app, &context)
        .await
        .map_err(problem::sheet)?;
    answer(&receipt, None)
}

pub(crate) fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    serde_json::from_slice(&request.payload).map_err(|error| problem::malformed(&error))
}

fn context(gateway: &Gateway, request: &Request, head: CommandHead) -> Context {
    Context {
        tenant_id: head.tenant_id,
        actor: head.actor,
        command_id: head.command_id,
        correlation_id: head.correlation_id,
        causation_id: None,
        traceparent: runtime::trace::current().or_else(|| request.traceparent.clone()),
        now: gateway.clock.now(),
    }
}

fn answer(receipt: &Receipt, sync_id: Option<uuid::Uuid>) -> Result<Bytes, Problem> {
    to_json(&CommandAnswer {
        stream: receipt.stream.to_owned(),
        stream_id: receipt.stream_id,
        version: receipt.version,
        position: receipt.position,
        sync_id,
    })
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| problem::internal(&error))
}
