//! Buckets, requests and hints.

use std::time::Duration;

use bytes::Bytes;
use messaging::bucket::Bucket;
use messaging::rpc::{self, Problem, RpcError, Service};
use messaging::{Cache, Hints, topology};

use crate::{connect, prepared};

#[tokio::test]
async fn a_cached_answer_is_found_until_its_time_is_over() {
    let (_server, broker) = prepared().await;
    let cache = Cache::new(&broker);
    assert_eq!(cache.get("wb/a/stocks").await.unwrap(), None);
    cache.put("wb/a/stocks", "[]".into()).await.unwrap();
    assert_eq!(cache.get("wb/a/stocks").await.unwrap(), Some(Bytes::from("[]")));

    // Five minutes are too long for a test; the same bucket with one second.
    let mut config = topology::declared_stream("KV_marketplace_cache").unwrap();
    config.max_age = Duration::from_secs(1);
    config.duplicate_window = Duration::from_secs(1);
    broker.jetstream().update_stream(&config).await.unwrap();
    support::eventually("the answer to be forgotten", support::SOON, || {
        let cache = &cache;
        async move {
            match cache.get("wb/a/stocks").await.unwrap() {
                None => Ok(()),
                Some(answer) => Err(format!("{answer:?}")),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_was_wiped_is_there_again() {
    let (_server, broker) = prepared().await;
    let cache = Cache::new(&broker);
    cache.put("a", "1".into()).await.unwrap();
    broker
        .jetstream()
        .delete_stream("KV_marketplace_cache")
        .await
        .unwrap();
    cache.put("a", "2".into()).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap(), Some(Bytes::from("2")));
}

#[tokio::test]
async fn a_guarded_write_loses_against_a_newer_one() {
    let (_server, broker) = prepared().await;
    let bucket = Bucket::limits(&broker);
    let first = bucket.put_if("k", "1".into(), None).await.unwrap().unwrap();
    assert_eq!(bucket.put_if("k", "2".into(), None).await.unwrap(), None);
    let second = bucket
        .put_if("k", "2".into(), Some(first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bucket.put_if("k", "3".into(), Some(first)).await.unwrap(), None);
    let found = bucket.get("k").await.unwrap().unwrap();
    assert_eq!((found.value, found.revision), (Bytes::from("2"), second));
    bucket.delete("k").await.unwrap();
    assert_eq!(bucket.get("k").await.unwrap(), None);
    assert!(bucket.put_if("k", "4".into(), None).await.unwrap().is_some());
}

fn problem() -> Problem {
    Problem {
        kind: "stream-conflict".into(),
        title: "Conflict".into(),
        status: 409,
        detail: "the cabinet is elsewhere".into(),
    }
}

#[tokio::test]
async fn a_request_reaches_one_service_and_errors_keep_their_type() {
    let (server, broker) = prepared().await;
    let service = || {
        Service::new("commands", "1.0.0")
            .on("echo", |request| async move { Ok(request.payload) })
            .on("trace", |request| async move {
                Ok(request.traceparent.unwrap_or_default().into())
            })
            .on("fail", |_| async { Err(problem()) })
            .on("hang", |_| std::future::pending())
    };
    let other = connect(&server).await;
    let one = rpc::serve(&broker, service()).await.unwrap();
    let _two = rpc::serve(&other, service()).await.unwrap();
    let caller = connect(&server).await;
    let ask = |subject: &'static str, wait| rpc::request(&caller, subject, "ping".into(), wait);

    for _ in 0..20 {
        assert_eq!(
            ask("commands.echo", support::SOON).await.unwrap(),
            Bytes::from("ping")
        );
    }
    let traced = rpc::request_traced(
        &caller,
        "commands.trace",
        "".into(),
        Some("00-a-b-01"),
        support::SOON,
    )
    .await;
    assert_eq!(traced.unwrap(), Bytes::from("00-a-b-01"));
    match ask("commands.fail", support::SOON).await.unwrap_err() {
        RpcError::Refused(refused) => assert_eq!(refused, problem()),
        other => panic!("{other}"),
    }
    let error = ask("commands.unknown", support::SOON).await.unwrap_err();
    assert!(matches!(error, RpcError::NoService(_)), "{error}");
    let error = ask("commands.hang", Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(matches!(error, RpcError::TimedOut(_)), "{error}");

    // One of two processes ends: the other answers. What was on its way to the first one while it ended is
    // lost, as with any process that ends; whoever asked asks again.
    drop(one);
    support::eventually("the other to answer alone", support::SOON, || async {
        for _ in 0..20 {
            let answer = ask("commands.echo", Duration::from_secs(2)).await;
            answer.map_err(|error| error.to_string())?;
        }
        Ok::<(), String>(())
    })
    .await;
}

#[tokio::test]
async fn a_service_answers_again_after_the_broker_was_killed() {
    let (server, broker) = prepared().await;
    let _serving = rpc::serve(
        &broker,
        Service::new("queries", "1.0.0").on("echo", |r| async move { Ok(r.payload) }),
    )
    .await
    .unwrap();
    let caller = connect(&server).await;
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    support::eventually("an answer", support::SOON, || {
        let caller = &caller;
        async move {
            rpc::request(caller, "queries.echo", "x".into(), Duration::from_secs(2))
                .await
                .map_err(|error| error.to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn a_hint_reaches_other_processes() {
    let (server, broker) = prepared().await;
    let other = connect(&server).await;
    let mut hints = Hints::new(&other).subscribe().await.unwrap();
    // The subscription has reached the server when a later request was answered.
    other.client().flush().await.unwrap();
    other.jetstream().query_account().await.unwrap();
    Hints::new(&broker).publish(41).await.unwrap();
    broker
        .client()
        .publish("hints.positions", "nonsense".into())
        .await
        .unwrap();
    Hints::new(&broker).publish(42).await.unwrap();
    assert_eq!(hints.next().await, Some(41));
    assert_eq!(hints.next().await, Some(42));
}
