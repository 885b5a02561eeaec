//! Two relays, old relays, and the condition on every message that makes them harmless.

use std::time::Duration;

use messaging::async_nats::jetstream;
use messaging::topology;
use relay::leader::{LeaderError, Leadership};
use relay::mirror::{self, Found, MirrorError};
use relay::{PublishError, Publisher};

use crate::world::{broker_and_log, converged, start};

#[tokio::test]
async fn two_relays_at_once_publish_everything_once() {
    let (nats, broker, log) = broker_and_log().await;
    let (one, two) = (start(&log, &nats).await, start(&log, &nats).await);
    for _ in 0..10 {
        log.append(300).await;
    }
    assert_eq!(converged(&log, &broker).await.last, 3_000);
    let (a, b) = (one.journal.told(), two.journal.told());
    assert!(a.leading != b.leading, "one leads: {a:?} {b:?}");
    assert_eq!(a.rebuilt.len() + b.rebuilt.len(), 1);
    assert!(a.resyncs.is_empty() && b.resyncs.is_empty(), "{a:?} {b:?}");

    // The other one takes over at once when the first one ends.
    let (leader, follower) = if a.leading { (one, two) } else { (two, one) };
    leader.stop().await;
    follower.leads().await;
    log.append(300).await;
    assert_eq!(converged(&log, &broker).await.last, 3_300);
    assert!(follower.journal.told().rebuilt.is_empty());
}

#[tokio::test]
async fn a_publisher_with_an_outdated_view_is_refused_with_its_whole_window() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(50).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    // This one stopped at 20, and wakes up with its window full.
    let mut zombie = Publisher::open(&broker, 20, 100).await.unwrap();
    for event in log.reader.read_after(20, 30).await.unwrap() {
        zombie.send(event).await.unwrap();
    }
    let error = zombie.settle().await.unwrap_err();
    // By the position, or by the message id: which of them the server looks at first is its own business.
    assert!(
        matches!(
            error,
            PublishError::Refused {
                position: 21,
                code: 10071,
                ..
            } | PublishError::Repeated { position: 21 }
        ),
        "{error}"
    );
    assert_eq!(zombie.acknowledged(), 20);
    assert_eq!(converged(&log, &broker).await.last, 50);
    assert!(relay.journal.told().resyncs.is_empty());
}

#[tokio::test]
async fn an_outdated_publisher_is_refused_by_position_where_the_message_id_is_forgotten() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(50).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    relay.stop().await;
    // A window of no length is as good as two minutes that have passed.
    let mut config = topology::declared_stream(topology::EVENTS).unwrap();
    config.duplicate_window = Duration::from_millis(100);
    broker.jetstream().update_stream(&config).await.unwrap();
    support::eventually("the message ids to be forgotten", support::SOON, || async {
        let mut zombie = Publisher::open(&broker, 20, 100).await.unwrap();
        for event in log.reader.read_after(20, 30).await.unwrap() {
            zombie.send(event).await.unwrap();
        }
        match zombie.settle().await.unwrap_err() {
            PublishError::Refused {
                position: 21,
                code: 10071,
                ..
            } => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    assert_eq!(converged(&log, &broker).await.last, 50);
}

#[tokio::test]
async fn a_publisher_that_is_ahead_of_the_stream_is_refused() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(10).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    relay.stop().await;
    log.append(10).await;
    let mut ahead = Publisher::open(&broker, 15, 100).await.unwrap();
    for event in log.reader.read_after(15, 5).await.unwrap() {
        ahead.send(event).await.unwrap();
    }
    let error = ahead.settle().await.unwrap_err();
    assert!(
        matches!(
            error,
            PublishError::Refused {
                position: 16,
                code: 10071,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn events_that_do_not_follow_each_other_are_not_sent() {
    let (_nats, broker, log) = broker_and_log().await;
    log.append(3).await;
    topology::apply(&broker).await.unwrap();
    let mut publisher = Publisher::open(&broker, 0, 10).await.unwrap();
    let event = log.reader.read_after(1, 1).await.unwrap().remove(0);
    let error = publisher.send(event).await.unwrap_err();
    assert!(
        matches!(error, PublishError::Order { last: 0, found: 2 }),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_may_begin_in_the_middle_of_the_log_and_keeps_sequence_and_position_equal() {
    let (_nats, broker, log) = broker_and_log().await;
    log.append(10).await;
    let mut config = topology::declared_stream(topology::EVENTS).unwrap();
    config.first_sequence = Some(6);
    broker.jetstream().create_stream(config).await.unwrap();
    let mut publisher = Publisher::open(&broker, 5, 10).await.unwrap();
    for event in log.reader.read_after(5, 5).await.unwrap() {
        publisher.send(event).await.unwrap();
    }
    assert_eq!(publisher.settle().await.unwrap(), 10);
    let verified = relay::verify(&broker, &log.reader).await.unwrap();
    assert_eq!((verified.first, verified.last), (6, 10));
    let found = mirror::examine(&broker, &log.reader).await.unwrap();
    assert!(matches!(found, Found::Copy(copy) if copy.last == 10), "{found:?}");
}

#[tokio::test]
async fn a_leader_that_is_silent_loses_its_lead_and_may_replace_nothing() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(10).await;
    // Holds the lock and shows no sign of life: what a paused process looks like to the database.
    let silent = Leadership::acquire(&relay::lock_connection(log.url.clone()))
        .await
        .unwrap();
    silent.confirm().await.unwrap();
    let mut outdated = Publisher::open(&broker, 0, 10).await.unwrap();

    let next = start(&log, &nats).await;
    next.leads().await;
    assert_eq!(converged(&log, &broker).await.last, 10);

    // Woken up: the lead is gone, the stream may not be touched, and what it publishes is refused.
    let error = mirror::replace(&broker, &log.reader, &silent).await.unwrap_err();
    assert!(
        matches!(error, MirrorError::NotLeading(LeaderError::Lost(_))),
        "{error}"
    );
    for event in log.reader.read_after(0, 10).await.unwrap() {
        outdated.send(event).await.unwrap();
    }
    outdated.settle().await.unwrap_err();
    log.append(10).await;
    assert_eq!(converged(&log, &broker).await.last, 20);
    assert_eq!(next.journal.told().rebuilt.len(), 1);
}

#[tokio::test]
async fn a_foreign_message_in_the_stream_is_driven_out() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(10).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    let foreign: jetstream::context::PublishAckFuture = broker
        .jetstream()
        .publish("events.a.b.c.d", "{}".into())
        .await
        .unwrap();
    foreign.await.unwrap();
    log.append(10).await;
    assert_eq!(converged(&log, &broker).await.last, 20);
    assert_eq!(
        relay.journal.told().rebuilt.len(),
        2,
        "{:?}",
        relay.journal.told().rebuilt
    );
}
