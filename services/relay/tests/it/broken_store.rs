//! A broker whose memory is wiped, replaced, rolled back, emptied or full of holes.

use messaging::topology;

use crate::world::{Log, broker_and_log, converged, copy_folder, start};

#[tokio::test]
async fn a_wiped_broker_is_filled_again_with_everything_that_is_declared() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(1_500).await;
    let _relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    nats.stop().await.unwrap();
    std::fs::remove_dir_all(nats.store_dir()).unwrap();
    log.append(500).await;
    nats.start_again().await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 2_000);
    topology::verify(&broker).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_was_rolled_back_to_an_older_copy_gets_what_it_lost() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(1_000).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    nats.stop().await.unwrap();
    let copy = support::scratch_folder("older-store");
    copy_folder(&nats.store_dir(), &copy);
    nats.start_again().await.unwrap();
    log.append(1_000).await;
    assert_eq!(converged(&log, &broker).await.last, 2_000);

    nats.kill().await.unwrap();
    std::fs::remove_dir_all(nats.store_dir()).unwrap();
    copy_folder(&copy, &nats.store_dir());
    nats.start_again().await.unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    assert_eq!(converged(&log, &broker).await.last, 2_000);
    // An older copy of the log is a copy: it is continued, not replaced.
    assert_eq!(relay.journal.told().rebuilt.len(), 1);
}

#[tokio::test]
async fn a_store_deleted_under_a_running_broker_is_whole_again_after_its_restart_at_the_latest() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(1_000).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    std::fs::remove_dir_all(nats.store_dir()).unwrap();
    // nats-server 2.15.1 notices nothing until it needs a new file: it acknowledges, and would lose all of
    // it.
    for _ in 0..5 {
        log.append(200).await;
    }
    nats.kill().await.unwrap();
    nats.start_again().await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 2_000);
    assert!(relay.journal.told().leading);
}

#[tokio::test]
async fn a_broker_that_cannot_write_any_more_gets_a_new_stream_without_a_restart() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    std::fs::remove_dir_all(nats.store_dir()).unwrap();
    // Enough for a second file, which the server cannot make in a folder that is gone. From then on it
    // refuses every message, does not answer, or finds that it has lost the first file too; which of them
    // differs by run.
    for _ in 0..10 {
        log.append_large(900_000).await;
    }
    assert_eq!(converged(&log, &broker).await.last, 110);
    let rebuilt = relay.journal.told().rebuilt.len();
    assert!(rebuilt >= 2, "{:?}", relay.journal.told().rebuilt);
    // The new stream is on the disk, as a restart proves.
    nats.kill().await.unwrap();
    nats.start_again().await.unwrap();
    log.append(10).await;
    assert_eq!(converged(&log, &broker).await.last, 120);
    assert_eq!(relay.journal.told().rebuilt.len(), rebuilt);
}

#[tokio::test]
async fn a_stream_deleted_by_hand_is_noticed_while_nothing_is_published() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let _relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    broker.jetstream().delete_stream("EVENTS").await.unwrap();
    assert_eq!(converged(&log, &broker).await.last, 100);
}

#[tokio::test]
async fn a_stream_emptied_by_hand_is_noticed_while_nothing_is_published() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    broker
        .jetstream()
        .get_stream("EVENTS")
        .await
        .unwrap()
        .purge()
        .await
        .unwrap();
    assert_eq!(converged(&log, &broker).await.last, 100);
    assert_eq!(
        relay.journal.told().rebuilt.last().unwrap(),
        &("emptied".to_owned(), 1)
    );
}

#[tokio::test]
async fn a_message_deleted_by_hand_is_a_hole_and_is_closed() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    broker
        .jetstream()
        .get_stream("EVENTS")
        .await
        .unwrap()
        .delete_message(50)
        .await
        .unwrap();
    assert_eq!(converged(&log, &broker).await.last, 100);
    assert_eq!(
        relay.journal.told().rebuilt.last().unwrap().0,
        "messages are missing in it"
    );
}

#[tokio::test]
async fn the_last_message_deleted_by_hand_is_published_again() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(100).await;
    let _relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    broker
        .jetstream()
        .get_stream("EVENTS")
        .await
        .unwrap()
        .delete_message(100)
        .await
        .unwrap();
    assert_eq!(converged(&log, &broker).await.last, 100);
}

#[tokio::test]
async fn the_stream_of_another_log_is_replaced() {
    let (nats, broker, log) = broker_and_log().await;
    log.append(30).await;
    let relay = start(&log, &nats).await;
    converged(&log, &broker).await;
    relay.stop().await;

    // A log of the same length with other events: a database restored from yesterday that went on
    // differently.
    let other = Log::fresh().await;
    other.append(30).await;
    let relay = start(&other, &nats).await;
    assert_eq!(converged(&other, &broker).await.last, 30);
    assert_eq!(
        relay.journal.told().rebuilt,
        [("position 1 is another event".to_owned(), 1)]
    );
    relay.stop().await;

    // And a shorter one: a database restored from yesterday that has not gone on yet.
    let shorter = Log::fresh().await;
    shorter.append(10).await;
    let relay = start(&shorter, &nats).await;
    assert_eq!(converged(&shorter, &broker).await.last, 10);
    assert_eq!(
        relay.journal.told().rebuilt,
        [("at 30, ahead of the log at 10".to_owned(), 1)]
    );
}
