//! The declared topology: made once, verified for ever.

use std::time::Duration;

use messaging::topology::{self, TopologyError};

use crate::{connect, prepared};

#[tokio::test]
async fn what_is_declared_is_created_once_and_then_verified() {
    let server = support::own_nats().await;
    let broker = connect(&server).await;
    let error = topology::verify(&broker).await.unwrap_err();
    assert!(
        matches!(error, TopologyError::Missing { ref name } if name == "EVENTS"),
        "{error}"
    );

    let first = topology::apply(&broker).await.unwrap();
    assert_eq!(
        first.created,
        [
            "EVENTS",
            "WORK",
            "DEAD",
            "KV_marketplace_cache",
            "KV_pending_reports",
            "KV_dialogues",
            "KV_limits",
            "KV_marketplace_limits",
            "WORK/sync",
            "WORK/maintenance",
            "WORK/default"
        ]
    );
    topology::verify(&broker).await.unwrap();
    assert!(topology::apply(&broker).await.unwrap().created.is_empty());
}

#[tokio::test]
async fn two_processes_may_apply_at_once() {
    let server = support::own_nats().await;
    let (one, two) = (connect(&server).await, connect(&server).await);
    let (first, second) = tokio::join!(topology::apply(&one), topology::apply(&two));
    first.unwrap();
    second.unwrap();
    topology::verify(&one).await.unwrap();
}

#[tokio::test]
async fn a_stream_changed_by_hand_is_an_error_that_names_the_field() {
    let (_server, broker) = prepared().await;
    let mut config = topology::declared_stream("EVENTS").unwrap();
    config.max_age = Duration::from_secs(180);
    broker.jetstream().update_stream(&config).await.unwrap();
    match topology::apply(&broker).await.unwrap_err() {
        TopologyError::Drift {
            name,
            field,
            declared,
            found,
        } => {
            assert_eq!((name.as_str(), field), ("EVENTS", "max_age"));
            assert_eq!((declared.as_str(), found.as_str()), ("0ns", "180s"));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_consumer_changed_by_hand_is_an_error_that_names_the_field() {
    let (_server, broker) = prepared().await;
    let stream = broker.jetstream().get_stream("WORK").await.unwrap();
    let mut config = stream
        .get_consumer::<messaging::async_nats::jetstream::consumer::pull::Config>("sync")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.ack_wait = Duration::from_secs(3);
    let config: messaging::async_nats::jetstream::consumer::pull::Config =
        messaging::async_nats::jetstream::consumer::FromConsumer::try_from_consumer_config(config).unwrap();
    stream.update_consumer(config).await.unwrap();
    let error = topology::verify(&broker).await.unwrap_err();
    assert!(
        matches!(error, TopologyError::Drift { ref name, field: "ack_wait", .. } if name == "WORK/sync"),
        "{error}"
    );
}

#[tokio::test]
async fn the_marketplace_cache_keeps_answers_for_five_minutes() {
    let (_server, broker) = prepared().await;
    let stream = broker
        .jetstream()
        .get_stream("KV_marketplace_cache")
        .await
        .unwrap();
    assert_eq!(stream.cached_info().config.max_age, Duration::from_secs(300));
}

#[tokio::test]
async fn the_link_counts_its_reconnects() {
    let server = support::own_nats().await;
    let broker = connect(&server).await;
    let mut watch = broker.connected();
    assert_eq!(watch.borrow_and_update().epoch, 1);
    server.kill().await.unwrap();
    watch.wait_for(|now| !now.up).await.unwrap();
    server.start_again().await.unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    assert_eq!(broker.connected().borrow().epoch, 2);
}
