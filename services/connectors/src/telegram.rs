//! Telegram's Bot API: sending within its limits, and reading updates without losing one to its neighbour.
//!
//! [`client`] makes the calls and [`error`] says what a failed one means. [`limits`] decides who may send
//! next and [`pace`] waits for it. [`text`] escapes and cuts messages, [`message`] is what can be sent,
//! [`update`] reads what arrives. `limits`, `text` and `update` do no I/O.
//!
//! The shapes of the Bot API are those of `frankenstein`. Its own HTTP clients are not used: they read all
//! updates of an answer at once, so that one of an unknown kind makes the whole answer unreadable.

pub mod client;
pub mod error;
pub mod limits;
pub mod message;
mod multipart;
pub mod pace;
pub mod text;
pub mod update;

pub use client::{BotToken, InvalidToken, Me, Options, Sent, Telegram, Webhook};
pub use error::{Forbidden, OtherReceiver, Refusal, TelegramError};
pub use frankenstein::AsyncTelegramApi;
pub use frankenstein::types::{InlineKeyboardButton, InlineKeyboardMarkup, ReplyMarkup};
pub use frankenstein::{methods, types, updates};
pub use limits::{Lane, Limits};
pub use message::{MessageAt, NewMessage, Place, Upload};
pub use pace::Pace;
pub use update::{Read, Received, Skipped, Updates, Why, is_from_telegram, read_update};
