//! What is outstanding is known from events: no dead worker and no wiped broker leaves a sync hanging.

use chrono::TimeDelta;
use database::{Pool, Role};
use simulators::{Effect, Fault, Wildberries};
use worker::sync::End;

use crate::world::{FORCED_AND_NOT, World, seller};

#[tokio::test]
async fn a_requested_sync_is_queued_once_and_a_second_request_gets_the_waiting_one() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        let first = world.request(forced).await;
        assert_eq!(world.request(forced).await, first);
        while world.policy.round().await.unwrap() > 0 {}
        assert_eq!(world.queued().await, Some(world.job(first)));
        assert_eq!(world.queued().await, None);
    }
}

#[tokio::test]
async fn a_job_that_the_broker_lost_is_queued_again() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        let sync_id = world.request(forced).await;
        while world.policy.round().await.unwrap() > 0 {}
        world.nats.stop().await.unwrap();
        std::fs::remove_dir_all(world.nats.store_dir()).unwrap();
        world.nats.start_again().await.unwrap();
        assert!(world.broker.wait_connected(support::SOON).await);
        world.clock.advance(TimeDelta::seconds(30));
        support::eventually("the policy reaches the emptied broker", support::SOON, || async {
            world
                .policy
                .round()
                .await
                .map(drop)
                .map_err(|error| format!("{error:?}"))
        })
        .await;
        assert_eq!(world.queued().await, Some(world.job(sync_id)));
    }
}

#[tokio::test]
async fn the_policy_does_not_pass_what_only_a_newer_program_knows() {
    let world = World::start(seller()).await;
    while world.policy.round().await.unwrap() > 0 {}
    let position = async || -> i64 {
        let owner = support::connect(&world.database.url).await;
        let sql = "SELECT position FROM core.policy_positions WHERE policy = 'syncs'";
        owner.query_one(sql, &[]).await.unwrap().get(0)
    };
    let before = position().await;
    let sync_id = world.request(false).await;
    let owner = support::connect(&world.database.url).await;
    let newer = "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
                        payload, metadata, tenant_id) \
                 SELECT aggregate_type, aggregate_id, sequence + 1, 'sync_started', '99', '{}', '{}', tenant_id \
                   FROM core.events WHERE position = (SELECT max(position) FROM core.events)";
    assert_eq!(owner.execute(newer, &[]).await.unwrap(), 1);
    assert_eq!(world.policy.round().await.unwrap(), 1, "the request before it");
    assert_eq!(world.queued().await, Some(world.job(sync_id)));
    assert_eq!(world.policy.round().await.unwrap(), 0);
    assert_eq!(
        position().await,
        before + 1,
        "the newer program goes on from here"
    );
}

#[tokio::test]
async fn a_worker_that_takes_over_from_a_dead_one_finishes_the_sync_and_the_dead_one_cannot_speak_for_it() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        let sync_id = world.request_anew(forced).await;
        let job = world.job(sync_id);
        // The first worker took it up and died: the log knows one attempt and no end.
        let context = world.context();
        let dead = application::sync_attempt::start(&world.app, &context, world.cabinet_id, sync_id)
            .await
            .unwrap();
        assert_eq!(Box::pin(world.syncs.run(&job, 1, 2)).await, End::Done);
        world.assert_equals_truth().await;
        let late = application::sync_attempt::End::Failed(events::sync::SyncFailed {
            sync_id,
            attempt: dead.attempt,
            failed_at: world.clock.now(),
            class: "late".into(),
            detail: String::new(),
            retry_at: None,
            sources: vec![],
        });
        let heard =
            application::sync_attempt::end(&world.app, &world.context(), world.cabinet_id, late).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

#[tokio::test]
async fn after_the_end_the_job_is_not_offered_again_and_the_next_is_due_when_the_schedule_says() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        while world.policy.round().await.unwrap() > 0 {}
        world.clock.advance(TimeDelta::minutes(1));
        world.policy.round().await.unwrap();
        assert_eq!(world.queued().await, None);
        let due = |at| due(&world, at);
        assert_eq!(due(world.clock.now()).await, 0);
        // A rhythm of half an hour: the next slot is 15 to 45 minutes after this sync was asked for.
        assert_eq!(due(world.clock.now() + TimeDelta::minutes(45)).await, 1);
    }
}

async fn due(world: &World, at: chrono::DateTime<chrono::Utc>) -> usize {
    let admin = support::connect(world.database_url()).await;
    admin
        .query("SELECT * FROM core.next_due_cabinets($1, 10, 10)", &[&at])
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_worker_that_was_started_anew_fetches_the_report_that_the_last_one_asked_for() {
    for forced in FORCED_AND_NOT {
        const CREATE: &str = "/seller-analytics-api/api/v1/warehouse_remains";
        let mut world = World::with_token(seller(), Wildberries::base_token).await;
        let away = Effect::Status {
            status: 500,
            body: "{}".to_owned(),
            content_type: None,
        };
        world
            .simulator
            .script(Fault::on(&format!("{CREATE}/tasks/"), away));
        world.sync_anew(forced).await;
        let created = |world: &World| {
            let calls = world.simulator.calls();
            calls
                .paths
                .get(&format!("GET {CREATE}"))
                .map_or(0, |statuses| statuses.values().sum::<u64>())
        };
        assert_eq!(created(&world), 1);
        assert_ne!(world.outcomes().await["stock_fbo"], "complete");
        world.simulator.clear_faults();

        world.restart_worker();
        world.sync_anew(forced).await;
        assert_eq!(created(&world), 1, "it asked for a second report");
        assert_eq!(world.outcomes().await["stock_fbo"], "complete");

        world.restart_worker();
        world.sync_anew(forced).await;
        assert_eq!(
            created(&world),
            2,
            "a report that was fetched is not fetched again"
        );
    }
}

#[tokio::test]
async fn a_worker_that_is_halted_while_it_decides_holds_the_others_up_for_a_moment_only() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        // It has taken the policy's place and does not go on; its connection stays.
        let pool = Pool::open(&world.database_url().to_owned().into(), Role::Worker, 1).unwrap();
        let mut halted = pool.get().await.unwrap();
        let transaction = halted.transaction().await.unwrap();
        let sql = "SELECT FROM core.policy_positions WHERE policy = 'syncs' FOR UPDATE";
        transaction.execute(sql, &[]).await.unwrap();
        let job = || async {
            world.policy.round().await.map_err(|error| error.to_string())?;
            world.queued().await.ok_or_else(|| "nothing is queued".to_owned())
        };
        world.request_anew(forced).await;
        assert!(job().await.is_err(), "its place is taken");
        support::eventually("the place to be free again", support::SOON, job).await;
        assert!(transaction.commit().await.is_err(), "who was halted is told");
    }
}
