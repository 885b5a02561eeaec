//! Delivers updates to the webhook from a thread of its own: in order within a chat, several chats at a
//! time, and again with growing pauses what was not taken.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::params::Params;
use super::service::Service;
use super::world::{Webhook, World};
use crate::server::SimulatorError;

/// Telegram gives up on an answer after some time.
///
/// Unknown: the exact time.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest pause between two deliveries of an update.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const SECRET: &str = "X-Telegram-Bot-Api-Secret-Token";

/// What became of a delivery.
struct Delivered {
    id: i64,
    /// Status, the told pause in seconds, and the body; or why there is none of them.
    outcome: Result<(u16, Option<u64>, Vec<u8>), String>,
}

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
            .name("telegram-webhook".to_owned())
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
                tracing::warn!("the webhook's thread panicked");
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
        while let Some((id, body, webhook)) = service.with(take) {
            running.push(async move {
                let outcome = send(client, &webhook, body).await;
                Delivered { id, outcome }
            });
        }
        tokio::select! {
            Some(delivered) = running.next(), if !running.is_empty() => done(service, delivered),
            // The listener wakes this thread several times a second, which is enough for pauses.
            () = service.wake.notified() => {}
        }
    }
}

/// The next update that may be delivered: the first one of its queue.
fn take(world: &mut World) -> Option<(i64, Value, Webhook)> {
    let webhook = world.webhook.clone()?;
    let under_way = world.updates.iter().filter(|update| update.under_way).count();
    if under_way >= webhook.max_connections {
        return None;
    }
    let now = Instant::now();
    let mut seen = Vec::new();
    let mut chosen = None;
    for (at, update) in world.updates.iter().enumerate() {
        if seen.contains(&update.queue) {
            continue;
        }
        seen.push(update.queue);
        let is_due = update.not_before.is_none_or(|not_before| not_before <= now);
        if !update.under_way && is_due {
            chosen = Some(at);
            break;
        }
    }
    let update = world.updates.get_mut(chosen?)?;
    update.under_way = true;
    update.tries += 1;
    Some((update.id, update.body.clone(), webhook))
}

async fn send(
    client: &reqwest::Client,
    webhook: &Webhook,
    body: Value,
) -> Result<(u16, Option<u64>, Vec<u8>), String> {
    let mut request = client.post(&webhook.url).json(&body);
    if let Some(secret) = &webhook.secret {
        request = request.header(SECRET, secret);
    }
    let response = request.send().await.map_err(|error| error.to_string())?;
    let told = response.headers().get("retry-after");
    let told = told.and_then(|value| value.to_str().ok()?.parse().ok());
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(|error| error.to_string())?;
    Ok((status, told, body.to_vec()))
}

fn done(service: &Service, delivered: Delivered) {
    let Delivered { id, outcome } = delivered;
    let (error, told) = match outcome {
        Ok((status, _, body)) if (200..300).contains(&status) => {
            service.with(|world| world.updates.retain(|update| update.id != id));
            run_answer(service, &body);
            return;
        }
        Ok((status, told, _)) => (format!("Wrong response from the webhook: {status}"), told),
        Err(error) => (error, None),
    };
    let first = service.config.retry_pause;
    service.with(|world| {
        let now = world.now;
        if let Some(webhook) = &mut world.webhook {
            webhook.last_error = Some((now, error));
        }
        for update in world.updates.iter_mut().filter(|update| update.id == id) {
            let doubled = first.saturating_mul(1 << update.tries.saturating_sub(1).min(10));
            let pause = told.map_or(doubled, Duration::from_secs).min(LONGEST_PAUSE);
            update.under_way = false;
            update.not_before = Some(Instant::now() + pause);
        }
    });
}

/// The answer of a webhook may be one method call; its outcome is not reported.
fn run_answer(service: &Service, body: &[u8]) {
    let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return;
    };
    let Some(Value::String(method)) = fields.remove("method") else {
        return;
    };
    let method = method.to_lowercase();
    if method.starts_with("get") || method == "setwebhook" {
        return;
    }
    if let Err(refusal) = service.run(&method, &Params::of(fields)) {
        tracing::debug!(
            description = refusal.description,
            "the call in a webhook's answer was refused"
        );
    }
}
