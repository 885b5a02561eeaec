//! The Sheets calls, inside the quota of the service account: for Google an account is one user with 60
//! writes a minute, however many customers it works for.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::auth::ServiceAccount;
use super::error::{GoogleError, failure};
use super::requests::Request;
use super::wire::{
    BatchUpdated, BatchValues, DataFilter, DeveloperMetadata, FoundMetadata, Noted, Spreadsheet, ValueRange,
};
use crate::bucket::{Bucket, Limit};
use crate::error::CallError;
use crate::http::{Call, HttpClient, Reply};
use crate::json;

const GET: &str = "GET /v4/spreadsheets/{id}";
const BY_FILTER: &str = "POST /v4/spreadsheets/{id}:getByDataFilter";
const BATCH_UPDATE: &str = "POST /v4/spreadsheets/{id}:batchUpdate";
const BATCH_GET: &str = "GET /v4/spreadsheets/{id}/values:batchGet";
const SEARCH: &str = "POST /v4/spreadsheets/{id}/developerMetadata:search";

/// Where notes are; cells without one come as `{}`.
const NOTES: &str = "sheets(data(startRow,startColumn,rowData(values(note))))";
/// What a batch's answer shows; without the replies, of which there are as many as requests.
const SHOWN: &str = "updatedSpreadsheet(sheets(properties(sheetId),data(startRow,startColumn,\
    rowData(values(effectiveValue)))))";
/// Longest answer with cells.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// Google ends a request itself after 180 s.
const DEADLINE: Duration = Duration::from_secs(185);
/// The quota is refilled every minute, so that is the wait when none is told.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);
/// Requests at once after a rest. Together with a minute's refill it must stay below the quota of 60.
const BURST: u32 = 5;

/// Where Google is and how fast we may be.
#[derive(Debug, Clone)]
pub struct SheetsOptions {
    /// Base address of Sheets.
    pub sheets_url: String,
    /// Base address of Drive.
    pub drive_url: String,
    /// Longest time a request waits for its turn.
    pub patience: Duration,
}

impl Default for SheetsOptions {
    fn default() -> Self {
        Self {
            sheets_url: "https://sheets.googleapis.com".to_owned(),
            drive_url: "https://www.googleapis.com".to_owned(),
            patience: Duration::from_secs(120),
        }
    }
}

#[derive(Debug)]
pub(super) struct Quota {
    reads: Bucket,
    writes: Bucket,
    untold: Duration,
    /// Of this account, then of its project.
    limits: [Limit; 2],
}

/// One request's place in a queue that several processes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Whose queue: an account or a project, reads or writes.
    pub queue: &'a str,
    /// Time between two requests.
    pub interval: Duration,
    /// Requests at once after a rest.
    pub burst: u32,
    /// Longest time to wait.
    pub patience: Duration,
}

/// What a queue answers: the time until the request may be sent, or the time that is missing.
pub type Answered<'a> = Pin<Box<dyn Future<Output = Option<Result<Duration, Duration>>> + Send + 'a>>;

/// Queues that all processes of the service share, so that together they keep to Google's quota. First come,
/// first served, whichever process asks.
pub trait Turns: Send + Sync + std::fmt::Debug {
    /// Takes a place in the queue; none when the queues cannot be reached, and then this process counts for
    /// itself.
    fn take<'a>(&'a self, turn: Turn<'a>) -> Answered<'a>;

    /// Google said that a queue is closed for so long.
    fn close<'a>(&'a self, queue: &'a str, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// The quotas of all service accounts this process works with; one per process.
#[derive(Debug)]
pub struct Accounts {
    per_minute: u32,
    per_project: u32,
    speed: f64,
    turns: Option<Arc<dyn Turns>>,
    known: Mutex<HashMap<String, Arc<Quota>>>,
}

impl Accounts {
    /// `per_minute` writes and as many reads for each account (50 leaves room below Google's 60); `speed` 1.0
    /// against Google, more against simulators.
    #[must_use]
    pub fn new(per_minute: u32, speed: f64) -> Self {
        Self {
            per_minute,
            // Google grants a project five times what it grants an account.
            per_project: per_minute.saturating_mul(5),
            speed,
            turns: None,
            known: Mutex::default(),
        }
    }

