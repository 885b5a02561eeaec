//! The token endpoint: a service account proves itself with a signed assertion (contracts C.1).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Answer, Call, SimulatorError, lock};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Longest life of an assertion in seconds.
const LONGEST: i64 = 3600;
/// How far clocks may differ, in seconds.
const SLACK: i64 = 300;
const KEY_FILE: &str = "google-service-account-key.pem";
/// Scopes that an account can be given here.
const SCOPES: &[&str] = &[
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/spreadsheets.readonly",
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/auth/drive.file",
    "https://www.googleapis.com/auth/drive.readonly",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
];

/// `yup-oauth2` pads its base64url, others do not.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key of all service accounts of a simulator.
#[derive(Clone)]
struct Key {
    pem: String,
    public: Vec<u8>,
}

/// Making a key takes a second or more; one per process is enough where none is kept on disk.
static PROCESS_KEY: OnceLock<String> = OnceLock::new();

impl Key {
    fn load(data: Option<&Path>) -> Result<Self, SimulatorError> {
        let pem = match data.map(|folder| folder.join(KEY_FILE)) {
            None => match PROCESS_KEY.get() {
                Some(pem) => pem.clone(),
                None => PROCESS_KEY.get_or_init(|| generate().unwrap_or_default()).clone(),
            },
            Some(path) if path.exists() => {
                std::fs::read_to_string(&path).map_err(|source| SimulatorError::Data {
                    path: path.display().to_string(),
                    source,
                })?
            }
            Some(path) => {
                let pem = generate()?;
                std::fs::write(&path, &pem).map_err(|source| SimulatorError::Data {
                    path: path.display().to_string(),
                    source,
                })?;
                pem
            }
        };
        let private =
            RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|error| SimulatorError::Key(error.to_string()))?;
        let public = private
            .to_public_key()
            .to_pkcs1_der()
            .map_err(|error| SimulatorError::Key(error.to_string()))?;
        Ok(Self {
            pem,
            public: public.as_bytes().to_vec(),
        })
    }
}

fn generate() -> Result<String, SimulatorError> {
    let broken = |error: &dyn std::fmt::Display| SimulatorError::Key(error.to_string());
    let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|error| broken(&error))?;
    let pem = private
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| broken(&error))?;
    Ok(pem.to_string())
}

struct Grant {
    email: String,
    scopes: Vec<String>,
    expires: i64,
}

/// Accounts, their key and the tokens given out.
pub(crate) struct Auth {
    key: Key,
    emails: Vec<String>,
    token_uri: String,
    lifetime: i64,
    grants: Mutex<HashMap<String, Grant>>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    scope: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Who calls and with which scopes.
pub(crate) struct Caller {
    pub(crate) email: String,
    scopes: Vec<String>,
}

impl Caller {
    /// Whether one of the named scopes (without their common beginning) was given.
    pub(crate) fn may(&self, names: &[&str]) -> bool {
        self.scopes.iter().any(|scope| {
            scope
                .strip_prefix("https://www.googleapis.com/auth/")
                .is_some_and(|name| names.contains(&name))
        })
    }
}

impl Auth {
    pub(crate) fn new(
        accounts: usize,
        lifetime: i64,
        token_uri: &str,
        data: Option<&Path>,
    ) -> Result<Self, SimulatorError> {
        let emails = (1..=accounts.max(1))
            .map(|number| {
                let suffix = if number == 1 {
                    String::new()
                } else {
                    format!("-{number}")
                };
                format!("stock-tracker{suffix}@simulated-project.iam.gserviceaccount.com")
            })
            .collect();
        Ok(Self {
            key: Key::load(data)?,
            emails,
            token_uri: token_uri.to_owned(),
            lifetime,
            grants: Mutex::new(HashMap::new()),
        })
    }

    pub(crate) fn email(&self, number: usize) -> Option<&str> {
        self.emails.get(number).map(String::as_str)
    }

    /// A key file as the Cloud console hands it out, except for the token address.
    pub(crate) fn key_file(&self, number: usize) -> Value {
        json!({
            "type": "service_account", "project_id": "simulated-project",
            "private_key_id": "3f1c2b7a9d5e4f60718293a4b5c6d7e8f9012345", "private_key": self.key.pem,
            "client_email": self.email(number), "client_id": format!("1000000000000000000{number:02}"),
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": self.token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/simulated",
            "universe_domain": "googleapis.com",
        })
    }

    /// `POST /token`
    pub(crate) fn token(&self, call: &Call, now: i64) -> Answer {
        let refuse =
            |kind: &str, text: &str| Answer::json(400, &json!({"error": kind, "error_description": text}));
        let form = call.form();
        if form.get("grant_type").map(String::as_str) != Some(GRANT) {
            return refuse("unsupported_grant_type", "Invalid grant_type");
        }
        let assertion = form.get("assertion").map(String::as_str).unwrap_or_default();
        let claims = match self.verify(assertion, now) {
            Ok(claims) => claims,
            Err(text) => return refuse("invalid_grant", text),
        };
        let scopes: Vec<String> = claims.scope.split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
            return refuse(
                "invalid_scope",
                "Invalid OAuth scope or ID token audience provided.",
            );
        }
        let mut random = [0_u8; 24];
        if SystemRandom::new().fill(&mut random).is_err() {
            return Answer::empty(500);
        }
        let token = format!("ya29.c.{}", hex::encode(random));
        let grant = Grant {
            email: claims.iss,
            scopes,
            expires: now + self.lifetime,
        };
        lock(&self.grants).insert(token.clone(), grant);
        let body = json!({"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"});
        Answer::json(200, &body)
    }

    fn verify(&self, assertion: &str, now: i64) -> Result<Claims, &'static str> {
        let malformed = "Invalid JWT: malformed assertion";
        let (signed, signature) = assertion.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        let decode = |text: &str| BASE64URL.decode(text).ok().ok_or(malformed);
        let header: Value = serde_json::from_slice(&decode(header)?).ok().ok_or(malformed)?;
        if header.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err("Invalid JWT: the algorithm must be RS256");
        }
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok().ok_or(malformed)?;
        if !self.emails.contains(&claims.iss) {
            return Err("Invalid grant: account not found");
        }
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.key.public);
        if public.verify(signed.as_bytes(), &decode(signature)?).is_err() {
            return Err("Invalid JWT Signature.");
        }
        if claims.aud != self.token_uri {
            return Err("Invalid JWT: Failed audience check. The right audience is the token_uri.");
        }
        let short = claims.exp <= claims.iat + LONGEST + SLACK;
        if !short || claims.exp <= now - SLACK || claims.iat > now + SLACK {
            return Err(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                        Check your iat and exp values in the JWT claim.",
            );
        }
        Ok(claims)
    }

    /// The account behind a bearer token; `None` if it is unknown or old.
    pub(crate) fn caller(&self, call: &Call, now: i64) -> Option<Caller> {
        let token = call.authorization.as_deref()?.strip_prefix("Bearer ")?;
        let grants = lock(&self.grants);
        let grant = grants.get(token).filter(|grant| grant.expires > now)?;
        Some(Caller {
            email: grant.email.clone(),
            scopes: grant.scopes.clone(),
        })
    }

    /// Forgets every token given out.
    pub(crate) fn revoke_all(&self) {
        lock(&self.grants).clear();
    }
}
