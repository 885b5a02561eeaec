//! Can the linked spreadsheet be written? Asked when a sheet is linked, so that a person hears at once what
//! is missing, in words that say what to do.

use std::fmt;
use std::time::Duration;

use reqwest::Method;

use super::error::GoogleError;
use super::sheets::{Kind, SheetsClient, checked_id};
use super::wire::{DriveFile, DrivePermissions};
use crate::http::Call;

const FILE: &str = "GET /drive/v3/files/{id}";
const PERMISSIONS: &str = "GET /drive/v3/files/{id}/permissions";

/// Result of a link test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// The spreadsheet's title, when it could be read.
    pub title: Option<String>,
    /// What is wrong or uncertain; empty when all is well.
    pub findings: Vec<LinkFinding>,
}

impl LinkReport {
    /// True when the sheet can be written, as far as can be told without writing.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.findings.iter().all(|finding| !finding.is_in_the_way())
    }
}

/// Something that a person has to know or to do. `Display` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFinding {
    /// The text is no spreadsheet id.
    NotAnId,
    /// No such spreadsheet.
    NotFound {
        /// The service account's address.
        client_email: String,
    },
    /// It exists but is not shared.
    NotShared {
        /// The service account's address.
        client_email: String,
    },
    /// It is shared for reading only.
    ReadOnly {
        /// The service account's address.
        client_email: String,
    },
    /// It lies in the trash.
    Trashed,
    /// The file is something else, for instance an uploaded Excel file.
    NotASpreadsheet,
    /// Sheets or Drive is switched off in the service account's project.
    ApiDisabled {
        /// Google's words with the address where it can be switched on.
        detail: String,
    },
    /// Google does not accept the key.
    KeyRefused {
        /// Google's words.
        detail: String,
    },
    /// Too many requests; test again later.
    QuotaExceeded {
        /// Time to wait.
        retry_after: Duration,
    },
    /// Reading works; Drive would not say whether writing does.
    WriteAccessUnknown,
    /// Its formulas with dates reckon in another time than the numbers, which are of Moscow's days.
    TimeZone {
        /// The spreadsheet's.
        found: String,
    },
    /// It shows numbers and dates in a way that neither Russian nor English readers expect.
    Locale {
        /// The spreadsheet's.
        found: String,
    },
}

/// Time zones with Moscow's days.
const MOSCOW: [&str; 4] = [
    "Europe/Moscow",
    "Europe/Simferopol",
    "Europe/Minsk",
    "Europe/Kirov",
];

impl LinkFinding {
    /// Whether it keeps us from writing.
    #[must_use]
    pub const fn is_in_the_way(&self) -> bool {
        !matches!(
            self,
            Self::WriteAccessUnknown | Self::TimeZone { .. } | Self::Locale { .. }
        )
    }

    /// The same in Russian; `Display` says it in English.
    #[must_use]
    pub fn russian(&self) -> String {
        match self {
            Self::NotAnId => "это не id таблицы: скопируйте длинную часть её адреса после /d/".to_owned(),
            Self::NotFound { client_email } => format!(
                "такой таблицы нет: проверьте адрес и откройте к ней доступ {client_email} как редактору"
            ),
            Self::NotShared { client_email } => {
                format!("к таблице нет доступа: откройте его {client_email} как редактору")
            }
            Self::ReadOnly { client_email } => {
                format!("таблица открыта только для чтения: сделайте {client_email} редактором")
            }
            Self::Trashed => "таблица в корзине: восстановите её или подключите другую".to_owned(),
            Self::NotASpreadsheet => {
                "файл — не таблица Google: откройте его в Таблицах и сохраните как таблицу Google".to_owned()
            }
            Self::ApiDisabled { detail } => {
                format!("в проекте Google сервисного аккаунта выключен API: {detail}")
            }
            Self::KeyRefused { detail } => format!("Google не принимает ключ сервисного аккаунта: {detail}"),
            Self::QuotaExceeded { retry_after } => {
                format!(
                    "исчерпана квота Google; проверьте снова через {} с",
                    retry_after.as_secs()
                )
            }
            Self::WriteAccessUnknown => {
                "таблица читается; можно ли в неё писать, покажет первая запись".to_owned()
            }
            Self::TimeZone { found } => format!(
                "часовой пояс таблицы — {found}, а сутки в ней московские: Файл → Настройки → Часовой пояс → \
                 (GMT+03:00) Москва"
            ),
            Self::Locale { found } => format!(
                "регион таблицы — {found}, поэтому числа и даты выглядят непривычно: Файл → Настройки → Регион → \
                 Россия"
            ),
        }
    }
}

