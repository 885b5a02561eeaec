//! Commands and queries over NATS, for processes that hold no database password: the scheduler, the bot. Each
//! command reaches the same use case as its HTTP twin; NATS permissions decide who may send it. Secrets do
//! not travel this way, so what needs one (connecting a cabinet) is HTTP's alone.

mod commands;
mod problem;
mod queries;

use application::App;
use database::Pool;
use messaging::Broker;
use messaging::rpc::{self, RpcError, Service, Serving};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

/// Version of both services: raised when a body changes its meaning.
const VERSION: &str = "1.0.0";

/// The means of the gateway; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    /// Use cases.
    pub app: App,
    /// Read models and the schedule, as the gateway's role.
    pub pool: Pool,
    /// Now.
    pub clock: Clock,
}

/// What must be held for the gateway to answer.
pub struct Answering {
    _commands: Serving,
    _queries: Serving,
}

impl Gateway {
    /// Begins to answer; ends when the result is dropped.
    ///
    /// # Errors
    /// [`RpcError`] when the services cannot be announced.
    pub async fn answer(&self, broker: &Broker) -> Result<Answering, RpcError> {
        Ok(Answering {
            _commands: rpc::serve(broker, commands::service(self)).await?,
            _queries: rpc::serve(broker, queries::service(self)).await?,
        })
    }

    /// Answers until told to stop. A broker that is away is waited for.
    pub async fn run(&self, broker: &Broker, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.answer(broker).await {
                Ok(answering) => {
                    stop.cancelled().await;
                    drop(answering);
                }
                Err(error) => {
                    tracing::warn!(error = ?error, "the gateway cannot answer yet");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                    }
                }
            }
        }
    }
}

/// A service with its version.
fn service(name: &str) -> Service {
    Service::new(name, VERSION)
}
