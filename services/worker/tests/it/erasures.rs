//! An erasure whose process died right after the request was entered is carried out and completed by a
//! worker.

use application::erasure;
use application::register;
use auth::Email;
use auth::erasures::{Erasure, Subject};
use chrono::TimeDelta;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::CommandId;
use messaging::{Enqueued, WorkQueue};
use uuid::Uuid;
use vault::{MasterKeys, Vault};
use worker::erasures::Erasures;

use crate::world::{World, seller};

#[tokio::test]
async fn an_erasure_that_was_only_asked_for_is_carried_out_and_completed_by_a_worker() {
    let world = World::start(seller()).await;
    let pool = Pool::open(&world.database_url().to_owned().into(), Role::Api, 2).unwrap();
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let ring = MasterKeys::parse(&MasterKeys::generate().unwrap()).unwrap();
    let api = application::App::new(store, Vault::new(pool, ring));
    let command_id = CommandId(Uuid::from_u128(0xE));
    let context = application::Context {
        tenant_id: register::tenant_of(command_id),
        actor: "user:somebody".to_owned(),
        command_id,
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        now: world.clock.now(),
    };
    let somebody = register::Input {
        email: Email::parse("anna@example.com").unwrap(),
        password: "верная лошадь батарейка".to_owned().into(),
        company_name: "ИП Соколова Анна".to_owned(),
        display_name: "Анна".to_owned(),
    };
    let tenant = register::execute(&api, &context, somebody)
        .await
        .unwrap()
        .tenant_id;
    let job = format!("work.sync.{tenant}.{}", Uuid::from_u128(0xC));
    let queue = WorkQueue::new(&world.broker);
    queue.publish(&job, "{}".into(), "first").await.unwrap();
    let wanted = Erasure {
        tenant_id: tenant,
        erasure_id: Uuid::from_u128(0xF),
        subject: Subject::Tenant(tenant),
        requested_by: "user:somebody".to_owned(),
        requested_at: world.clock.now(),
    };
    let ledger = erasure::ledger(&world.app);
    erasure::ledger(&api).request(&wanted).await.unwrap();
    let worker = Erasures {
        app: world.app.clone(),
        broker: world.broker.clone(),
        clock: world.clock.clone(),
    };
    let act = async || ledger.act(tenant, wanted.subject).await.unwrap();

    worker.round().await.unwrap();
    assert_eq!(act().await, None, "the process that was asked may still be at it");
    world.clock.advance(TimeDelta::seconds(15));
    worker.round().await.unwrap();
    let early = act().await.unwrap();
    assert_eq!(early["rows_destroyed"]["accounts"], 1, "{early:#}");
    assert_eq!(
        early.get("finished_at"),
        None,
        "a request from before may still be under way"
    );
    let free = queue.publish(&job, "{}".into(), "second").await.unwrap();
    assert_eq!(
        free,
        Enqueued::Published,
        "the job of an erased tenant still waits"
    );
    world.clock.advance(TimeDelta::seconds(120));
    while world.policy.round().await.unwrap() > 0 {}
    worker.round().await.unwrap();
    assert!(act().await.unwrap()["finished_at"].is_string());
    assert_eq!(ledger.unfinished(10).await.unwrap(), []);
}
