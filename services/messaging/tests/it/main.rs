//! The broker's traps, each met on a real nats-server: what is declared, what is redelivered, what is
//! refused, and what comes back after everything was lost.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests end the test where they fail"
)]

mod cluster;
mod condition;
mod consume;
mod exchange;
mod forget;
mod jobs;
mod shape;
mod tls;
mod users;

use messaging::{Broker, BrokerOptions, topology};

/// A broker of the test's own with everything that is declared.
async fn prepared() -> (support::Own<support::Nats>, Broker) {
    let server = support::own_nats().await;
    let broker = connect(&server).await;
    topology::apply(&broker).await.unwrap();
    (server, broker)
}

async fn connect(server: &support::Nats) -> Broker {
    let broker = Broker::connect(BrokerOptions::new(server.url(), "test"))
        .await
        .unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    broker
}
