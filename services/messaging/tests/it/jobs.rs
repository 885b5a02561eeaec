//! Jobs: one per cabinet, never lost with their worker, never for ever.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use messaging::async_nats::jetstream::consumer::{FromConsumer, pull};
use messaging::{Broker, DeadLetters, Enqueued, Job, JobConsumer, Queue, QueueState, WorkError, WorkQueue};

use crate::prepared;

const CABINET: &str = "work.sync.0190f7a0-0000-7000-8000-000000000001.0190f7a0-0000-7000-8000-0000000000aa";
const OTHER: &str = "work.sync.0190f7a0-0000-7000-8000-000000000001.0190f7a0-0000-7000-8000-0000000000bb";
const WAIT: Duration = Duration::from_secs(3);

async fn job(consumer: &mut JobConsumer) -> Job {
    let end = tokio::time::Instant::now() + support::SOON;
    while tokio::time::Instant::now() < end {
        if let Some(job) = consumer.next(WAIT).await.unwrap() {
            return job;
        }
    }
    panic!("no job came")
}

/// Lets jobs of dead workers come back after a second instead of half a minute.
async fn impatient(broker: &Broker) {
    let stream = broker.jetstream().get_stream("WORK").await.unwrap();
    let found = stream.get_consumer::<pull::Config>("sync").await.unwrap();
    let mut config = pull::Config::try_from_consumer_config(found.cached_info().config.clone()).unwrap();
    config.ack_wait = Duration::from_secs(1);
    stream.update_consumer(config).await.unwrap();
}

#[tokio::test]
async fn a_cabinet_has_one_job_waiting_or_running() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    assert_eq!(
        queue.publish(CABINET, "a".into(), "1").await.unwrap(),
        Enqueued::Published
    );
    assert_eq!(
        queue.publish(CABINET, "a".into(), "1").await.unwrap(),
        Enqueued::Repeated
    );
    assert_eq!(
        queue.publish(CABINET, "b".into(), "2").await.unwrap(),
        Enqueued::AlreadyWaiting
    );
    assert_eq!(
        queue.publish(OTHER, "c".into(), "3").await.unwrap(),
        Enqueued::Published
    );

    let mut worker = queue.consumer(Queue::Sync);
    let running = job(&mut worker).await;
    assert_eq!(
        (running.subject.as_str(), &running.payload[..], running.deliveries),
        (CABINET, &b"a"[..], 1)
    );
    assert_eq!(
        queue.publish(CABINET, "d".into(), "4").await.unwrap(),
        Enqueued::AlreadyWaiting
    );
    running.ack().await.unwrap();
    assert_eq!(
        queue.publish(CABINET, "e".into(), "5").await.unwrap(),
        Enqueued::Published
    );
}

#[tokio::test]
async fn the_job_of_a_dead_worker_goes_to_the_next_one() {
    let (_server, broker) = prepared().await;
    impatient(&broker).await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let lost = job(&mut queue.consumer(Queue::Sync)).await;
    let sequence = lost.sequence;
    drop(lost);
    let again = job(&mut queue.consumer(Queue::Sync)).await;
    assert_eq!((again.sequence, again.deliveries), (sequence, 2));
    again.ack().await.unwrap();
}

#[tokio::test]
async fn a_job_that_reports_itself_is_not_given_to_a_second_worker() {
    let (_server, broker) = prepared().await;
    impatient(&broker).await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let running = job(&mut queue.consumer(Queue::Sync)).await;
    // The idle worker asks for three seconds, three times as long as a silent job is left alone.
    let mut idle = queue.consumer(Queue::Sync);
    let stolen = tokio::select! {
        stolen = idle.next(WAIT) => stolen.unwrap(),
        () = async {
            let mut beat = tokio::time::interval(Duration::from_millis(200));
            loop {
                beat.tick().await;
                running.in_progress().await.unwrap();
            }
        } => unreachable!(),
    };
    assert!(
        stolen.is_none(),
        "given away at delivery {:?}",
        stolen.map(|job| job.deliveries)
    );
    running.ack().await.unwrap();
}

#[tokio::test]
async fn a_failed_job_comes_back_after_its_delay_and_not_before() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let mut worker = queue.consumer(Queue::Sync);
    let failed = job(&mut worker).await;
    let asked = tokio::time::Instant::now();
    failed.nak(Duration::from_millis(1_500)).await.unwrap();
    let again = job(&mut worker).await;
    assert_eq!(again.deliveries, 2);
    assert!(
        asked.elapsed() >= Duration::from_millis(1_400),
        "after {:?}",
        asked.elapsed()
    );
    again.ack().await.unwrap();
}

#[tokio::test]
async fn a_hopeless_job_becomes_a_letter_with_its_reason_and_can_be_replayed() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let mut worker = queue.consumer(Queue::Sync);
    job(&mut worker).await.dead("credential\nrejected").await.unwrap();

    let letters = DeadLetters::new(&broker);
    assert_eq!(letters.count().await.unwrap(), 1);
    let listed = letters.list(0, 10).await.unwrap();
    let [letter] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(letter.subject, CABINET);
    assert_eq!(letter.reason, "credential rejected");
    assert_eq!(letter.deliveries, 1);
    assert_eq!(&letter.payload[..], b"a");
    assert!(letters.list(letter.sequence, 10).await.unwrap().is_empty());

    // While another job of the cabinet waits, the letter stays.
    queue.publish(CABINET, "b".into(), "2").await.unwrap();
    assert_eq!(
        letters.replay(letter.sequence).await.unwrap(),
        Some(Enqueued::AlreadyWaiting)
    );
    assert_eq!(letters.list(0, 10).await.unwrap().len(), 1);
    job(&mut worker).await.ack().await.unwrap();

    assert_eq!(
        letters.replay(letter.sequence).await.unwrap(),
        Some(Enqueued::Published)
    );
    assert_eq!(&job(&mut worker).await.payload[..], b"a");
    assert!(letters.list(0, 10).await.unwrap().is_empty());
    assert_eq!(letters.count().await.unwrap(), 0);
    assert_eq!(letters.replay(letter.sequence).await.unwrap(), None);
    assert!(!letters.remove(letter.sequence).await.unwrap());
}

