//! The Telegram bot.

use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source, malformed};

/// Settings of the bot; without a token there is none.
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// `ST_TELEGRAM_URL`; no slash at the end.
    pub url: String,
    /// `ST_TELEGRAM_BOT_TOKEN`.
    pub bot_token: Option<SecretString>,
    /// `ST_TELEGRAM_WEBHOOK_SECRET`.
    pub webhook_secret: Option<SecretString>,
}

/// Telegram allows 1 to 256 of `A-Z a-z 0-9 _ -` (`setWebhook`, `secret_token`).
fn is_webhook_secret(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=256).contains(&text.len()) && text.chars().all(allowed)
}

pub(super) fn read(source: &Source) -> Result<TelegramSettings, Problem> {
    let webhook_secret = source.secret("ST_TELEGRAM_WEBHOOK_SECRET")?;
    match webhook_secret.as_ref().map(ExposeSecret::expose_secret) {
        Some(text) if !is_webhook_secret(text) => Err(malformed(
            "ST_TELEGRAM_WEBHOOK_SECRET",
            "1 to 256 letters, digits, _ or -",
            text,
        )),
        _ => Ok(TelegramSettings {
            url: source.base_url("ST_TELEGRAM_URL")?,
            bot_token: source.secret("ST_TELEGRAM_BOT_TOKEN")?,
            webhook_secret,
        }),
    }
}
