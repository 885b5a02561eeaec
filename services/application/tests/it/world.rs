//! A migrated database, the use cases on it, and a seller to try them with.

use std::sync::atomic::{AtomicU64, Ordering};

use application::register::{self, Registered};
use application::{App, Context, connect_cabinet};
use auth::Email;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role};
use event_store::{EventStore, GlobalReader, Wake};
use events::Recorded;
use events::cabinet::Marketplace;
use events::ids::{CabinetId, CommandId, TenantId};
use secrecy::SecretString;
use support::Database;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) app: App,
}

impl World {
    pub(crate) async fn new() -> Self {
        let migrate = async |url: String| database::migrate(&url.into()).await.map(drop);
        let template = support::template("application", migrate).await;
        let database = support::fresh_database(Some(&template)).await;
        let app = app_of(&database, Role::Api);
        Self { database, app }
    }

    /// The same use cases in another process, as another role.
    pub(crate) fn app(&self, role: Role) -> App {
        app_of(&self.database, role)
    }

    /// All events, in order.
    pub(crate) async fn log(&self) -> Vec<Recorded> {
        let pool = Pool::open(&self.database.url.clone().into(), Role::Relay, 1).unwrap();
        GlobalReader::new(pool).read_after(0, 1_000_000).await.unwrap()
    }

    /// Types of all events, in order.
    pub(crate) async fn happened(&self) -> Vec<String> {
        self.log()
            .await
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }

    /// A seller with one cabinet. Leaves three events.
    pub(crate) async fn seller(&self) -> (TenantId, CabinetId) {
        let tenant = self.register("seller@example.com").await.unwrap().tenant_id;
        let connected = connect_cabinet::execute(
            &self.app,
            &context(tenant),
            Marketplace::Wildberries,
            &SecretString::from(good_token()),
            Some("Мой кабинет"),
        )
        .await
        .unwrap();
        (tenant, connected.cabinet_id)
    }

    pub(crate) async fn register(&self, email: &str) -> Result<Registered, register::Error> {
        register::execute(&self.app, &registration(new_id()), somebody(email)).await
    }
}

fn app_of(database: &Database, role: Role) -> App {
    let pool = Pool::open(&SecretString::from(database.url.clone()), role, 4).unwrap();
    let (store, _task) = EventStore::start(pool.clone(), Wake::default());
    // Every process of a system has the same ring.
    let ring = SecretString::from(format!(
        "v1:{}",
        base64::engine::general_purpose::STANDARD.encode([7; 32])
    ));
    App::new(store, Vault::new(pool, MasterKeys::parse(&ring).unwrap()))
}

/// An id that no other call returns.
pub(crate) fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(
        0x7e57_0000_0000_4000,
        0x8000_0000_0000_0000 | NEXT.fetch_add(1, Ordering::Relaxed),
    )
}

pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

/// The circumstances of a new command of a tenant.
pub(crate) fn context(tenant_id: TenantId) -> Context {
    let command_id = new_id();
    Context {
        tenant_id,
        actor: "user:0198c0de-0000-7000-8000-0000000005e1".into(),
        command_id: CommandId(command_id),
        correlation_id: command_id,
        causation_id: None,
        traceparent: None,
        now: at(0),
    }
}

/// The circumstances of a registration.
pub(crate) fn registration(command: Uuid) -> Context {
    Context {
        command_id: CommandId(command),
        correlation_id: command,
        ..context(register::tenant_of(CommandId(command)))
    }
}

pub(crate) fn somebody(email: &str) -> register::Input {
    register::Input {
        email: Email::parse(email).unwrap(),
        password: "верная лошадь батарейка".into(),
        company_name: "ИП Соколова Анна".into(),
        display_name: "Анна Соколова".into(),
    }
}

/// Content, analytics, marketplace and statistics.
pub(crate) const SCOPES: u64 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5;

/// A token as the marketplace issues it; its signature is nobody's.
pub(crate) fn token(seller: &str, kind: u8, scopes: u64, expires_at: DateTime<Utc>) -> String {
    let claims = format!(
        r#"{{"id":"t-1","sid":"{seller}","s":{scopes},"acc":{kind},"exp":{},"oid":7}}"#,
        expires_at.timestamp()
    );
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"ES256","kid":"20260801v1","typ":"JWT"}"#),
        part(&claims),
        part("a signature that nobody can check here")
    )
}

/// A personal token that opens what is needed, for half a year.
pub(crate) fn good_token() -> String {
    token("seller-1", 3, SCOPES, at(60 * 24 * 180))
}

/// An error with all its causes, as a problem tells them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
