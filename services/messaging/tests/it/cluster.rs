//! Three servers that keep everything three times, as an installation runs them that has to survive one of
//! them.

use std::time::Duration;

use messaging::{Broker, BrokerOptions, Queue, TopologyError, WorkQueue, topology};
use support::{Nats, Own, SOON, eventually};

const WAIT: Duration = Duration::from_secs(1);

struct Cluster {
    servers: [Own<Nats>; 3],
}

impl Cluster {
    async fn start() -> Self {
        let ports: [u16; 3] = std::array::from_fn(|_| support::free_port());
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}"));
        let server = |index: usize| {
            let name = format!("n{index}");
            let arguments = [
                "--server_name",
                &name,
                "--cluster_name",
                "three",
                "--cluster",
                &routes[index],
            ];
            let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
            arguments.extend(["--routes".to_owned(), routes.join(",")]);
            support::own_nats_with(|options| options.extra_arguments = arguments)
        };
        let (one, two, three) = tokio::join!(server(0), server(1), server(2));
        Self {
            servers: [one, two, three],
        }
    }

    async fn link(&self, replicas: Option<usize>) -> Broker {
        let urls: Vec<String> = self.servers.iter().map(|server| server.url()).collect();
        let mut options = BrokerOptions::new(urls.join(","), "test");
        options.replicas = replicas;
        let broker = Broker::connect(options).await.unwrap();
        assert!(broker.wait_connected(SOON).await);
        broker
    }

    /// The server that leads a stream.
    async fn leader(&self, broker: &Broker, stream: &str) -> &Nats {
        let name = eventually("a leader", SOON, || async {
            let found = broker.jetstream().get_stream(stream).await;
            let info = found.map_err(|error| error.to_string())?.cached_info().clone();
            let leader = info.cluster.and_then(|cluster| cluster.leader);
            leader.ok_or_else(|| "no leader".to_owned())
        })
        .await;
        let index: usize = name.trim_start_matches('n').parse().unwrap();
        &self.servers[index]
    }
}

/// Everything as declared; a cluster that has just begun refuses for a moment.
async fn apply(broker: &Broker) -> topology::Applied {
    eventually("the topology", SOON, || async {
        topology::apply(broker)
            .await
            .map_err(|error| format!("{error:?}"))
    })
    .await
}

/// Publishes a job and does it, however long the cluster needs for an election.
async fn round(broker: &Broker, cabinet: u128) {
    let tenant = uuid::Uuid::from_u128(1);
    let subject = format!("work.sync.{tenant}.{}", uuid::Uuid::from_u128(cabinet));
    let queue = WorkQueue::new(broker);
    eventually("the job to be taken over", SOON, || async {
        let published = queue
            .publish(&subject, "job".into(), &format!("id-{cabinet}"))
            .await;
        published.map_err(|error| format!("{error:?}"))
    })
    .await;
    eventually("the job to be done", SOON, || async {
        let next = queue.consumer(Queue::Sync).next(WAIT).await;
        match next.map_err(|error| format!("{error:?}"))? {
            Some(job) => job.ack().await.map_err(|error| format!("{error:?}")),
            None => Err("no job".to_owned()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_when_the_leader_of_their_stream_is_killed() {
    let cluster = Cluster::start().await;
    let broker = cluster.link(Some(3)).await;
    apply(&broker).await;
    let work = broker.jetstream().get_stream(topology::WORK).await.unwrap();
    assert_eq!(work.cached_info().config.num_replicas, 3);
    topology::verify(&broker).await.unwrap();
    round(&broker, 1).await;
    cluster
        .leader(&broker, topology::WORK)
        .await
        .kill()
        .await
        .unwrap();
    for cabinet in 2..5 {
        round(&broker, cabinet).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_only_holder_is_down_is_not_taken_for_a_missing_one() {
    let cluster = Cluster::start().await;
    let broker = cluster.link(None).await;
    apply(&broker).await;
    let subject = "work.default.kept";
    let queue = WorkQueue::new(&broker);
    queue.publish(subject, "job".into(), "1").await.unwrap();
    let holder = cluster.leader(&broker, topology::WORK).await;
    holder.kill().await.unwrap();
    eventually("the stream to be told from a missing one", SOON, || async {
        match topology::restore(&broker, &[topology::WORK]).await {
            Err(TopologyError::Offline { name }) if name == topology::WORK => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    holder.start_again().await.unwrap();
    eventually("the stream to be there again", SOON, || async {
        topology::restore(&broker, &[topology::WORK])
            .await
            .map_err(|error| format!("{error:?}"))
    })
    .await;
    let stream = broker.jetstream().get_stream(topology::WORK).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1, "the job is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_replicas_is_applied_to_what_is_there() {
    let cluster = Cluster::start().await;
    let single = cluster.link(None).await;
    apply(&single).await;
    let broker = cluster.link(Some(3)).await;
    let error = topology::verify(&broker).await.unwrap_err();
    assert!(
        matches!(
            error,
            TopologyError::Drift {
                field: "replicas",
                ..
            }
        ),
        "{error}"
    );
    // Roles go on with whatever is there: the change is the tool's.
    topology::restore(&broker, &[topology::WORK]).await.unwrap();
    eventually("three of each", SOON, || async {
        topology::apply(&broker)
            .await
            .map_err(|error| format!("{error:?}"))?;
        topology::verify(&broker)
            .await
            .map_err(|error| format!("{error:?}"))
    })
    .await;
    round(&broker, 1).await;
}
