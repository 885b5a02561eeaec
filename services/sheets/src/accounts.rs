//! Which service account opens a sheet: the tenant's own out of the vault, else the service's. Clients are
//! kept, so that tokens are fetched once an hour and not once a write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use connectors::google::{
    Accounts, ServiceAccount, SheetsClient, SheetsOptions as GoogleOptions, TokenHosts,
};
use connectors::http::HttpClient;
use events::ids::{CredentialId, TenantId};
use secrecy::{ExposeSecret, SecretString};
use vault::Vault;

use crate::trouble::Trouble;

/// Clients kept at most; beyond that all are made anew.
const KEPT: usize = 1_000;

/// Everything that is needed to make a client.
#[derive(Clone)]
pub struct GoogleMeans {
    /// The process's HTTP client.
    pub http: HttpClient,
    /// Where Google is.
    pub options: GoogleOptions,
    /// Quotas of all service accounts this process works with.
    pub accounts: Arc<Accounts>,
    /// Where a key may send its assertion.
    pub token_hosts: TokenHosts,
    /// The service's own key file, for tenants that bring none.
    pub service_account: Option<SecretString>,
}

/// Makes and keeps clients.
pub(crate) struct Clients {
    means: GoogleMeans,
    vault: Vault,
    known: Mutex<HashMap<Option<(TenantId, CredentialId)>, SheetsClient>>,
}

impl Clients {
    pub(crate) fn new(means: GoogleMeans, vault: Vault) -> Self {
        Self {
            means,
            vault,
            known: Mutex::default(),
        }
    }

    /// The client that opens this tenant's sheet.
    pub(crate) async fn of(
        &self,
        tenant: TenantId,
        credential: Option<CredentialId>,
    ) -> Result<SheetsClient, Trouble> {
        // A credential never changes under its id; a new key gets a new one.
        let name = credential.map(|credential| (tenant, credential));
        if let Some(client) = self.known().get(&name) {
            return Ok(client.clone());
        }
        let key = match credential {
            Some(credential) => self
                .vault
                .open(tenant, credential)
                .await
                .map_err(Trouble::Vault)?,
            None => self.means.service_account.clone().ok_or(Trouble::NoAccount)?,
        };
        let account = ServiceAccount::from_key(key.expose_secret(), self.means.token_hosts)
            .await
            .map_err(Trouble::Key)?;
        let client = SheetsClient::new(
            self.means.http.clone(),
            account,
            self.means.options.clone(),
            &self.means.accounts,
        );
        let mut known = self.known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(name, client.clone());
        Ok(client)
    }

    /// Forgets a client whose key Google no longer accepts, in case the vault has a better one.
    pub(crate) fn forget(&self, tenant: TenantId, credential: Option<CredentialId>) {
        self.known()
            .remove(&credential.map(|credential| (tenant, credential)));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Option<(TenantId, CredentialId)>, SheetsClient>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
