//! Events out of the stream, whatever happens to it.

use std::time::Duration;

use events::{Metadata, Recorded};
use messaging::async_nats::jetstream::message::PublishMessage;
use messaging::{Broker, EventsConsumer, headers, topology};
use uuid::Uuid;

use crate::prepared;

fn event(position: i64) -> Recorded {
    Recorded {
        position,
        event_id: Uuid::from_u128(u128::try_from(position).unwrap() + (7 << 64)).into(),
        stream: "cabinet".into(),
        stream_id: Uuid::from_u128(3),
        version: position,
        event_type: "schedule_changed".into(),
        event_version: 1,
        payload: format!(r#"{{"n": {position}}}"#),
        metadata: Metadata {
            tenant_id: Uuid::from_u128(1).into(),
            command_id: Uuid::from_u128(2).into(),
            correlation_id: Uuid::from_u128(4),
            causation_id: (position % 2 == 0).then_some(Uuid::from_u128(5)),
            actor: "scheduler".into(),
            traceparent: (position % 3 == 0).then(|| "00-a-b-01".into()),
        },
        recorded_at: chrono::DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
    }
}

pub(crate) async fn publish(broker: &Broker, positions: std::ops::RangeInclusive<i64>) {
    for position in positions {
        let event = event(position);
        let message = PublishMessage::build()
            .payload(event.payload.clone().into())
            .headers(headers::to_headers(
                &event,
                (position > 1).then_some(position - 1),
            ));
        let acknowledged = broker
            .jetstream()
            .send_publish(events::subject::of(&event), message)
            .await
            .unwrap();
        acknowledged.await.unwrap();
    }
}

/// Reads until `last` has come, over errors and rebuilt consumers.
async fn read_to(consumer: &mut EventsConsumer, last: i64) -> Vec<Recorded> {
    let mut read: Vec<Recorded> = Vec::new();
    let reading = async {
        while read.last().is_none_or(|event| event.position < last) {
            // An error is a pause: whatever it was, the next call starts anew.
            if let Ok(batch) = consumer.next_batch(100, Duration::from_secs(1)).await {
                read.extend(batch);
                consumer.ack_all().await.unwrap();
            }
        }
    };
    tokio::time::timeout(support::SOON, reading)
        .await
        .expect("the last event to come");
    read
}

fn positions(events: &[Recorded]) -> Vec<i64> {
    events.iter().map(|event| event.position).collect()
}

#[tokio::test]
async fn an_event_arrives_as_it_was_stored() {
    let (_server, broker) = prepared().await;
    publish(&broker, 1..=6).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    let read = read_to(&mut consumer, 6).await;
    assert_eq!(read, (1..=6).map(event).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_consumer_begins_behind_the_position_it_is_given_each_time_it_is_opened() {
    let (_server, broker) = prepared().await;
    publish(&broker, 1..=5).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 3);
    assert_eq!(positions(&read_to(&mut consumer, 5).await), [4, 5]);
    let mut again = EventsConsumer::open(&broker, "reader", 1);
    assert_eq!(positions(&read_to(&mut again, 5).await), [2, 3, 4, 5]);
}

#[tokio::test]
async fn no_event_is_an_empty_batch_and_a_small_batch_leaves_the_rest() {
    let (_server, broker) = prepared().await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    assert!(
        consumer
            .next_batch(10, Duration::from_millis(300))
            .await
            .unwrap()
            .is_empty()
    );
    publish(&broker, 1..=5).await;
    let mut read = Vec::new();
    while read.len() < 5 {
        let batch = consumer.next_batch(2, support::SOON).await.unwrap();
        assert!(batch.len() <= 2);
        read.extend(positions(&batch));
    }
    assert_eq!(read, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_consumer_deleted_by_hand_goes_on_where_it_was() {
    let (_server, broker) = prepared().await;
    publish(&broker, 1..=3).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    assert_eq!(positions(&read_to(&mut consumer, 3).await), [1, 2, 3]);
    let stream = broker.jetstream().get_stream("EVENTS").await.unwrap();
    stream.delete_consumer("reader").await.unwrap();
    publish(&broker, 4..=5).await;
    assert_eq!(positions(&read_to(&mut consumer, 5).await), [4, 5]);
}

#[tokio::test]
async fn a_consumer_recovers_after_its_stream_was_deleted_and_rebuilt() {
    let (_server, broker) = prepared().await;
    publish(&broker, 1..=3).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    read_to(&mut consumer, 3).await;
    broker.jetstream().delete_stream("EVENTS").await.unwrap();
    topology::apply(&broker).await.unwrap();
    publish(&broker, 1..=6).await;
    let read = positions(&read_to(&mut consumer, 6).await);
    assert!(read.ends_with(&[4, 5, 6]), "{read:?}");
}

#[tokio::test]
async fn a_consumer_that_is_ahead_of_a_rebuilt_stream_gets_what_the_stream_grows_by() {
    let (_server, broker) = prepared().await;
    publish(&broker, 1..=2).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 10);
    assert!(
        consumer
            .next_batch(10, Duration::from_millis(300))
            .await
            .unwrap()
            .is_empty()
    );
    publish(&broker, 3..=12).await;
    let read = positions(&read_to(&mut consumer, 12).await);
    assert!(read.ends_with(&[11, 12]), "{read:?}");
}

#[tokio::test]
async fn a_consumer_goes_on_after_the_broker_was_killed() {
    let (server, broker) = prepared().await;
    publish(&broker, 1..=3).await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    read_to(&mut consumer, 3).await;
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    publish(&broker, 4..=5).await;
    let read = positions(&read_to(&mut consumer, 5).await);
    assert!(read.ends_with(&[4, 5]), "{read:?}");
}

#[tokio::test]
async fn a_message_that_is_no_event_is_reported_after_those_before_it_and_passed() {
    let (_server, broker) = prepared().await;
    let foreign = || async {
        broker
            .jetstream()
            .publish("events.nonsense", "x".into())
            .await
            .unwrap()
            .await
            .unwrap();
    };
    publish(&broker, 1..=1).await;
    foreign().await;
    publish(&broker, 3..=3).await;
    foreign().await;
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    for expected in [1, 3] {
        assert_eq!(
            positions(&consumer.next_batch(10, support::SOON).await.unwrap()),
            [expected]
        );
        // The last one too, although nothing comes behind it that would show the hole.
        let error = consumer.next_batch(10, support::SOON).await.unwrap_err();
        assert!(matches!(error, messaging::ConsumeError::Foreign(_)), "{error}");
    }
}