impl fmt::Display for LinkFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnId => {
                f.write_str("this is no spreadsheet id; copy the long part of its address after /d/")
            }
            Self::NotFound { client_email } => write!(
                f,
                "there is no such spreadsheet; check the address, and share it with {client_email} as Editor"
            ),
            Self::NotShared { client_email } => {
                write!(
                    f,
                    "the spreadsheet is not shared; share it with {client_email} as Editor"
                )
            }
            Self::ReadOnly { client_email } => {
                write!(
                    f,
                    "the spreadsheet is shared for reading only; make {client_email} an Editor"
                )
            }
            Self::Trashed => f.write_str("the spreadsheet is in the trash; restore it or link another one"),
            Self::NotASpreadsheet => {
                f.write_str("the file is no Google spreadsheet; open it in Sheets and save it as one")
            }
            Self::ApiDisabled { detail } => {
                write!(
                    f,
                    "an API is switched off in the service account's Google project: {detail}"
                )
            }
            Self::KeyRefused { detail } => {
                write!(f, "Google does not accept the service account's key: {detail}")
            }
            Self::QuotaExceeded { retry_after } => {
                write!(
                    f,
                    "Google's quota is used up; test again in {} s",
                    retry_after.as_secs()
                )
            }
            Self::WriteAccessUnknown => f.write_str(
                "the spreadsheet can be read; whether it can be written will be seen at the first write",
            ),
            Self::TimeZone { found } => write!(
                f,
                "the spreadsheet's time zone is {found}, but its days are Moscow's: File → Settings → Time zone → \
                 (GMT+03:00) Moscow"
            ),
            Self::Locale { found } => write!(
                f,
                "the spreadsheet's locale is {found}, so numbers and dates look unusual: File → Settings → Locale \
                 → Russia"
            ),
        }
    }
}

impl SheetsClient {
    /// Reads title, time zone and locale, then asks Drive whether this account may edit. Nothing is written.
    ///
    /// # Errors
    /// Only what says nothing about the link: no connection, a timeout, a 5xx, an answer that cannot be read.
    pub async fn test_link(&self, spreadsheet_id: &str) -> Result<LinkReport, GoogleError> {
        let properties = match self
            .get(spreadsheet_id, "properties(title,locale,timeZone)")
            .await
        {
            Ok(spreadsheet) => spreadsheet.properties.unwrap_or_default(),
            Err(error) => {
                let findings = vec![self.finding(error)?];
                return Ok(LinkReport {
                    title: None,
                    findings,
                });
            }
        };
        let finding = match self.may_edit(spreadsheet_id).await {
            Ok(finding) => finding,
            // Sheets has just opened the file, so Drive's refusal is about Drive.
            Err(
                GoogleError::NotFound
                | GoogleError::PermissionDenied { .. }
                | GoogleError::ApiDisabled { .. },
            ) => Some(LinkFinding::WriteAccessUnknown),
            Err(error) => Some(self.finding(error)?),
        };
        let time_zone = properties
            .time_zone
            .filter(|zone| !MOSCOW.contains(&zone.as_str()));
        let spoken = |locale: &String| locale.starts_with("ru") || locale.starts_with("en");
        let locale = properties.locale.filter(|locale| !spoken(locale));
        Ok(LinkReport {
            title: properties.title,
            findings: (finding.into_iter())
                .chain(time_zone.map(|found| LinkFinding::TimeZone { found }))
                .chain(locale.map(|found| LinkFinding::Locale { found }))
                .collect(),
        })
    }

    async fn may_edit(&self, spreadsheet_id: &str) -> Result<Option<LinkFinding>, GoogleError> {
        let read_only = || LinkFinding::ReadOnly {
            client_email: self.client_email().to_owned(),
        };
        match self.file(spreadsheet_id).await {
            Ok(file) if file.trashed => return Ok(Some(LinkFinding::Trashed)),
            Ok(file) => {
                if let Some(capabilities) = file.capabilities {
                    return Ok(if capabilities.can_edit {
                        None
                    } else {
                        Some(read_only())
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
        Ok(if may_write { None } else { Some(read_only()) })
    }

    async fn file(&self, id: &str) -> Result<DriveFile, GoogleError> {
        let path = format!("/drive/v3/files/{}", checked_id(id)?);
        let call = Call::new(FILE, Method::GET, &self.options.drive_url, &path)?.query(&[
            ("fields", "id,trashed,capabilities(canEdit)"),
            ("supportsAllDrives", "true"),
        ]);
        self.read(FILE, Kind::Drive, call).await
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
