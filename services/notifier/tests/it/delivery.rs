//! What Telegram does to a message.

use crate::world::{World, low, recovered};

#[tokio::test]
async fn who_blocked_the_bot_is_recorded_and_sent_nothing_more() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    anna.person.blocks();
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    world.alert(&anna, 2, low()).await;
    world.fan_out().await;
    assert_eq!(world.states(&anna).await, ["stock.low left_out unreachable"]);
    let sql = "SELECT payload ->> 'reason' FROM core.events WHERE event_type = 'telegram_unreachable'";
    let rows = world.admin.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, &str>(0), "blocked");
    // Linked again, the member is reached again.
    anna.person.unblocks();
    world.link(anna.tenant, anna.user, anna.person.id()).await;
    world.alert(&anna, 3, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(anna.got().len(), 1);
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_keeps_its_link() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    let group = world.sim.group("Склад", &[&anna.person]);
    world.link(anna.tenant, anna.user, group.id()).await;
    let new = group.becomes_supergroup().unwrap().id();
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(world.states(&anna).await, ["stock.low delivered"]);
    let sql = "SELECT chat_id FROM core.telegram_chats WHERE user_id = $1";
    let row = world.admin.query_one(sql, &[&anna.user.uuid()]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), new);
}

#[tokio::test]
async fn after_hours_without_telegram_nothing_is_lost_and_nothing_stale_is_sent() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.alert(&anna, 2, low()).await;
    world.fan_out().await;
    world.pass(10);
    // Nothing listens there.
    let mut sender = world.sender();
    let gone = "http://127.0.0.1:1".to_owned();
    sender.telegram = crate::world::client(&gone, world.sim.token(), world.limits);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { sender.run(stop).await }
    });
    support::eventually("a try has failed", support::SOON, || async {
        let sql = "SELECT count(*) FROM core.notices WHERE last_error = 'unreachable'";
        match world.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    stop.cancel();
    running.await.unwrap();
    world.alert(&anna, 1, recovered()).await;
    world.fan_out().await;
    world.pass(4 * 3600);
    world.send_all().await;
    let got = anna.got();
    assert_eq!(got.len(), 1, "{got:?}");
    let states = world.states(&anna).await;
    let expected = [
        "stock.low left_out superseded",
        "stock.low delivered",
        "stock.recovered left_out nothing_to_end",
    ];
    assert_eq!(states, expected);
}
