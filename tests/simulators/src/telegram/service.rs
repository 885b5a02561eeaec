//! Routes a call: token, method, then the method itself; and everything that is not the Bot API.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::Notify;

use super::errors::{Outcome, Refusal, answer};
use super::params::Params;
use super::world::World;
use super::{TelegramConfig, control, messages, pages, receive, render};
use crate::clock::Clock;
use crate::server::{Answer, Call, Later, Simulated, lock};

/// The simulator's whole state.
pub(crate) struct Service {
    world: Mutex<World>,
    clock: Clock,
    pub(crate) token: String,
    pub(crate) config: TelegramConfig,
    /// A new update, another poller or another webhook.
    pub(crate) changed: Notify,
    /// The same for the thread that delivers to the webhook.
    pub(crate) wake: Notify,
    pub(crate) polls: receive::Polls,
    stopped: AtomicBool,
}

impl Service {
    pub(crate) fn new(config: TelegramConfig) -> Self {
        let bot = config.token.split(':').next().and_then(|id| id.parse().ok());
        let mut world = World::new(config.clock.now(), bot.unwrap_or(1), config.first_update_id);
        world.flood.limits = config.limits;
        Self {
            world: Mutex::new(world),
            clock: config.clock.clone(),
            token: config.token.clone(),
            config,
            changed: Notify::new(),
            wake: Notify::new(),
            polls: receive::Polls::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Looks at the world, or changes it, at the present time.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.world);
        world.now = self.clock.now();
        let waiting = world.updates.back().map(|update| update.id);
        let result = work(&mut world);
        if world.updates.back().map(|update| update.id) != waiting {
            self.changed.notify_waiters();
            self.wake.notify_one();
        }
        result
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake.notify_one();
        self.changed.notify_waiters();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The method that a path names, if the token is the bot's.
    fn method(&self, call: &Call) -> Result<String, Refusal> {
        let rest = call.path.strip_prefix("/bot").unwrap_or_default();
        let (token, method) = rest.split_once('/').unwrap_or((rest, ""));
        let (id, secret) = token.split_once(':').unwrap_or_default();
        if id.parse::<i64>().is_err() || secret.is_empty() {
            return Err(Refusal::new(401, "Unauthorized: invalid token specified"));
        }
        if token != self.token {
            return Err(Refusal::new(401, "Unauthorized"));
        }
        Ok(method.to_lowercase())
    }

    fn call(&self, call: &Call) -> Outcome {
        let method = self.method(call)?;
        let params = Params::read(call)?;
        self.run(&method, &params)
    }

    /// A method with its parameters, from a call or from the answer of a webhook.
    pub(crate) fn run(&self, method: &str, params: &Params) -> Outcome {
        self.with(|world| match method {
            "getme" => {
                let mut me = render::bot(world);
                me["can_join_groups"] = json!(true);
                Ok(me)
            }
            "sendmessage" => messages::send_message(world, params),
            "senddocument" => messages::send_file(world, params, false),
            "sendphoto" => messages::send_file(world, params, true),
            "editmessagetext" => messages::edit_text(world, params),
            "editmessagereplymarkup" => messages::edit_buttons(world, params),
            "deletemessage" => messages::delete(world, params),
            "answercallbackquery" => messages::answer_press(world, params),
            "sendchataction" => messages::show_action(world, params),
            "getchat" => messages::get_chat(world, params),
            "getfile" => receive::get_file(world, params),
            "setwebhook" => {
                let set = receive::set_webhook(world, params, self.config.strict_webhook);
                self.polls.webhook_was_set();
                self.changed.notify_waiters();
                self.wake.notify_one();
                set
            }
            "deletewebhook" => receive::delete_webhook(world, params),
            "getwebhookinfo" => Ok(receive::webhook_info(world)),
            "setmycommands" => {
                world.commands = params.json("commands").unwrap_or_else(|| json!([]));
                Ok(json!(true))
            }
            "getmycommands" => Ok(world.commands.clone()),
            _ => Err(Refusal::new(404, "Not Found: method not found")),
        })
    }

    fn file(&self, call: &Call) -> Option<Answer> {
        let path = call.path.strip_prefix("/file/bot")?.strip_prefix(&self.token)?;
        let id = path.strip_prefix("/files/")?;
        self.with(|world| {
            let file = world.files.get(id)?;
            Some(Answer::raw(200, "application/octet-stream", file.content.clone()))
        })
    }
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        if call.path.starts_with("/bot") {
            return answer(self.call(call));
        }
        if call.path.starts_with("/file/") {
            return self
                .file(call)
                .unwrap_or_else(|| Refusal::new(404, "Not Found").answer());
        }
        pages::answer(self, call)
    }

    fn respond_later<'a>(&'a self, call: &'a Call) -> Option<Later<'a>> {
        let is_poll = self.method(call).is_ok_and(|method| method == "getupdates");
        is_poll.then(|| -> Later<'a> {
            Box::pin(async move {
                match Params::read(call) {
                    Ok(params) => answer(receive::get_updates(self, &params).await),
                    Err(refusal) => refusal.answer(),
                }
            })
        })
    }

    fn control(&self, call: &Call) -> Answer {
        control::answer(self, call)
    }

    /// The chat, so that a fault can hit one chat only.
    fn principal(&self, call: &Call) -> Option<String> {
        Params::read(call).ok()?.text("chat_id")
    }

    fn rate_limited(&self, call: &Call, retry_seconds: u64) -> Answer {
        let chat = Params::read(call)
            .ok()
            .and_then(|params| params.number("chat_id"));
        if let Some(chat) = chat {
            self.with(|world| world.flood.tell(chat, retry_seconds, world.now));
        }
        Refusal::flood(retry_seconds).answer()
    }

    fn tick(&self) {
        self.with(World::expire);
        self.wake.notify_one();
    }

    fn date(&self) -> Option<DateTime<Utc>> {
        Some(self.clock.now())
    }
}

/// Waits for a change, at most so long.
pub(crate) async fn wait(changed: tokio::sync::futures::Notified<'_>, most: Duration) {
    // Either end is fine.
    let _elapsed = tokio::time::timeout(most, changed).await;
}
