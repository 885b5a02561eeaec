//! Small things other processes may not do themselves, because only the worker may open credentials.

use application::domain::cabinet::Cabinet;
use application::judge_credential::{self, Verdict};
use application::wire::{CheckCredential, CredentialCheck};
use application::{Context, Folded};
use bytes::Bytes;
use connectors::error::FailureClass;
use connectors::marketplace::Marketplace as _;
use events::ids::{CabinetId, TenantId};
use messaging::Broker;
use messaging::rpc::{self, Problem, RpcError, Service, Serving};
use tracing::Instrument as _;

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
    let (tenant, cabinet_id): (TenantId, CabinetId) = (asked.head.tenant_id, asked.cabinet_id);
    let loaded = syncs
        .app
        .states
        .load::<Folded<Cabinet>>(tenant, cabinet_id.uuid())
        .await
        .map_err(|error| trouble(&error))?;
    let Folded(cabinet) = loaded.state;
    let (Some(marketplace), Some(credential), false) =
        (cabinet.marketplace, cabinet.credential, cabinet.disconnected)
    else {
        return Err(refuse("not-found", 404, "there is no such cabinet"));
    };
    let secret = syncs
        .app
        .vault
        .open(tenant, credential.credential_id)
        .await
        .map_err(|error| trouble(&error))?;
    let client = syncs
        .marketplaces
        .client(marketplace, &secret)
        .map_err(|error| trouble(&error))?;
    let (verdict, check) = match client.check().await {
        Ok(found) => {
            let refusals = found.categories.iter().filter_map(|category| {
                category
                    .refusal
                    .as_ref()
                    .map(|why| format!("{}: {why}", category.category))
            });
            let detail: Vec<String> = refusals.collect();
            (
                Some(Verdict::Accepted),
                CredentialCheck {
                    accepted: true,
                    detail,
                },
            )
        }
        Err(error) => {
            let verdict = match error.class() {
                FailureClass::Credential => Some(Verdict::Rejected("unauthorized".to_owned())),
                FailureClass::Payment => Some(Verdict::Rejected("payment_required".to_owned())),
                // The marketplace said nothing about the key.
                _ => None,
            };
            (
                verdict,
                CredentialCheck {
                    accepted: false,
                    detail: vec![error.to_string()],
                },
            )
        }
    };
    if let Some(verdict) = verdict {
        let context = Context {
            tenant_id: tenant,
            actor: asked.head.actor.clone(),
            command_id: asked.head.command_id,
            correlation_id: asked.head.correlation_id,
            causation_id: None,
            traceparent: runtime::trace::current(),
            now: syncs.clock.now(),
        };
        judge_credential::execute(
            &syncs.app,
            &context,
            cabinet_id,
            credential.credential_id,
            verdict,
        )
        .await
        .map_err(|error| trouble(&error))?;
    }
    Ok(check)
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
