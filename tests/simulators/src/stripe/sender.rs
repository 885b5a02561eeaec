//! Sends deliveries from a thread of its own, because a simulator's answers are made without waiting.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::service::{Service, Signed};
use crate::server::SimulatorError;

/// Stripe gives up on an answer after some time.
///
/// Unknown: the exact time.
const TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = "Stripe/1.0 (+https://stripe.com/docs/webhooks)";

/// The running thread; dropping it lets it end.
pub(crate) struct Sender {
    service: Arc<Service>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    pub(crate) fn start(service: Arc<Service>) -> Result<Self, SimulatorError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| SimulatorError::Client(Box::new(source)))?;
        let client = client().map_err(|source| SimulatorError::Client(Box::new(source)))?;
        let used = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("stripe-deliveries".to_owned())
            .spawn(move || runtime.block_on(run(&used, &client)))
            .map_err(|source| SimulatorError::Client(Box::new(source)))?;
        Ok(Self {
            service,
            thread: Some(thread),
        })
    }

    /// Waits until the thread has ended. What was on its way is not awaited.
    pub(crate) async fn stop(mut self) {
        self.service.stop();
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !joined.unwrap_or(false) {
                tracing::warn!("the deliveries' thread panicked");
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.service.stop();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate may not use the product's client builder"
)]
fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Another part of the process may have been first; either way a provider is there.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .user_agent(USER_AGENT)
        // Redirects count as refusals.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

async fn run(service: &Service, client: &reqwest::Client) {
    let mut running = FuturesUnordered::new();
    loop {
        if service.is_stopped() {
            return;
        }
        while let Some((number, url, signed)) = service.take() {
            running.push(async move {
                let status = send(client, &url, signed).await;
                (number, url, status)
            });
        }
        tokio::select! {
            Some((number, url, status)) = running.next(), if !running.is_empty() => {
                service.done(number, url, status);
            }
            () = service.wake.notified() => {}
        }
    }
}

async fn send(client: &reqwest::Client, url: &str, signed: Signed) -> Option<u16> {
    let sent = client
        .post(url)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Cache-Control", "no-cache")
        .header("Accept", "*/*; q=0.5, application/xml")
        .header("Stripe-Signature", signed.signature)
        .body(signed.body)
        .send()
        .await;
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            // Read to its end, so that the connection can be used again.
            drop(response.bytes().await);
            Some(status)
        }
        Err(error) => {
            tracing::debug!(%error, url, "a delivery was not answered");
            None
        }
    }
}
