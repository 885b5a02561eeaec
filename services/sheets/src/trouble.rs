//! What went wrong with one sheet: in words that say what to do, and when it is tried again.

use std::time::Duration;

use connectors::google::{GoogleError, KeyError, SheetsClient};
use database::DatabaseError;
use events::ids::TenantId;
use read_models::QueryError;
use sheet_layout::migrate::Layout;
use sheet_layout::{Language, LayoutError};
use vault::VaultError;

use crate::refusal::{self, Refusal};

/// First pause after a failure; doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause. A person who repairs something asks for a sync and does not wait it out.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Longest text that is kept.
const TEXT: usize = 600;

/// Why a sheet was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No account at all.
    #[error("no service account is set up for this service")]
    NoAccount,
    /// The key is not a key.
    #[error("the service account's key cannot be used")]
    Key(#[source] KeyError),
    /// The key is not to be had.
    #[error("the service account's key cannot be read")]
    Vault(#[source] VaultError),
    /// Google said no, or nothing.
    #[error("{}", advice(.error, .client_email).1)]
    Google {
        /// What it said.
        #[source]
        error: GoogleError,
        /// Whom to share with.
        client_email: String,
        /// Whether a batch was sent when it happened.
        sending: bool,
    },
    /// Somebody protected cells that we write.
    #[error("protected: {ranges}")]
    Protected {
        /// What they are called.
        ranges: String,
        /// Whom to let edit.
        client_email: String,
    },
    /// Other worksheets leave no room for the one that has to be made.
    #[error("other worksheets leave no room for {cells} cells")]
    NoRoom {
        /// Of the whole worksheet.
        cells: u64,
    },
    /// An earlier writer's cells are where ours would come.
    #[error(
        "the worksheet “{worksheet}” has {layout}, or is a copy of the service's worksheet without its marks; move \
         it by `stock-tracker sheets migrate`, or rename it"
    )]
    OldLayout {
        /// Its title.
        worksheet: String,
        /// What is in it.
        layout: Layout,
    },
    /// The file lies in the bin, where no one sees what is written into it.
    #[error("the spreadsheet is in the bin")]
    Trashed,
    /// People moved the sheet between reading and writing; nothing of the batch was done.
    #[error("the sheet changed while it was written")]
    Moved,
    /// The read model failed.
    #[error("the numbers cannot be read")]
    Model(#[source] QueryError),
    /// The role's own table failed.
    #[error("the state of the sheet cannot be recorded")]
    Database(#[from] DatabaseError),
    /// The rows do not make a sheet.
    #[error("the products do not fit into a spreadsheet: {0}")]
    Layout(LayoutError),
}

/// Google's refusals as advice, in Russian and English; what no person can do anything about stays short.
fn advice(error: &GoogleError, email: &str) -> (String, String) {
    match error {
        GoogleError::SpreadsheetId => (
            "это не id таблицы: скопируйте длинную часть её адреса после /d/ и подключите таблицу снова"
                .into(),
            "this is no spreadsheet id; copy the long part of its address after /d/ and link it again".into(),
        ),
        GoogleError::NotFound => (
            format!(
                "такой таблицы больше нет: подключите другую и откройте к ней доступ {email} как редактору"
            ),
            format!(
                "there is no such spreadsheet any more; link another one and share it with {email} as Editor"
            ),
        ),
        GoogleError::PermissionDenied { .. } => (
            format!("в таблицу нельзя писать: откройте к ней доступ {email} как редактору"),
            format!("the spreadsheet may not be written; share it with {email} as Editor"),
        ),
        GoogleError::StorageFull { detail } => Refusal::Storage.advice(detail, email),
        GoogleError::ApiDisabled { detail } => (
            format!("в проекте Google аккаунта {email} выключен API; включите его: {detail}"),
            format!("an API is switched off in the Google project of {email}; switch it on: {detail}"),
        ),
        GoogleError::Unauthorized { detail } | GoogleError::KeyRefused { detail, .. } => (
            format!("Google не принимает ключ {email} ({detail}): подключите таблицу снова с новым ключом"),
            format!(
                "Google does not accept the key of {email} ({detail}); link the spreadsheet again with a new key"
            ),
        ),
        GoogleError::QuotaExceeded { retry_after } => {
            let seconds = retry_after.as_secs_f64().ceil();
            (
                format!(
                    "исчерпана квота запросов Google в минуту; запись продолжится сама примерно через {seconds} с"
                ),
                format!(
                    "Google's quota of requests per minute is used up; writing goes on in about {seconds} s by itself"
                ),
            )
        }
        GoogleError::InvalidRequest { detail, .. } => {
            let refusal = Refusal::of(detail);
            let (russian, english) = refusal.advice(detail, email);
            match refusal {
                Refusal::Other | Refusal::Protected | Refusal::Cells | Refusal::Storage => (russian, english),
                _ => (
                    format!("записи мешают {russian}"),
                    format!("in the way of writing: {english}"),
                ),
            }
        }
        GoogleError::Token(_) | GoogleError::TokenTimeout { .. } | GoogleError::Call(_) => (
            "Google не отвечает как должен; запись будет повторена сама".into(),
            "Google does not answer as it should; writing is tried again by itself".into(),
        ),
    }
}

impl Trouble {
    /// What Google said to this client.
    pub(crate) fn of(error: GoogleError, client: &SheetsClient, sending: bool) -> Self {
        Self::Google {
            error,
            client_email: client.client_email().to_owned(),
            sending,
        }
    }

    fn both(&self) -> (String, String) {
        let words = |russian: &str, english: &str| (russian.to_owned(), english.to_owned());
        match self {
            Self::NoAccount => words(
                "у сервиса нет своего сервисного аккаунта: укажите свой ключ при подключении таблицы",
                "no service account is set up for this service; add your own key when you link the spreadsheet",
            ),
            Self::Key(_) => words(
                "ключ сервисного аккаунта не подходит: подключите таблицу снова с целым файлом ключа",
                "the service account's key cannot be used; link the spreadsheet again with the whole key file",
            ),
            Self::Vault(_) => words(
                "ключ сервисного аккаунта не читается: подключите таблицу снова с файлом ключа",
                "the service account's key cannot be read from the vault; link the spreadsheet again with the key \
                 file",
            ),
            Self::Google {
                error, client_email, ..
            } => advice(error, client_email),
            Self::Protected { ranges, client_email } => refusal::protected(ranges, client_email),
            Self::NoRoom { .. } => Refusal::Cells.advice("", ""),
            Self::OldLayout { worksheet, layout } => (
                format!(
                    "на листе «{worksheet}» таблица прежнего вида или копия листа сервиса без его меток ({layout}). \
                     Копию переименуйте: сервис создаст свой лист. Прежнюю таблицу переносит `stock-tracker sheets \
                     migrate` — это делает тот, кто ведёт сервис"
                ),
                format!(
                    "the worksheet “{worksheet}” has {layout}, or is a copy of the service's worksheet without its \
                     marks. Rename a copy, and the service makes a worksheet of its own. An earlier layout is moved \
                     by `stock-tracker sheets migrate`, which whoever runs this service does"
                ),
            ),
            Self::Trashed => words(
                "таблица в корзине Google Диска: восстановите её, и запись продолжится сама, или подключите другую",
                "the spreadsheet is in the bin of Google Drive; restore it, and writing goes on by itself, or link \
                 another one",
            ),
            Self::Moved => words(
                "лист менялся во время записи; запись будет повторена сама",
                "the sheet changed while it was being written; writing is tried again by itself",
            ),
            Self::Model(_) => words(
                "остатки сейчас не читаются; запись будет повторена сама",
                "the numbers cannot be read at the moment; writing is tried again by itself",
            ),
            Self::Database(_) => words(
                "состояние таблицы сейчас не записывается; запись будет повторена сама",
                "the state of the sheet cannot be recorded at the moment; writing is tried again by itself",
            ),
            Self::Layout(error) => (
                format!("товары не помещаются в таблицу ({error}): выберите меньше кабинетов или складов"),
                format!("the products do not fit into a spreadsheet ({error}); choose fewer cabinets"),
            ),
        }
    }
}

impl Trouble {
    /// The text for the seller.
    pub(crate) fn text(&self, language: Language) -> String {
        let (russian, english) = self.both();
        let text = match language {
            Language::Russian => russian,
            Language::English => english,
        };
        // A NUL from somebody else's answer would make it unstorable.
        text.replace('\0', "").chars().take(TEXT).collect()
    }

    /// In one word, for metrics: there are few, and none names anybody.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Protected { .. } => "protected",
            Self::OldLayout { .. } => "old_layout",
            Self::NoAccount => "no_account",
            Self::Key(_) => "key_unusable",
            Self::Vault(_) => "vault",
            Self::Trashed => "trashed",
            Self::Moved => "unavailable",
            Self::Model(_) | Self::Database(_) => "database",
            Self::NoRoom { .. } | Self::Layout(LayoutError::TooLarge { .. }) => "too_large",
            Self::Layout(_) => "layout",
            Self::Google { error, .. } => match error {
                GoogleError::SpreadsheetId | GoogleError::NotFound => "not_found",
                GoogleError::PermissionDenied { .. } => "not_shared",
                GoogleError::ApiDisabled { .. } => "api_disabled",
                GoogleError::Unauthorized { .. } | GoogleError::KeyRefused { .. } => "key_refused",
                GoogleError::QuotaExceeded { .. } => "quota",
                GoogleError::StorageFull { .. } => "storage_full",
                GoogleError::InvalidRequest { detail, .. } => Refusal::of(detail).word(),
                GoogleError::Token(_) | GoogleError::TokenTimeout { .. } | GoogleError::Call(_) => {
                    "unavailable"
                }
            },
        }
    }

    /// Whether it was refused because there is no room for more names of columns.
    pub(crate) fn is_out_of_names(&self) -> bool {
        matches!(
            self,
            Self::Google {
                error: GoogleError::InvalidRequest { detail, .. },
                ..
            } if Refusal::of(detail) == Refusal::Metadata
        )
    }

    /// Whether Google refused a batch because of what people have in the sheet, not for want of room.
    pub(crate) fn is_about_the_sheet(&self) -> bool {
        matches!(
            self,
            Self::Google {
                error: GoogleError::InvalidRequest { detail, .. },
                sending: true,
                ..
            } if !matches!(Refusal::of(detail), Refusal::Cells | Refusal::Storage | Refusal::Metadata)
        )
    }

    /// Whether the batch is known not to be in the sheet, and what was stored of the sheet still holds.
    pub(crate) fn not_written(&self) -> bool {
        match self {
            // Nothing of the batch was done, but that it was refused says that the sheet is not what we
            // think.
            Self::Google {
                error: GoogleError::InvalidRequest { .. } | GoogleError::Call(_),
                sending,
                ..
            } => !sending,
            Self::Google { .. }
            | Self::NoAccount
            | Self::Protected { .. }
            | Self::OldLayout { .. }
            | Self::Trashed
            | Self::NoRoom { .. }
            | Self::Key(_)
            | Self::Vault(_)
            | Self::Model(_)
            | Self::Layout(_) => true,
            // It happens before a batch is sent and after one was.
            Self::Database(_) | Self::Moved => false,
        }
    }

    /// Whether it may still be applied by Google after we have given up on it.
    pub(crate) fn may_be_under_way(&self) -> bool {
        matches!(
            self,
            Self::Google {
                error: GoogleError::Call(_),
                sending: true,
                ..
            }
        )
    }

    /// Whether it counts as a failure of this sheet. A quota that others use up too does not.
    pub(crate) fn counts(&self) -> bool {
        !matches!(
            self,
            Self::Google {
                error: GoogleError::QuotaExceeded { .. },
                ..
            }
        )
    }

    /// Time until the next try, the `attempts` failures before this one considered. Sheets that failed
    /// together come back apart.
    pub(crate) fn pause(&self, tenant: TenantId, attempts: i32) -> Duration {
        let base = match self {
            Self::Google {
                error: GoogleError::QuotaExceeded { retry_after },
                ..
            } => *retry_after,
            _ => {
                let doublings = u32::try_from(attempts).unwrap_or_default().min(20);
                FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
            }
        };
        base.mul_f64(1.0 + 0.25 * spread(tenant, attempts))
    }
}

