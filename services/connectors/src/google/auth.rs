//! The service account: its key file, read with an eye for what people break in it, and access tokens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::error::{AuthError, AuthErrorCode};
use yup_oauth2::{AccessToken, DefaultHyperClientBuilder, ServiceAccountAuthenticator, ServiceAccountKey};

use super::error::GoogleError;

/// Read and write spreadsheets; read (not write) a file's permissions.
pub(super) const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
];

/// Make files in a shared drive, find them again and share them: only asked for where that is done.
pub(super) const FILE_SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/drive"];

/// Longest time for a token, connection included.
const TOKEN_DEADLINE: Duration = Duration::from_secs(20);

/// How long a token is used of which the endpoint did not say when it ends. Google's live for an hour.
const UNTOLD_LIFE: Duration = Duration::from_secs(300);

/// Where a key file may send the signed assertion. A key comes from a customer: with a free choice of the
/// address it could make us call into our own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHosts {
    /// Google's only, by https.
    Google,
    /// Any: for simulators.
    Any,
}

/// A key file that cannot be used. The messages name the field and never show its value.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not JSON at all.
    #[error("the service-account file is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but not an object.
    #[error("the service-account file is not a JSON object")]
    NotAnObject,
    /// A field is missing or not a text.
    #[error("the service-account file has no text in `{field}`")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// A field has a value that cannot be right.
    #[error("`{field}` in the service-account file is wrong: {reason}")]
    Wrong {
        /// Name of the field.
        field: &'static str,
        /// What was expected.
        reason: &'static str,
    },
    /// The OAuth client could not be set up with the key.
    #[error("the service-account key cannot be used")]
    Unusable(#[source] std::io::Error),
}

/// A parsed key and its tokens. Cheap to clone; clones share the token cache.
#[derive(Clone)]
pub struct ServiceAccount {
    email: Arc<str>,
    authenticator: DefaultAuthenticator,
    // One question at a time: the library asks once per caller when the cache is empty. Whoever has the turn
    // knows since when a token without an end has been in use, by its scopes.
    turn: Arc<tokio::sync::Mutex<HashMap<String, Instant>>>,
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl ServiceAccount {
    /// Reads the JSON key file of a service account. No request is sent.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub async fn from_key(json: &str, hosts: TokenHosts) -> Result<Self, KeyError> {
        crate::http::install_crypto();
        let key = parse(json, hosts)?;
        let email = key.client_email.as_str().into();
        let client = DefaultHyperClientBuilder::default().with_timeout(TOKEN_DEADLINE);
        let authenticator = ServiceAccountAuthenticator::with_client(key, client)
            .build()
            .await
            .map_err(KeyError::Unusable)?;
        Ok(Self {
            email,
            authenticator,
            turn: Arc::default(),
        })
    }

    /// The address that a customer shares the spreadsheet with.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// A token from the cache, or a new one when less than a minute of the old one is left.
    pub(super) async fn token(&self, scopes: &[&str]) -> Result<SecretString, GoogleError> {
        self.other_than(None, scopes).await
    }

    /// A token in place of one that Google did not accept. Of callers who were refused with the same one the
    /// first fetches the new one for all.
    pub(super) async fn renewed(
        &self,
        refused: &SecretString,
        scopes: &[&str],
    ) -> Result<SecretString, GoogleError> {
        self.other_than(Some(refused), scopes).await
    }

    async fn other_than(
        &self,
        refused: Option<&SecretString>,
        scopes: &[&str],
    ) -> Result<SecretString, GoogleError> {
        let fetch = self.fetch(refused.map(ExposeSecret::expose_secret), scopes);
        match tokio::time::timeout(TOKEN_DEADLINE, Box::pin(fetch)).await {
            Ok(Ok(bearer)) => Ok(bearer),
            Ok(Err(yup_oauth2::Error::AuthError(refusal))) if is_verdict(&refusal) => {
                Err(GoogleError::KeyRefused {
                    email: self.email.to_string(),
                    detail: refusal.to_string(),
                })
            }
            Ok(Err(error)) => Err(GoogleError::Token(Box::new(error))),
            Err(_elapsed) => Err(GoogleError::TokenTimeout {
                deadline: TOKEN_DEADLINE,
            }),
        }
    }

