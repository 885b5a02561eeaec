//! How a call to the Bot API is made: once, inside its deadline, and in its turn where there is a pace. A
//! call is not repeated here, since a second `sendMessage` is a second message; [`TelegramError`] says
//! whether the first one may have arrived.
//!
//! The token is a part of every address. It stays in here: errors, logs and metrics know the method only.

mod api;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use frankenstein::ParseMode;
use frankenstein::types::{ChatAction, InlineKeyboardMarkup, LinkPreviewOptions};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{Refusal, TelegramError, failure};
use super::limits::Lane;
use super::message::{MessageAt, NewMessage, Place, SendMessage, Upload, no_preview};
use super::multipart;
use super::pace::{Pace, Turn};
use super::update::{ALLOWED, Updates, read_updates};
use crate::error::CallError;
use crate::http::{Call, HttpClient, Reply};
use crate::json;

/// The largest number of updates that one answer may have.
const UPDATES: u32 = 100;

/// How a client behaves; the defaults are for Telegram itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the Bot API is; no slash at the end.
    pub url: String,
    /// Time for a call.
    pub deadline: Duration,
    /// Time for a call that carries a file.
    pub upload_deadline: Duration,
    /// Time for `getUpdates` beyond the time that Telegram may wait for an update.
    pub poll_margin: Duration,
    /// Largest answer in bytes; a hundred updates are below 2 MB.
    pub answer_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: "https://api.telegram.org".to_owned(),
            deadline: Duration::from_secs(15),
            upload_deadline: Duration::from_secs(90),
            poll_margin: Duration::from_secs(10),
            answer_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Token of a bot, `123456:ABC…`. It is never printed.
#[derive(Clone)]
pub struct BotToken(SecretString);

/// The text is no token of a bot. It does not show the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bot's token is digits, a colon, and letters, digits, _ or -")]
pub struct InvalidToken;

impl BotToken {
    /// Takes a token that can be a part of an address.
    ///
    /// # Errors
    /// [`InvalidToken`] if it is none.
    pub fn parse(token: SecretString) -> Result<Self, InvalidToken> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let good = token.expose_secret().split_once(':').is_some_and(|(id, secret)| {
            id.parse::<i64>().is_ok_and(|id| id > 0) && !secret.is_empty() && secret.chars().all(is_part)
        });
        if good { Ok(Self(token)) } else { Err(InvalidToken) }
    }
}

impl std::fmt::Debug for BotToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BotToken")
    }
}

/// The client of one bot. Cheap to clone.
#[derive(Clone)]
pub struct Telegram {
    http: HttpClient,
    token: BotToken,
    options: Options,
    pace: Option<(Pace, Lane)>,
}

impl std::fmt::Debug for Telegram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telegram")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The bot itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// Its id.
    pub id: i64,
    /// Its name in addresses, without `@`.
    pub username: String,
    /// The name that people see.
    pub first_name: String,
}

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Where it is.
    pub at: MessageAt,
}

/// Where Telegram shall send updates.
#[derive(Debug, Clone)]
pub struct Webhook<'a> {
    /// Address with `https`, at port 443, 80, 88 or 8443.
    pub url: &'a str,
    /// Comes with every call: see [`super::update::is_from_telegram`]. 1 to 256 of `A-Z a-z 0-9 _ -`.
    pub secret: &'a SecretString,
    /// Calls at a time, 1 to 100.
    pub max_connections: u32,
    /// Whether updates that wait are forgotten.
    pub drop_pending: bool,
}

#[derive(Deserialize)]
struct Success {
    ok: bool,
    result: Option<Box<RawValue>>,
}

/// What is read of a message that was sent. More could be unreadable, and the message is sent all the same.
#[derive(Deserialize)]
struct SentMessage {
    message_id: i32,
    chat: SentChat,
}

#[derive(Deserialize)]
struct SentChat {
    id: i64,
}

#[derive(Serialize)]
struct EditText<'a> {
    chat_id: i64,
    message_id: i32,
    text: &'a str,
    parse_mode: ParseMode,
    link_preview_options: LinkPreviewOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a InlineKeyboardMarkup>,
}

