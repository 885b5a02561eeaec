//! `stock-tracker payloads`: an auditor finds a raw answer by its hash and reads it, without what could be a
//! buyer's, and is told where there is none.

use std::process::{Command, Output};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::{HttpClient, NoObserver};
use connectors::marketplace::{Marketplace as _, Period};
use connectors::wildberries::{Hosts, Options, Sellers, Token, Wildberries};
use database::{Pool, Role};
use events::ids::{CabinetId, CredentialId, SyncId, TenantId};
use runtime::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use simulators::wildberries::{Host, Limits};
use simulators::{Effect, Fault, SellerConfig, WildberriesConfig};
use uuid::Uuid;
use vault::{MasterKeys, Vault};
use worker::SyncJob;
use worker::payloads::{PayloadLimits, Payloads, purge};

const LIMITS: PayloadLimits = PayloadLimits {
    days: 14,
    of_cabinet: 64 * 1024 * 1024,
    of_all: 64 * 1024 * 1024,
};

/// One order, with everything that a marketplace could tell of a buyer.
const ORDERS: &str = r#"{"data":{"snapshotTime":"2026-10-15T08:00:00Z","currency":"RUB","orders":[{"nmId":101,"chrtId":1011,
"srid":"s-1","createdAt":"2026-10-14T08:00:00Z","updatedAt":"2026-10-14T09:00:00Z","status":"created","isMp":false,
"warehouseName":"Казань","warehouseRegion":"Приволжский","sellerPrice":1234.5,"destinationCity":"Елабуга",
"destinationDistrict":"Татарстан","buyer":{"name":"Иван","phone":"+7900"},"sticker":"77-12"}]}}"#;

/// What comes behind the last order.
const NO_MORE: &str = r#"{"data":{"snapshotTime":"2026-10-15T08:00:00Z","currency":"RUB","orders":[]}}"#;

struct World {
    database: support::Database,
    ring: SecretString,
    pool: Pool,
    now: DateTime<Utc>,
    tenant: TenantId,
    cabinet: CabinetId,
    sync: SyncId,
    /// Hashes of what the cards and the orders answered, as they stand in the event of the sync.
    cards: String,
    orders: String,
}

/// A cabinet whose cards and orders were read, and kept while they were.
async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let pool = Pool::open(&database.url.clone().into(), Role::Worker, 4).unwrap();
    let ring = MasterKeys::generate().unwrap();
    let now: DateTime<Utc> = "2026-10-15T09:00:00Z".parse().unwrap();
    let mut world = World {
        ring,
        pool,
        now,
        tenant: TenantId(Uuid::from_u128(1)),
        cabinet: CabinetId(Uuid::from_u128(2)),
        sync: SyncId(Uuid::from_u128(3)),
        cards: String::new(),
        orders: String::new(),
        database,
    };
    world.read().await;
    world
}

impl World {
    async fn read(&mut self) {
        let simulator = simulators::Wildberries::start(WildberriesConfig {
            sellers: vec![SellerConfig::default()],
            clock: simulators::Clock::manual(self.now),
            limits: Limits::Off,
            ..WildberriesConfig::default()
        })
        .await
        .unwrap();
        for (body, times) in [(ORDERS, 1), (NO_MORE, u64::MAX)] {
            let feed = Effect::Status {
                status: 200,
                body: body.to_owned(),
                content_type: None,
            };
            let path = "/seller-analytics-api/api/analytics/v1/order-feed";
            simulator.script(Fault::on(path, feed).times(times));
        }
        let host = |host| simulator.host_url(host);
        let hosts = Hosts {
            content: host(Host::Content),
            analytics: host(Host::Analytics),
            statistics: host(Host::Statistics),
            marketplace: host(Host::Marketplace),
            prices: host(Host::Prices),
            common: host(Host::Common),
        };
        let payloads = Payloads {
            pool: self.pool.clone(),
            vault: Vault::new(self.pool.clone(), MasterKeys::parse(&self.ring).ok().unwrap()),
            limits: LIMITS,
            clock: Clock::manual(self.now),
        };
        let job = SyncJob {
            tenant_id: self.tenant,
            cabinet_id: self.cabinet,
            sync_id: self.sync,
        };
        let token = simulator.personal_token(simulator.sellers()[0]);
        // The tenant's key comes with its first secret, when a cabinet is connected.
        let api = Pool::open(&self.database.url.clone().into(), Role::Api, 1).unwrap();
        Vault::new(api, MasterKeys::parse(&self.ring).ok().unwrap())
            .seal(
                self.tenant,
                CredentialId(Uuid::from_u128(4)),
                "wildberries_token",
                &token.clone().into(),
            )
            .await
            .unwrap();
        let client = Wildberries::new(
            HttpClient::new(Arc::new(NoObserver)).unwrap(),
            hosts,
            Token::parse(&token).unwrap(),
            &Sellers::new(1_000_000.0),
            Options::default(),
        )
        .keeping(payloads.of(&job, 1));
        let week = Period {
            from: self.now - TimeDelta::days(7),
            to: self.now,
        };
        self.cards = client.cards(&mut |_| {}).await.unwrap().outcome.payload_sha256;
        self.orders = client.orders(week).await.unwrap().outcome.payload_sha256;
        let admin = support::connect(&self.database.url).await;
        support::eventually("both answers are kept", support::SOON, || async {
            let sql = "SELECT count(*) FROM core.sync_payloads";
            match admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) {
                2 => Ok(()),
                kept => Err(format!("{kept} are kept")),
            }
        })
        .await;
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stock-tracker"));
        command
            .arg("payloads")
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database.url)
            .env("ST_MASTER_KEY", self.ring.expose_secret());
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap()
    }

    async fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let tenant = self.tenant.to_string();
        let output = self.run(&[&["list", tenant.as_str()], arguments].concat()).await;
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn show(&self, tenant: &str, payload: &str) -> Output {
        self.run(&["show", tenant, payload, "--reason", "спор о заказе 7"])
            .await
    }
}

