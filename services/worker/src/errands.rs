//! Small things other processes may not do themselves, because only the worker may open credentials.

use application::Context;
use application::wire::{CheckCredential, CredentialCheck};
use bytes::Bytes;
use messaging::Broker;
use messaging::rpc::{self, Problem, RpcError, Service, Serving};
use tracing::Instrument as _;

use crate::check::{self, CheckError};
use crate::sync::Syncs;

/// Name of the service; its one subject is `worker.check_credential`.
pub const SERVICE: &str = "worker";

/// Begins to answer; ends when the result is dropped.
///
/// # Errors
/// [`RpcError`] when the service cannot be announced.
pub async fn answer(broker: &Broker, syncs: &Syncs) -> Result<Serving, RpcError> {
    let syncs = syncs.clone();
    let service = Service::new(SERVICE, "1.0.0").on("check_credential", move |request| {
        let syncs = syncs.clone();
        let span = runtime::trace::question(&request.subject, request.traceparent.as_deref());
        let answered = async move {
            let body: CheckCredential = serde_json::from_slice(&request.payload)
                .map_err(|error| refuse("validation-failed", 422, &error.to_string()))?;
            let check = Box::pin(check_credential(&syncs, &body)).await?;
            serde_json::to_vec(&check)
                .map(Bytes::from)
                .map_err(|error| refuse("internal", 500, &error.to_string()))
        };
        answered.instrument(span)
    });
    rpc::serve(broker, service).await
}

/// Tries the cabinet's key at its marketplace and records what it says.
async fn check_credential(syncs: &Syncs, asked: &CheckCredential) -> Result<CredentialCheck, Problem> {
    let context = Context {
        tenant_id: asked.head.tenant_id,
        actor: asked.head.actor.clone(),
        command_id: asked.head.command_id,
        correlation_id: asked.head.correlation_id,
        causation_id: None,
        traceparent: runtime::trace::current(),
        now: syncs.clock.now(),
    };
    match check::run(syncs, &context, asked.cabinet_id).await {
        Ok(checked) => Ok(checked.check),
        Err(CheckError::NoCabinet) => Err(refuse("not-found", 404, "there is no such cabinet")),
        Err(CheckError::NoAnswer(class)) => {
            tracing::info!(class, "a key could not be tried");
            Err(refuse("upstream-failed", 502, "the marketplace did not answer"))
        }
        Err(error) => Err(trouble(&error)),
    }
}

fn refuse(kind: &str, status: u16, detail: &str) -> Problem {
    Problem {
        kind: kind.to_owned(),
        title: "The credential was not checked".to_owned(),
        status,
        detail: detail.to_owned(),
    }
}

fn trouble(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = ?error, "credential check failed");
    refuse("temporarily-unavailable", 503, "try again")
}
