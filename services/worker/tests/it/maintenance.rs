//! What the scheduler queues by the clock is done by a worker.

use auth::idempotency::{Answer, Claim, RequestKey};
use auth::{IdempotencyKeys, StoreError};
use chrono::TimeDelta;
use database::{Pool, Role};
use runtime::Ids;
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
        default_interval_seconds: 1800,
    };
    let maintenance = Maintenance {
        answers: IdempotencyKeys::new(pool(Role::Worker)),
        syncs: world.syncs.clone(),
        clock: world.clock.clone(),
    };
    let (queue, stopping) = (world.queue.clone(), stop.clone());
    tokio::spawn(async move { scheduler.run(stop).await });
    tokio::spawn(async move { maintenance.run(&queue, &stopping).await });

    let admin = support::connect(world.database_url()).await;
    support::eventually("the old answer is gone", support::SOON, || async {
        let keys: Vec<String> = admin
            .query("SELECT key FROM core.idempotency_keys ORDER BY key", &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        if keys == ["fresh"] {
            Ok(())
        } else {
            Err(format!("{keys:?}"))
        }
    })
    .await;
    let again: Result<Claim, StoreError> = api.claim(&request("fresh"), b"what", &[], now).await;
    assert_eq!(again.unwrap(), Claim::Answered(answer));
}
