//! `kill -9` at any moment, again and again, of every role that holds something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use support::{connect, eventually};

use crate::checks;
use crate::load::Load;
use crate::seller::{PATIENCE, Seller};
use crate::world::{World, shop};

/// The roles that are killed at any moment, and how often each. The API comes first: what it was answering
/// is answered 90 s later, and that passes while the others are killed.
const VICTIMS: [&str; 4] = ["api", "relay", "projector", "sheets"];
const KILLS: u32 = 5;
/// A worker is killed in the middle of a sync, and each time the broker waits 30 s before it gives the job to
/// the next one.
const WORKER_KILLS: u32 = 3;

/// Moments that can be had again from their seed.
fn moments() -> StdRng {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let given = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("moments of kills: E2E_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

// invariant 1
// invariant 2
// invariant 3
// invariant 5
// invariant 6
// invariant 10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_killed_again_and_again_under_load_loses_and_doubles_nothing() {
    let world = Arc::new(World::start(vec![shop(21), shop(22)]).await);
    let mut sellers = [Seller::enter(&world, 0).await, Seller::enter(&world, 1).await];
    for seller in &mut sellers {
        seller.first_sync().await;
    }
    let mut moments = moments();
    let began = Instant::now();
    let load = Load::begin(&world, &sellers).await;
    for role in VICTIMS {
        for _ in 0..KILLS {
            kill_at_any_moment(&world, role, &mut moments).await;
        }
        let seconds = began.elapsed().as_secs_f32();
        println!("{role} survived {KILLS} kills after {seconds:.1} s");
    }
    for _ in 0..WORKER_KILLS {
        another_sync_has_started(&world).await;
        world.kill("worker");
        world.revive("worker");
    }
    let seconds = began.elapsed().as_secs_f32();
    println!("worker survived {WORKER_KILLS} kills after {seconds:.1} s");
    let acknowledged = load.end(&world).await;
    let seconds = began.elapsed().as_secs_f32();
    println!("{acknowledged} commands acknowledged after {seconds:.1} s");
    assert!(acknowledged > 50, "too little load: {acknowledged} commands");
    checks::everything(&world, &mut sellers).await;
}

async fn kill_at_any_moment(world: &World, role: &str, moments: &mut StdRng) {
    let mut pause = |range| Duration::from_millis(moments.random_range(range));
    // pause: the moment of the kill is meant to be any
    tokio::time::sleep(pause(100..1200)).await;
    world.kill(role);
    // pause: a supervisor takes any time to start it again
    tokio::time::sleep(pause(0..200)).await;
    world.revive(role);
}

/// Waits until the worker has begun one more sync than it had.
async fn another_sync_has_started(world: &World) {
    let started = "SELECT count(*) FROM core.events WHERE event_type = 'sync_started'";
    let client = connect(&world.database()).await;
    let before = checks::count(&client, started).await.unwrap();
    eventually("the start of another sync", PATIENCE, || async {
        match checks::count(&client, started).await? {
            now if now > before => Ok(()),
            now => Err(format!("{now} as before")),
        }
    })
    .await;
}
