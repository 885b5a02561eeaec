//! The attempts to bring one cabinet up to date. The stream is the cabinet's: that makes "one at a time" a
//! rule of one stream, and what is outstanding can be read from events alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::SyncId;

/// Why a sync was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Trigger {
    /// A person asked.
    Manual,
    /// The schedule was due.
    Schedule,
    /// The cabinet was just connected or got a new key.
    Connected,
}

/// How one source (one kind of answer of the marketplace) came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SourceOutcome {
    /// Everything was read; what is absent from it is gone.
    Complete,
    /// Something is missing; what is absent keeps its last known value.
    Partial,
    /// Nothing usable; the last known values stay.
    Failed,
    /// Read less than five minutes ago; not asked again.
    Cached,
}

/// One source's part in a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceReport {
    /// Name of the source: `cards`, `stock_fbo`, `stock_fbs`, `orders`.
    pub source: String,
    /// How it came out.
    pub outcome: SourceOutcome,
    /// Rows read.
    pub rows: u64,
    /// Rows that could not be read and were left out, when there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// The marketplace's own time of the data, when it tells it.
    pub as_of: Option<DateTime<Utc>>,
    /// SHA-256 of the raw answer, hexadecimal; empty when there was none.
    pub payload_sha256: String,
    /// Size of the raw answer in bytes; unknown in events written before this was recorded.
    pub payload_bytes: Option<u64>,
    /// Why it failed or is partial, or with what mark a doubtful answer was taken; no secrets, no personal
    /// data.
    pub error: Option<String>,
    /// What of the answer was doubtful. Absent in events written before this was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
    /// Since when the answer has everything, where the source is asked for a period (`orders`); unknown in
    /// events written before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_since: Option<DateTime<Utc>>,
}

/// Orders of at least so many days were read by every program that did not record since when; see
/// `ST_ORDER_DAYS`.
const LEAST_ORDER_DAYS: TimeDelta = TimeDelta::days(7);

impl SourceReport {
    /// Whether the answer is complete and was recorded as such: no doubt is about the source as a whole,
    /// unless it was taken as true in the end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let doubted =
            (self.doubts.iter()).any(|doubt| doubt.warehouses.is_empty() && doubt.state != DoubtState::Taken);
        self.outcome == SourceOutcome::Complete && !doubted
    }

    /// Since when an answer of orders of that time has everything.
    #[must_use]
    pub fn orders_since(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        self.covers_since.unwrap_or(as_of - LEAST_ORDER_DAYS)
    }
}

/// What became of a doubtful part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DoubtState {
    /// It is held back until a later answer or a person decides.
    Held,
    /// It is recorded, because it takes nothing away, but it is not believed to be all.
    Left,
    /// It was taken as true, because nothing contradicted it for hours.
    Taken,
}

/// A part of an answer that was too strange to be believed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doubt {
    /// What became of it.
    pub state: DoubtState,
    /// Keys of the warehouses it is about, ascending; empty when it is about the source as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warehouses: Vec<String>,
    /// Name of these warehouses; none when it is about the source as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_name: Option<String>,
    /// Rule that was broken: `all_stock_gone`, `warehouse_empty`, `catalogue_halved`, …
    pub rule: String,
    /// What was believed: units, articles or orders, or an average price in minor units.
    pub before: i64,
    /// What is told now, in the same measure.
    pub now: i64,
    /// When it was first doubted.
    pub since: DateTime<Utc>,
    /// Whether other facts contradict it: then only a person can decide.
    pub contradicted: bool,
    /// All this in a sentence, in English.
    pub evidence: String,
}

/// Somebody wants the cabinet brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncRequested {
    /// Id of this attempt and of its operation.
    pub sync_id: SyncId,
    /// Why.
    pub trigger: Trigger,
    /// Whether to read even what was read less than five minutes ago.
    pub forced: bool,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
}

/// A worker took it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncStarted {
    /// Which.
    pub sync_id: SyncId,
    /// How many times it was taken up, this one included.
    pub attempt: u32,
    /// When.
    pub started_at: DateTime<Utc>,
}

/// The attempt ended and its observations are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncCompleted {
    /// Which.
    pub sync_id: SyncId,
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub completed_at: DateTime<Utc>,
    /// Per source.
    pub sources: Vec<SourceReport>,
    /// Products seen.
    pub products_seen: u64,
    /// Products for which something was recorded.
    pub products_changed: u64,
}

/// The attempt ended without a usable result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncFailed {
    /// Which.
    pub sync_id: SyncId,
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub failed_at: DateTime<Utc>,
    /// Class of the failure: `unauthorized`, `rate_limited`, `unavailable`, `timeout`, `malformed`,
    /// `internal`, …
    pub class: String,
    /// In words, without secrets.
    pub detail: String,
    /// When it is tried again; none when it is given up.
    pub retry_at: Option<DateTime<Utc>>,
    /// Per source, as far as it came.
    pub sources: Vec<SourceReport>,
}

/// The result looks implausible and waits for the next sync or a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncQuarantined {
    /// Which.
    pub sync_id: SyncId,
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub quarantined_at: DateTime<Utc>,
    /// Rule that was broken.
    pub reason: String,
    /// Numbers that show it.
    pub evidence: String,
    /// Per source: what was seen and is held.
    pub sources: Vec<SourceReport>,
}

impl SyncQuarantined {
    /// Whether a part of what was seen was recorded. Older programs recorded nothing.
    #[must_use]
    pub fn is_recorded_in_part(&self) -> bool {
        self.sources.iter().any(|report| !report.doubts.is_empty())
    }
}

/// A person believes the held result: what was seen is recorded after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncReleased {
    /// Which.
    pub sync_id: SyncId,
    /// When.
    pub released_at: DateTime<Utc>,
}

/// A person does not believe the held result: it is destroyed, and the next one is judged against what was
/// believed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncDiscarded {
    /// Which.
    pub sync_id: SyncId,
    /// When.
    pub discarded_at: DateTime<Utc>,
}

/// A source that had worked has failed so often in a row that it is no accident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceDegraded {
    /// The sync that failed last.
    pub sync_id: SyncId,
    /// Which source.
    pub source: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// When the first of these failed.
    pub failing_since: DateTime<Utc>,
    /// When it last worked.
    pub worked_at: DateTime<Utc>,
    /// Why it failed last; no secrets, no personal data.
    pub error: Option<String>,
}

/// A source that had degraded works again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceRecovered {
    /// The sync in which it worked.
    pub sync_id: SyncId,
    /// Which source.
    pub source: String,
    /// When it had begun to fail.
    pub failing_since: DateTime<Utc>,
    /// When it worked.
    pub recovered_at: DateTime<Utc>,
}
