//! Remembers every call, so that a test can count them and a benchmark can subtract the simulator's own time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::lock;

/// Calls kept one by one; later ones are in the counts only.
const KEPT: usize = 50_000;

/// One answered call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// Milliseconds between the server's start and the call's arrival.
    pub at_millis: u64,
    /// HTTP method.
    pub method: String,
    /// Decoded path without the query.
    pub path: String,
    /// Status sent; 0 when the client went away or the reply was cut.
    pub status: u16,
    /// Time spent in the handler, in microseconds, without a scripted wait.
    pub micros: u64,
}

/// What was called so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// All calls, `/_sim/` excluded.
    pub total: u64,
    /// The most calls that were being answered at one moment.
    pub max_concurrency: u64,
    /// Milliseconds spent in handlers, all calls together.
    pub handler_millis: f64,
    /// Count per `METHOD path` and status.
    pub paths: BTreeMap<String, BTreeMap<u16, u64>>,
    /// The calls in order of completion (the first 50,000 since the log was cleared).
    pub calls: Vec<CallRecord>,
}

impl Calls {
    /// Calls whose path begins with `prefix`, whatever the status.
    #[must_use]
    pub fn count(&self, prefix: &str) -> u64 {
        self.matching(prefix).flat_map(BTreeMap::values).sum()
    }

    /// Calls whose path begins with `prefix` and that got `status`.
    #[must_use]
    pub fn count_status(&self, prefix: &str, status: u16) -> u64 {
        self.matching(prefix)
            .filter_map(|statuses| statuses.get(&status))
            .sum()
    }

    fn matching<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a BTreeMap<u16, u64>> {
        self.paths
            .iter()
            .filter(move |(key, _)| {
                key.split_once(' ')
                    .is_some_and(|(_, path)| path.starts_with(prefix))
            })
            .map(|(_, statuses)| statuses)
    }
}

#[derive(Default)]
struct Log {
    calls: Calls,
    in_flight: u64,
    handler: Duration,
}

/// The shared log.
pub(crate) struct CallLog {
    start: Instant,
    log: Mutex<Log>,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            log: Mutex::new(Log::default()),
        }
    }

    /// Counts a call as running until the returned guard is dropped.
    pub(crate) fn enter<'a>(&'a self, method: &str, path: &str) -> Running<'a> {
        let mut log = lock(&self.log);
        log.in_flight += 1;
        log.calls.max_concurrency = log.calls.max_concurrency.max(log.in_flight);
        Running {
            log: self,
            record: CallRecord {
                at_millis: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
                method: method.to_owned(),
                path: path.to_owned(),
                status: 0,
                micros: 0,
            },
            handler: Duration::ZERO,
        }
    }

    /// A copy of the log; the single calls only if asked for.
    pub(crate) fn snapshot(&self, with_calls: bool) -> Calls {
        let log = lock(&self.log);
        let calls = if with_calls {
            log.calls.calls.clone()
        } else {
            Vec::new()
        };
        Calls {
            total: log.calls.total,
            max_concurrency: log.calls.max_concurrency,
            handler_millis: log.handler.as_secs_f64() * 1000.0,
            paths: log.calls.paths.clone(),
            calls,
        }
    }

    /// Forgets everything but the calls that are running now.
    pub(crate) fn clear(&self) {
        let mut log = lock(&self.log);
        log.calls = Calls {
            max_concurrency: log.in_flight,
            ..Calls::default()
        };
        log.handler = Duration::ZERO;
    }
}

/// A call being answered. Dropped without a status, it counts as status 0: the client went away.
pub(crate) struct Running<'a> {
    log: &'a CallLog,
    record: CallRecord,
    handler: Duration,
}

impl Running<'_> {
    pub(crate) fn spent(&mut self, time: Duration) {
        self.handler = time;
        self.record.micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    }

    pub(crate) fn status(&mut self, status: u16) {
        self.record.status = status;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut log = lock(&self.log.log);
        log.in_flight = log.in_flight.saturating_sub(1);
        log.handler += self.handler;
        log.calls.total += 1;
        let key = format!("{} {}", self.record.method, self.record.path);
        *log.calls
            .paths
            .entry(key)
            .or_default()
            .entry(self.record.status)
            .or_default() += 1;
        if log.calls.calls.len() < KEPT {
            log.calls.calls.push(self.record.clone());
        }
    }
}