    /// With queues that other processes share.
    #[must_use]
    pub fn shared(mut self, turns: Arc<dyn Turns>) -> Self {
        self.turns = Some(turns);
        self
    }

    fn of(&self, account: &ServiceAccount) -> Arc<Quota> {
        let every = |per_minute: u32, burst| {
            let interval = Duration::from_secs(60) / per_minute.max(1);
            Limit { interval, burst }.at_speed(self.speed)
        };
        let limit = every(self.per_minute, BURST);
        let limits = [limit, every(self.per_project, BURST * 5)];
        let untold = Limit {
            interval: UNTOLD_WAIT,
            burst: 1,
        }
        .at_speed(self.speed)
        .interval;
        let new = || {
            Arc::new(Quota {
                reads: Bucket::new(limit),
                writes: Bucket::new(limit),
                untold,
                limits,
            })
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(account.email().to_owned()).or_insert_with(new))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    /// Drive has its own, far larger quota.
    Drive,
    /// Drive, where files are made and shared.
    Files,
}

impl Kind {
    const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Read | Self::Write | Self::Drive => &super::auth::SCOPES,
            Self::Files => &super::auth::FILE_SCOPES,
        }
    }
}

/// The right to send one batch now.
#[derive(Debug)]
#[must_use = "a turn that is not used is lost for every sheet of the account"]
pub struct WriteTurn(());

/// Sheets by one service account.
#[derive(Debug, Clone)]
pub struct SheetsClient {
    http: HttpClient,
    account: ServiceAccount,
    pub(super) options: SheetsOptions,
    quota: Arc<Quota>,
    turns: Option<Arc<dyn Turns>>,
}

impl SheetsClient {
    /// `accounts` is shared by the whole process, so that all sheets of one account share its quota.
    #[must_use]
    pub fn new(
        http: HttpClient,
        account: ServiceAccount,
        options: SheetsOptions,
        accounts: &Accounts,
    ) -> Self {
        let quota = accounts.of(&account);
        Self {
            http,
            account,
            options,
            quota,
            turns: accounts.turns.clone(),
        }
    }

    /// The address that a customer shares the spreadsheet with.
    #[must_use]
    pub fn client_email(&self) -> &str {
        self.account.email()
    }

