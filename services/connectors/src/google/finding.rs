//! What a link test finds, in words that say what to do.

use std::fmt;
use std::time::Duration;

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
    /// Cells of the worksheet are protected from the account.
    Protected {
        /// What they are called in the menu of protected ranges.
        ranges: String,
        /// The service account's address.
        client_email: String,
        /// Whether it is the whole worksheet; otherwise cells of ours may or may not be among them.
        whole: bool,
    },
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

impl LinkFinding {
    /// Whether it keeps us from writing.
    #[must_use]
    pub const fn is_in_the_way(&self) -> bool {
        !matches!(
            self,
            Self::WriteAccessUnknown
                | Self::TimeZone { .. }
                | Self::Locale { .. }
                | Self::Protected { whole: false, .. }
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
            Self::Protected {
                ranges,
                client_email,
                whole,
            } => {
                let said = match whole {
                    true => "лист защищён целиком",
                    false => "часть листа защищена, и если там наши ячейки, запись остановится",
                };
                format!(
                    "{said}: {ranges}; Данные → Защитить листы и диапазоны → разрешите правку {client_email}"
                )
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
            Self::Protected {
                ranges,
                client_email,
                whole,
            } => {
                let said = match whole {
                    true => "the whole worksheet is protected",
                    false => {
                        "a part of the worksheet is protected, and writing stops if cells of ours lie there"
                    }
                };
                write!(
                    f,
                    "{said}: {ranges}; Data → Protect sheets and ranges → let {client_email} edit"
                )
            }
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
