//! A running API with everything it needs, and a client that says what it got when a test fails.

use std::sync::{Arc, Mutex};

use api::state::Asked;
use api::{
    ApiState, ErrandError, Errands, Google, NewSheetSync, SheetProgress, SheetSync, SheetTest, Streams,
};
use application::App;
use application::wire::CredentialCheck;
use auth::{AccessTokens, IdempotencyKeys, Sessions};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::google::{Accounts, SheetsOptions, TokenHosts};
use connectors::http::{HttpClient, NoObserver};
use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::ids::{CabinetId, CommandId, EventId, TenantId};
use events::{Event, Metadata, NewEvent};
use read_models::{Inventory, Operations, Positions, Projection};
use reqwest::{Method, StatusCode};
use runtime::{Clock, Health, Ids, Metrics};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use simulators::wildberries::{TokenKind, scope, token};
use simulators::{Google as SimulatedGoogle, GoogleConfig};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

/// What other processes would answer; a test says what.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) check: Mutex<Option<CredentialCheck>>,
    pub(crate) progress: Mutex<SheetProgress>,
    pub(crate) writes: Mutex<Vec<(TenantId, NewSheetSync)>>,
    /// What became of all of them, once a test says so.
    pub(crate) written: Mutex<Option<SheetSync>>,
}

impl Errands for Others {
    fn check_credential(&self, _: TenantId, _: CabinetId) -> Asked<'_, Result<CredentialCheck, ErrandError>> {
        let check = self.check.lock().unwrap().clone();
        Box::pin(async { check.ok_or_else(|| ErrandError::Away("nobody listens".to_owned())) })
    }

    fn test_sheet(&self, _: TenantId) -> Asked<'_, Result<SheetTest, ErrandError>> {
        Box::pin(async { Err(ErrandError::NotFound) })
    }

    fn write_sheet(&self, tenant: TenantId, sync: NewSheetSync) -> Asked<'_, Result<(), ErrandError>> {
        self.writes.lock().unwrap().push((tenant, sync));
        Box::pin(async { Ok(()) })
    }

    fn sheet_sync(
        &self,
        tenant: TenantId,
        operation: Uuid,
    ) -> Asked<'_, Result<Option<SheetSync>, ErrandError>> {
        let asked = self.writes.lock().unwrap().clone();
        let asked = (asked.into_iter()).find(|(whose, sync)| *whose == tenant && sync.operation == operation);
        let written = self.written.lock().unwrap().clone();
        Box::pin(async move {
            Ok(asked.map(|(_, sync)| {
                written.unwrap_or(SheetSync {
                    wanted: sync.wanted,
                    requested_at: sync.at,
                    ended_at: None,
                    error: None,
                    retry_at: None,
                    written_position: 0,
                })
            }))
        })
    }

    fn sheet_progress(&self, _: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>> {
        let progress = self.progress.lock().unwrap().clone();
        Box::pin(async { Ok(progress) })
    }
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) tokens: AccessTokens,
    pub(crate) others: Arc<Others>,
    pub(crate) google: SimulatedGoogle,
    pub(crate) health: Health,
    pub(crate) base: String,
    store: EventStore,
    projector: Pool,
    client: reqwest::Client,
    stopping: CancellationToken,
    url: SecretString,
    _database: Option<support::Database>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// A running API on an empty database.
pub(crate) async fn world() -> World {
    listening(world_and_state().await)
}

/// A running API on an empty database of a server of the test's own.
pub(crate) async fn world_on(postgres: &support::Postgres) -> World {
    let url = SecretString::from(postgres.url("postgres"));
    database::migrate(&url).await.unwrap();
    listening(world_at(url, None).await)
}

pub(crate) fn listening((mut world, state): (World, ApiState)) -> World {
    let bound = api::build(state, "127.0.0.1:0".parse().unwrap()).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    world
}

/// A world whose API does not listen yet, and what that is made of.
pub(crate) async fn world_and_state() -> (World, ApiState) {
    let template = support::template("core_and_read_models", |url| async move {
        let url = SecretString::from(url);
        database::migrate(&url).await?;
        read_models::schema::install(&url).await
    })
    .await;
    let database = support::fresh_database(Some(&template)).await;
    world_at(SecretString::from(database.url.clone()), Some(database)).await
}

