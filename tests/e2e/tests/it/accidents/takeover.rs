//! A worker that was halted for longer than its lease wakes up into a world that went on without it.

use simulators::{Effect, Fault};
use support::{SOON, connect, eventually};

use crate::checks;
use crate::seller::{Seller, number};
use crate::world::{World, shop};

// invariant 10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_halted_for_longer_than_its_lease_cannot_write_over_the_one_that_took_over() {
    let world = World::start(vec![shop(41)]).await;
    let mut seller = Seller::enter(&world, 0).await;
    seller.first_sync().await;
    world.wildberries.mutate_fraction(0.5);
    hang_in_the_orders(&world);
    let (sync, _) = seller.ask_for_sync("taken over").await;
    taken_over(&world, seller, &sync).await;
}

/// What the halted worker read is no reason for the other one not to read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sync_which_nobody_forced_is_read_anew_by_the_worker_that_takes_over() {
    let world = World::start(vec![shop(42)]).await;
    hang_in_the_orders(&world);
    let seller = Seller::enter(&world, 0).await;
    let sync = seller.first_sync_id().await;
    taken_over(&world, seller, &sync).await;
}

/// The first worker is to read the stock and to hang in the orders.
fn hang_in_the_orders(world: &World) {
    world.wildberries.clear_calls();
    world
        .wildberries
        .script(Fault::on(ORDERS, Effect::Hang { millis: None }).times(1));
}

async fn taken_over(world: &World, mut seller: Seller, sync: &str) {
    let started = format!(
        "SELECT count(*) FROM core.events WHERE correlation_id = '{sync}' AND event_type = 'sync_started'"
    );
    eventually("the first worker to have read the stock", SOON, || async {
        let client = connect(&world.database()).await;
        let begun = checks::count(&client, &started).await?;
        match (begun, world.wildberries.calls().count(STOCK)) {
            (1, calls) if calls > 0 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await;
    world.signal("worker", "STOP");
    world.wildberries.clear_faults();
    world.wildberries.mutate_fraction(0.5);
    world.begin_as("second worker", "worker");

    let ended = seller.ended(sync).await;
    assert_eq!(
        (ended["status"].as_str(), ended["attempt"].as_i64()),
        (Some("succeeded"), Some(2)),
        "{ended}"
    );
    // Nothing was sold since: whoever took over has read what is there.
    seller.position = seller.position.max(number(&ended, "position"));
    checks::equal_to_truth(world, &seller, &seller.products().await);
    world.wildberries.mutate_fraction(0.5);
    seller.sync("after the takeover").await;
    let head = checks::rest(world).await;

    world.signal("worker", "CONT");
    eventually(
        "the first worker to see that the job is not its any more",
        SOON,
        || async {
            let said = world.said("worker");
            let given_up = |line: &str| line.contains("lease lost") || line.contains("superseded");
            if said.lines().any(|line| line.contains(sync) && given_up(line)) {
                Ok(())
            } else {
                Err(said.lines().last().unwrap_or_default().to_owned())
            }
        },
    )
    .await;
    world.kill("second worker");
    seller.sync("by the first worker").await;
    let client = connect(&world.database()).await;
    let late =
        format!("SELECT count(*) FROM core.events WHERE position > {head} AND correlation_id = '{sync}'");
    assert_eq!(
        checks::count(&client, &late).await.unwrap(),
        0,
        "events of the sync that was taken over"
    );
    world.revive("second worker");
    checks::everything(world, &mut [seller]).await;
}

const ORDERS: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
