//! Whether a spreadsheet lies in the bin. Sheets writes into one there as if nothing were, so Drive is asked:
//! at the first write of a process and then at a slow pace, beside the reading, so that it costs no time.
//! Drive has a quota of its own, far larger than that of Sheets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use connectors::google::SheetsClient;

/// Time between two questions about one spreadsheet that is written all the while.
const PACE: TimeDelta = TimeDelta::minutes(10);
/// Spreadsheets remembered at most; beyond that all are asked about anew.
const KEPT: usize = 10_000;

/// When each spreadsheet was last seen outside the bin.
#[derive(Debug, Default)]
pub(crate) struct Bins(Mutex<HashMap<String, DateTime<Utc>>>);

impl Bins {
    /// Asks where it is time to. A spreadsheet in the bin is asked about each time; Drive's trouble says
    /// nothing, and is not asked about again at once.
    pub(crate) async fn holds(
        &self,
        client: &SheetsClient,
        spreadsheet_id: &str,
        now: DateTime<Utc>,
    ) -> bool {
        if self.is_fresh(spreadsheet_id, now) {
            return false;
        }
        match client.is_trashed(spreadsheet_id).await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => tracing::debug!(error = ?error, "whether a spreadsheet is in the bin is not known"),
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEPT {
            seen.clear();
        }
        seen.insert(spreadsheet_id.to_owned(), now);
        false
    }

    fn is_fresh(&self, spreadsheet_id: &str, now: DateTime<Utc>) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(spreadsheet_id)
            .is_some_and(|at| *at + PACE > now && *at <= now)
    }
}
