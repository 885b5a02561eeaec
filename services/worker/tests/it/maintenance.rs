//! What the scheduler queues by the clock is done by a worker.

use application::domain::subscription::Contract;
use auth::idempotency::{Answer, Claim, RequestKey};
use auth::{IdempotencyKeys, StoreError};
use chrono::TimeDelta;
use database::{Pool, Role};
use events::ids::UserId;
use events::subscription::{Basis, Plan, SubscriptionStatus};
use messaging::{Broker, BrokerOptions, WorkQueue, topology, users};
use runtime::{Ids, Metrics};
use tokio_util::sync::CancellationToken;
use worker::maintenance::Maintenance;
use worker::scheduler::Scheduler;

use crate::world::{World, seller};

#[tokio::test]
async fn answers_are_forgotten_after_a_day_and_not_before() {
    let world = World::start(seller()).await;
    let pool = |role| Pool::open(&world.database_url().to_owned().into(), role, 2).unwrap();
    let api = IdempotencyKeys::new(pool(Role::Api));
    let request = |key: &str| RequestKey {
        scope: world.tenant_id,
        route: "POST /api/v1/cabinets".to_owned(),
        key: key.to_owned(),
    };
    let answer = Answer {
        status: 201,
        headers: Vec::new(),
        body: b"{}".to_vec(),
    };
    let now = world.clock.now();
    for (key, at) in [
        ("old", now - TimeDelta::hours(25)),
        ("fresh", now - TimeDelta::hours(23)),
    ] {
        assert_eq!(
            api.claim(&request(key), b"what", &[], at).await.unwrap(),
            Claim::Yours
        );
        api.finish(&request(key), &answer).await.unwrap();
    }
    let stop = CancellationToken::new();
    let _ends_all = stop.clone().drop_guard();
    let scheduler = Scheduler {
        broker: world.broker.clone(),
        ids: Ids::system(),
        most_outstanding: 100,
    };
    let maintenance = Maintenance {
        answers: IdempotencyKeys::new(pool(Role::Worker)),
        payload_limits: crate::world::PAYLOADS,
        syncs: world.syncs.clone(),
        metrics: Metrics::new("test").unwrap(),
        clock: world.clock.clone(),
    };
    let (queue, stopping) = (world.queue.clone(), stop.clone());
    tokio::spawn(async move { scheduler.run(stop).await });
    tokio::spawn(async move { maintenance.run(&queue, &stopping).await });

    let admin = support::connect(world.database_url()).await;
    support::eventually("the old answer is gone", support::SOON, || async {
        // What is kept of a key is a hash; which one is left is asked below.
        let kept = admin
            .query("SELECT FROM core.idempotency_keys", &[])
            .await
            .unwrap()
            .len();
        if kept == 1 {
            Ok(())
        } else {
            Err(format!("{kept} are kept"))
        }
    })
    .await;
    let again: Result<Claim, StoreError> = api.claim(&request("fresh"), b"what", &[], now).await;
    assert_eq!(again.unwrap(), Claim::Answered(answer));
}

#[tokio::test]
async fn a_contract_whose_time_is_over_ends_and_one_that_goes_on_does_not() {
    let world = World::start(seller()).await;
    let now = world.clock.now();
    let users = [1_u128, 2].map(|number| UserId(uuid::Uuid::from_u128(number)));
    for (user, cancel_at) in users.into_iter().zip([Some(now + TimeDelta::hours(1)), None]) {
        let contract = Contract {
            plan: Plan::Pro,
            status: SubscriptionStatus::Active,
            period_end: cancel_at,
            cancel_at,
            basis: Basis::Grant,
            reference: None,
            trial_end: None,
            grace_until: None,
            note: None,
        };
        application::subscriptions::grant(&world.app, &world.context(), user, contract)
            .await
            .unwrap();
    }
    world.clock.advance(TimeDelta::hours(2));
    let stop = CancellationToken::new();
    let _ends_all = stop.clone().drop_guard();
    let maintenance = Maintenance {
        answers: IdempotencyKeys::new(world.app.store.pool().clone()),
        payload_limits: crate::world::PAYLOADS,
        syncs: world.syncs.clone(),
        metrics: Metrics::new("test").unwrap(),
        clock: world.clock.clone(),
    };
    let queue = world.queue.clone();
    worker::maintenance::queue_all(&queue, &Ids::system())
        .await
        .unwrap();
    tokio::spawn(async move { maintenance.run(&queue, &stop).await });
    let admin = support::connect(world.database_url()).await;
    support::eventually("one contract is left", support::SOON, || async {
        let rows = admin
            .query("SELECT user_id FROM core.subscriptions", &[])
            .await
            .unwrap();
        let left: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if left == [users[1].uuid()] {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn the_schedulers_user_at_the_broker_may_queue_every_job() {
    let folder = support::scratch_folder("maintenance-users");
    users::prepare(&folder).unwrap();
    let config = folder.join(users::CONF_FILE);
    let server = support::own_nats_with(|options| options.config_file = Some(config)).await;
    let connected = async |name: &str| {
        let options = BrokerOptions::new(server.url(), "test").as_user(name, &folder);
        let broker = Broker::connect(options).await.unwrap();
        assert!(broker.wait_connected(support::SOON).await, "{name} is not let in");
        broker
    };
    topology::apply(&connected(users::ADMIN).await).await.unwrap();
    let queue = WorkQueue::new(&connected("scheduler").await);
    worker::maintenance::queue_all(&queue, &Ids::system())
        .await
        .unwrap();
}
