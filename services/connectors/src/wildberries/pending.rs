//! The background report that a seller's process asked for and has not fetched yet. Asking again costs one of
//! four requests an hour, so its id is also kept where a process that was started anew finds it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// A place that outlives the process. Best effort: what it loses costs a second report. It should forget by
/// itself after an hour, or a report that nobody fetched would be taken for a new one.
pub trait PendingReports: std::fmt::Debug + Send + Sync {
    /// The task under a key (64 hexadecimal digits), if one is known.
    fn find<'a>(&'a self, key: &'a str) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

    /// Keeps the task under the key, or forgets the one there.
    fn keep<'a>(
        &'a self,
        key: &'a str,
        task: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// One seller's report, here and in the place beyond.
#[derive(Debug)]
pub(super) struct Report {
    key: String,
    kept: Option<Arc<dyn PendingReports>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<String>,
    /// Done with, should the place beyond not have heard of it: its numbers are old by the next sync.
    done: Option<String>,
}

impl Report {
    pub(super) fn new(seller: &str, kept: Option<Arc<dyn PendingReports>>) -> Self {
        Self {
            key: hex::encode(Sha256::digest(seller)),
            kept,
            state: Mutex::default(),
        }
    }

    pub(super) async fn pending(&self) -> Option<String> {
        let (here, done) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.pending.clone(), state.done.clone())
        };
        if here.is_some() {
            return here;
        }
        let found = self.kept.as_ref()?.find(&self.key).await?;
        (is_task_id(&found) && Some(&found) != done.as_ref()).then_some(found)
    }

    pub(super) async fn begun(&self, task: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pending = Some(task.to_owned());
        if let Some(kept) = &self.kept {
            kept.keep(&self.key, Some(task)).await;
        }
    }

    pub(super) async fn ended(&self, task: String) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.pending = None;
            state.done = Some(task);
        }
        if let Some(kept) = &self.kept {
            kept.keep(&self.key, None).await;
        }
    }
}

/// The id becomes part of a path.
pub(super) fn is_task_id(task: &str) -> bool {
    !task.is_empty() && task.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
