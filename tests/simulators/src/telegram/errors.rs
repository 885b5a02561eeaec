//! Telegram's refusals: `{"ok": false, "error_code", "description", "parameters"}`. Texts are those of the
//! open server (`tdlib/telegram-bot-api`).

use serde_json::{Value, json};

use crate::server::Answer;

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) description: String,
    parameters: Option<Value>,
}

pub(crate) type Outcome = Result<Value, Refusal>;

impl Refusal {
    pub(crate) fn new(code: u16, description: &str) -> Self {
        Self {
            code,
            description: description.to_owned(),
            parameters: None,
        }
    }

    pub(crate) fn bad(what: &str) -> Self {
        Self::new(400, &format!("Bad Request: {what}"))
    }

    pub(crate) fn forbidden(what: &str) -> Self {
        Self::new(403, &format!("Forbidden: {what}"))
    }

    pub(crate) fn conflict(what: &str) -> Self {
        Self::new(409, &format!("Conflict: {what}"))
    }

    pub(crate) fn migrated(to: i64) -> Self {
        Self {
            parameters: Some(json!({"migrate_to_chat_id": to})),
            ..Self::bad("group chat was upgraded to a supergroup chat")
        }
    }

    pub(crate) fn flood(retry_after: u64) -> Self {
        Self {
            parameters: Some(json!({"retry_after": retry_after})),
            ..Self::new(429, &format!("Too Many Requests: retry after {retry_after}"))
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        let mut body = json!({"ok": false, "error_code": self.code, "description": self.description});
        if let Some(parameters) = &self.parameters {
            body["parameters"] = parameters.clone();
        }
        let answer = Answer::json(self.code, &body);
        match self
            .parameters
            .as_ref()
            .and_then(|told| told["retry_after"].as_u64())
        {
            Some(seconds) => answer.header("Retry-After", &seconds),
            None => answer,
        }
    }
}

pub(crate) fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Ok(result) => Answer::json(200, &json!({"ok": true, "result": result})),
        Err(refusal) => refusal.answer(),
    }
}
