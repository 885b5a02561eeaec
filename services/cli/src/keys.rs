//! Makes keys, and keeps those of an embedded installation in its data folder so that a second start can open
//! what the first one sealed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Failure;

/// A new Ed25519 key for access tokens, as PEM.
pub(crate) fn new_token_key() -> Result<SecretString, Failure> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed)?;
    let pem = SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF)?;
    Ok(SecretString::from(pem.as_str().to_owned()))
}

/// The key kept in a file, made at the first call. Only the owner can read the file.
pub(crate) fn kept(
    path: &Path,
    make: impl FnOnce() -> Result<SecretString, Failure>,
) -> Result<SecretString, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(text.trim_end().to_owned().into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    }
    let key = make()?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.expose_secret().as_bytes())?;
    file.sync_all()?;
    Ok(key)
}
