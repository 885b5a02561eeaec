//! How the bot gets its updates: `getUpdates` with its conflicts, and the settings of a webhook.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::errors::{Outcome, Refusal};
use super::params::Params;
use super::service::{Service, wait};
use super::world::{Webhook, World};

/// Longest wait of one poll.
const LONGEST_POLL: i64 = 50;
const LIMIT: i64 = 100;
const PORTS: [u16; 4] = [443, 80, 88, 8443];
const OTHER_POLLER: &str =
    "terminated by other getUpdates request; make sure that only one bot instance is running";
const OTHER_WEBHOOK: &str = "terminated by setWebhook request";
const WEBHOOK_ACTIVE: &str =
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

/// Which poll is the newest, so that one that still waits knows of its successor.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    newest: AtomicU64,
    webhooks: AtomicU64,
    conflicts: AtomicU64,
}

impl Polls {
    pub(crate) fn webhook_was_set(&self) {
        self.webhooks.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::SeqCst)
    }
}

/// Answers as soon as there is an update, or the time is up, or somebody else polls.
pub(crate) async fn get_updates(service: &Service, params: &Params) -> Outcome {
    let polls = &service.polls;
    let mine = polls.newest.fetch_add(1, Ordering::SeqCst) + 1;
    let webhooks = polls.webhooks.load(Ordering::SeqCst);
    service.changed.notify_waiters();
    let seconds = params.number("timeout").unwrap_or(0).clamp(0, LONGEST_POLL);
    let until = Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    service.with(|world| {
        confirm(world, params);
        if let Some(kinds) = params.json::<Vec<String>>("allowed_updates") {
            world.allowed = Some(kinds);
        }
    });
    loop {
        // Registered before looking, so that nothing is missed in between.
        let changed = service.changed.notified();
        if service.with(|world| world.webhook.is_some()) {
            let was_set = polls.webhooks.load(Ordering::SeqCst) != webhooks;
            return conflict(service, if was_set { OTHER_WEBHOOK } else { WEBHOOK_ACTIVE }).await;
        }
        if polls.newest.load(Ordering::SeqCst) != mine {
            return conflict(service, OTHER_POLLER).await;
        }
        let updates = service.with(|world| waiting(world, params));
        let left = until.saturating_duration_since(Instant::now());
        if !updates.is_empty() || left.is_zero() || service.is_stopped() {
            return Ok(Value::Array(updates));
        }
        wait(changed, left).await;
    }
}

/// The first conflict is told at once, further ones after a pause.
async fn conflict(service: &Service, what: &str) -> Outcome {
    if service.polls.conflicts.fetch_add(1, Ordering::SeqCst) > 0 {
        tokio::time::sleep(service.config.conflict_pause).await;
    }
    Err(Refusal::conflict(what))
}

/// Forgets what the offset confirms. A negative one counts from the end and forgets everything before.
fn confirm(world: &mut World, params: &Params) {
    let offset = params.number("offset").unwrap_or(0);
    if offset > 0 {
        // After a jump of ids a small offset confirms nothing that came later.
        let position = world.updates.iter().position(|update| update.id == offset - 1);
        match position {
            Some(position) => drop(world.updates.drain(..=position)),
            None => world.updates.retain(|update| update.id >= offset),
        }
    } else if offset < 0 {
        let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
        let forgotten = world.updates.len().saturating_sub(keep);
        world.updates.drain(..forgotten);
    }
}

fn waiting(world: &mut World, params: &Params) -> Vec<Value> {
    world.expire();
    let limit = params
        .number("limit")
        .filter(|limit| (1..=LIMIT).contains(limit))
        .unwrap_or(LIMIT);
    let limit = usize::try_from(limit).unwrap_or_default();
    world
        .updates
        .iter()
        .take(limit)
        .map(|update| update.body.clone())
        .collect()
}

pub(crate) fn set_webhook(world: &mut World, params: &Params, strict: bool) -> Outcome {
    let url = params.text("url").unwrap_or_default();
    if url.is_empty() {
        return delete_webhook(world, params);
    }
    let secret = params.text("secret_token").filter(|secret| !secret.is_empty());
    if let Some(secret) = &secret {
        if secret.len() > 256 {
            return Err(Refusal::bad("secret token is too long"));
        }
        if !secret
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        {
            return Err(Refusal::bad("secret token contains unallowed characters"));
        }
    }
    let parsed = reqwest::Url::parse(&url).map_err(|_error| Refusal::bad("bad webhook: invalid URL"))?;
    if strict {
        if parsed.scheme() != "https" {
            return Err(Refusal::bad(
                "bad webhook: An HTTPS URL must be provided for webhook",
            ));
        }
        if !parsed
            .port_or_known_default()
            .is_some_and(|port| PORTS.contains(&port))
        {
            let what = "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443";
            return Err(Refusal::bad(what));
        }
    }
    let most = params.number("max_connections").unwrap_or(40).clamp(1, 100);
    if params.flag("drop_pending_updates") {
        world.updates.clear();
    }
    if let Some(kinds) = params.json::<Vec<String>>("allowed_updates") {
        world.allowed = Some(kinds);
    }
    world.webhook = Some(Webhook {
        url,
        secret,
        max_connections: usize::try_from(most).unwrap_or(40),
        last_error: None,
    });
    Ok(json!(true))
}

pub(crate) fn delete_webhook(world: &mut World, params: &Params) -> Outcome {
    if params.flag("drop_pending_updates") {
        world.updates.clear();
    }
    world.webhook = None;
    Ok(json!(true))
}

pub(crate) fn webhook_info(world: &World) -> Value {
    let mut info = json!({
        "url": world.webhook.as_ref().map_or("", |webhook| webhook.url.as_str()),
        "has_custom_certificate": false, "pending_update_count": world.updates.len(),
    });
    if let Some(webhook) = &world.webhook {
        info["max_connections"] = json!(webhook.max_connections);
        if let Some((at, message)) = &webhook.last_error {
            info["last_error_date"] = json!(at.timestamp());
            info["last_error_message"] = json!(message);
        }
    }
    if let Some(kinds) = &world.allowed {
        info["allowed_updates"] = json!(kinds);
    }
    info
}

pub(crate) fn get_file(world: &World, params: &Params) -> Outcome {
    let id = params.text("file_id").unwrap_or_default();
    match world.files.get(&id) {
        Some(file) => Ok(json!({
            "file_id": id, "file_unique_id": id, "file_size": file.content.len(),
            "file_path": format!("files/{id}"),
        })),
        None => Err(Refusal::bad("invalid file_id")),
    }
}