    /// The spreadsheet without its cells; `fields` is Google's mask, such as `sheets(properties,merges)`.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn get(&self, spreadsheet_id: &str, fields: &str) -> Result<Spreadsheet, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, "")?;
        let call = Call::new(GET, Method::GET, &self.options.sheets_url, &path)?
            .query(&[("fields", fields), ("includeGridData", "false")]);
        self.read(GET, Kind::Read, call).await
    }

    /// The parts of a spreadsheet that the filters select, cells included as far as the mask names them;
    /// sheets of which nothing is selected are left out.
    ///
    /// # Errors
    /// `InvalidRequest` when a filter names a sheet that is not there; see [`GoogleError`].
    pub async fn get_by_filter(
        &self,
        spreadsheet_id: &str,
        fields: &str,
        filters: &[DataFilter],
    ) -> Result<Spreadsheet, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, ":getByDataFilter")?;
        let call = Call::new(BY_FILTER, Method::POST, &self.options.sheets_url, &path)?
            .query(&[("fields", fields)])
            .json(&json!({"dataFilters": filters}))?
            .limit(128 * 1024 * 1024);
        self.read(BY_FILTER, Kind::Read, call).await
    }

    /// Waits until the next batch of this account may be sent, so that a sheet can be read and written with
    /// nothing between the two: [`SheetsClient::batch_update_in`] takes the turn.
    ///
    /// # Errors
    /// `QuotaExceeded` when the turn is further away than the options' patience.
    pub async fn write_turn(&self) -> Result<WriteTurn, GoogleError> {
        self.wait_for_turn(Kind::Write).await?;
        Ok(WriteTurn(()))
    }

    /// The same as [`SheetsClient::batch_update`], in a turn that was waited for before. With a range in A1
    /// notation, `shown`, the answer has its cells as they are when the batch is done, and costs no reading.
    ///
    /// # Errors
    /// The same.
    pub async fn batch_update_in(
        &self,
        _turn: WriteTurn,
        spreadsheet_id: &str,
        requests: &[Request],
        shown: Option<&str>,
    ) -> Result<Option<Spreadsheet>, GoogleError> {
        let body = json!({"requests": requests, "includeSpreadsheetInResponse": shown.is_some(),
            "responseIncludeGridData": shown.is_some(), "responseRanges": Vec::from_iter(shown)});
        let call = self.batch(spreadsheet_id, &body)?.query(&[("fields", SHOWN)]);
        let reply = self.send_now(BATCH_UPDATE, Kind::Write, call).await?;
        let answer: BatchUpdated =
            json::decode(&reply.body).map_err(|failure| CallError::new(BATCH_UPDATE, failure))?;
        Ok(answer.updated_spreadsheet)
    }

    fn batch(&self, spreadsheet_id: &str, body: &Value) -> Result<Call, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, ":batchUpdate")?;
        Ok(Call::new(BATCH_UPDATE, Method::POST, &self.options.sheets_url, &path)?.json(body)?)
    }

    /// Does all requests or none, and gives Google's reply to each.
    ///
    /// # Errors
    /// `InvalidRequest` with the index of the request that is wrong; see [`GoogleError`] for the others.
    /// After a timeout or a cut connection the batch may have been done: read back before you repeat it.
    pub async fn batch_update(
        &self,
        spreadsheet_id: &str,
        requests: &[Request],
    ) -> Result<Vec<Value>, GoogleError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({"requests": requests, "includeSpreadsheetInResponse": false});
        let call = self.batch(spreadsheet_id, &body)?;
        let answer: BatchUpdated = self.read(BATCH_UPDATE, Kind::Write, call).await?;
        Ok(answer.replies)
    }

    /// Cells of several ranges, by rows, numbers as numbers.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn values(
        &self,
        spreadsheet_id: &str,
        ranges: &[&str],
    ) -> Result<Vec<ValueRange>, GoogleError> {
        self.ranges(spreadsheet_id, ranges, "UNFORMATTED_VALUE").await
    }

    /// The same as it was entered: formulas as formulas.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn entered(
        &self,
        spreadsheet_id: &str,
        ranges: &[&str],
    ) -> Result<Vec<ValueRange>, GoogleError> {
        self.ranges(spreadsheet_id, ranges, "FORMULA").await
    }

    async fn ranges(
        &self,
        spreadsheet_id: &str,
        ranges: &[&str],
        option: &str,
    ) -> Result<Vec<ValueRange>, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, "/values:batchGet")?;
        let mut query: Vec<(&str, &str)> = ranges.iter().map(|range| ("ranges", *range)).collect();
        query.extend([("valueRenderOption", option), ("majorDimension", "ROWS")]);
        let call = Call::new(BATCH_GET, Method::GET, &self.options.sheets_url, &path)?
            .query(&query)
            .limit(MOST_BYTES);
        let answer: BatchValues = self.read(BATCH_GET, Kind::Read, call).await?;
        Ok(answer.value_ranges)
    }

    /// Row and column of every cell of a range that carries a note, zero-based.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn noted(&self, spreadsheet_id: &str, range: &str) -> Result<Vec<(u32, u32)>, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, "")?;
        let call = Call::new(GET, Method::GET, &self.options.sheets_url, &path)?
            .query(&[("fields", NOTES), ("ranges", range)])
            .limit(MOST_BYTES);
        let answer: Noted = self.read(GET, Kind::Read, call).await?;
        let mut found = Vec::new();
        for data in answer.sheets.into_iter().flat_map(|sheet| sheet.data) {
            for (row, cells) in (data.start_row..).zip(data.row_data) {
                let cells = (data.start_column..).zip(cells.values);
                found.extend(
                    cells
                        .filter(|(_, cell)| cell.note.is_some())
                        .map(|(column, _)| (row, column)),
                );
            }
        }
        Ok(found)
    }

    /// All metadata that one of the filters finds, wherever it has moved.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn search_metadata(
        &self,
        spreadsheet_id: &str,
        filters: &[DataFilter],
    ) -> Result<Vec<DeveloperMetadata>, GoogleError> {
        let path = spreadsheet_path(spreadsheet_id, "/developerMetadata:search")?;
        let call = Call::new(SEARCH, Method::POST, &self.options.sheets_url, &path)?
            .json(&json!({"dataFilters": filters}))?;
        let answer: FoundMetadata = self.read(SEARCH, Kind::Read, call).await?;
        Ok(answer
            .matched_developer_metadata
            .into_iter()
            .map(|found| found.developer_metadata)
            .collect())
    }

    pub(super) async fn read<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &'static str,
        kind: Kind,
        call: Call,
    ) -> Result<T, GoogleError> {
        let reply = self.send(endpoint, kind, call).await?;
        json::decode(&reply.body).map_err(|failure| CallError::new(endpoint, failure).into())
    }

    async fn send(&self, endpoint: &'static str, kind: Kind, call: Call) -> Result<Reply, GoogleError> {
        self.wait_for_turn(kind).await?;
        self.send_now(endpoint, kind, call).await
    }

    /// Without waiting for a turn. A token that is not accepted is changed for a new one once, before it says
    /// anything about the key: nothing of a call that was answered 401 is done.
    async fn send_now(&self, endpoint: &'static str, kind: Kind, call: Call) -> Result<Reply, GoogleError> {
        let call = call.deadline(DEADLINE);
        let token = self.account.token(kind.scopes()).await?;
        let mut reply = self
            .http
            .send(&call.clone().authorization(token.expose_secret())?)
            .await?;
        if reply.status == 401 {
            let token = self.account.renewed(&token, kind.scopes()).await?;
            reply = self
                .http
                .send(&call.authorization(token.expose_secret())?)
                .await?;
        }
        if reply.is_success() {
            return Ok(reply);
        }
        let error = failure(endpoint, &reply, self.quota.untold);
        if let GoogleError::QuotaExceeded { retry_after } = &error {
            if let Some(bucket) = self.bucket(kind) {
                bucket.close_for(*retry_after);
            }
            if let (Some(turns), Some(queues)) = (&self.turns, self.queues(kind)) {
                turns.close(&queues[0], *retry_after).await;
            }
        }
        Err(error)
    }

    fn bucket(&self, kind: Kind) -> Option<&Bucket> {
        match kind {
            Kind::Read => Some(&self.quota.reads),
            Kind::Write => Some(&self.quota.writes),
            Kind::Drive | Kind::Files => None,
        }
    }

    /// Names of the queues of this account and of its project. A service account's address ends with its
    /// project.
    fn queues(&self, kind: Kind) -> Option<[String; 2]> {
        let what = match kind {
            Kind::Read => "reads",
            Kind::Write => "writes",
            Kind::Drive | Kind::Files => return None,
        };
        let email = self.account.email();
        let project = email.split_once('@').map_or(email, |(_, project)| project);
        Some([
            format!("account {email} {what}"),
            format!("project {project} {what}"),
        ])
    }

    /// Waits until the account and its project may send another request, in the queues that all processes
    /// share; where those cannot be reached, in this process's own.
    async fn wait_for_turn(&self, kind: Kind) -> Result<(), GoogleError> {
        let Some(bucket) = self.bucket(kind) else {
            return Ok(());
        };
        let patience = self.options.patience;
        if let (Some(turns), Some(queues)) = (&self.turns, self.queues(kind)) {
            let mut wait = Some(Duration::ZERO);
            for (queue, limit) in queues.iter().zip(self.quota.limits) {
                let turn = Turn {
                    queue,
                    interval: limit.interval,
                    burst: limit.burst,
                    patience,
                };
                wait = match turns.take(turn).await {
                    Some(Ok(own)) => wait.map(|wait| wait.max(own)),
                    Some(Err(missing)) => return Err(GoogleError::QuotaExceeded { retry_after: missing }),
                    None => None,
                };
            }
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
                return Ok(());
            }
        }
        let turn = bucket.acquire(patience).await;
        turn.map_err(|missing| GoogleError::QuotaExceeded { retry_after: missing })
    }
}

