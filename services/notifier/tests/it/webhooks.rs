//! What receivers get, and what becomes of those that do not take it.

use chrono::TimeDelta;
use events::ids::TenantId;
use events::webhook_endpoint::DisableReason;
use notifications::webhooks::{MessageId, MessageState, Replayed, Selection};
use simulators::receiver::{Reaction, Rule, Verdict};
use support::{SOON, eventually};

use crate::webhooks_world::{World, new_id};

fn tenant() -> TenantId {
    TenantId(new_id())
}

#[tokio::test]
async fn an_event_reaches_every_endpoint_that_wants_it_and_no_other() {
    let world = World::new().await;
    let (tenant, stranger) = (tenant(), tenant());
    let all = world.endpoint(tenant, "/all").await;
    let some = world.endpoint_for(tenant, "/some", &["stock.out"]).await;
    let other = world.endpoint_for(tenant, "/other", &["sync.failed"]).await;
    let foreign = world.endpoint(stranger, "/foreign").await;
    let position = world.run_out(tenant, 1).await;
    let late = world.endpoint(tenant, "/late").await;
    assert_eq!(world.read().await, 2);
    let sender = world.sender();
    world.until(&all, MessageState::Delivered, 1).await;
    world.until(&some, MessageState::Delivered, 1).await;
    for nothing in [&other, &foreign, &late] {
        assert!(world.messages(nothing).await.is_empty(), "{nothing:?}");
    }
    let arrived = world.receiver.deliveries();
    assert!(arrived.iter().all(|delivery| delivery.verdict == Verdict::Valid));
    let body: serde_json::Value = serde_json::from_str(&arrived[0].body).unwrap();
    assert_eq!(body["type"], "stock.out");
    assert_eq!(body["data"]["position"], position);
    let message = &world.messages(&all).await[0];
    assert_eq!(
        world
            .receiver
            .count("/all", &message.message_id.to_string())
            .accepted,
        1
    );
    let attempt = &message.attempts[0];
    assert_eq!(
        (attempt.attempt, attempt.status, attempt.outcome.as_str()),
        (1, Some(204), "delivered")
    );
    assert_eq!(world.read().await, 0, "the log was read before");
    sender.kill().await;
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign_and_after_a_day_the_new_one_alone() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/hook").await;
    let context = world.context(endpoint.tenant);
    let rotated = application::webhooks::rotate(&world.api, &context, endpoint.id).await;
    let new = rotated.unwrap().secret.expose().to_owned();
    let sender = world.sender();
    for (secret, delivered) in [(&endpoint.secret, 1), (&new, 2)] {
        world.receiver.secrets("/hook", &[secret]);
        world.run_out(endpoint.tenant, 1).await;
        world.read().await;
        world.until(&endpoint, MessageState::Delivered, delivered).await;
    }
    assert!(
        world
            .receiver
            .deliveries()
            .iter()
            .all(|delivery| delivery.signatures == 2)
    );
    world.later(TimeDelta::hours(24));
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    world.until(&endpoint, MessageState::Delivered, 3).await;
    assert_eq!(world.receiver.deliveries().last().unwrap().signatures, 1);
    world.receiver.secrets("/hook", &[&endpoint.secret]);
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    world.until_tried(&endpoint, 1).await;
    assert_eq!(
        world.count(&endpoint, MessageState::Waiting).await,
        1,
        "the former secret ended"
    );
    sender.kill().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other() {
    let world = World::new().await;
    let tenant = tenant();
    let hanging = world.endpoint(tenant, "/hanging").await;
    let sound = world.endpoint(tenant, "/sound").await;
    world
        .receiver
        .react(Rule::at("/hanging", Reaction::Slow { millis: 600_000 }));
    world.run_out(tenant, 300).await;
    world.read().await;
    let sender = world.sender();
    world.until(&sound, MessageState::Delivered, 300).await;
    // By state, not by time: nothing of the one that hangs has ended before everything of the other has.
    let ended = world.messages(&hanging).await;
    assert!(ended.iter().all(|message| message.attempts.is_empty()));
    let open = world.receiver.deliveries();
    let open = open.iter().filter(|delivery| delivery.path == "/hanging").count();
    assert!((1..=4).contains(&open), "{open} on their way");
    sender.kill().await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/moved").await;
    let location = world.receiver.url("/elsewhere");
    world.receiver.react(
        Rule::at(
            "/moved",
            Reaction::Redirect {
                status: 307,
                location,
            },
        )
        .times(1),
    );
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    let sender = world.sender();
    world.until_tried(&endpoint, 1).await;
    let message = world.messages(&endpoint).await.remove(0);
    assert_eq!(message.attempts[0].outcome, "redirect");
    assert_eq!(message.attempts[0].status, Some(307));
    assert!(
        world
            .receiver
            .deliveries()
            .iter()
            .all(|delivery| delivery.path == "/moved")
    );
    world.later(TimeDelta::seconds(6));
    world.until(&endpoint, MessageState::Delivered, 1).await;
    let id = message.message_id.to_string();
    let count = world.receiver.count("/moved", &id);
    assert_eq!((count.accepted, count.attempts), (1, 2));
    sender.kill().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_switched_off_and_what_waits_is_paused() {
    let world = World::new().await;
    let tenant = tenant();
    let gone = world.endpoint(tenant, "/gone").await;
    let other = world.endpoint(tenant, "/other").await;
    world.receiver.react(Rule::at("/gone", Reaction::Gone));
    world.run_out(tenant, 1).await;
    world.read().await;
    let sender = world.sender();
    world.until(&gone, MessageState::Paused, 1).await;
    assert_eq!(world.disabled(&gone).await, Some("gone"));
    world.run_out(tenant, 1).await;
    world.read().await;
    world.until(&gone, MessageState::Paused, 2).await;
    // The other endpoint also gets `webhook.disabled`, of which the owners are notified as well.
    world.until(&other, MessageState::Delivered, 3).await;
    let told = world.messages(&other).await;
    assert_eq!(
        told.iter()
            .filter(|message| message.kind == "webhook.disabled")
            .count(),
        1
    );
    assert!(
        world
            .messages(&gone)
            .await
            .iter()
            .all(|message| message.kind == "stock.out")
    );
    sender.kill().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/busy").await;
    let reaction = Reaction::RateLimited { retry_seconds: 3_600 };
    world.receiver.react(Rule::at("/busy", reaction).times(1));
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    let sender = world.sender();
    world.until_tried(&endpoint, 1).await;
    let message = world.messages(&endpoint).await.remove(0);
    assert_eq!(message.next_at.unwrap() - world.clock.now(), TimeDelta::hours(1));
    world.later(TimeDelta::hours(1));
    world.until(&endpoint, MessageState::Delivered, 1).await;
    sender.kill().await;
}

#[tokio::test]
async fn only_five_days_of_nothing_but_failures_switch_an_endpoint_off() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/broken").await;
    world
        .receiver
        .react(Rule::at("/broken", Reaction::Fail { status: 500 }));
    let sender = world.sender();
    world.run_out(endpoint.tenant, 50).await;
    world.read().await;
    world.until_tried(&endpoint, 1).await;
    assert_eq!(
        world.disabled(&endpoint).await,
        None,
        "a burst of failures is one moment"
    );
    // A success in between begins the count anew.
    world.later(TimeDelta::days(4));
    world.receiver.calm(Some("/broken"));
    world.until(&endpoint, MessageState::Delivered, 50).await;
    world
        .receiver
        .react(Rule::at("/broken", Reaction::Fail { status: 500 }));
    let mut attempts = 0;
    for _day in 0..5 {
        world.run_out(endpoint.tenant, 1).await;
        world.read().await;
        attempts += 1;
        world.until_tried(&endpoint, 1).await;
        assert_eq!(world.disabled(&endpoint).await, None, "after {attempts} days");
        world.later(TimeDelta::days(1));
    }
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    eventually("it is switched off", SOON, || async {
        let disabled = world.disabled(&endpoint).await;
        (disabled == Some("failing"))
            .then_some(())
            .ok_or(format!("{disabled:?}"))
    })
    .await;
    world.read().await;
    world.until(&endpoint, MessageState::Waiting, 0).await;
    sender.kill().await;
}

#[tokio::test]
async fn messages_are_replayed_one_by_one_by_time_and_from_a_position() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/hook").await;
    let sender = world.sender();
    let mut positions = Vec::new();
    for _hour in 0..4 {
        positions.push(world.run_out(endpoint.tenant, 1).await);
        world.read().await;
        world
            .until(&endpoint, MessageState::Delivered, positions.len())
            .await;
        world.later(TimeDelta::hours(1));
    }
    let mut messages = world.messages(&endpoint).await;
    messages.reverse();
    let replay = async |selection, undelivered| {
        let now = world.clock.now();
        let replayed = world
            .deliveries
            .replay(endpoint.tenant, endpoint.id, selection, undelivered, now);
        replayed.await.unwrap()
    };
    let arrived = |index: usize| {
        let id = messages[index].message_id.to_string();
        world.receiver.count("/hook", &id).accepted
    };
    let one = Selection::Message(messages[0].message_id);
    assert_eq!(replay(one, false).await, Replayed::Messages(1));
    world.more.notify_one();
    world.until(&endpoint, MessageState::Delivered, 4).await;
    let (from, until) = (messages[1].created_at, messages[3].created_at);
    assert_eq!(
        replay(Selection::Between { from, until }, false).await,
        Replayed::Messages(2)
    );
    world.more.notify_one();
    world.until(&endpoint, MessageState::Delivered, 4).await;
    assert_eq!(
        replay(Selection::FromPosition(positions[2]), false).await,
        Replayed::Messages(2)
    );
    world.more.notify_one();
    world.until(&endpoint, MessageState::Delivered, 4).await;
    assert_eq!([arrived(0), arrived(1), arrived(2), arrived(3)], [2, 2, 3, 2]);
    assert_eq!(
        replay(Selection::FromPosition(0), true).await,
        Replayed::Messages(0)
    );
    let unknown = Selection::Message(MessageId(new_id()));
    assert_eq!(replay(unknown, false).await, Replayed::Messages(0));
    sender.kill().await;
}

