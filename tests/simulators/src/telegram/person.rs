//! A person with a phone, and a group, as a test holds them.

use std::sync::Arc;

use super::people::{self, Seen};
use super::service::Service;
use super::world::{Body, ChatKind, Notice, Standing, World};

/// A person. Their chat with the bot has their id.
#[derive(Clone)]
pub struct Person {
    service: Arc<Service>,
    id: i64,
}

impl Person {
    pub(crate) fn new(service: Arc<Service>, id: i64) -> Self {
        Self { service, id }
    }

    /// Id of the person, and of their chat with the bot.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    fn write(&self, body: impl FnOnce(&mut World) -> Body) -> i32 {
        self.service.with(|world| {
            let body = body(world);
            people::write(world, self.id, self.id, body, None)
        })
    }

    /// Writes to the bot; gives the message's id. The first message starts the bot, and a later one
    /// unblocks it.
    pub fn sends(&self, text: &str) -> i32 {
        self.write(|_| people::text(text))
    }

    /// Passes on what somebody else wrote.
    pub fn forwards(&self, text: &str) -> i32 {
        let id = self.id;
        self.service.with(|world| {
            let message = world.post(id, Some(id), people::text(text), None);
            world.change(id, message, |message| message.forwarded = true);
            people::tell_message(world, id, message, false);
            message
        })
    }

    /// Sends the own phone number.
    pub fn sends_own_contact(&self) -> i32 {
        self.write(|world| people::contact(world, self.id, true))
    }

    /// Sends the phone number of somebody else.
    pub fn sends_other_contact(&self) -> i32 {
        self.write(|world| people::contact(world, self.id, false))
    }

    /// Sends a file.
    pub fn sends_document(&self, name: &str, content: &[u8]) -> i32 {
        self.write(|world| people::document(world, name, content.to_vec()))
    }

    /// Sends anything else: these fields of a message, such as `{"sticker": …}`.
    pub fn sends_fields(&self, fields: serde_json::Value) -> i32 {
        self.write(|_| Body::Fields(fields))
    }

    /// Changes a message.
    pub fn edits(&self, message: i32, text: &str) {
        self.service
            .with(|world| people::edit(world, self.id, message, text));
    }

    /// Presses the newest button with this text; gives the id of the press. None if there is no such button.
    pub fn presses(&self, text: &str) -> Option<String> {
        let messages = self.sees();
        let (message, data) = messages.iter().rev().find_map(|message| {
            let buttons = message.buttons.iter().flatten();
            let button = buttons
                .filter(|button| button.text == text)
                .find_map(|button| button.data.clone());
            Some((message.id, button?))
        })?;
        self.presses_data(message, &data)
    }

    /// Presses a button of a message by what it sends.
    pub fn presses_data(&self, message: i32, data: &str) -> Option<String> {
        self.service
            .with(|world| people::press(world, self.id, self.id, message, data))
    }

    /// Presses a button of a message that the bot can no longer see.
    pub fn presses_old(&self, message: i32, data: &str) -> Option<String> {
        self.service
            .with(|world| people::press_old(world, self.id, self.id, message, data))
    }

    /// Blocks the bot.
    pub fn blocks(&self) {
        self.stands(Standing::Blocked);
    }

    /// Lets the bot write again.
    pub fn unblocks(&self) {
        self.stands(Standing::Member);
    }

    /// Deletes the account. The bot hears nothing of it.
    pub fn leaves_telegram(&self) {
        self.stands(Standing::Deactivated);
    }

    fn stands(&self, standing: Standing) {
        self.service
            .with(|world| people::set_standing(world, self.id, standing));
    }

    /// All messages of the chat with the bot, the oldest first.
    #[must_use]
    pub fn sees(&self) -> Vec<Seen> {
        self.service.with(|world| people::seen(world, self.id))
    }

    /// The newest message of the bot.
    #[must_use]
    pub fn last(&self) -> Option<Seen> {
        self.sees()
            .into_iter()
            .rev()
            .find(|message| message.from.is_none())
    }

    /// What the bot answered to pressed buttons, the oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.service.with(|world| {
            let of_person = world.notices.iter().filter(|(person, _)| *person == self.id);
            of_person.map(|(_, notice)| notice.clone()).collect()
        })
    }

    /// The text of the buttons below the chat, if there are some.
    #[must_use]
    pub fn keyboard(&self) -> Vec<String> {
        self.service.with(|world| {
            let chat = world.chats.get(&self.id);
            let rows = chat.and_then(|chat| chat.keyboard.as_ref()?["keyboard"].as_array().cloned());
            let buttons = rows.into_iter().flatten().flat_map(|row| row.as_array().cloned());
            let texts = buttons
                .flatten()
                .map(|button| button["text"].as_str().unwrap_or_default().to_owned());
            texts.collect()
        })
    }

    /// Content of a file that the bot sent.
    #[must_use]
    pub fn file(&self, id: &str) -> Option<Vec<u8>> {
        self.service
            .with(|world| world.files.get(id).map(|file| file.content.clone()))
    }
}

/// A group, supergroup or channel with the bot in it.
#[derive(Clone)]
pub struct Group {
    service: Arc<Service>,
    id: i64,
}

impl Group {
    pub(crate) fn new(service: Arc<Service>, id: i64) -> Self {
        Self { service, id }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Somebody writes; gives the message's id.
    pub fn hears(&self, person: &Person, text: &str) -> i32 {
        self.service
            .with(|world| people::write(world, person.id, self.id, people::text(text), None))
    }

    /// Somebody writes into a topic.
    pub fn hears_in(&self, topic: i32, person: &Person, text: &str) -> i32 {
        self.service
            .with(|world| people::write(world, person.id, self.id, people::text(text), Some(topic)))
    }

    /// Somebody presses a button of a message by what it sends.
    pub fn press(&self, person: &Person, message: i32, data: &str) -> Option<String> {
        self.service
            .with(|world| people::press(world, person.id, self.id, message, data))
    }

    /// Somebody removes the bot.
    pub fn removes_bot(&self) {
        self.stands(Standing::Kicked);
    }

    /// Somebody takes the bot back, with the right to write.
    pub fn takes_bot_back(&self) {
        self.stands(Standing::Member);
    }

    /// Somebody takes the right to write away.
    pub fn silences_bot(&self) {
        self.stands(Standing::ReadOnly);
    }

    fn stands(&self, standing: Standing) {
        self.service
            .with(|world| people::set_standing(world, self.id, standing));
    }

    /// The group becomes a supergroup, with another id. None if it is no basic group.
    #[must_use]
    pub fn becomes_supergroup(&self) -> Option<Self> {
        let id = self.service.with(|world| people::migrate(world, self.id))?;
        Some(Self::new(Arc::clone(&self.service), id))
    }

    /// Makes a topic; none if this is no supergroup.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<i32> {
        self.service
            .with(|world| people::make_topic(world, self.id, name))
    }

    /// Closes a topic.
    pub fn closes_topic(&self, topic: i32) {
        self.service.with(|world| {
            let chat = world.chats.get_mut(&self.id);
            if let Some((_, closed)) = chat.and_then(|chat| chat.topics.get_mut(&topic)) {
                *closed = true;
            }
        });
    }

    /// All its messages, the oldest first.
    #[must_use]
    pub fn sees(&self) -> Vec<Seen> {
        self.service.with(|world| people::seen(world, self.id))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Option<ChatKind> {
        self.service
            .with(|world| world.chats.get(&self.id).map(|chat| chat.kind))
    }
}
