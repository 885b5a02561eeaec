//! Idempotency keys: the first answer to a key is the answer to it for a day.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::errors::Refusal;

/// A key is forgotten after a day, and then begins anew.
const KEPT_SECONDS: i64 = 86_400;
const MOST_LETTERS: usize = 255;

/// A kept answer.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    at: i64,
    fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) request: String,
}

/// All keys.
#[derive(Default)]
pub(crate) struct Keys {
    kept: HashMap<String, Kept>,
    in_use: HashSet<String>,
}

impl Keys {
    /// Marks a key as in use until [`Keys::leave`]; false if it is already.
    pub(crate) fn enter(&mut self, key: &str) -> bool {
        self.in_use.insert(key.to_owned())
    }

    pub(crate) fn leave(&mut self, key: &str) {
        self.in_use.remove(key);
    }

    /// The answer kept for a key, if these are the parameters of then.
    pub(crate) fn find(&mut self, key: &str, fingerprint: &str, now: i64) -> Result<Option<Kept>, Refusal> {
        if key.chars().count() > MOST_LETTERS {
            let text = "Idempotency keys can be at most 255 characters.";
            return Err(Refusal::invalid(None, text));
        }
        match self.kept.get(key) {
            Some(kept) if now - kept.at > KEPT_SECONDS => {
                self.kept.remove(key);
                Ok(None)
            }
            Some(kept) if kept.fingerprint != fingerprint => Err(Refusal::other_parameters(key)),
            kept => Ok(kept.cloned()),
        }
    }

    /// Keeps an answer. What never began (bad parameters, a wrong key, too many calls) is not kept.
    ///
    /// Unknown: whether a 404 of an address is kept. Here it is not.
    pub(crate) fn keep(&mut self, key: &str, kept: Kept) {
        if kept.status < 300 || kept.status == 402 || kept.status >= 500 {
            self.kept.insert(key.to_owned(), kept);
        }
    }

    pub(crate) fn kept(at: i64, fingerprint: String, status: u16, body: Bytes, request: String) -> Kept {
        Kept {
            at,
            fingerprint,
            status,
            body,
            request,
        }
    }
}