/// A number from 0 to 1 that differs from tenant to tenant and from try to try (FNV-1a).
fn spread(tenant: TenantId, attempts: i32) -> f64 {
    let bytes = tenant
        .uuid()
        .into_bytes()
        .into_iter()
        .chain(attempts.to_le_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    f64::from(hash) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Trouble;
    use connectors::google::GoogleError;
    use events::ids::TenantId;
    use sheet_layout::Language;
    use std::time::Duration;
    use uuid::Uuid;

    fn google(error: GoogleError, sending: bool) -> Trouble {
        Trouble::Google {
            error,
            client_email: "robot@project.iam.gserviceaccount.com".to_owned(),
            sending,
        }
    }

    #[test]
    fn a_quota_is_waited_out_and_not_held_against_the_sheet() {
        let minute = Duration::from_secs(60);
        let quota = google(GoogleError::QuotaExceeded { retry_after: minute }, true);
        let pause = quota.pause(TenantId(Uuid::from_u128(1)), 0);
        assert!(pause >= minute && pause <= minute * 5 / 4, "{pause:?}");
        assert!(!quota.counts() && quota.not_written());
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let refused = google(GoogleError::NotFound, false);
        let pause = |attempts| refused.pause(TenantId(Uuid::from_u128(1)), attempts).as_secs();
        assert!(
            (5..=6).contains(&pause(0)) && (40..=50).contains(&pause(3)),
            "{} {}",
            pause(0),
            pause(3)
        );
        assert!((900..=1125).contains(&pause(1_000)));
    }

    #[test]
    fn what_a_person_has_to_do_names_the_address() {
        let denied = GoogleError::PermissionDenied {
            detail: "no".to_owned(),
        };
        let denied = google(denied, true);
        let text = denied.text(Language::English);
        assert!(
            text.contains("share it with robot@project.iam.gserviceaccount.com as Editor"),
            "{text}"
        );
        let text = denied.text(Language::Russian);
        assert!(
            text.contains("откройте к ней доступ robot@project.iam.gserviceaccount.com"),
            "{text}"
        );
    }
}
