//! The big one: thousands of messages, a third of the receivers away for an hour, the sender killed again and
//! again.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use events::ids::TenantId;
use notifications::webhooks::MessageState;
use simulators::receiver::{Reaction, Rule};
use support::eventually;

use crate::webhooks_world::{Endpoint, Running, World, new_id};

const TENANTS: usize = 10;
const ENDPOINTS: usize = 20;
const EVENTS: usize = 15;
const KILLS: usize = 20;
/// For the whole of it, on a loaded machine.
const LONG: std::time::Duration = std::time::Duration::from_secs(240);

/// Messages by state.
async fn states(world: &World) -> BTreeMap<String, i64> {
    let admin = support::connect(&world.database.url).await;
    let sql = "SELECT state, count(*) FROM core.webhook_messages GROUP BY state";
    let rows = admin.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Messages whose time has come, or that a sender has in hand.
async fn due(world: &World) -> i64 {
    let admin = support::connect(&world.database.url).await;
    let sql = "SELECT count(*) FROM core.webhook_messages WHERE state = 'waiting' \
                AND (next_at <= $1 OR leased_until > $1)";
    let row = admin.query_one(sql, &[&world.clock.now()]).await;
    row.unwrap().get(0)
}

/// Kills the sender after it has brought some more to receivers, and lets the leases of the dead one run out.
async fn kill(world: &World, sender: Running, arrived: usize) -> Running {
    eventually("some more arrive", LONG, || async {
        let now = world.receiver.deliveries().len();
        world.more.notify_one();
        (now > arrived).then_some(()).ok_or(format!("{now}"))
    })
    .await;
    sender.kill().await;
    world.later(TimeDelta::seconds(61));
    world.sender()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receiver_gets_every_message_once_by_its_id_however_often_the_sender_dies() {
    let world = World::new().await;
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for tenant in 0..TENANTS {
        let id = TenantId(new_id());
        for endpoint in 0..ENDPOINTS {
            endpoints.push(world.endpoint(id, &format!("/{tenant}/{endpoint}")).await);
        }
        world.run_out(id, EVENTS).await;
    }
    let total = TENANTS * ENDPOINTS * EVENTS;
    assert_eq!(world.read().await, total);
    for away in endpoints.iter().step_by(3) {
        let reaction = match away.path.len() % 3 {
            0 => Reaction::Close,
            1 => Reaction::Fail { status: 503 },
            _ => Reaction::RateLimited { retry_seconds: 60 },
        };
        world.receiver.react(Rule::at(&away.path, reaction));
    }
    let started = world.clock.now();
    let mut sender = world.sender();
    for _kill in 0..KILLS {
        let arrived = world.receiver.deliveries().len();
        sender = kill(&world, sender, arrived).await;
    }
    // The hour is over.
    while world.clock.now() - started < TimeDelta::hours(1) {
        world.later(TimeDelta::minutes(5));
    }
    world.receiver.calm(None);
    eventually("everything is delivered", LONG, || async {
        // Not while an attempt is on its way: its lease would run out by the clock before it ends.
        if due(&world).await == 0 {
            world.later(TimeDelta::minutes(10));
        }
        let states = states(&world).await;
        let delivered = states.get("delivered").copied().unwrap_or_default();
        (delivered == i64::try_from(total).unwrap())
            .then_some(())
            .ok_or(format!("{states:?}"))
    })
    .await;
    sender.kill().await;
    let mut doubles = 0;
    for endpoint in &endpoints {
        let messages = world.messages(endpoint).await;
        assert_eq!(messages.len(), EVENTS);
        for message in messages {
            assert_eq!(message.state, MessageState::Delivered);
            let count = world
                .receiver
                .count(&endpoint.path, &message.message_id.to_string());
            assert!(count.accepted >= 1, "{endpoint:?} {message:?}");
            doubles += count.accepted - 1;
        }
    }
    // What is more than one is what dead senders had brought and could not note any more.
    let most = u64::try_from(KILLS).unwrap() * 192;
    assert!(doubles <= most, "{doubles} doubles after {KILLS} kills");
    let ids: usize = {
        let arrived = world.receiver.deliveries();
        let accepted = arrived.iter().filter(|delivery| delivery.is_accepted());
        let distinct: std::collections::BTreeSet<_> =
            accepted.map(|delivery| (&delivery.path, &delivery.id)).collect();
        distinct.len()
    };
    assert_eq!(ids, total);
}
