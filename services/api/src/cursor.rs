//! Cursors of lists: opaque, signed, and bound to the tenant, the list and its filters, so that one that was
//! edited, borrowed or used with other filters is refused instead of giving a page that makes no sense.

use actix_web::HttpRequest;
use auth::AccessTokens;
use auth::access::keyed_hash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::ids::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// Bytes of the signature that are kept.
const TAG_BYTES: usize = 16;

/// What a cursor is bound to.
pub struct Binding {
    keys: Vec<[u8; 32]>,
    to: String,
}

impl Binding {
    /// To this tenant's list at the request's path, with the request's filters.
    #[must_use]
    pub fn of(tokens: &AccessTokens, tenant: TenantId, request: &HttpRequest) -> Self {
        let mut filters = parameters_without_cursor(request);
        filters.retain(|filter| !filter.starts_with("limit="));
        filters.sort_unstable();
        let to = format!("{tenant}|{}|{}", request.path(), filters.join("&"));
        Self {
            keys: tokens.derived_keys("list cursors v1"),
            to,
        }
    }

    /// The cursor's text.
    ///
    /// # Errors
    /// 500; no position has values that JSON lacks.
    pub fn encode(&self, position: &impl Serialize) -> Result<String, Problem> {
        let json = serde_json::to_vec(position)
            .map_err(|error| Problem::new(Code::Internal, "the cursor cannot be written").because(error))?;
        let mut bytes = self.tags(&json).next().unwrap_or_default().to_vec();
        bytes.extend_from_slice(&json);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What is in a cursor.
    ///
    /// # Errors
    /// 422 for one that was not made for this list with these filters.
    pub fn decode<T: DeserializeOwned>(&self, text: &str) -> Result<T, Problem> {
        let refused = || Problem::invalid_field("?cursor", "the cursor does not belong to this list");
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().ok_or_else(refused)?;
        let (tag, json) = bytes.split_first_chunk::<TAG_BYTES>().ok_or_else(refused)?;
        // A wrong guess costs a request and shows nothing secret, so the comparison need not hide its time.
        if !self.tags(json).any(|known| *tag == known) {
            return Err(refused());
        }
        serde_json::from_slice(json).ok().ok_or_else(refused)
    }

    /// Under every key, the one that signs first: a cursor outlives a change of keys.
    fn tags(&self, json: &[u8]) -> impl Iterator<Item = [u8; TAG_BYTES]> {
        let mut message = self.to.clone().into_bytes();
        message.push(0);
        message.extend_from_slice(json);
        self.keys.iter().map(move |key| {
            let hash = keyed_hash(key, &message);
            let mut tag = [0; TAG_BYTES];
            tag.copy_from_slice(&hash[..TAG_BYTES]);
            tag
        })
    }
}

/// The address of the next page.
#[must_use]
pub fn next_address(request: &HttpRequest, cursor: &str) -> String {
    let mut parameters = parameters_without_cursor(request);
    let cursor = format!("cursor={cursor}");
    parameters.push(&cursor);
    format!("{}?{}", request.path(), parameters.join("&"))
}

fn parameters_without_cursor(request: &HttpRequest) -> Vec<&str> {
    request
        .query_string()
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("cursor="))
        .collect()
}
