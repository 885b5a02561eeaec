//! Read and write quotas of the Sheets API (contracts C.6): per minute, per user and per project.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::errors::ApiError;
use crate::server::lock;

/// How many requests a minute allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quotas {
    /// Reads, and separately writes, of one service account per minute; Google's default is 60.
    pub per_user: u64,
    /// The same for all accounts of the project; Google's default is 300.
    pub per_project: u64,
    /// How many times faster than real time the minute passes.
    pub speed: f64,
    /// Off: nothing is refused.
    pub on: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            per_user: 60,
            per_project: 300,
            speed: 1.0,
            on: true,
        }
    }
}

impl Quotas {
    /// No quota at all.
    #[must_use]
    pub fn off() -> Self {
        Self {
            on: false,
            ..Self::default()
        }
    }
}

struct Window {
    start: Instant,
    used: u64,
}

type Windows = HashMap<(bool, Option<String>), Window>;

/// The running minutes.
pub(crate) struct Meter {
    state: Mutex<(Quotas, Windows)>,
}

impl Meter {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            state: Mutex::new((quotas, HashMap::new())),
        }
    }

    pub(crate) fn set(&self, quotas: Quotas) {
        *lock(&self.state) = (quotas, HashMap::new());
    }

    /// Counts one request, or refuses it.
    pub(crate) fn take(&self, email: &str, write: bool) -> Result<(), ApiError> {
        let mut state = lock(&self.state);
        let (quotas, windows) = &mut *state;
        if !quotas.on {
            return Ok(());
        }
        let minute = Duration::from_secs_f64(60.0 / quotas.speed);
        let kind = if write { "Write" } else { "Read" };
        let limits = [
            (Some(email.to_owned()), quotas.per_user),
            (None, quotas.per_project),
        ];
        for (who, limit) in &limits {
            let window = windows.entry((write, who.clone())).or_insert_with(|| Window {
                start: Instant::now(),
                used: 0,
            });
            if window.start.elapsed() >= minute {
                *window = Window {
                    start: Instant::now(),
                    used: 0,
                };
            }
            if window.used >= *limit {
                return Err(ApiError::quota(kind, who.is_some(), *limit));
            }
        }
        for (who, _) in limits {
            if let Some(window) = windows.get_mut(&(write, who)) {
                window.used += 1;
            }
        }
        Ok(())
    }
}
