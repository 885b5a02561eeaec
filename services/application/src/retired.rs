//! Secrets that nobody uses any more are destroyed as soon as the log says so: a replaced key, one that was
//! offered and refused, the keys of a cabinet that was taken away, a service account that was unlinked,
//! address and secrets of a webhook endpoint. What is lost between the log and the vault stays sealed and
//! goes with the tenant.

use domain::cabinet::Cabinet;
use domain::sheet::Sheet;
use domain::webhook_endpoint::WebhookEndpoint;
use event_store::ReadError;
use events::ids::{CabinetId, CredentialId};

use crate::{App, Context, Folded};

/// The secrets in the vault that a state refers to.
pub(crate) trait Secrets {
    fn secrets(&self) -> Vec<CredentialId>;
}

impl Secrets for Cabinet {
    fn secrets(&self) -> Vec<CredentialId> {
        if self.disconnected {
            return Vec::new();
        }
        let facts = [&self.credential, &self.offered].into_iter().flatten();
        facts.map(|facts| facts.credential_id).collect()
    }
}

impl Secrets for Sheet {
    fn secrets(&self) -> Vec<CredentialId> {
        let linked = self.linked.as_ref();
        linked
            .and_then(|linked| linked.credential_id)
            .into_iter()
            .collect()
    }
}

impl Secrets for WebhookEndpoint {
    fn secrets(&self) -> Vec<CredentialId> {
        let active = self.active.iter();
        active
            .flat_map(|active| {
                let former = active.former.map(|(former, _)| former);
                [Some(active.address_id), Some(active.secret_id), former]
            })
            .flatten()
            .collect()
    }
}

/// The cabinet as it is before a command.
pub(crate) async fn cabinet(app: &App, context: &Context, id: CabinetId) -> Result<Cabinet, ReadError> {
    let loaded = app.states.load::<Folded<Cabinet>>(context.tenant_id, id.uuid());
    Ok(loaded.await?.state.0)
}

/// The sheet as it is before a command.
pub(crate) async fn sheet(app: &App, context: &Context) -> Result<Sheet, ReadError> {
    let tenant = context.tenant_id;
    let loaded = app.states.load::<Folded<Sheet>>(tenant, tenant.uuid());
    Ok(loaded.await?.state.0)
}

/// Destroys the secrets that were referred to before, or sealed for the command, and are not referred to any
/// more. The command is done; that a secret lies in the vault a while longer is no reason to say otherwise.
pub(crate) async fn destroy<S: Secrets>(
    app: &App,
    context: &Context,
    before: &S,
    sealed: Option<CredentialId>,
    after: &S,
) {
    let kept = after.secrets();
    let known = before.secrets().into_iter().chain(sealed);
    for retired in known.filter(|id| !kept.contains(id)) {
        if let Err(error) = app.vault.destroy(context.tenant_id, retired).await {
            tracing::warn!(error = ?error, credential.id = %retired, "an unused secret still in the vault");
        }
    }
}