#[tokio::test]
async fn what_was_paused_waits_until_it_is_replayed() {
    let world = World::new().await;
    let endpoint = world.endpoint(tenant(), "/hook").await;
    let sender = world.sender();
    let context = world.context(endpoint.tenant);
    application::webhooks::disable(&world.api, &context, endpoint.id, DisableReason::Person)
        .await
        .unwrap();
    world.run_out(endpoint.tenant, 3).await;
    world.read().await;
    world.until(&endpoint, MessageState::Paused, 3).await;
    let everything = Selection::FromPosition(0);
    let now = world.clock.now();
    let replay = || {
        world
            .deliveries
            .replay(endpoint.tenant, endpoint.id, everything, true, now)
    };
    assert_eq!(replay().await.unwrap(), Replayed::Disabled);
    let context = world.context(endpoint.tenant);
    application::webhooks::enable(&world.api, &context, endpoint.id)
        .await
        .unwrap();
    world.run_out(endpoint.tenant, 1).await;
    world.read().await;
    world.until(&endpoint, MessageState::Delivered, 1).await;
    assert_eq!(world.count(&endpoint, MessageState::Paused).await, 3);
    assert_eq!(replay().await.unwrap(), Replayed::Messages(3));
    world.more.notify_one();
    world.until(&endpoint, MessageState::Delivered, 4).await;
    sender.kill().await;
}

