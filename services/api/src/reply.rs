//! A successful answer before it is HTTP: bytes that can be kept and given again, word by word.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER};
use application::Receipt;
use auth::idempotency::Answer;
use events::ids::CommandId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::freshness::STOCK_POSITION;
use crate::problem::{Code, Problem};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(Answer);

impl Reply {
    /// An answer with a JSON body.
    ///
    /// # Errors
    /// 500; no view has values that JSON lacks.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Problem::new(Code::Internal, "the answer cannot be written").because(error))?;
        let headers = vec![(CONTENT_TYPE.to_string(), "application/json".to_owned())];
        Ok(Self(Answer {
            status,
            headers,
            body,
        }))
    }

    /// With the position it shows or wrote.
    #[must_use]
    pub fn position(self, position: i64) -> Self {
        self.header(&STOCK_POSITION, position.to_string())
    }

    /// With where to look.
    #[must_use]
    pub fn location(self, location: String) -> Self {
        self.header(&LOCATION, location)
    }

    /// With when to look again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(&RETRY_AFTER, seconds.to_string())
    }

    /// With an entity tag, quotes included.
    #[must_use]
    pub fn etag(self, tag: String) -> Self {
        self.header(&ETAG, tag)
    }

    /// With the address of the next page.
    #[must_use]
    pub fn next_page(self, address: Option<String>) -> Self {
        match address {
            Some(address) => self.header(&LINK, format!("<{address}>; rel=\"next\"")),
            None => self,
        }
    }

    fn header(mut self, name: &HeaderName, value: String) -> Self {
        self.0.headers.push((name.to_string(), value));
        self
    }

    /// As it is kept.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.0
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self(answer)
    }
}

impl From<Reply> for HttpResponse {
    fn from(Reply(answer): Reply) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Self::build(status);
        for (name, value) in &answer.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.insert_header((name.as_str(), value));
            }
        }
        response.body(answer.body)
    }
}

/// What every command answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReceiptView {
    /// The command's id; the same key always gives the same one.
    pub command_id: Uuid,
    /// Kind of the stream that was written.
    pub stream: &'static str,
    /// Its id.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// Position of the last event; give it as `Stock-Min-Position` to read your write.
    pub position: i64,
}

impl ReceiptView {
    /// From the use case's receipt.
    #[must_use]
    pub const fn of(command_id: CommandId, receipt: &Receipt) -> Self {
        Self {
            command_id: command_id.uuid(),
            stream: receipt.stream,
            stream_id: receipt.stream_id,
            version: receipt.version,
            position: receipt.position,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
    /// Give it as `cursor` to get them.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is short by nature and comes whole.
    #[must_use]
    pub const fn whole(data: Vec<T>) -> Self {
        Self {
            data,
            has_more: false,
            next_cursor: None,
        }
    }

    /// A page and the cursor of the next one.
    #[must_use]
    pub const fn part(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self {
            data,
            has_more: next_cursor.is_some(),
            next_cursor,
        }
    }
}
