//! Can the linked spreadsheet be written? Asked when a sheet is linked, so that a person hears at once what
//! is missing.

use reqwest::Method;

use super::error::GoogleError;
use super::finding::{LinkFinding, LinkReport};
use super::protected::range_names;
use super::requests::{CreateDeveloperMetadata, DeleteDeveloperMetadata, Request};
use super::sheets::{Kind, SheetsClient, checked_id};
use super::wire::{
    DeveloperMetadata, DeveloperMetadataLocation, DeveloperMetadataLookup, DriveFile, DrivePermissions,
    ProtectedRange, Sheet,
};
use crate::error::FailureClass;
use crate::http::Call;

const FILE: &str = "GET /drive/v3/files/{id}";
const PERMISSIONS: &str = "GET /drive/v3/files/{id}/permissions";

/// What is read of a spreadsheet that is tried.
const FIELDS: &str = "properties(title,locale,timeZone),sheets(properties(title),protectedRanges)";
/// Key of a mark that is hung on and taken off again.
const PROBE: &str = "stock_tracker.probe";
/// Time zones with Moscow's days.
const MOSCOW: [&str; 4] = [
    "Europe/Moscow",
    "Europe/Simferopol",
    "Europe/Minsk",
    "Europe/Kirov",
];

impl SheetsClient {
    /// Reads title, time zone, locale and what is protected in the worksheet of this title, then asks Drive
    /// whether this account may edit. Where Drive does not say, a batch that leaves nothing behind is tried.
    ///
    /// # Errors
    /// Only what says nothing about the link: no connection, a timeout, a 5xx, an answer that cannot be read.
    pub async fn test_link(&self, spreadsheet_id: &str, worksheet: &str) -> Result<LinkReport, GoogleError> {
        let spreadsheet = match self.get(spreadsheet_id, FIELDS).await {
            Ok(spreadsheet) => spreadsheet,
            Err(error) => {
                let findings = vec![self.finding(error)?];
                return Ok(LinkReport {
                    title: None,
                    findings,
                });
            }
        };
        let access = match self.may_edit(spreadsheet_id).await {
            Ok(finding) => finding,
            // Sheets has just opened the file, so Drive's refusal is about Drive.
            Err(
                GoogleError::NotFound
                | GoogleError::PermissionDenied { .. }
                | GoogleError::ApiDisabled { .. },
            ) => self.probe(spreadsheet_id).await?,
            Err(error) => Some(self.finding(error)?),
        };
        let protected = self.protected(&spreadsheet.sheets, worksheet);
        let properties = spreadsheet.properties.unwrap_or_default();
        let time_zone = properties
            .time_zone
            .filter(|zone| !MOSCOW.contains(&zone.as_str()));
        let spoken = |locale: &String| locale.starts_with("ru") || locale.starts_with("en");
        let locale = properties.locale.filter(|locale| !spoken(locale));
        Ok(LinkReport {
            title: properties.title,
            findings: (access.into_iter())
                .chain(protected)
                .chain(time_zone.map(|found| LinkFinding::TimeZone { found }))
                .chain(locale.map(|found| LinkFinding::Locale { found }))
                .collect(),
        })
    }

    fn protected(&self, sheets: &[Sheet], worksheet: &str) -> Option<LinkFinding> {
        let sheet = sheets
            .iter()
            .find(|sheet| sheet.properties.title.as_deref() == Some(worksheet))?;
        let closed: Vec<&ProtectedRange> = (sheet.protected_ranges.iter())
            .filter(|range| range.is_closed())
            .collect();
        (!closed.is_empty()).then(|| LinkFinding::Protected {
            ranges: range_names(worksheet, &closed),
            client_email: self.client_email().to_owned(),
            whole: closed.iter().any(|range| range.is_whole()),
        })
    }

    /// Hangs a mark on the spreadsheet and takes it off again, in one batch: who may do that may write.
    async fn probe(&self, spreadsheet_id: &str) -> Result<Option<LinkFinding>, GoogleError> {
        let mark = DeveloperMetadata {
            metadata_key: Some(PROBE.to_owned()),
            location: Some(DeveloperMetadataLocation {
                spreadsheet: Some(true),
                ..DeveloperMetadataLocation::default()
            }),
            visibility: Some("PROJECT".to_owned()),
            ..DeveloperMetadata::default()
        };
        let found = DeveloperMetadataLookup {
            metadata_key: Some(PROBE.to_owned()),
            ..DeveloperMetadataLookup::default()
        };
        let batch = [
            Request::CreateDeveloperMetadata(CreateDeveloperMetadata {
                developer_metadata: mark,
            }),
            Request::DeleteDeveloperMetadata(DeleteDeveloperMetadata {
                data_filter: found.into(),
            }),
        ];
        match self.batch_update(spreadsheet_id, &batch).await {
            Ok(_replies) => Ok(None),
            Err(GoogleError::PermissionDenied { .. }) => Ok(Some(self.read_only())),
            Err(error) if error.class() == FailureClass::Transient => Err(error),
            Err(error) => {
                tracing::info!(error = ?error, "whether the spreadsheet can be written is not known");
                Ok(Some(LinkFinding::WriteAccessUnknown))
            }
        }
    }