/// It failed, said this, and printed nothing that could be taken for an answer.
fn assert_refused(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains(said), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_of_every_answer_where_it_is_from_when_it_came_its_size_and_its_hash() {
    let world = world().await;
    let listed = world.list(&[]).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let found = world.list(&["--sha256", &world.orders]).await;
    let [orders] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(listed.contains(orders));
    let size = |name: &str| orders[name].as_u64().unwrap();
    assert_eq!(orders["source"], json!("wb.orders.feed"));
    assert_eq!(orders["sha256_of_raw"], json!(world.orders));
    assert_eq!(orders["cabinet_id"], json!(world.cabinet.uuid()));
    assert_eq!(orders["sync_id"], json!(world.sync.uuid()));
    for time in ["fetched_at", "seen_at"] {
        let told: DateTime<Utc> = orders[time].as_str().unwrap().parse().unwrap();
        assert_eq!(told, world.now, "{time}");
    }
    assert_eq!(size("raw_bytes"), (ORDERS.len() + NO_MORE.len()) as u64);
    assert!(
        size("kept_bytes") < size("raw_bytes") && size("sealed_bytes") > 0,
        "{orders}"
    );
    let others: Vec<&Value> = listed.iter().filter(|row| *row != orders).collect();
    assert_eq!(others[0]["source"], json!("wb.cards"));
    assert_eq!(others[0]["sha256_of_raw"], json!(world.cards));
    assert_eq!(world.list(&["--limit", "1"]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_shown_as_it_came_without_what_could_be_a_buyers_and_the_look_is_logged() {
    let world = world().await;
    let listed = world.list(&["--sha256", &world.orders]).await;
    let payload = listed[0]["payload_id"].as_str().unwrap();
    let shown = world.show(&world.tenant.to_string(), payload).await;
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut wanted: Value = serde_json::from_str(ORDERS).unwrap();
    for field in ["destinationCity", "destinationDistrict", "buyer", "sticker"] {
        wanted["data"]["orders"][0][field] = Value::Null;
    }
    let pages = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let pages: Vec<Value> = pages.map(Result::unwrap).collect();
    assert_eq!(pages, [wanted, serde_json::from_str(NO_MORE).unwrap()]);
    let log = String::from_utf8(shown.stderr).unwrap();
    assert!(log.contains(payload) && log.contains("спор о заказе 7"), "{log}");
    for of_a_buyer in ["Елабуга", "Татарстан", "Иван", "+7900", "77-12"] {
        assert!(
            !text.contains(of_a_buyer) && !log.contains(of_a_buyer),
            "{of_a_buyer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_answer_and_a_hash_that_nothing_has_are_not_there() {
    let world = world().await;
    let listed = world.list(&["--sha256", &world.orders]).await;
    let payload = listed[0]["payload_id"].as_str().unwrap();
    let (tenant, stranger) = (world.tenant.to_string(), Uuid::from_u128(99).to_string());
    let none = "there is no such answer";
    assert_refused(&world.show(&stranger, payload).await, none);
    assert_refused(&world.show(&tenant, &stranger).await, none);
    assert_refused(
        &world.run(&["list", &stranger]).await,
        "no answer is kept of this tenant",
    );
    let unknown = "0".repeat(64);
    assert_refused(
        &world.run(&["list", &tenant, "--sha256", &unknown]).await,
        "no answer with this hash is kept of this tenant",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_time_is_over_is_not_there_any_more() {
    let world = world().await;
    let payload = world.list(&["--sha256", &world.orders]).await[0]["payload_id"].clone();
    let payload = payload.as_str().unwrap();
    let tenant = world.tenant.to_string();
    purge(&world.pool, &LIMITS, world.now + TimeDelta::days(13))
        .await
        .unwrap();
    assert!(world.show(&tenant, payload).await.status.success());
    purge(&world.pool, &LIMITS, world.now + TimeDelta::days(15))
        .await
        .unwrap();
    let gone = "destroyed already";
    assert_refused(&world.show(&tenant, payload).await, gone);
    let by_hash = ["list", tenant.as_str(), "--sha256", world.orders.as_str()];
    assert_refused(&world.run(&by_hash).await, gone);
    assert_refused(&world.run(&["list", &tenant]).await, gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_looks_without_saying_why_or_without_the_key() {
    let world = world().await;
    let payload = world.list(&["--sha256", &world.orders]).await[0]["payload_id"].clone();
    let (tenant, payload) = (world.tenant.to_string(), payload.as_str().unwrap().to_owned());
    let unsaid = world.run(&["show", &tenant, &payload]).await;
    assert!(!unsaid.status.success() && unsaid.stdout.is_empty(), "{unsaid:?}");
    let mut other = world;
    other.ring = MasterKeys::generate().unwrap();
    let locked = other.show(&tenant, &payload).await;
    assert!(!locked.status.success() && locked.stdout.is_empty(), "{locked:?}");
}
