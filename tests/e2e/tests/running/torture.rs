//! `kill -9` at any moment, again and again, of every role that holds something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checks;
use crate::load::Load;
use crate::seller::Seller;
use crate::world::{World, shop};

/// The roles that are killed, and how often each.
const VICTIMS: [&str; 5] = ["relay", "projector", "worker", "sheets", "api"];
const KILLS: u32 = 5;

/// Pseudo-random moments that can be had again from their seed (splitmix64).
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
        let given = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("moments of kills: E2E_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self, from: u64, to: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(from + (mixed ^ (mixed >> 31)) % (to - from))
    }
}

// invariant 1
// invariant 2
// invariant 3
// invariant 5
// invariant 6
// invariant 10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_killed_again_and_again_under_load_loses_and_repeats_nothing() {
    let world = Arc::new(World::start(vec![shop(21), shop(22)]).await);
    let mut sellers = [Seller::enter(&world, 0).await, Seller::enter(&world, 1).await];
    for seller in &mut sellers {
        seller.first_sync().await;
    }
    let mut moments = Moments::new();
    let began = Instant::now();
    let load = Load::begin(&world, &sellers);
    for role in VICTIMS {
        for _ in 0..KILLS {
            // pause: the moment of the kill is meant to be any
            tokio::time::sleep(moments.next(100, 1200)).await;
            world.kill(role);
            // pause: the moment of the kill is meant to be any
            tokio::time::sleep(moments.next(0, 200)).await;
            world.revive(role);
        }
        println!(
            "{role} survived {KILLS} kills after {:.1} s",
            began.elapsed().as_secs_f32()
        );
    }
    let acknowledged = load.end(&world).await;
    println!(
        "{acknowledged} commands acknowledged after {:.1} s",
        began.elapsed().as_secs_f32()
    );
    assert!(acknowledged > 50, "too little load: {acknowledged} commands");
    checks::everything(&world, &mut sellers).await;
}
