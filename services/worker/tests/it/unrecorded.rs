//! What was read and not recorded counts as not read: whoever takes the sync up again reads it again.

use application::decide_held::{self, Decision};
use events::catalog::SyncEvent;
use simulators::{Effect, Fault, Wildberries};
use worker::sync::{End, sources};

use crate::world::{FORCED_AND_NOT, World, seller};

fn broken() -> Effect {
    Effect::Status {
        status: 500,
        body: "{}".to_owned(),
        content_type: None,
    }
}

impl World {
    /// Makes the log refuse what is observed of articles, and nothing else.
    async fn refuse_observations(&self) {
        let admin = support::connect(self.database_url()).await;
        let sql = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
                   BEGIN RAISE EXCEPTION 'no room'; END $$; \
                   CREATE TRIGGER a_refusal BEFORE INSERT ON core.events FOR EACH ROW \
                   WHEN (NEW.aggregate_type = 'product') EXECUTE FUNCTION public.refuse()";
        admin.batch_execute(sql).await.unwrap();
    }

    async fn take_observations_again(&self) {
        let admin = support::connect(self.database_url()).await;
        let sql = "DROP TRIGGER a_refusal ON core.events; DROP FUNCTION public.refuse()";
        admin.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_worker_had_read_when_it_died_is_read_again() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        let job = world.job(world.request(forced).await);
        let context = world.context();
        application::sync_attempt::start(&world.app, &context, world.cabinet_id, job.sync_id)
            .await
            .unwrap();
        let read = Box::pin(sources::read(&world.syncs, &job, forced, &world.client())).await;
        assert!(read.nothing_usable().is_none());
        drop(read);
        assert_eq!(Box::pin(world.syncs.run(&job, 1, 2)).await, End::Done);
        world.assert_equals_truth().await;
        assert!(
            world
                .outcomes()
                .await
                .values()
                .all(|outcome| outcome == "complete")
        );
    }
}

#[tokio::test]
async fn what_could_not_be_recorded_is_read_again() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.refuse_observations().await;
        let job = world.job(world.request(forced).await);
        assert_eq!(Box::pin(world.syncs.run(&job, 1, 1)).await, End::WillRetry);
        let SyncEvent::SyncFailed(failed) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        assert_eq!(failed.class, "internal");
        world.take_observations_again().await;
        assert_eq!(Box::pin(world.syncs.run(&job, 2, 1)).await, End::Done);
        world.assert_equals_truth().await;
    }
}

#[tokio::test]
async fn a_sync_whose_own_warehouses_failed_does_not_become_complete_by_being_repeated_at_once() {
    // Such a token asks for its own stock size by size, as the catalogue names them.
    let world = World::with_token(seller(), Wildberries::base_token).await;
    world
        .simulator
        .script(Fault::on("/marketplace-api/api/v3/stocks", broken()));
    for _ in 0..2 {
        assert_eq!(world.sync(false).await, End::Done);
        assert_eq!(world.outcomes().await["stock_fbs"], "failed");
    }
    world.simulator.clear_faults();
    assert_eq!(world.sync(false).await, End::Done);
    let outcomes = world.outcomes().await;
    assert_eq!(outcomes["stock_fbs"], "complete", "{outcomes:?}");
    assert_eq!(outcomes["stock_fbo"], "cached", "{outcomes:?}");
    world.assert_equals_truth().await;
    world.simulator.clear_calls();
    assert_eq!(world.sync(false).await, End::Done);
    assert_eq!(world.simulator.calls().total, 0, "now all of it is recorded");
    assert_eq!(world.outcomes().await["stock_fbs"], "cached");
}

#[tokio::test]
async fn a_sync_that_reads_nothing_leaves_what_is_held_back_to_be_decided() {
    for decision in [Decision::Release, Decision::Discard] {
        let world = World::start(seller()).await;
        world.sync(false).await;
        let sync_id = world.quarantined(true).await;
        assert_eq!(world.sync(false).await, End::Done);
        let outcomes = world.outcomes().await;
        assert!(
            outcomes.values().all(|outcome| outcome == "cached"),
            "{outcomes:?}"
        );
        decide_held::execute(&world.app, &world.context(), world.cabinet_id, sync_id, decision)
            .await
            .unwrap();
    }
}
