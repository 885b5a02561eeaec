//! A sender that is killed again and again.

use runtime::Clock;
use simulators::telegram::TelegramLimits;
use tokio_util::sync::CancellationToken;

use crate::world::{ALL, World, low, out};

const CHATS: usize = 500;
const KILLS: usize = 20;

#[tokio::test]
async fn every_notice_reaches_its_receiver_once_but_for_one_double_a_kill() {
    let mut world = World::start().await;
    world.clock = Clock::system();
    world.sim.limits(TelegramLimits::Strict);
    let members = world.bare_owners(CHATS).await;
    let mut happened = 0_usize;
    for member in &members {
        // One to seven products: some are told in full, some as a list.
        let number = 1 + happened % 7;
        for product in 0..number as u128 {
            let event = if product % 2 == 0 { low() } else { out() };
            world.alert(member, product, event).await;
        }
        happened += number;
    }
    world.fan_out().await;
    // Due at once, so that the test need not wait for the time of gathering.
    let sql =
        "UPDATE core.notices SET due_at = now() - interval '1 s', created_at = now() - interval '1 minute'";
    assert_eq!(world.admin.execute(sql, &[]).await.unwrap(), happened as u64);

    let delivered = async || -> i64 {
        let sql = "SELECT count(*) FROM core.notices WHERE state = 'delivered'";
        world.admin.query_one(sql, &[]).await.unwrap().get(0)
    };
    let mut kills = 0;
    for kill in 0..KILLS {
        let before = delivered().await;
        let sender = world.sender();
        let running = tokio::spawn(async move { sender.run(CancellationToken::new()).await });
        // Dropped wherever it happens to be, after something went through.
        support::eventually("something is delivered", ALL, || async {
            match delivered().await {
                now if now > before + 5 => Ok(()),
                now => Err(format!("{now} delivered")),
            }
        })
        .await;
        // And somewhere else in what it does each time.
        for _ in 0..kill * 3 {
            tokio::task::yield_now().await;
        }
        running.abort();
        let _ended = running.await;
        kills += 1;
    }
    world.send_all().await;

    assert_eq!(delivered().await, happened as i64);
    let mut doubles = 0;
    for member in &members {
        let got = member.got();
        assert!(!got.is_empty(), "a receiver was told nothing");
        doubles += got.len() - 1;
    }
    assert!(doubles <= kills, "{doubles} doubles after {kills} kills");
    assert_eq!(world.sim.early(), 0);
}
