//! A receiver of webhooks, as customers run one: it checks the signature of what arrives (Standard Webhooks
//! 1.0, by its own arithmetic), keeps it in order, counts it by path and message, and fails as it is told.
//!
//! Every path is an endpoint of its own, and costs nothing before something arrives there. A path without
//! secrets takes everything; one with secrets refuses with 401 what none of them signed.

mod control;
mod page;
mod service;
mod verify;

use std::sync::Arc;

pub use service::{Count, Delivery, Reaction, Rule};
pub use verify::Verdict;

use crate::clock::Clock;
use crate::server::{Listener, SimulatorError};
use service::Service;

/// How the receiver starts.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Its time, which the times of signatures are compared with.
    pub clock: Clock,
    /// How far a signature's time may be from its own, in seconds; any if none.
    pub tolerance_seconds: Option<u64>,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            port: 0,
            clock: Clock::system(),
            tolerance_seconds: Some(300),
        }
    }
}

/// A running receiver; dropping it stops the server.
pub struct Receiver {
    listener: Listener,
    service: Arc<Service>,
}

impl Receiver {
    /// Listens.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken or no thread can be started.
    pub async fn start(config: ReceiverConfig) -> Result<Self, SimulatorError> {
        let (socket, _address) = Listener::bind(config.port)?;
        let service = Arc::new(Service::new(config.clock, config.tolerance_seconds));
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        Ok(Self { listener, service })
    }

    /// Closes the socket and waits until the server's threads have ended.
    pub async fn stop(self) {
        self.listener.stop().await;
    }

    /// The address of an endpoint; `path` begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.listener.base_url())
    }

    /// Gives an endpoint its secrets (`whsec_…`), any of which may have signed. Without one it takes
    /// everything.
    pub fn secrets(&self, path: &str, secrets: &[&str]) {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        self.service.secrets(path, secrets);
    }

    /// Lets an endpoint behave in some way, in the place of what it was told before.
    pub fn react(&self, rule: Rule) {
        self.service.react(rule);
    }

    /// Lets an endpoint take messages again; all of them without a path.
    pub fn calm(&self, path: Option<&str>) {
        self.service.calm(path);
    }

    /// What arrived, in order, also what was refused.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.service.deliveries(None, 0)
    }

    /// How often a message arrived at an endpoint.
    #[must_use]
    pub fn count(&self, path: &str, id: &str) -> Count {
        self.service.count(path, id)
    }

    /// Forgets what arrived; secrets and behaviour stay.
    pub fn forget(&self) {
        self.service.forget();
    }
}

impl std::ops::Deref for Receiver {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