/// The id becomes part of a path, and comes from a person.
fn spreadsheet_path(id: &str, rest: &str) -> Result<String, GoogleError> {
    Ok(format!("/v4/spreadsheets/{}{rest}", checked_id(id)?))
}

pub(super) fn checked_id(id: &str) -> Result<&str, GoogleError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (8..=128).contains(&id.len()) && id.chars().all(fits) {
        Ok(id)
    } else {
        Err(GoogleError::SpreadsheetId)
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchValues, FoundMetadata, checked_id};
    use crate::google::{Dimension, Spreadsheet};
    use crate::json;

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        assert!(checked_id("1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms").is_ok());
        for id in [
            "",
            "short",
            "../../drive/v3/files",
            "abcdefgh?x=1",
            "abcdefgh/values",
            "идентификатор",
        ] {
            assert!(checked_id(id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_spreadsheet_is_read_as_far_as_the_mask_went() {
        let spreadsheet: Spreadsheet = json::decode(
            br#"{"sheets":[{"properties":{"sheetId":101,"title":"Products","gridProperties":{"rowCount":2000,
                "columnCount":60,"frozenRowCount":2}},"merges":[{"sheetId":101,"startRowIndex":0,"endRowIndex":1,
                "startColumnIndex":0,"endColumnIndex":4}]},{"properties":{"title":"First"}}]}"#,
        )
        .unwrap();
        assert_eq!(spreadsheet.sheets[0].merges[0].end_column_index, Some(4));
        assert_eq!(
            spreadsheet.sheets[0]
                .properties
                .grid_properties
                .unwrap()
                .frozen_row_count,
            Some(2)
        );
        // Google leaves zeros out.
        assert_eq!(spreadsheet.sheets[1].properties.sheet_id, 0);
    }

    #[test]
    fn an_empty_range_has_no_values() {
        let values: BatchValues = json::decode(
            br#"{"spreadsheetId":"x","valueRanges":[{"range":"WB!A3:C4","majorDimension":"ROWS","values":
                [["PL-001",7,""]]},{"range":"WB!Z1:Z9","majorDimension":"ROWS"}]}"#,
        )
        .unwrap();
        assert_eq!(values.value_ranges[0].values[0][1], 7);
        assert!(values.value_ranges[1].values.is_empty());
    }

    #[test]
    fn cells_with_notes_are_counted_from_where_the_answer_begins() {
        let noted: super::Noted = json::decode(
            br#"{"sheets":[{"data":[{"startRow":4,"rowData":[{},{"values":[{},{"note":"n"}]}]},{}]},{}]}"#,
        )
        .unwrap();
        let data = &noted.sheets[0].data[0];
        assert_eq!((data.start_row, data.start_column), (4, 0));
        assert_eq!(data.row_data[1].values[1].note.as_deref(), Some("n"));
        assert!(data.row_data[0].values.is_empty() && noted.sheets[1].data.is_empty());
    }

    #[test]
    fn found_metadata_tells_where_its_column_is_now() {
        let found: FoundMetadata = json::decode(
            br#"{"matchedDeveloperMetadata":[{"developerMetadata":{"metadataId":5001,"metadataKey":"col",
                "metadataValue":"wh:507","location":{"locationType":"COLUMN","dimensionRange":{"sheetId":101,
                "dimension":"COLUMNS","startIndex":3,"endIndex":4}},"visibility":"PROJECT"},"dataFilters":[]}]}"#,
        )
        .unwrap();
        let metadata = &found.matched_developer_metadata[0].developer_metadata;
        let range = metadata.location.as_ref().unwrap().dimension_range.unwrap();
        assert_eq!((range.dimension, range.start_index), (Dimension::Columns, 3));
    }
}