#[tokio::test]
async fn with_an_endpoint_its_messages_and_secrets_go_and_old_messages_go_by_themselves() {
    let world = World::new().await;
    let tenant = tenant();
    let (gone, kept) = (
        world.endpoint(tenant, "/gone").await,
        world.endpoint(tenant, "/kept").await,
    );
    world.run_out(tenant, 2).await;
    world.read().await;
    application::webhooks::remove(&world.api, &world.context(tenant), gone.id)
        .await
        .unwrap();
    assert!(world.messages(&gone).await.is_empty());
    let admin = support::connect(&world.database.url).await;
    let rows = |table: &'static str| {
        let sql = format!("SELECT count(*) FROM core.{table}");
        let admin = &admin;
        async move { admin.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) }
    };
    assert_eq!(
        rows("credentials").await,
        2,
        "address and secret of the other endpoint"
    );
    let sender = world.sender();
    world.until(&kept, MessageState::Delivered, 2).await;
    sender.kill().await;
    assert_eq!(rows("webhook_attempts").await, 2);
    let month = world.clock.now() + TimeDelta::days(30);
    assert_eq!(world.outbox.purge(month).await.unwrap(), 0);
    assert_eq!(
        world.outbox.purge(month + TimeDelta::seconds(1)).await.unwrap(),
        2
    );
    assert_eq!(rows("webhook_attempts").await, 0);
}

#[tokio::test]
async fn the_table_of_endpoints_follows_from_the_log() {
    let world = World::new().await;
    let tenant = tenant();
    let one = world.endpoint_for(tenant, "/one", &["stock.out"]).await;
    let two = world.endpoint(tenant, "/two").await;
    let gone = world.endpoint(tenant, "/gone").await;
    let context = || world.context(tenant);
    application::webhooks::rotate(&world.api, &context(), one.id)
        .await
        .unwrap();
    application::webhooks::disable(&world.api, &context(), two.id, DisableReason::Person)
        .await
        .unwrap();
    application::webhooks::remove(&world.api, &context(), gone.id)
        .await
        .unwrap();
    let admin = support::connect(&world.database.url).await;
    let table = async || {
        let sql = "SELECT w::text FROM core.webhook_endpoints w ORDER BY place";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    let before = table().await;
    let spoil = "UPDATE core.webhook_endpoints SET types = '{}', disabled = 'gone', former_id = NULL";
    admin.execute(spoil, &[]).await.unwrap();
    assert_ne!(table().await, before);
    admin
        .execute("SELECT core.rebuild_webhook_endpoints()", &[])
        .await
        .unwrap();
    assert_eq!(table().await, before);
}