#[tokio::test]
async fn the_end_of_a_job_whose_queue_is_gone_is_not_taken_for_confirmed() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let running = job(&mut queue.consumer(Queue::Sync)).await;
    broker.jetstream().delete_stream("WORK").await.unwrap();
    let error = running.ack().await.unwrap_err();
    assert!(matches!(error, WorkError::Unconfirmed(_)), "{error}");
}

#[tokio::test]
async fn a_queue_that_was_wiped_is_declared_again_by_whoever_uses_it() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    let mut worker = queue.consumer(Queue::Sync);
    assert!(worker.next(WAIT).await.unwrap().is_none());
    broker.jetstream().delete_stream("WORK").await.unwrap();
    assert_eq!(
        queue.publish(CABINET, "a".into(), "1").await.unwrap(),
        Enqueued::Published
    );
    let came = support::eventually("the job", support::SOON, || {
        let mut worker = queue.consumer(Queue::Sync);
        async move {
            match worker.next(WAIT).await {
                Ok(Some(job)) => Ok(job),
                other => Err(format!("{other:?}")),
            }
        }
    })
    .await;
    came.ack().await.unwrap();
    // The consumer that had known the old queue notices and goes on as well.
    queue.publish(OTHER, "b".into(), "2").await.unwrap();
    let came = tokio::time::timeout(support::SOON, async {
        loop {
            if let Ok(Some(job)) = worker.next(WAIT).await {
                return job;
            }
        }
    });
    came.await.unwrap().ack().await.unwrap();
}

/// Puts the consumer of the sync queue behind a place that the stream has not reached: what a stream leaves
/// that lost its messages and numbers anew. (`CONSUMER.RESET` came with nats-server 2.14.)
async fn put_ahead(broker: &Broker, place: u64) {
    let asked = format!(r#"{{"seq":{place}}}"#);
    let answer = broker
        .client()
        .request("$JS.API.CONSUMER.RESET.WORK.sync", asked.into())
        .await
        .unwrap();
    let answer = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(answer.contains("reset_seq"), "{answer}");
}

/// Before and after everything that happens here.
const EARLY: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;
const LATE: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

#[tokio::test]
async fn a_queue_whose_consumer_is_ahead_of_its_stream_is_seen_and_goes_on() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    assert_eq!(queue.state(Queue::Sync, EARLY).await.unwrap(), QueueState::Moves);
    put_ahead(&broker, 1_000).await;
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    assert_eq!(
        queue.state(Queue::Sync, EARLY).await.unwrap(),
        QueueState::LostPlace {
            delivered: 999,
            last: 1
        }
    );
    let mut worker = queue.consumer(Queue::Sync);
    let first = job(&mut worker).await;
    assert_eq!(&first.payload[..], b"a");
    first.ack().await.unwrap();
    assert_eq!(queue.state(Queue::Sync, EARLY).await.unwrap(), QueueState::Moves);
}

#[tokio::test]
async fn jobs_behind_a_consumer_are_delivered_after_a_reconnect_though_the_stream_has_grown_past_it() {
    let (server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    let mut worker = queue.consumer(Queue::Sync);
    assert!(worker.next(Duration::from_millis(50)).await.unwrap().is_none());
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    queue.publish(OTHER, "b".into(), "2").await.unwrap();
    // A newer server takes a consumer back to the stream's end when it starts, which leaves the jobs behind
    // it.
    put_ahead(&broker, 1_000).await;
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let found = again(&mut worker).await;
        seen.push(found.payload.clone());
        found.ack().await.unwrap();
    }
    seen.sort();
    assert_eq!(seen, ["a", "b"]);
}

/// The next job, also from a consumer whose link has just been cut.
async fn again(consumer: &mut JobConsumer) -> Job {
    let end = tokio::time::Instant::now() + support::SOON;
    while tokio::time::Instant::now() < end {
        if let Ok(Some(job)) = consumer.next(WAIT).await {
            return job;
        }
    }
    panic!("no job came")
}

#[tokio::test]
async fn a_job_that_no_worker_takes_is_seen_and_one_in_hand_is_not() {
    let (_server, broker) = prepared().await;
    let queue = WorkQueue::new(&broker);
    queue.publish(CABINET, "a".into(), "1").await.unwrap();
    let QueueState::Untaken { since } = queue.state(Queue::Sync, LATE).await.unwrap() else {
        panic!("a job waits");
    };
    let after = async |seconds| {
        let now = since + TimeDelta::seconds(seconds);
        queue.state(Queue::Sync, now).await.unwrap()
    };
    assert_eq!(after(60).await, QueueState::Moves);
    assert_eq!(after(61).await, QueueState::Untaken { since });
    let mut worker = queue.consumer(Queue::Sync);
    let held = job(&mut worker).await;
    assert_eq!(after(61).await, QueueState::Moves);
    held.ack().await.unwrap();
}
