//! The listeners that are measured: the real API, four times in this process.

use std::sync::Arc;

use api::state::Asked;
use api::{
    ApiState, ErrandError, Errands, Google, NewSheetSync, ServerOptions, SheetProgress, SheetSync, SheetTest,
    Streams,
};
use application::App;
use application::wire::CredentialCheck;
use auth::{AccessTokens, IdempotencyKeys, Principal, Role as Membership, Sessions};
use connectors::google::{Accounts, SheetsOptions, TokenHosts};
use connectors::http::{HttpClient, NoObserver};
use database::Role;
use event_store::{EventStore, Wake};
use events::ids::{CabinetId, TenantId, UserId};
use limits::{Limiter, Table};
use messaging::{Broker, Bucket};
use read_models::Positions;
use reqwest::Client;
use runtime::{Clock, Health, Ids, Metrics};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

use crate::Failure;
use crate::child::MASTER_KEY;
use crate::world::{Database, TENANT};

/// So much that nobody is refused.
pub(crate) const TABLE: &str = "default_plan = \"p\"\n\
    [address]\nrequests = 1_000_000\nwindow_seconds = 60\n\
    [user]\nrequests = 1_000_000\nwindow_seconds = 60\n\
    [plan.p]\nrequests = 1_000_000\nwindow_seconds = 60\n";

/// One listener.
pub(super) struct Contender {
    pub(super) address: String,
    pub(super) limited: bool,
}

/// All of them, and who asks them.
pub(super) struct Contenders {
    pub(super) client: Client,
    all: [Contender; 4],
    tokens: AccessTokens,
    clock: Clock,
    stopping: CancellationToken,
}

impl Drop for Contenders {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Contenders {
    /// Over a database with policies and one without.
    pub(super) fn start(with: &Database, without: &Database, broker: &Broker) -> Result<Self, Failure> {
        connectors::http::install_crypto();
        let tokens = AccessTokens::from_pem(&AccessTokens::generate_pem()?)?;
        let stopping = CancellationToken::new();
        let start = |database: &Database, limited: bool| -> Result<Contender, Failure> {
            let state = state(database, tokens.clone(), stopping.clone())?;
            let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into());
            if limited {
                let table = Table::parse(TABLE)?;
                let bucket = Arc::new(Bucket::limits(broker));
                let limiter = Limiter::new(bucket, table, vec![7; 32], Arc::new(|_| {}));
                options.limiter = Some(Arc::new(limiter));
            }
            let bound = api::build_with(state, options)?;
            let address = format!("http://{}", bound.address());
            tokio::spawn(bound.run());
            Ok(Contender { address, limited })
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "who asks the API is no way out of the product"
        )]
        let client = Client::builder().no_proxy().build()?;
        Ok(Self {
            client,
            all: [
                start(with, true)?,
                start(with, false)?,
                start(without, true)?,
                start(without, false)?,
            ],
            tokens,
            clock: Clock::system(),
            stopping,
        })
    }

    /// Limits and policies; policies only; limits only; neither.
    pub(super) const fn all(&self) -> &[Contender; 4] {
        &self.all
    }

    /// An access token that is good now.
    pub(super) fn token(&self, user_id: UserId, session_id: Uuid) -> Result<SecretString, Failure> {
        let principal = Principal {
            user_id,
            tenant_id: TENANT,
            role: Membership::Viewer,
            session_id,
        };
        Ok(self.tokens.issue(&principal, self.clock.now())?)
    }
}

/// What a listener is made of.
pub(crate) fn state(
    database: &Database,
    tokens: AccessTokens,
    stopping: CancellationToken,
) -> Result<ApiState, Failure> {
    let pool = database.pool(Role::Api)?;
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let masters = MasterKeys::parse(&MASTER_KEY.to_owned().into())?;
    Ok(ApiState {
        app: App::new(store, Vault::new(pool.clone(), masters)),
        reads: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        answers: IdempotencyKeys::new(pool),
        tokens,
        positions: Positions::default(),
        errands: Arc::new(Nobody),
        google: Google {
            http: HttpClient::new(Arc::new(NoObserver))?,
            options: SheetsOptions::default(),
            accounts: Arc::new(Accounts::new(50, 1.0)),
            hosts: TokenHosts::Any,
            own_key: None,
            shared_drive: None,
        },
        webhook: None,
        clock: Clock::system(),
        ids: Ids::system(),
        health: Health::default(),
        metrics: Metrics::new("bench")?,
        streams: Streams::default(),
        stopping,
    })
}

/// No other process runs here.
struct Nobody;

fn nobody<T: Send + 'static>() -> Asked<'static, Result<T, ErrandError>> {
    Box::pin(async { Err(ErrandError::Away("nobody runs beside the API".to_owned())) })
}

impl Errands for Nobody {
    fn check_credential(&self, _: TenantId, _: CabinetId) -> Asked<'_, Result<CredentialCheck, ErrandError>> {
        nobody()
    }

    fn test_sheet(&self, _: TenantId) -> Asked<'_, Result<SheetTest, ErrandError>> {
        nobody()
    }

    fn write_sheet(&self, _: TenantId, _: NewSheetSync) -> Asked<'_, Result<(), ErrandError>> {
        nobody()
    }

    fn sheet_sync(&self, _: TenantId, _: Uuid) -> Asked<'_, Result<Option<SheetSync>, ErrandError>> {
        nobody()
    }

    fn sheet_progress(&self, _: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>> {
        nobody()
    }
}
