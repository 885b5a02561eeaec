//! The pair that opens a cabinet. It is kept as one text, so that the vault seals one secret.

use secrecy::{ExposeSecret, SecretString};

/// Longest key that is taken; the vendor's are UUIDs of 36 characters.
const LONGEST: usize = 128;

/// Why a text is no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is no colon between the two parts.
    #[error("the credential is not `<Client-Id>:<Api-Key>`")]
    Form,
    /// The first part is no positive integer.
    #[error("the Client-Id is no positive integer")]
    ClientId,
    /// The second part is empty, too long, or has characters that no key has.
    #[error("the Api-Key is no key")]
    ApiKey,
}

/// A `Client-Id` and an `Api-Key`.
#[derive(Debug, Clone)]
pub struct Credential {
    client_id: u64,
    api_key: SecretString,
}

impl Credential {
    /// Reads `<Client-Id>:<Api-Key>`; blanks around either part are dropped.
    ///
    /// # Errors
    /// [`CredentialError`], which never repeats the text.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let (client_id, api_key) = text.split_once(':').ok_or(CredentialError::Form)?;
        Self::new(client_id, api_key)
    }

    /// The same from the two parts.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn new(client_id: &str, api_key: &str) -> Result<Self, CredentialError> {
        let client_id = client_id
            .trim()
            .parse()
            .ok()
            .filter(|id| *id > 0)
            .ok_or(CredentialError::ClientId)?;
        let api_key = api_key.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if api_key.is_empty() || api_key.len() > LONGEST || !api_key.chars().all(fits) {
            return Err(CredentialError::ApiKey);
        }
        Ok(Self {
            client_id,
            api_key: SecretString::from(api_key),
        })
    }

    /// The vendor's id of the cabinet: two keys with the same one open the same cabinet.
    #[must_use]
    pub fn client_id(&self) -> u64 {
        self.client_id
    }

    /// Both as the one text that [`Credential::parse`] reads.
    #[must_use]
    pub fn text(&self) -> SecretString {
        format!("{}:{}", self.client_id, self.api_key.expose_secret()).into()
    }

    pub(super) fn expose(&self) -> &str {
        self.api_key.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Credential, CredentialError};

    const KEY: &str = "0c9f1b0e-6a52-4a36-8c1e-0f4dbe3a7b11";

    #[test]
    fn both_parts_are_read_and_the_key_is_not_printed() {
        let credential = Credential::parse(&format!(" 12345 : {KEY}\n")).unwrap();
        assert_eq!((credential.client_id(), credential.expose()), (12_345, KEY));
        assert!(!format!("{credential:?}").contains(KEY));
        assert_eq!(credential.text().expose_secret(), format!("12345:{KEY}"));
    }

    #[test]
    fn what_is_no_credential_says_which_part_is_wrong() {
        let error = |text: &str| Credential::parse(text).unwrap_err();
        assert_eq!(error(KEY), CredentialError::Form);
        assert_eq!(error(&format!("0:{KEY}")), CredentialError::ClientId);
        assert_eq!(error(&format!("-7:{KEY}")), CredentialError::ClientId);
        assert_eq!(error("7:"), CredentialError::ApiKey);
        assert_eq!(error("7:a key\r\nHost: x"), CredentialError::ApiKey);
    }
}
