//! What can be sent: to which place, with which text, buttons or file.

use bytes::Bytes;
use frankenstein::ParseMode;
use frankenstein::types::{
    DisabledButton, InlineKeyboardButton, KeyboardButton, LinkPreviewOptions, ReplyKeyboardMarkup,
    ReplyKeyboardRemove, ReplyMarkup, ReplyParameters,
};
use serde::Serialize;

/// A chat, and a topic in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Id of the chat; negative for groups and channels.
    pub chat: i64,
    /// Topic (`message_thread_id`) of a supergroup with topics.
    pub topic: Option<i32>,
}

impl Place {
    /// A chat without topics.
    #[must_use]
    pub const fn chat(chat: i64) -> Self {
        Self { chat, topic: None }
    }
}

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageAt {
    /// Id of the chat.
    pub chat: i64,
    /// Id of the message in it.
    pub message: i32,
}

/// A text message. Links in it show no preview.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// Where it goes.
    pub place: Place,
    /// In the HTML parse mode, at most [`super::text::TEXT`] units: see [`super::text::cut`].
    pub html: &'a str,
    /// Buttons below it, or another keyboard.
    pub markup: Option<ReplyMarkup>,
    /// The message that it answers; one that is gone is no error.
    pub reply_to: Option<i32>,
    /// Whether it arrives without a sound.
    pub silent: bool,
}

impl<'a> NewMessage<'a> {
    /// A text, and nothing else.
    #[must_use]
    pub const fn new(place: Place, html: &'a str) -> Self {
        Self {
            place,
            html,
            markup: None,
            reply_to: None,
            silent: false,
        }
    }
}

/// A file to send, from memory.
#[derive(Debug, Clone)]
pub struct Upload<'a> {
    /// Where it goes.
    pub place: Place,
    /// The name that the receiver sees.
    pub file_name: &'a str,
    /// At most 50 MB; 10 MB for a photo.
    pub content: Bytes,
    /// In the HTML parse mode, at most [`super::text::CAPTION`] units.
    pub caption: Option<&'a str>,
    /// Buttons below it.
    pub markup: Option<ReplyMarkup>,
}

/// Parameters of `sendMessage`.
#[derive(Serialize)]
pub(super) struct SendMessage<'a> {
    chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i32>,
    text: &'a str,
    parse_mode: ParseMode,
    link_preview_options: LinkPreviewOptions,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_notification: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<ReplyParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a ReplyMarkup>,
}

impl<'a> From<&'a NewMessage<'a>> for SendMessage<'a> {
    fn from(message: &'a NewMessage<'a>) -> Self {
        Self {
            chat_id: message.place.chat,
            message_thread_id: message.place.topic,
            text: message.html,
            parse_mode: ParseMode::Html,
            link_preview_options: no_preview(),
            disable_notification: message.silent,
            reply_parameters: message.reply_to.map(|id| {
                ReplyParameters::builder()
                    .message_id(id)
                    .allow_sending_without_reply(true)
                    .build()
            }),
            reply_markup: message.markup.as_ref(),
        }
    }
}

pub(super) fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions::builder().is_disabled(true).build()
}

/// A button that sends `data`, at most [`super::text::BUTTON_DATA`] bytes, when it is pressed.
#[must_use]
pub fn press(text: impl Into<String>, data: impl Into<String>) -> InlineKeyboardButton {
    InlineKeyboardButton::builder()
        .text(text)
        .callback_data(data)
        .build()
}

/// A button that opens an address.
#[must_use]
pub fn link(text: impl Into<String>, url: impl Into<String>) -> InlineKeyboardButton {
    InlineKeyboardButton::builder().text(text).url(url).build()
}

/// A button that is shown and does nothing.
#[must_use]
pub fn disabled(text: impl Into<String>) -> InlineKeyboardButton {
    InlineKeyboardButton::builder()
        .text(text)
        .disabled(DisabledButton {})
        .build()
}

/// A keyboard with one button, which sends the person's own phone number. It goes away once it was used.
#[must_use]
pub fn ask_for_contact(text: impl Into<String>) -> ReplyMarkup {
    let button = KeyboardButton::builder().text(text).request_contact(true).build();
    ReplyMarkup::ReplyKeyboardMarkup(
        ReplyKeyboardMarkup::builder()
            .keyboard(vec![vec![button]])
            .resize_keyboard(true)
            .one_time_keyboard(true)
            .build(),
    )
}

/// Takes the keyboard of [`ask_for_contact`] away.
#[must_use]
pub fn no_keyboard() -> ReplyMarkup {
    ReplyMarkup::ReplyKeyboardRemove(ReplyKeyboardRemove::builder().remove_keyboard(true).build())
}
