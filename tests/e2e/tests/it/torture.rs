//! Processes killed in the middle of their work. Afterwards nothing is lost and nothing is doubled: commands
//! answer again what they answered, the stream is the log, read models equal a rebuild, sheets equal the read
//! models.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::seller::Seller;
use crate::world::World;

/// Every run does the same; change it to do something else.
const SEED: u64 = 20_261_123;
/// Kills per role.
const KILLS: usize = 5;

/// Commands and what was answered.
#[derive(Default)]
struct Ledger {
    answered: Vec<(usize, String, String)>,
}

impl Ledger {
    /// One more forced sync of every seller, while the shops live on.
    async fn load(&mut self, world: &World, sellers: &[Seller]) {
        world.wildberries.mutate_fraction(0.1);
        for (number, seller) in sellers.iter().enumerate() {
            let key = format!("load-{}", self.answered.len());
            let operation = seller.ask_sync(&key).await;
            self.answered.push((number, key, operation));
        }
    }

    /// Every command, given again, is answered like the first time.
    async fn assert_repeatable(&self, sellers: &[Seller]) {
        for (number, key, operation) in &self.answered {
            assert_eq!(sellers[*number].ask_sync(key).await, *operation, "{key}");
        }
    }
}

async fn settle_and_check(world: &World, sellers: &[Seller], ledger: &Ledger) {
    world.wait_quiet().await;
    ledger.assert_repeatable(sellers).await;
    // One last sync with nothing in its way, so that the truth has been seen by everybody.
    for (number, seller) in sellers.iter().enumerate() {
        let done = seller
            .wait(&seller.ask_sync(&format!("last-{number}")).await)
            .await;
        assert_eq!(done.text("/status"), "succeeded", "{done:?}");
    }
    world.wait_quiet().await;
    world.assert_log_is_sound().await;
    world.assert_stream_is_the_log().await;
    for (number, seller) in sellers.iter().enumerate() {
        seller.write_sheet(&format!("write-{number}")).await;
        world.assert_truth(seller).await;
    }
    world.assert_rebuild_changes_nothing().await;
}

// invariant 1, invariant 6, invariant 10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_killed_again_and_again_under_load_loses_and_doubles_nothing() {
    let mut world = World::start(2).await;
    let sellers = [world.seller(0).await, world.seller(1).await];
    let mut random = StdRng::seed_from_u64(SEED);
    let mut ledger = Ledger::default();
    ledger.load(&world, &sellers).await;
    for role in ["relay", "projector", "sheets", "api", "worker"] {
        for _ in 0..KILLS {
            // The moment is measured in commands that were answered, not in time.
            for _ in 0..random.random_range(1..4) {
                ledger.load(&world, &sellers).await;
            }
            world.kill_and_restart(role);
        }
    }
    world.wait_ready().await;
    settle_and_check(&world, &sellers, &ledger).await;
}

// invariant 1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_wiped_while_everything_runs_loses_nothing() {
    let world = World::start(1).await;
    let sellers = [world.seller(0).await];
    let mut ledger = Ledger::default();
    ledger.load(&world, &sellers).await;
    world.nats.kill().await.unwrap();
    ledger.load(&world, &sellers).await;
    world.nats.start_again().await.unwrap();
    ledger.load(&world, &sellers).await;
    world.nats.stop().await.unwrap();
    std::fs::remove_dir_all(world.nats.store_dir()).unwrap();
    ledger.load(&world, &sellers).await;
    world.nats.start_again().await.unwrap();
    ledger.load(&world, &sellers).await;
    settle_and_check(&world, &sellers, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_stopped_at_once_and_comes_back_loses_nothing() {
    let world = World::start(1).await;
    let sellers = [world.seller(0).await];
    let mut ledger = Ledger::default();
    ledger.load(&world, &sellers).await;
    world.postgres.stop_immediate().await.unwrap();
    let refused = sellers[0]
        .send(reqwest::Method::GET, "/products", None, None)
        .await;
    assert!(
        refused.is_err() || refused.as_ref().is_ok_and(|answer| answer.status >= 500),
        "{refused:?}"
    );
    world.postgres.start_again().await.unwrap();
    ledger.load(&world, &sellers).await;
    settle_and_check(&world, &sellers, &ledger).await;
}
