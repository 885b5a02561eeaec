//! A spreadsheet of the service's own making, in a shared drive: service accounts own no storage, so a file
//! that belongs to nobody but a team is the only one they can make.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::error::GoogleError;
use super::sheets::{Kind, SheetsClient, checked_id};
use crate::http::Call;

const FILES: &str = "GET /drive/v3/files";
const CREATE: &str = "POST /drive/v3/files";
const SHARE: &str = "POST /drive/v3/files/{id}/permissions";
/// Name of our own property of a file; its value is the request that made it.
const PROPERTY: &str = "stock_tracker_request";
const MIME_TYPE: &str = "application/vnd.google-apps.spreadsheet";

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSpreadsheet {
    /// Its title.
    pub title: String,
    /// Id of the shared drive.
    pub drive: String,
    /// Names the request: the same name never makes a second file. Letters, digits and `-` only.
    pub request: String,
}

#[derive(Deserialize)]
struct File {
    id: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    files: Vec<File>,
}

impl SheetsClient {
    /// The spreadsheet that this request made, now or before.
    ///
    /// # Errors
    /// `NotFound` when the account is no member of the drive, `StorageFull`; see [`GoogleError`].
    pub async fn create(&self, wanted: &NewSpreadsheet) -> Result<String, GoogleError> {
        if let Some(id) = self.created(wanted).await? {
            return Ok(id);
        }
        let body = json!({
            "name": wanted.title, "mimeType": MIME_TYPE, "parents": [wanted.drive],
            "appProperties": {PROPERTY: wanted.request},
        });
        let call = Call::new(CREATE, Method::POST, &self.options.drive_url, "/drive/v3/files")?
            .query(&[("supportsAllDrives", "true"), ("fields", "id")])
            .json(&body)?;
        let file: File = self.read(CREATE, Kind::Files, call).await?;
        Ok(file.id)
    }

    /// The file that this request made before; the oldest, should there be several.
    async fn created(&self, wanted: &NewSpreadsheet) -> Result<Option<String>, GoogleError> {
        let query = format!(
            "appProperties has {{ key='{PROPERTY}' and value='{}' }} and trashed=false",
            wanted.request
        );
        let call = Call::new(FILES, Method::GET, &self.options.drive_url, "/drive/v3/files")?.query(&[
            ("q", query.as_str()),
            ("corpora", "drive"),
            ("driveId", &wanted.drive),
            ("includeItemsFromAllDrives", "true"),
            ("supportsAllDrives", "true"),
            ("orderBy", "createdTime"),
            ("fields", "files(id)"),
        ]);
        let found: Found = self.read(FILES, Kind::Files, call).await?;
        Ok(found.files.into_iter().next().map(|file| file.id))
    }

    /// Lets a person edit the file. Doing it again changes nothing, and no mail is sent.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn share(&self, spreadsheet_id: &str, email: &str) -> Result<(), GoogleError> {
        let path = format!("/drive/v3/files/{}/permissions", checked_id(spreadsheet_id)?);
        let call = Call::new(SHARE, Method::POST, &self.options.drive_url, &path)?
            .query(&[
                ("supportsAllDrives", "true"),
                ("sendNotificationEmail", "false"),
                ("fields", "id"),
            ])
            .json(&json!({"type": "user", "role": "writer", "emailAddress": email}))?;
        self.read::<serde_json::Value>(SHARE, Kind::Files, call)
            .await
            .map(drop)
    }
}
