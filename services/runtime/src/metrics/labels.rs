//! Labels that others have a say in, cut down to few values. A series lives as long as its process, and
//! beyond 2,000 per instrument the metrics library puts whatever is new into one overflow series, so
//! whoever may invent values could hide everybody's numbers.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Hosts that get a label of their own. The settings name about ten.
const MOST_HOSTS: usize = 32;
/// What stands for a value that has no label of its own.
const OTHER: &str = "other";

/// The method of an HTTP request as a label: one of those that routes have, else `_OTHER`, the word of the
/// semantic conventions (`http.request.method`).
#[must_use]
pub fn method(method: &str) -> &'static str {
    const ROUTED: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    ROUTED
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("_OTHER")
}

/// The status of an answer as a label: the number where it has a meaning, its class (`4xx`) where the
/// server made it up, `none` where no answer came.
pub(super) fn status(status: Option<u16>) -> String {
    match status {
        None => "none".to_owned(),
        Some(known) if has_meaning(known) => known.to_string(),
        Some(made_up @ 100..=599) => format!("{}xx", made_up / 100),
        Some(_) => OTHER.to_owned(),
    }
}

/// Statuses of RFC 9110 and its registry, and those of gates before the marketplaces.
const fn has_meaning(status: u16) -> bool {
    let registered = matches!(
        status,
        100..=103 | 200..=208 | 226 | 300..=308 | 400..=418 | 421..=426 | 428 | 429 | 431 | 451 | 500..=508
            | 510 | 511
    );
    registered || matches!(status, 461 | 498 | 499 | 520..=530)
}

/// The hosts that have a label of their own: the first so many that were called.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<BTreeSet<String>>);

impl Hosts {
    pub(super) fn label(&self, host: &str) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(host) {
            if known.len() == MOST_HOSTS {
                return OTHER.to_owned();
            }
            known.insert(host.to_owned());
        }
        host.to_owned()
    }
}
