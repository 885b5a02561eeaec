//! Makes the client for a cabinet from its credential. One per process, because the vendors' limits are
//! counted per seller and not per client.

use std::sync::Arc;

use connectors::http::{HttpClient, Turns};
use connectors::limits::Limits;
use connectors::marketplace::MarketplaceClient;
use connectors::ozon::{self, Accounts, Credential, CredentialError, Ozon};
use connectors::wildberries::{Hosts, Options, PendingReports, Sellers, Token, TokenError, Wildberries};
use events::cabinet::Marketplace;
use events::ids::TenantId;
use secrecy::{ExposeSecret, SecretString};

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is in the vault is no token of Wildberries.
    #[error("the credential in the vault is not a token")]
    Token(#[from] TokenError),
    /// What is in the vault is no pair of Ozon.
    #[error("the credential in the vault is not a Client-Id with an Api-Key")]
    Credential(#[from] CredentialError),
}

/// The marketplaces as this process reaches them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Marketplaces {
    http: HttpClient,
    hosts: Hosts,
    options: Options,
    sellers: Arc<Sellers>,
    ozon_url: String,
    ozon_options: ozon::Options,
    accounts: Arc<Accounts>,
    limits: Limits,
}

impl Marketplaces {
    /// With limits that this process keeps alone; `speed` 1.0 keeps the vendors' published ones. Ozon is
    /// where it really is, unless [`Marketplaces::with_ozon`] says otherwise.
    #[must_use]
    pub fn new(http: HttpClient, hosts: Hosts, options: Options, speed: f64) -> Self {
        let limits = Limits::local(speed);
        Self {
            http,
            hosts,
            options,
            sellers: Arc::new(Sellers::within(limits.clone())),
            ozon_url: ozon::URL.to_owned(),
            ozon_options: ozon::Options::default(),
            accounts: Arc::new(Accounts::within(limits.clone())),
            limits,
        }
    }

    /// The same within limits that are kept together with other processes.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self {
            sellers: Arc::new(Sellers::within(limits.clone())),
            accounts: Arc::new(Accounts::within(limits.clone())),
            limits,
            ..self
        }
    }

    /// The limits, for whoever knows whether others wait for the place of those who wait for one.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same for one tenant, whose requests take turns with those of the others.
    #[must_use]
    pub fn taking_turns(&self, turns: Option<&Turns>, tenant: TenantId) -> Self {
        match turns {
            Some(turns) => Self {
                http: self.http.taking_turns(turns, tenant.uuid().as_u128()),
                ..self.clone()
            },
            None => self.clone(),
        }
    }

    /// The same with Ozon at this address.
    #[must_use]
    pub fn with_ozon(self, url: String, options: ozon::Options) -> Self {
        Self {
            ozon_url: url,
            ozon_options: options,
            ..self
        }
    }

    /// The same, where unfinished reports are found again by the next process.
    #[must_use]
    pub fn keeping(self, reports: Arc<dyn PendingReports>) -> Self {
        Self {
            sellers: Arc::new(Sellers::within(self.limits.clone()).keeping(reports)),
            ..self
        }
    }

    /// A client that acts with this credential.
    ///
    /// # Errors
    /// [`Error`].
    pub fn client(
        &self,
        marketplace: Marketplace,
        secret: &SecretString,
    ) -> Result<MarketplaceClient, Error> {
        let text = secret.expose_secret();
        match marketplace {
            Marketplace::Wildberries => Ok(MarketplaceClient::Wildberries(Wildberries::new(
                self.http.clone(),
                self.hosts.clone(),
                Token::parse(text)?,
                &self.sellers,
                self.options.clone(),
            ))),
            Marketplace::Ozon => Ok(MarketplaceClient::Ozon(Ozon::new(
                self.http.clone(),
                self.ozon_url.clone(),
                Credential::parse(text)?,
                &self.accounts,
                self.ozon_options.clone(),
            ))),
        }
    }
}
