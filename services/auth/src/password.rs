//! Password hashing: Argon2id with the smallest parameters that OWASP's cheat sheet accepts for two passes (m
//! = 19,456 KiB, t = 2, p = 1). Each hash takes 19 MiB and tens of milliseconds, so hashes run on the
//! blocking pool and only a few at once: a flood of logins waits instead of eating the memory.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Hashes that may run at once; 4 × 19 MiB.
const AT_ONCE: usize = 4;
/// Fewest characters of a password (the original's contract; ASVS 5.0 6.2.1).
pub const SHORTEST: usize = 8;
/// Most bytes of a password; enough for any passphrase, and a limit for the hash.
pub const LONGEST: usize = 256;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// The hash function failed: our parameters, or no randomness for the salt.
    #[error("the password cannot be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The parameters above are out of the function's range.
    #[error("the parameters of the password hash are out of range")]
    Parameters(#[source] argon2::Error),
    /// What is stored is no password hash.
    #[error("the stored password hash is malformed")]
    Stored(#[source] argon2::password_hash::phc::Error),
    /// The blocking task was cancelled; the process is ending.
    #[error("the password hash was not finished")]
    Cancelled(#[from] tokio::task::JoinError),
    /// The limiter was closed; the process is ending.
    #[error("no more passwords are hashed")]
    Closed(#[from] tokio::sync::AcquireError),
}

/// Hashes and compares passwords. Clones share one limit.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Passwords {
    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`PasswordError::Length`] for a password that is not acceptable; the others when hashing fails.
    pub async fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        let text = password.expose_secret();
        if text.chars().count() < SHORTEST || text.len() > LONGEST {
            return Err(PasswordError::Length);
        }
        let password = password.clone();
        self.run(move || {
            let hash = argon2()?
                .hash_password(password.expose_secret().as_bytes())
                .map_err(PasswordError::Hash)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash it does the same work and says
    /// no, so that the time does not tell whether an account exists.
    ///
    /// # Errors
    /// [`PasswordError::Stored`] when the stored text is no hash; the others when hashing fails.
    pub async fn matches(
        &self,
        stored: Option<String>,
        password: &SecretString,
    ) -> Result<bool, PasswordError> {
        if password.expose_secret().len() > LONGEST {
            return Ok(false);
        }
        let password = password.clone();
        self.run(move || {
            let given = password.expose_secret().as_bytes();
            let Some(stored) = stored else {
                argon2()?.hash_password(given).map_err(PasswordError::Hash)?;
                return Ok(false);
            };
            let hash = PasswordHash::new(&stored).map_err(PasswordError::Stored)?;
            match argon2()?.verify_password(given, &hash) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(PasswordError::Hash(error)),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await?;
        tokio::task::spawn_blocking(move || {
            let _held = permit;
            work()
        })
        .await?
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(PasswordError::Parameters)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::{PasswordError, Passwords};

    #[tokio::test]
    async fn a_password_matches_its_own_hash_and_no_other_does() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(
            passwords
                .matches(Some(hash.clone()), &"correct horse".into())
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches(Some(hash), &"correct horsf".into())
                .await
                .unwrap()
        );
        assert!(!passwords.matches(None, &"correct horse".into()).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_of_seven_characters_or_endless_bytes_is_refused() {
        let passwords = Passwords::default();
        for bad in ["1234567".to_owned(), "x".repeat(257)] {
            let refused = passwords.hash(&SecretString::from(bad)).await;
            assert!(matches!(refused, Err(PasswordError::Length)));
        }
        assert!(passwords.hash(&"пароль12".into()).await.is_ok());
    }
}
