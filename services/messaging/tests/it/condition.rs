//! Brokers that are there and of no use: too old, without JetStream, without room.

use messaging::condition::{has_jetstream, takes_messages};
use messaging::{Broker, BrokerError, BrokerOptions, ConditionError, Queue, WorkQueue, topology};
use support::{SOON, eventually, scratch_folder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::connect;

/// A server that says it is of this version, and answers pings.
async fn pretender(version: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let info = format!(
                "INFO {{\"server_id\":\"X\",\"server_name\":\"x\",\"version\":\"{version}\",\"proto\":1,\
                 \"host\":\"127.0.0.1\",\"port\":{},\"headers\":true,\"max_payload\":1048576}}\r\n",
                address.port()
            );
            tokio::spawn(async move {
                let mut heard = [0; 4096];
                let mut alive = stream.write_all(info.as_bytes()).await.is_ok();
                while alive && matches!(stream.read(&mut heard).await, Ok(1..)) {
                    alive = stream.write_all(b"PONG\r\n").await.is_ok();
                }
            });
        }
    });
    format!("nats://{address}")
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_before_anything_is_done() {
    let refused = Broker::connect(BrokerOptions::new(pretender("2.11.9").await, "test")).await;
    match refused.unwrap_err() {
        BrokerError::Unsuitable(error @ ConditionError::TooOld { .. }) => {
            let said = error.to_string();
            assert!(said.contains("2.11.9") && said.contains("2.12"), "{said}");
        }
        other => panic!("{other:?}"),
    }
    Broker::connect(BrokerOptions::new(pretender("2.12.0").await, "test"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_account_without_jetstream_is_told() {
    let conf = scratch_folder("no-jetstream").join("server.conf");
    std::fs::write(
        &conf,
        "accounts { A { users: [{ user: a, password: a }] } }\nno_auth_user: a\n",
    )
    .unwrap();
    let server = support::own_nats_with(|options| options.config_file = Some(conf)).await;
    let error = has_jetstream(&connect(&server).await).await.unwrap_err();
    assert!(matches!(error, ConditionError::NoJetStream), "{error:?}");
}

#[tokio::test]
async fn a_full_jetstream_is_seen_and_takes_jobs_again_when_there_is_room() {
    let conf = scratch_folder("full").join("server.conf");
    std::fs::write(&conf, "jetstream { max_file_store: 2MB }\n").unwrap();
    let server = support::own_nats_with(|options| options.config_file = Some(conf)).await;
    let broker = connect(&server).await;
    topology::apply(&broker).await.unwrap();
    has_jetstream(&broker).await.unwrap();
    takes_messages(&broker).await.unwrap();

    let filler = bytes::Bytes::from(vec![b'x'; 200_000]);
    let sent_so_far = std::sync::atomic::AtomicU32::new(0);
    eventually("the store to be full", SOON, || async {
        let id = sent_so_far
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            .to_string();
        let sent = broker
            .jetstream()
            .publish(format!("dead.work.default.{id}"), filler.clone())
            .await;
        match sent.unwrap().await {
            Ok(_) => Err("it takes more".to_owned()),
            Err(_full) => Ok(()),
        }
    })
    .await;
    eventually("it to be seen", SOON, || async {
        match takes_messages(&broker).await {
            Err(ConditionError::Full(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let queue = WorkQueue::new(&broker);
    queue
        .publish("work.default.a", "job".into(), "1")
        .await
        .unwrap_err();

    let dead = broker.jetstream().get_stream(topology::DEAD).await.unwrap();
    dead.purge().await.unwrap();
    eventually("room again", SOON, || async {
        takes_messages(&broker)
            .await
            .map_err(|error| format!("{error:?}"))?;
        let published = queue.publish("work.default.a", "job".into(), "2").await;
        published.map_err(|error| format!("{error:?}"))
    })
    .await;
    let job = queue
        .consumer(Queue::Default)
        .next(std::time::Duration::from_secs(5))
        .await;
    assert!(job.unwrap().is_some());
}
