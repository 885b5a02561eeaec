//! Servers that die, halt and come back.

use std::time::Duration;

use messaging::{EventsConsumer, Hints};

use crate::world::{Log, broker_and_log, converged, link, start, start_over};

#[tokio::test]
async fn everything_in_the_log_reaches_the_stream_in_order_and_as_stored() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(2_500).await;
    let relay = start(&log, &nats).await;
    let verified = converged(&log, &broker).await;
    assert_eq!((verified.first, verified.last, verified.head), (1, 2_500, 2_500));
    log.append(10).await;
    assert_eq!(converged(&log, &broker).await.last, 2_510);
    let told = relay.journal.told();
    assert_eq!(told.rebuilt, [("missing".to_owned(), 1)]);
    assert!(told.resyncs.is_empty(), "{:?}", told.resyncs);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_starts_again_goes_on_where_the_stream_ends() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let first = start(&log, &nats).await;
    converged(&log, &broker).await;
    first.stop().await;
    log.append(100).await;
    let second = start(&log, &nats).await;
    assert_eq!(converged(&log, &broker).await.last, 200);
    let told = second.journal.told();
    assert!(told.rebuilt.is_empty() && told.resyncs.is_empty(), "{told:?}");
}

#[tokio::test]
async fn an_event_of_another_process_arrives_with_and_without_a_hint() {
    let (nats, broker, log) = broker_and_log().await;
    let relay = start(&log, &nats).await;
    relay.leads().await;
    // Another store over the same database shares no wake with the relay.
    let elsewhere = Log::at(secrecy::ExposeSecret::expose_secret(&log.url));
    elsewhere.append(1).await;
    Hints::new(&broker).publish(1).await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 1);
    elsewhere.append(1).await;
    assert_eq!(converged(&log, &broker).await.last, 2);
}

#[tokio::test]
async fn an_event_that_is_too_large_for_the_broker_does_not_stop_those_behind_it() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(1).await;
    log.append_large(1_100_000).await;
    log.append(1).await;
    let relay = start(&log, &nats).await;
    assert_eq!(converged(&log, &broker).await.last, 3);
    assert!(relay.journal.told().resyncs.is_empty());
    let mut consumer = EventsConsumer::open(&broker, "reader", 0);
    let first = consumer.next_batch(1, support::SOON).await.unwrap();
    assert_eq!(first.len(), 1);
    // The reader learns that it has to look into the store, and goes on.
    consumer.next_batch(1, support::SOON).await.unwrap_err();
    let third = consumer.next_batch(1, support::SOON).await.unwrap();
    assert_eq!(third.iter().map(|event| event.position).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn a_broker_killed_again_and_again_while_publishing_ends_up_with_everything_once() {
    let (nats, broker, log) = broker_and_log().await;
    let relay = start(&log, &nats).await;
    for _ in 0..4 {
        let writing = async {
            for _ in 0..8 {
                log.append(400).await;
            }
        };
        let killing = async {
            let so_far = relay.journal.told().published;
            support::eventually("publishing to go on", support::SOON, || async {
                let published = relay.journal.told().published;
                if published > so_far + 500 {
                    Ok(())
                } else {
                    Err(published.to_string())
                }
            })
            .await;
            nats.kill().await.unwrap();
            nats.start_again().await.unwrap();
        };
        tokio::join!(writing, killing);
    }
    let verified = converged(&log, &broker).await;
    assert_eq!(verified.last, 4 * 8 * 400);
    let told = relay.journal.told();
    assert!(told.resyncs.len() >= 4, "{:?}", told.resyncs);
    // Killed is not wiped: what was acknowledged is still there, so nothing had to be replaced.
    assert_eq!(told.rebuilt, [("missing".to_owned(), 1)]);
}

#[tokio::test]
async fn a_broker_stopped_in_order_is_found_again() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(50).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    nats.stop().await.unwrap();
    log.append(50).await;
    nats.start_again().await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 100);
    assert_eq!(relay.journal.told().rebuilt.len(), 1);
}

#[tokio::test]
async fn a_broker_that_halts_and_goes_on_gets_nothing_twice() {
    let (nats, broker, log) = broker_and_log().await;
    let relay = start(&log, &nats).await;
    log.append(50).await;
    converged(&log, &broker).await;
    nats.pause().unwrap();
    log.append(3_000).await;
    // Halted for longer than a relay waits for an acknowledgement, so that it has given up on what it had
    // sent.
    support::eventually("the relay to give up waiting", support::SOON, || async {
        let told = relay.journal.told();
        if told.resyncs.is_empty() {
            Err(told.published.to_string())
        } else {
            Ok(())
        }
    })
    .await;
    nats.resume().unwrap();
    assert_eq!(converged(&log, &broker).await.last, 3_050);
    assert_eq!(relay.journal.told().rebuilt.len(), 1);
}

#[tokio::test]
async fn a_relay_that_starts_before_its_broker_publishes_when_the_broker_is_there() {
    let (nats, broker, log) = broker_and_log().await;
    nats.stop().await.unwrap();
    log.append(20).await;
    let relay = start(&log, &nats).await;
    relay.leads().await;
    nats.start_again().await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 20);
}

#[tokio::test]
async fn a_database_restarted_at_once_costs_the_lead_and_nothing_else() {
    let (nats, postgres) = tokio::join!(
        support::own_nats(),
        support::own_postgres_with(|options| options.durable = true)
    );
    let url = postgres.url("postgres");
    database::migrate(&url.clone().into()).await.unwrap();
    let log = Log::at(&url);
    let broker = link(&nats).await;
    log.append(200).await;
    let relay = start_over(&log, broker.clone());
    converged(&log, &broker).await;
    for _ in 0..3 {
        let led = relay.journal.told().led;
        postgres.stop_immediate().await.unwrap();
        postgres.start_again().await.unwrap();
        support::eventually("the relay to lead again", Duration::from_secs(60), || async {
            let told = relay.journal.told();
            if told.led > led && told.leading {
                Ok(())
            } else {
                Err(told.led.to_string())
            }
        })
        .await;
        let again = Log::at(&url);
        again.append(100).await;
    }
    assert_eq!(converged(&log, &broker).await.last, 500);
    assert_eq!(relay.journal.told().rebuilt.len(), 1);
}