#[derive(Serialize)]
struct EditMarkup<'a> {
    chat_id: i64,
    message_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a InlineKeyboardMarkup>,
}

impl Telegram {
    /// A client without a pace: calls are made at once.
    #[must_use]
    pub fn new(http: HttpClient, token: BotToken, options: Options) -> Self {
        Self {
            http,
            token,
            options,
            pace: None,
        }
    }

    /// The same client, whose messages and edits wait for their turn.
    #[must_use]
    pub fn paced(&self, pace: &Pace, lane: Lane) -> Self {
        Self {
            pace: Some((pace.clone(), lane)),
            ..self.clone()
        }
    }

    /// Who the bot is. It is the cheapest way to try a token.
    ///
    /// # Errors
    /// [`TelegramError`], as for every call here; [`TelegramError::Unauthorized`] if the token is wrong.
    pub async fn me(&self) -> Result<Me, TelegramError> {
        self.ask("getMe", &serde_json::json!({})).await
    }

    /// Waits at most `wait` for updates and gives up to a hundred. `offset` confirms all before it: it is
    /// [`Updates::next_offset`] of the last answer.
    ///
    /// # Errors
    /// [`TelegramError`]; [`TelegramError::Conflict`] if another process or a webhook receives them.
    pub async fn updates(&self, offset: Option<i64>, wait: Duration) -> Result<Updates, TelegramError> {
        #[derive(Serialize)]
        struct GetUpdates<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            offset: Option<i64>,
            limit: u32,
            timeout: u64,
            allowed_updates: &'a [frankenstein::types::AllowedUpdate],
        }
        let question = GetUpdates {
            offset,
            limit: UPDATES,
            timeout: wait.as_secs(),
            allowed_updates: &ALLOWED,
        };
        let method = "getUpdates";
        let call = self
            .call(method)?
            .deadline(wait + self.options.poll_margin)
            .json(&question)?;
        let updates: Vec<Box<RawValue>> = self.result(&call).await?;
        Ok(read_updates(&updates))
    }

    /// From now on updates are sent to this address, and [`Telegram::updates`] is refused.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::Webhook`] if the address cannot be used.
    pub async fn set_webhook(&self, webhook: &Webhook<'_>) -> Result<(), TelegramError> {
        #[derive(Serialize)]
        struct SetWebhook<'a> {
            url: &'a str,
            secret_token: &'a str,
            max_connections: u32,
            drop_pending_updates: bool,
            allowed_updates: &'a [frankenstein::types::AllowedUpdate],
        }
        let question = SetWebhook {
            url: webhook.url,
            secret_token: webhook.secret.expose_secret(),
            max_connections: webhook.max_connections,
            drop_pending_updates: webhook.drop_pending,
            allowed_updates: &ALLOWED,
        };
        self.done("setWebhook", &question).await
    }

    /// From now on updates wait for [`Telegram::updates`]. Without a webhook it changes nothing.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn delete_webhook(&self, drop_pending: bool) -> Result<(), TelegramError> {
        let question = serde_json::json!({"drop_pending_updates": drop_pending});
        self.done("deleteWebhook", &question).await
    }

    /// Sends a text, in its turn.
    ///
    /// # Errors
    /// [`TelegramError`]; [`TelegramError::may_have_happened`] says whether it may have arrived.
    pub async fn send(&self, message: &NewMessage<'_>) -> Result<Sent, TelegramError> {
        let call = self.call("sendMessage")?.json(&SendMessage::from(message))?;
        self.deliver(message.place.chat, &call).await
    }

    /// Sends a file as it is, in its turn.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::File`] if it is larger than 50 MB.
    pub async fn send_document(&self, upload: &Upload<'_>) -> Result<Sent, TelegramError> {
        self.upload("sendDocument", "document", upload).await
    }

    /// Sends a picture (PNG or JPEG), in its turn.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::File`] if it is larger than 10 MB or no picture.
    pub async fn send_photo(&self, upload: &Upload<'_>) -> Result<Sent, TelegramError> {
        self.upload("sendPhoto", "photo", upload).await
    }

    /// Gives a message another text and other buttons, in its turn. Without `buttons` those that it has go
    /// away. A message that is as wanted already is no error.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::MessageGone`] if it was deleted.
    pub async fn edit(
        &self,
        at: MessageAt,
        html: &str,
        buttons: Option<&InlineKeyboardMarkup>,
    ) -> Result<(), TelegramError> {
        let question = EditText {
            chat_id: at.chat,
            message_id: at.message,
            text: html,
            parse_mode: ParseMode::Html,
            link_preview_options: no_preview(),
            reply_markup: buttons,
        };
        self.change("editMessageText", at.chat, &question).await
    }

    /// Gives a message other buttons, or takes them away, in its turn.
    ///
    /// # Errors
    /// [`TelegramError`], as for [`Telegram::edit`].
    pub async fn edit_buttons(
        &self,
        at: MessageAt,
        buttons: Option<&InlineKeyboardMarkup>,
    ) -> Result<(), TelegramError> {
        let question = EditMarkup {
            chat_id: at.chat,
            message_id: at.message,
            reply_markup: buttons,
        };
        self.change("editMessageReplyMarkup", at.chat, &question).await
    }

    /// Deletes a message. One that is gone is no error.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::MessageFixed`] if it is older than 48 hours or another's in a group.
    pub async fn delete(&self, at: MessageAt) -> Result<(), TelegramError> {
        let question = serde_json::json!({"chat_id": at.chat, "message_id": at.message});
        match self.done("deleteMessage", &question).await {
            Err(TelegramError::Refused {
                refusal: Refusal::MessageGone,
                ..
            }) => Ok(()),
            other => other,
        }
    }

    /// Ends the waiting of a button that was pressed, with a notice of at most [`super::text::NOTICE`]
    /// units, which has to be confirmed if `alert` is set.
    ///
    /// # Errors
    /// [`TelegramError`]; [`Refusal::QueryTooOld`] if it comes too late.
    pub async fn answer_press(
        &self,
        query: &str,
        notice: Option<&str>,
        alert: bool,
    ) -> Result<(), TelegramError> {
        #[derive(Serialize)]
        struct Answer<'a> {
            callback_query_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            show_alert: bool,
        }
        let question = Answer {
            callback_query_id: query,
            text: notice,
            show_alert: alert,
        };
        self.done("answerCallbackQuery", &question).await
    }

    /// Shows for five seconds that the bot is writing, or sending something.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn show_action(&self, place: Place, action: ChatAction) -> Result<(), TelegramError> {
        #[derive(Serialize)]
        struct Action {
            chat_id: i64,
            #[serde(skip_serializing_if = "Option::is_none")]
            message_thread_id: Option<i32>,
            action: ChatAction,
        }
        let question = Action {
            chat_id: place.chat,
            message_thread_id: place.topic,
            action,
        };
        self.done("sendChatAction", &question).await
    }

    async fn upload(
        &self,
        method: &'static str,
        field: &'static str,
        upload: &Upload<'_>,
    ) -> Result<Sent, TelegramError> {
        let mut fields = vec![("chat_id", upload.place.chat.to_string())];
        if let Some(topic) = upload.place.topic {
            fields.push(("message_thread_id", topic.to_string()));
        }
        if let Some(caption) = upload.caption {
            fields.push(("caption", caption.to_owned()));
            fields.push(("parse_mode", ParseMode::Html.to_string()));
        }
        let call = self.call(method)?;
        if let Some(markup) = &upload.markup {
            let text = serde_json::to_string(markup).map_err(|source| {
                let what = "our own request".to_owned();
                let source = Some(source);
                CallError::new(
                    call.endpoint(),
                    crate::error::CallFailure::Malformed { what, source },
                )
            })?;
            fields.push(("reply_markup", text));
        }
        let form = multipart::form(&fields, (field, upload.file_name, &upload.content));
        let call = call
            .deadline(self.options.upload_deadline)
            .body(Cow::Owned(form.content_type), form.body);
        self.deliver(upload.place.chat, &call).await
    }

    /// Makes a call that sends a message.
    async fn deliver(&self, chat: i64, call: &Call) -> Result<Sent, TelegramError> {
        let sent: SentMessage = self.in_turn(chat, call).await?;
        Ok(Sent {
            at: MessageAt {
                chat: sent.chat.id,
                message: sent.message_id,
            },
        })
    }

    /// Makes a call that changes a message. Its answer is the message or `true`, and counts for nothing.
    async fn change(
        &self,
        method: &'static str,
        chat: i64,
        question: &impl Serialize,
    ) -> Result<(), TelegramError> {
        let call = self.call(method)?.json(question)?;
        match self.in_turn::<serde::de::IgnoredAny>(chat, &call).await {
            Ok(_) | Err(TelegramError::NotModified { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn in_turn<T: DeserializeOwned>(&self, chat: i64, call: &Call) -> Result<T, TelegramError> {
        let turn: Option<Turn> = match &self.pace {
            Some((pace, lane)) => Some(pace.turn(chat, *lane).await),
            None => None,
        };
        let answer = self.result(call).await;
        if let (Some(turn), Err(TelegramError::Flood { retry_after, .. })) = (&turn, &answer) {
            turn.refused(*retry_after);
        }
        answer
    }

    async fn done(&self, method: &'static str, question: &impl Serialize) -> Result<(), TelegramError> {
        self.ask::<serde::de::IgnoredAny>(method, question)
            .await
            .map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        question: &impl Serialize,
    ) -> Result<T, TelegramError> {
        let call = self.call(method)?.json(question)?;
        self.result(&call).await
    }

    /// A call of a method; the body is still to be set.
    fn call(&self, method: &str) -> Result<Call, TelegramError> {
        let path = format!("/bot{}/{method}", self.token.0.expose_secret());
        let call = Call::new(endpoint(method), Method::POST, &self.options.url, &path)?;
        Ok(call
            .deadline(self.options.deadline)
            .limit(self.options.answer_bytes))
    }

    /// Makes a call and reads the result out of its envelope.
    async fn result<T: DeserializeOwned>(&self, call: &Call) -> Result<T, TelegramError> {
        let body = self.exchange(call).await?;
        let malformed = |failure| TelegramError::from(CallError::new(call.endpoint(), failure));
        let envelope: Success = json::decode(&body).map_err(malformed)?;
        let result = envelope.result.as_deref().map_or("null", RawValue::get);
        json::decode_in("result", result.as_bytes()).map_err(malformed)
    }

    /// Makes a call and gives the body of an answer that says `ok`.
    async fn exchange(&self, call: &Call) -> Result<Bytes, TelegramError> {
        let reply: Reply = self.http.send(call).await?;
        let is_ok = reply.is_success()
            && match serde_json::from_slice::<Success>(&reply.body) {
                Ok(envelope) => envelope.ok,
                // A success that is no envelope: what became of the call is not known.
                Err(_) => true,
            };
        if is_ok {
            return Ok(reply.body);
        }
        Err(failure(call.endpoint(), &reply, self.token.0.expose_secret()))
    }
}

/// The name of a method for logs and metrics; only names that are written here become one.
fn endpoint(method: &str) -> &'static str {
    match method {
        "getMe" => "POST /getMe",
        "getUpdates" => "POST /getUpdates",
        "setWebhook" => "POST /setWebhook",
        "deleteWebhook" => "POST /deleteWebhook",
        "getWebhookInfo" => "POST /getWebhookInfo",
        "setMyCommands" => "POST /setMyCommands",
        "sendMessage" => "POST /sendMessage",
        "sendDocument" => "POST /sendDocument",
        "sendPhoto" => "POST /sendPhoto",
        "sendChatAction" => "POST /sendChatAction",
        "editMessageText" => "POST /editMessageText",
        "editMessageReplyMarkup" => "POST /editMessageReplyMarkup",
        "deleteMessage" => "POST /deleteMessage",
        "answerCallbackQuery" => "POST /answerCallbackQuery",
        _ => "POST /{method}",
    }
}
