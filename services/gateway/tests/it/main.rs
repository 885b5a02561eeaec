//! Commands and queries over a real broker: the same use cases as over HTTP, with problems that name what is
//! wrong.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end the test where they fail"
)]

use std::time::Duration;

use application::wire::{CommandAnswer, CommandHead, DueCabinet, DueCabinets, RequestSync};
use application::{App, Context, connect_cabinet};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::cabinet::Marketplace;
use events::ids::{CabinetId, CommandId, TenantId};
use events::sync::Trigger;
use gateway::{Answering, Gateway};
use messaging::rpc::{self, Problem, RpcError};
use messaging::{Broker, BrokerOptions};
use runtime::{Clock, Ids};
use serde::Serialize;
use serde_json::{Value, json};
use support::{Database, Own};
use vault::{MasterKeys, Vault};

struct World {
    broker: Broker,
    ids: Ids,
    app: App,
    tenant_id: TenantId,
    cabinet_id: CabinetId,
    database: Database,
    _answering: Answering,
    _nats: Own<embedded::Nats>,
}

impl World {
    async fn start() -> Self {
        let template = support::template("gateway", |url| async move {
            database::migrate(&url.clone().into()).await?;
            read_models::schema::install(&url.into()).await
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let nats = support::own_nats().await;
        let broker = Broker::connect(BrokerOptions::new(nats.url(), "gateway test"))
            .await
            .unwrap();
        assert!(broker.wait_connected(support::SOON).await);
        let clock = Clock::manual("2026-10-15T09:00:00Z".parse().unwrap());
        let pool = Pool::open(&database.url.clone().into(), Role::Gateway, 4).unwrap();
        let gateway = Gateway {
            app: app(&pool),
            pool,
            clock: clock.clone(),
        };
        let answering = gateway.answer(&broker).await.unwrap();
        let ids = Ids::seeded(1);
        let tenant_id = TenantId(ids.next());
        let api = app(&Pool::open(&database.url.clone().into(), Role::Api, 2).unwrap());
        let context = Context {
            tenant_id,
            actor: "test".to_owned(),
            command_id: CommandId(ids.next()),
            correlation_id: ids.next(),
            causation_id: None,
            traceparent: None,
            now: clock.now(),
        };
        let token = wildberries_token().into();
        let connected = connect_cabinet::execute(&api, &context, Marketplace::Wildberries, &token, None)
            .await
            .unwrap();
        Self {
            broker,
            ids,
            app: api,
            tenant_id,
            cabinet_id: connected.cabinet_id,
            database,
            _answering: answering,
            _nats: nats,
        }
    }

    fn request(&self) -> RequestSync {
        let id = self.ids.next();
        RequestSync {
            head: CommandHead {
                command_id: CommandId(id),
                tenant_id: self.tenant_id,
                actor: "scheduler".to_owned(),
                correlation_id: id,
            },
            cabinet_id: self.cabinet_id,
            trigger: Trigger::Schedule,
            forced: false,
        }
    }

    async fn ask(&self, subject: &str, body: &impl Serialize) -> Result<Value, Problem> {
        let body = serde_json::to_vec(body).unwrap();
        match rpc::request(&self.broker, subject, body.into(), Duration::from_secs(10)).await {
            Ok(answer) => Ok(serde_json::from_slice(&answer).unwrap()),
            Err(RpcError::Refused(problem)) => Err(problem),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn app(pool: &Pool) -> App {
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let keys = MasterKeys::parse(
        &"v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
            .to_owned()
            .into(),
    )
    .unwrap();
    App::new(store, Vault::new(pool.clone(), keys))
}

/// A token with every category a sync needs, as a seller would paste it; nobody checks its signature here.
fn wildberries_token() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "id": "t", "sid": "seller", "s": 1_073_741_886, "acc": 3, "for": "self", "exp": 1_900_000_000 });
    format!(
        "{}.{}.c2lnbmF0dXJl",
        part(json!({ "alg": "ES256" })),
        part(claims)
    )
}

#[tokio::test]
async fn a_sync_requested_over_nats_is_the_one_a_repeated_request_is_told_of() {
    let world = World::start().await;
    let request = world.request();
    let first: CommandAnswer =
        serde_json::from_value(world.ask("commands.request_sync", &request).await.unwrap()).unwrap();
    let repeated: CommandAnswer =
        serde_json::from_value(world.ask("commands.request_sync", &request).await.unwrap()).unwrap();
    assert_eq!(first, repeated);
    let other: CommandAnswer = serde_json::from_value(
        world
            .ask("commands.request_sync", &world.request())
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(other.sync_id, first.sync_id, "one at a time");
    let stream = event_store::StreamId {
        stream: events::StreamType::Sync,
        id: world.cabinet_id.uuid(),
    };
    assert_eq!(
        world
            .app
            .store
            .read_stream(world.tenant_id, stream, 0)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn another_tenants_cabinet_is_not_found() {
    let world = World::start().await;
    let mut request = world.request();
    request.head.tenant_id = TenantId(world.ids.next());
    let problem = world.ask("commands.request_sync", &request).await.unwrap_err();
    assert_eq!((problem.status, problem.kind.as_str()), (404, "not-found"));
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_by_name() {
    let world = World::start().await;
    let mut body = serde_json::to_value(world.request()).unwrap();
    body["colour"] = json!("red");
    let problem = world.ask("commands.request_sync", &body).await.unwrap_err();
    assert_eq!(problem.status, 422);
    assert!(problem.detail.contains("colour"), "{problem:?}");
    let problem = world
        .ask("queries.due_cabinets", &json!({ "limit": "many" }))
        .await
        .unwrap_err();
    assert!(problem.detail.contains("many"), "{problem:?}");
}

#[tokio::test]
async fn the_schedule_names_cabinets_that_the_policy_knows() {
    let world = World::start().await;
    let question = DueCabinets {
        limit: 10,
        most_outstanding: 10,
    };
    assert_eq!(
        world.ask("queries.due_cabinets", &question).await.unwrap(),
        json!([])
    );
    // What the sync policy writes when it takes up the connection.
    let admin = support::connect(&world.database.url).await;
    admin
        .execute(
            "INSERT INTO core.cabinet_work (tenant_id, cabinet_id, usable, connected_at, due_at)
             VALUES ($1, $2, true, now(), '2020-01-01')",
            &[&world.tenant_id.uuid(), &world.cabinet_id.uuid()],
        )
        .await
        .unwrap();
    let due: Vec<DueCabinet> =
        serde_json::from_value(world.ask("queries.due_cabinets", &question).await.unwrap()).unwrap();
    let expected = DueCabinet {
        tenant_id: world.tenant_id,
        cabinet_id: world.cabinet_id,
        never_synced: true,
    };
    assert_eq!(due, vec![expected]);
}

#[tokio::test]
async fn an_operation_of_another_tenant_is_not_found() {
    let world = World::start().await;
    let question = json!({ "tenant_id": world.tenant_id, "operation_id": world.ids.next() });
    assert_eq!(
        world
            .ask("queries.operation", &question)
            .await
            .unwrap_err()
            .status,
        404
    );
}