async fn world_at(url: SecretString, database: Option<support::Database>) -> (World, ApiState) {
    connectors::http::install_crypto();
    // Privileges on the database itself are not copied with it.
    read_models::schema::install(&url).await.unwrap();
    let pool = Pool::open(&url, Role::Api, 8).unwrap();
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let masters = MasterKeys::parse(&MasterKeys::generate().unwrap()).ok().unwrap();
    let tokens = AccessTokens::from_pem(&AccessTokens::generate_pem().unwrap()).unwrap();
    let clock = Clock::manual(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let others = Arc::new(Others::default());
    let google = SimulatedGoogle::start(GoogleConfig::default()).await.unwrap();
    let (stopping, health) = (CancellationToken::new(), Health::default());
    let state = ApiState {
        app: App::new(store.clone(), Vault::new(pool.clone(), masters)),
        reads: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        answers: IdempotencyKeys::new(pool),
        tokens: tokens.clone(),
        positions: Positions::default(),
        errands: others.clone(),
        google: Google {
            http: HttpClient::new(Arc::new(NoObserver)).unwrap(),
            options: SheetsOptions {
                sheets_url: google.base_url(),
                drive_url: google.base_url(),
                ..SheetsOptions::default()
            },
            accounts: Arc::new(Accounts::new(50, 1000.0)),
            hosts: TokenHosts::Any,
            own_key: None,
            shared_drive: None,
        },
        webhook: None,
        clock: clock.clone(),
        ids: Ids::system(),
        health: health.clone(),
        metrics: Metrics::new("test").unwrap(),
        streams: Streams::default(),
        stopping: stopping.clone(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client is no way out of the product"
    )]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let projector = Pool::open(&url, Role::Projector, 2).unwrap();
    let world = World {
        clock,
        tokens,
        others,
        google,
        health,
        base: String::new(),
        store,
        projector,
        client,
        stopping,
        url,
        _database: database,
    };
    (world, state)
}

/// Somebody who registered.
#[derive(Clone)]
pub(crate) struct Seller {
    pub(crate) tenant: TenantId,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl World {
    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask {
        Ask {
            request: self
                .client
                .request(method.clone(), format!("{}{path}", self.base)),
            what: format!("{method} {path}"),
        }
    }

    pub(crate) fn get(&self, seller: &Seller, path: &str) -> Ask {
        self.ask(Method::GET, path).token(&seller.access)
    }

    /// Posts nothing to another server, as the owner of this key there.
    pub(crate) async fn elsewhere(&self, url: &str, key: &str) -> StatusCode {
        let request = self.client.post(url).bearer_auth(key);
        request.send().await.unwrap().status()
    }

    /// A command with a key of its own.
    pub(crate) fn command(&self, seller: &Seller, method: Method, path: &str, body: &Value) -> Ask {
        self.ask(method, path)
            .token(&seller.access)
            .key(&fresh_key())
            .json(body)
    }

    pub(crate) async fn registered(&self, email: &str) -> Seller {
        let answer = self
            .ask(Method::POST, "/api/v1/auth/register")
            .key(&fresh_key())
            .json(&json!({"email": email, "password": "correct horse", "company_name": "Shop"}))
            .send()
            .await;
        answer.is(StatusCode::CREATED);
        self.seller(&answer)
    }

    pub(crate) fn seller(&self, answer: &Answer) -> Seller {
        let access = answer.body["access_token"].as_str().unwrap().to_owned();
        let principal = self.tokens.verify(&access, self.clock.now()).unwrap();
        let refresh = answer.body["refresh_token"].as_str().unwrap().to_owned();
        Seller {
            tenant: principal.tenant_id,
            access,
            refresh,
        }
    }

    pub(crate) async fn cabinet(&self, seller: &Seller) -> Uuid {
        self.cabinet_of(seller, 1).await
    }

    /// A cabinet of another seller account.
    pub(crate) async fn cabinet_of(&self, seller: &Seller, account: u128) -> Uuid {
        let body = json!({"marketplace": "wildberries", "credential": self.wildberries_token(account)});
        let answer = self
            .command(seller, Method::POST, "/api/v1/cabinets", &body)
            .send()
            .await;
        answer.is(StatusCode::CREATED);
        answer.id("id")
    }

    pub(crate) fn wildberries_token(&self, account: u128) -> String {
        let scopes = scope::CONTENT | scope::ANALYTICS | scope::STATISTICS;
        token(
            Uuid::from_u128(account),
            TokenKind::Personal,
            scopes,
            self.clock.now() + TimeDelta::days(100),
        )
    }

    /// Brings both read models up to the log's head.
    pub(crate) async fn project(&self) -> i64 {
        self.project_one::<Inventory>().await;
        self.project_one::<Operations>().await
    }

    /// Brings the read model of tenants, cabinets and syncs alone up to the log's head.
    pub(crate) async fn project_operations(&self) -> i64 {
        self.project_one::<Operations>().await
    }

    async fn project_one<P: Projection>(&self) -> i64 {
        let mut session = self.projector.get().await.unwrap();
        let cursor = read_models::schema::take_over::<P>(&session, P::SCHEMA)
            .await
            .unwrap();
        let reader = GlobalReader::new(self.projector.clone());
        let batch = reader.read_after(cursor.position, 100_000).await.unwrap();
        read_models::apply::apply::<P>(&mut session, P::SCHEMA, cursor, &batch)
            .await
            .unwrap()
            .position
    }

    /// Writes into the log what another process would.
    pub(crate) async fn record(&self, tenant: TenantId, id: Uuid, expected: i64, events: Vec<Event>) {
        let stream = StreamId {
            stream: events[0].stream_type(),
            id,
        };
        let command = Ids::system().next();
        let metadata = Metadata {
            tenant_id: tenant,
            command_id: CommandId(command),
            correlation_id: command,
            causation_id: None,
            actor: "worker".to_owned(),
            traceparent: None,
        };
        let events = events.into_iter().map(|event| NewEvent {
            event_id: EventId(Ids::system().next()),
            event,
        });
        let append = Append {
            stream,
            expected,
            metadata,
            events: events.collect(),
            result: None,
        };
        self.store.append(append).await.unwrap();
    }

    pub(crate) async fn events(&self) -> Vec<events::Recorded> {
        GlobalReader::new(self.projector.clone())
            .read_after(0, 100_000)
            .await
            .unwrap()
    }

    pub(crate) async fn sql(&self, statement: &str) {
        support::connect(self.database_url())
            .await
            .batch_execute(statement)
            .await
            .unwrap();
    }

    /// The database's address, as whoever owns it.
    pub(crate) fn database_url(&self) -> &str {
        self.url.expose_secret()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

pub(crate) fn fresh_key() -> String {
    Ids::system().next().to_string()
}

/// A request that is being made.
pub(crate) struct Ask {
    request: reqwest::RequestBuilder,
    what: String,
}

impl Ask {
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
            ..self
        }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self {
            request: self.request.json(body),
            ..self
        }
    }

    pub(crate) fn raw(self, content_type: &str, body: impl Into<String>) -> Self {
        Self {
            request: self
                .request
                .header("content-type", content_type)
                .body(body.into()),
            ..self
        }
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            what: self.what,
            status,
            headers,
            text,
            body,
        }
    }

    /// For answers that do not end.
    pub(crate) async fn open(self) -> reqwest::Response {
        self.request.send().await.unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(&self, status: StatusCode) -> &Self {
        assert_eq!(self.status, status, "{} answered {}", self.what, self.text);
        self
    }

    /// A problem of this code, with everything that a problem has.
    #[track_caller]
    pub(crate) fn is_problem(&self, code: &str) -> &Self {
        assert_eq!(
            self.body["code"], code,
            "{} answered {} {}",
            self.what, self.status, self.text
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.body["type"], format!("/docs#problem-{code}"));
        let path = self.what.split_once(' ').unwrap().1.split('?').next().unwrap();
        assert_eq!(self.body["instance"], path);
        assert_eq!(self.body["trace_id"].as_str().unwrap().len(), 32);
        assert!(self.body["title"].is_string() && self.body["detail"].is_string());
        assert!(self.body["retryable"].is_boolean() && self.body["errors"].is_array());
        self
    }

    /// The places that the problem names.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        match self.headers.get(name) {
            Some(value) => value.to_str().unwrap(),
            None => panic!("{} answered without {name}: {:?}", self.what, self.headers),
        }
    }

    pub(crate) fn id(&self, field: &str) -> Uuid {
        self.body[field].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn position(&self) -> i64 {
        self.header("stock-position").parse().unwrap()
    }
}
