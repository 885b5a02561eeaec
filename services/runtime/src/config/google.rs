//! Google's hosts and the service account that writes the sheets.

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source, malformed};

/// Settings of Google Sheets.
#[derive(Debug, Clone)]
pub struct GoogleSettings {
    /// `ST_GOOGLE_SHEETS_URL`; no slash at the end.
    pub sheets_url: String,
    /// `ST_GOOGLE_DRIVE_URL`; no slash at the end.
    pub drive_url: String,
    /// `ST_GOOGLE_SHARED_DRIVE`: where spreadsheets are created.
    pub shared_drive: Option<String>,
    /// `ST_GOOGLE_SERVICE_ACCOUNT`: the key as JSON. The token address is its own `token_uri`.
    pub service_account: Option<SecretString>,
}

impl GoogleSettings {
    /// The service account, for roles that cannot do without.
    ///
    /// # Errors
    /// [`Problem::Missing`] naming the key.
    pub fn required_service_account(&self) -> Result<&SecretString, Problem> {
        let missing = Problem::Missing {
            key: "ST_GOOGLE_SERVICE_ACCOUNT",
            purpose: "writing sheets",
        };
        self.service_account.as_ref().ok_or(missing)
    }
}

/// The fields without which a key is of no use (what Google hands out has more).
#[derive(serde::Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    token_uri: String,
}

pub(super) fn read(source: &Source) -> Result<GoogleSettings, Problem> {
    let service_account = source.secret("ST_GOOGLE_SERVICE_ACCOUNT")?;
    match service_account.as_ref().map(ExposeSecret::expose_secret) {
        Some(text) if !is_key(text) => {
            let expected = "a Google service-account key: JSON with client_email, private_key and token_uri";
            Err(malformed("ST_GOOGLE_SERVICE_ACCOUNT", expected, text))
        }
        _ => Ok(GoogleSettings {
            sheets_url: source.base_url("ST_GOOGLE_SHEETS_URL")?,
            drive_url: source.base_url("ST_GOOGLE_DRIVE_URL")?,
            shared_drive: source.text("ST_GOOGLE_SHARED_DRIVE"),
            service_account,
        }),
    }
}

fn is_key(text: &str) -> bool {
    let Ok(mut key) = serde_json::from_str::<ServiceAccount>(text) else {
        return false;
    };
    let complete = key.client_email.contains('@')
        && key.private_key.contains("PRIVATE KEY")
        && key.token_uri.starts_with("http");
    key.private_key.zeroize();
    complete
}