    /// The library looks neither at the status nor at what it caches: an error in an answer's body becomes a
    /// token without text, and one without an end is kept for good. Such are thrown away here and asked for
    /// once more.
    async fn fetch(&self, refused: Option<&str>, scopes: &[&str]) -> Result<SecretString, yup_oauth2::Error> {
        let mut in_use = self.turn.lock().await;
        let name = scopes.join(" ");
        let cached = self.authenticator.token(scopes).await?;
        let ends = cached.expiration_time().is_some();
        let fresh = ends
            || in_use
                .get(&name)
                .is_none_or(|since| since.elapsed() < UNTOLD_LIFE);
        if let Some(bearer) = bearer(&cached).filter(|_| fresh)
            && !refused.is_some_and(|refused| is_same(refused, &bearer))
        {
            if !ends {
                in_use.entry(name).or_insert_with(Instant::now);
            }
            return Ok(bearer);
        }
        let token = self.authenticator.force_refreshed_token(scopes).await?;
        in_use.remove(&name);
        if token.expiration_time().is_none() {
            in_use.insert(name, Instant::now());
        }
        bearer(&token).ok_or(yup_oauth2::Error::MissingAccessToken)
    }
}

/// As a header carries it; none where the answer had no token.
fn bearer(token: &AccessToken) -> Option<SecretString> {
    let text = token.token().filter(|text| !text.is_empty())?;
    Some(format!("Bearer {text}").into())
}

/// Compares by hash, so that how long it takes says nothing about the token.
fn is_same(one: &str, other: &SecretString) -> bool {
    let one = Sha256::digest(one);
    let other = Sha256::digest(other.expose_secret());
    one == other
}

/// Whether the endpoint judges the key, in OAuth's own words (RFC 6749, 5.2). Everything else is its own
/// trouble.
fn is_verdict(refusal: &AuthError) -> bool {
    matches!(
        refusal.error,
        AuthErrorCode::InvalidClient
            | AuthErrorCode::InvalidGrant
            | AuthErrorCode::UnauthorizedClient
            | AuthErrorCode::InvalidScope
            | AuthErrorCode::AccessDenied
    )
}

fn parse(json: &str, hosts: TokenHosts) -> Result<ServiceAccountKey, KeyError> {
    let value: Value =
        serde_json::from_str(json.trim_start_matches('\u{feff}')).map_err(KeyError::NotJson)?;
    let Value::Object(fields) = value else {
        return Err(KeyError::NotAnObject);
    };
    if text(&fields, "type")? != "service_account" {
        return Err(KeyError::Wrong {
            field: "type",
            reason: "expected `service_account`, not another kind of key",
        });
    }
    let client_email = text(&fields, "client_email")?;
    if !client_email.contains('@') {
        return Err(KeyError::Wrong {
            field: "client_email",
            reason: "expected an e-mail address",
        });
    }
    let private_key = text(&fields, "private_key")?;
    check_private_key(private_key)?;
    let token_uri = text(&fields, "token_uri")?;
    check_token_uri(token_uri, hosts)?;
    Ok(ServiceAccountKey {
        key_type: Some("service_account".to_owned()),
        project_id: None,
        private_key_id: None,
        private_key: private_key.to_owned(),
        client_email: client_email.to_owned(),
        client_id: None,
        auth_uri: None,
        token_uri: token_uri.to_owned(),
        auth_provider_x509_cert_url: None,
        client_x509_cert_url: None,
    })
}

fn text<'a>(fields: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, KeyError> {
    match fields.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        _ => Err(KeyError::Missing { field }),
    }
}

