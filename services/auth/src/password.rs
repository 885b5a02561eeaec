//! Which passwords are taken, and how they are hashed: Argon2id with the smallest parameters that OWASP's
//! cheat sheet accepts for two passes (m = 19,456 KiB, t = 2, p = 1). Each hash takes 19 MiB and tens of
//! milliseconds, so hashes run on the blocking pool and only a few at once: a flood of logins waits instead
//! of eating the memory.
//!
//! A password has a length and is not one of the most common ones; there are no rules of composition, which
//! make passwords worse (ASVS 5.0, 6.2.1, 6.2.4, 6.2.5).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

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

/// The most common passwords of at least [`SHORTEST`] characters, in lower case: the first 3,600 of the
/// frequency list of zxcvbn (Dropbox, MIT licence), and some that are common among those who type Russian.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("password/common.txt").lines().collect());

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// Too short or too long.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// Among the first that anybody would try.
    #[error("this is one of the most common passwords; choose another one")]
    Common,
}

/// Says whether a new password is taken.
///
/// # Errors
/// [`Unacceptable`].
pub fn accept(password: &str) -> Result<(), Unacceptable> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Unacceptable::Length);
    }
    if COMMON.contains(password.to_lowercase().as_str()) {
        return Err(Unacceptable::Common);
    }
    Ok(())
}

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Not one that is taken.
    #[error("the password is not acceptable")]
    Unacceptable(#[from] Unacceptable),
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
    computed: Arc<AtomicU64>,
}

/// How a password compared with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is another one, or nothing is stored.
    No,
    /// It is the one.
    Yes,
    /// It is the one, and its hash is weaker than a new one would be.
    Outdated,
}

impl Match {
    /// Whether it is the one.
    #[must_use]
    pub const fn is_right(self) -> bool {
        !matches!(self, Self::No)
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            computed: Arc::default(),
        }
    }
}

impl Passwords {
    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`PasswordError::Unacceptable`] for one that is not taken; the others when hashing fails.
    pub async fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        accept(password.expose_secret())?;
        self.hash_anew(password).await
    }

    /// The PHC string of a password that was accepted before, perhaps under other rules.
    pub(crate) async fn hash_anew(&self, password: &SecretString) -> Result<String, PasswordError> {
        let password = password.clone();
        self.run(move || {
            let hash = argon2()?
                .hash_password(password.expose_secret().as_bytes())
                .map_err(PasswordError::Hash)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// How many hashes were computed so far, which is where the time of a login goes.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
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
    ) -> Result<Match, PasswordError> {
        if password.expose_secret().len() > LONGEST {
            return Ok(Match::No);
        }
        let password = password.clone();
        self.run(move || {
            let given = password.expose_secret().as_bytes();
            let Some(stored) = stored else {
                argon2()?.hash_password(given).map_err(PasswordError::Hash)?;
                return Ok(Match::No);
            };
            let hash = PasswordHash::new(&stored).map_err(PasswordError::Stored)?;
            match argon2()?.verify_password(given, &hash) {
                Ok(()) if is_weaker(&hash) => Ok(Match::Outdated),
                Ok(()) => Ok(Match::Yes),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Match::No),
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
        self.computed.fetch_add(1, Ordering::Relaxed);
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

/// Whether a hash was made with less work than one of today. Whatever cannot be read counts as weaker.
fn is_weaker(hash: &PasswordHash) -> bool {
    let Ok(params) = Params::try_from(hash) else {
        return true;
    };
    hash.algorithm.as_str() != Algorithm::Argon2id.as_str()
        || hash.version != Some(Version::V0x13.into())
        || params.m_cost() < MEMORY_KIB
        || params.t_cost() < PASSES
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher as _;
    use argon2::{Algorithm, Argon2, Params, Version};
    use secrecy::SecretString;

    use super::{COMMON, LONGEST, Match, PasswordError, Passwords, Unacceptable, accept};

    #[tokio::test]
    async fn a_password_matches_its_own_hash_and_no_other_does() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let compared = async |stored: Option<&String>, password: &str| {
            let password = SecretString::from(password);
            passwords.matches(stored.cloned(), &password).await.unwrap()
        };
        assert_eq!(compared(Some(&hash), "correct horse").await, Match::Yes);
        assert_eq!(compared(Some(&hash), "correct horsf").await, Match::No);
        assert_eq!(compared(None, "correct horse").await, Match::No);
    }

    #[tokio::test]
    async fn a_password_is_compared_at_the_same_cost_whether_or_not_there_is_one() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"correct horse".into()).await.unwrap();
        let mut costs = Vec::new();
        for stored in [Some(hash), None] {
            let before = passwords.computed();
            passwords.matches(stored, &"wrong horse".into()).await.unwrap();
            costs.push(passwords.computed() - before);
        }
        assert_eq!(costs, [1, 1]);
    }

    #[tokio::test]
    async fn a_hash_of_less_work_or_another_kind_is_outdated() {
        let passwords = Passwords::default();
        for (algorithm, memory, passes, expected) in [
            (Algorithm::Argon2id, 19_456, 2, Match::Yes),
            (Algorithm::Argon2id, 47_104, 3, Match::Yes),
            (Algorithm::Argon2id, 19_456, 1, Match::Outdated),
            (Algorithm::Argon2id, 12_288, 3, Match::Outdated),
            (Algorithm::Argon2i, 19_456, 2, Match::Outdated),
        ] {
            let params = Params::new(memory, passes, 1, None).unwrap();
            let stored = Argon2::new(algorithm, Version::V0x13, params)
                .hash_password(b"correct horse")
                .unwrap()
                .to_string();
            let matched = passwords
                .matches(Some(stored.clone()), &"correct horse".into())
                .await;
            assert_eq!(matched.unwrap(), expected, "{stored}");
        }
    }

    #[tokio::test]
    async fn a_password_of_seven_characters_or_endless_bytes_is_refused() {
        let passwords = Passwords::default();
        for bad in ["1234567".to_owned(), "x".repeat(LONGEST + 1)] {
            let refused = passwords.hash(&SecretString::from(bad)).await;
            assert!(matches!(
                refused,
                Err(PasswordError::Unacceptable(Unacceptable::Length))
            ));
        }
    }

    #[test]
    fn the_most_common_passwords_are_refused_in_any_case() {
        assert!(COMMON.len() >= 3000, "{}", COMMON.len());
        for common in COMMON.iter() {
            assert_eq!(accept(common), Err(Unacceptable::Common), "{common}");
        }
        for common in ["password", "PASSWORD", "Qwerty123", "ЙЦУКЕНГШ"] {
            assert_eq!(accept(common), Err(Unacceptable::Common), "{common}");
        }
    }

    #[test]
    fn a_password_needs_no_particular_kinds_of_characters() {
        for good in [
            "aaaabbbbccccdddd",
            "зимний лес",
            "        x",
            "9028347561",
            "correct horse",
        ] {
            assert_eq!(accept(good), Ok(()), "{good}");
        }
        assert_eq!(accept(&"x".repeat(LONGEST)), Ok(()));
    }
}
