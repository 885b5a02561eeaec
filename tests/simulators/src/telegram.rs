//! Telegram's Bot API as an HTTP server for one bot, with people whose phones a test holds in its hands, and
//! a page for every chat.
//!
//! The base address stands in for `https://api.telegram.org`. Answers and refusals follow the documentation
//! and the open server (`tdlib/telegram-bot-api`); what is not published is marked `Unknown:` at its place.

mod control;
mod errors;
mod html;
pub mod kinds;
mod limits;
mod messages;
mod pages;
mod params;
mod people;
mod person;
mod receive;
mod render;
mod sender;
mod service;
mod world;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

pub use limits::TelegramLimits;
pub use people::{Seen, SeenButton, SeenFile};
pub use person::{Group, Person};
pub use world::{ChatKind, Notice, Standing};

use crate::clock::Clock;
use crate::server::{Listener, SimulatorError};
use sender::Sender;
use service::Service;

/// How the simulated Telegram starts.
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Its time. Long polls and pauses of deliveries go by the machine's time all the same.
    pub clock: Clock,
    /// The bot's token.
    pub token: String,
    /// Whether limits are kept.
    pub limits: TelegramLimits,
    /// Id of the first update.
    pub first_update_id: i64,
    /// Whether a webhook needs https and one of Telegram's ports.
    pub strict_webhook: bool,
    /// Pause before a delivery to the webhook is repeated for the first time; doubled for each further one.
    pub retry_pause: Duration,
    /// How long conflicts after the first one are kept waiting for their answer.
    pub conflict_pause: Duration,
}

impl Default for TelegramConfig {
    fn default() -> Self {
        Self {
            port: 0,
            clock: Clock::system(),
            token: "100200300:AASimulatedTokenOfTheStockTrackerBot0".to_owned(),
            limits: TelegramLimits::Off,
            first_update_id: 10_000,
            strict_webhook: false,
            retry_pause: Duration::from_secs(1),
            conflict_pause: Duration::from_secs(3),
        }
    }
}

/// A running simulated Telegram; dropping it stops the server.
pub struct Telegram {
    listener: Listener,
    service: Arc<Service>,
    sender: Sender,
    url: String,
}

impl Telegram {
    /// Listens; nobody knows the bot yet.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken or no thread can be started.
    pub async fn start(config: TelegramConfig) -> Result<Self, SimulatorError> {
        let (socket, address) = Listener::bind(config.port)?;
        let service = Arc::new(Service::new(config));
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        let sender = Sender::start(Arc::clone(&service))?;
        Ok(Self {
            listener,
            service,
            sender,
            url: format!("http://{address}"),
        })
    }

    /// Closes the socket and waits until the server's threads have ended.
    pub async fn stop(self) {
        self.sender.stop().await;
        self.listener.stop().await;
    }

    /// Address that stands in for `https://api.telegram.org`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bot's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.service.token
    }

    /// Moves its time on.
    pub fn advance(&self, by: TimeDelta) {
        self.service.config.clock.add(by);
    }

    /// Its time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.service.config.clock.now()
    }

    /// A new person, who speaks Russian and has not started the bot.
    #[must_use]
    pub fn person(&self, name: &str) -> Person {
        self.person_speaking(name, "ru")
    }

    /// A new person whose app has this language.
    #[must_use]
    pub fn person_speaking(&self, name: &str, language: &str) -> Person {
        let id = self.service.with(|world| world.add_person(name, None, language));
        Person::new(Arc::clone(&self.service), id)
    }

    /// A new group with these people and the bot.
    #[must_use]
    pub fn group(&self, title: &str, members: &[&Person]) -> Group {
        self.chat(title, members, ChatKind::Group)
    }

    /// A new supergroup with these people and the bot.
    #[must_use]
    pub fn supergroup(&self, title: &str, members: &[&Person]) -> Group {
        self.chat(title, members, ChatKind::Supergroup)
    }

    /// A new channel with the bot in it.
    #[must_use]
    pub fn channel(&self, title: &str, members: &[&Person]) -> Group {
        self.chat(title, members, ChatKind::Channel)
    }

    fn chat(&self, title: &str, members: &[&Person], kind: ChatKind) -> Group {
        let members: Vec<i64> = members.iter().map(|person| person.id()).collect();
        let id = self
            .service
            .with(|world| people::make_group(world, title, &members, kind));
        Group::new(Arc::clone(&self.service), id)
    }

    /// Switches the limits.
    pub fn limits(&self, limits: TelegramLimits) {
        self.service.with(|world| world.flood.limits = limits);
    }

    /// Messages that came for a chat before the end of a pause that had been told for it.
    #[must_use]
    pub fn early(&self) -> u64 {
        self.service.with(|world| world.flood.early)
    }

    /// Lets an update come that has this content, whatever it is; gives its id.
    pub fn update(&self, content: Value) -> i64 {
        self.service.with(|world| world.push(0, content))
    }

    /// The next update gets this id, as after a week without updates.
    pub fn next_update_id(&self, id: i64) {
        self.service.with(|world| world.next_update = id);
    }

    /// Updates that were not confirmed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.service.with(|world| world.updates.len())
    }

    /// Conflicts so far, of pollers with each other or with a webhook.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.service.polls.conflicts()
    }

    /// All messages of a chat, the oldest first.
    #[must_use]
    pub fn messages(&self, chat: i64) -> Vec<Seen> {
        self.service.with(|world| people::seen(world, chat))
    }
}

impl std::ops::Deref for Telegram {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