fn check_private_key(pem: &str) -> Result<(), KeyError> {
    let wrong = |reason| KeyError::Wrong {
        field: "private_key",
        reason,
    };
    let Ok(key) = PrivateKeyDer::from_pem_slice(pem.as_bytes()) else {
        let reason = if pem.contains("\\n") {
            "its line ends are the two characters `\\n`; copy the file as it was downloaded"
        } else {
            "expected a PEM block `BEGIN PRIVATE KEY`"
        };
        return Err(wrong(reason));
    };
    match rustls::crypto::ring::sign::RsaSigningKey::new(&key) {
        Ok(_) => Ok(()),
        Err(_) => Err(wrong("expected an RSA key")),
    }
}

fn check_token_uri(uri: &str, hosts: TokenHosts) -> Result<(), KeyError> {
    let wrong = |reason| KeyError::Wrong {
        field: "token_uri",
        reason,
    };
    let Ok(url) = reqwest::Url::parse(uri) else {
        return Err(wrong("expected an address"));
    };
    match (hosts, url.scheme(), url.host_str()) {
        (TokenHosts::Google, "https", Some("oauth2.googleapis.com" | "accounts.google.com"))
        | (TokenHosts::Any, "http" | "https", Some(_)) => Ok(()),
        (TokenHosts::Google, ..) => Err(wrong("expected Google's own address")),
        (TokenHosts::Any, ..) => Err(wrong("expected an http or https address")),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, TokenHosts, parse};
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::{EncodePrivateKey, LineEnding};
    use serde_json::{Value, json};
    use std::sync::LazyLock;

    /// Made for this run; opens nothing.
    static PRIVATE_KEY: LazyLock<String> = LazyLock::new(|| {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    });

    fn key() -> Value {
        json!({
            "type": "service_account",
            "client_email": "sheets@project.iam.gserviceaccount.com",
            "private_key": PRIVATE_KEY.as_str(),
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com"
        })
    }

    fn broken(field: &str, value: Value) -> String {
        let mut key = key();
        key[field] = value;
        let error = parse(&key.to_string(), TokenHosts::Google)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("`{field}`")), "{error}");
        error
    }

    #[test]
    fn a_key_as_downloaded_is_accepted() {
        let parsed = parse(&format!("\u{feff}{}", key()), TokenHosts::Google).unwrap();
        assert_eq!(parsed.client_email, "sheets@project.iam.gserviceaccount.com");
    }

    #[test]
    fn the_broken_field_is_named() {
        assert!(broken("type", json!("authorized_user")).contains("service_account"));
        broken("client_email", json!("nobody"));
        broken("client_email", Value::Null);
        broken("private_key", json!("secret"));
        assert!(broken("private_key", json!(PRIVATE_KEY.replace('\n', "\\n"))).contains("line ends"));
        broken("token_uri", json!(7));
        broken("token_uri", json!("nonsense"));
        assert!(matches!(parse("[]", TokenHosts::Any), Err(KeyError::NotAnObject)));
        assert!(matches!(parse("{", TokenHosts::Any), Err(KeyError::NotJson(_))));
    }

    #[test]
    fn a_key_cannot_point_us_at_another_host() {
        broken("token_uri", json!("http://169.254.169.254/token"));
        broken(
            "token_uri",
            json!("https://oauth2.googleapis.com.example.com/token"),
        );
        broken("token_uri", json!("http://oauth2.googleapis.com/token"));
        let mut local = key();
        local["token_uri"] = json!("http://127.0.0.1:9/token");
        assert!(parse(&local.to_string(), TokenHosts::Any).is_ok());
    }

    #[test]
    fn no_error_shows_the_key() {
        let damaged = PRIVATE_KEY.replace('A', "B");
        assert!(!broken("private_key", json!(damaged)).contains(&damaged[40..60]));
    }
}