    fn read_only(&self) -> LinkFinding {
        LinkFinding::ReadOnly {
            client_email: self.client_email().to_owned(),
        }
    }

    async fn may_edit(&self, spreadsheet_id: &str) -> Result<Option<LinkFinding>, GoogleError> {
        match self.file(spreadsheet_id).await {
            Ok(file) if file.trashed => return Ok(Some(LinkFinding::Trashed)),
            Ok(file) => {
                if let Some(capabilities) = file.capabilities {
                    return Ok(if capabilities.can_edit {
                        None
                    } else {
                        Some(self.read_only())
                    });
                }
            }
            Err(GoogleError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let permissions = self.permissions(spreadsheet_id).await?.permissions;
        // Roles below `writer` (`commenter`, `reader`) cannot write; `anyone` may be a writer by link.
        let may_write = permissions.iter().any(|permission| {
            let ours = permission.kind == "anyone"
                || permission
                    .email_address
                    .as_deref()
                    .is_some_and(|e| e.eq_ignore_ascii_case(self.client_email()));
            ours && matches!(
                permission.role.as_str(),
                "owner" | "organizer" | "fileOrganizer" | "writer"
            )
        });
        Ok(if may_write { None } else { Some(self.read_only()) })
    }

    async fn file(&self, id: &str) -> Result<DriveFile, GoogleError> {
        let path = format!("/drive/v3/files/{}", checked_id(id)?);
        let call = Call::new(FILE, Method::GET, &self.options.drive_url, &path)?.query(&[
            ("fields", "id,trashed,capabilities(canEdit)"),
            ("supportsAllDrives", "true"),
        ]);
        self.read(FILE, Kind::Drive, call).await
    }

    /// Whether the file lies in the bin, where Sheets writes into it as if nothing were. Drive has a quota of
    /// its own.
    ///
    /// # Errors
    /// What Drive says of a file that it does not show this account; see [`GoogleError`].
    pub async fn is_trashed(&self, spreadsheet_id: &str) -> Result<bool, GoogleError> {
        Ok(self.file(spreadsheet_id).await?.trashed)
    }

    async fn permissions(&self, id: &str) -> Result<DrivePermissions, GoogleError> {
        let path = format!("/drive/v3/files/{}/permissions", checked_id(id)?);
        let call = Call::new(PERMISSIONS, Method::GET, &self.options.drive_url, &path)?.query(&[
            ("fields", "permissions(type,role,emailAddress)"),
            ("pageSize", "100"),
            ("supportsAllDrives", "true"),
        ]);
        self.read(PERMISSIONS, Kind::Drive, call).await
    }

    /// What a failed call says about the link; the error itself when it says nothing.
    fn finding(&self, error: GoogleError) -> Result<LinkFinding, GoogleError> {
        let client_email = self.client_email().to_owned();
        match error {
            GoogleError::SpreadsheetId => Ok(LinkFinding::NotAnId),
            GoogleError::NotFound => Ok(LinkFinding::NotFound { client_email }),
            GoogleError::PermissionDenied { .. } | GoogleError::StorageFull { .. } => {
                Ok(LinkFinding::NotShared { client_email })
            }
            GoogleError::ApiDisabled { detail } => Ok(LinkFinding::ApiDisabled { detail }),
            GoogleError::KeyRefused { detail, .. } | GoogleError::Unauthorized { detail } => {
                Ok(LinkFinding::KeyRefused { detail })
            }
            GoogleError::QuotaExceeded { retry_after } => Ok(LinkFinding::QuotaExceeded { retry_after }),
            // Sheets answers so for files of another type.
            GoogleError::InvalidRequest { detail, .. } if detail.contains("not supported") => {
                Ok(LinkFinding::NotASpreadsheet)
            }
            other => Err(other),
        }
    }
}
