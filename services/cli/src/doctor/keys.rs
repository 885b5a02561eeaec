//! Keys: whether they can be read, and whether the master keys are those that wrapped what is in the
//! database.

use std::collections::BTreeMap;

use ::database::{Pool, Role};
use runtime::Settings;
use vault::{Keeper, MasterKeys, VaultError};

use super::{Finding, chain};

const MASTER: &str = "master keys";
const TOKEN: &str = "token key";

/// One finding for each kind of key.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let master = match crate::keys::masters(settings) {
        Ok(masters) => check_masters(settings, masters).await,
        Err(error) => Finding::failure(
            MASTER,
            chain(error.as_ref()),
            "set ST_MASTER_KEY to the key that this installation was made with",
        ),
    };
    vec![master, check_token(settings)]
}

async fn check_masters(settings: &Settings, masters: MasterKeys) -> Finding {
    let newest = masters.newest_version();
    let readable = format!("can be read, newest is v{newest}");
    let pool = settings
        .database
        .required_url()
        .ok()
        .and_then(|url| Pool::open(url, Role::Keys, 1).ok());
    let Some(pool) = pool else {
        return Finding::ok(MASTER, readable);
    };
    let locked = match Keeper::new(pool, masters).locked().await {
        Ok(locked) => locked,
        // What is wrong with the database is said by its own checks.
        Err(error) => {
            return Finding::warning(
                MASTER,
                format!("{readable}, but not tried: {}", chain(&error)),
                "mend the database first",
            );
        }
    };
    if locked.is_empty() {
        return Finding::ok(MASTER, format!("{readable}; every data key opens"));
    }
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for (_tenant, _version, error) in &locked {
        let cause = match error {
            VaultError::UnknownMasterKey { version } => {
                format!("need master key v{version}, which is not given")
            }
            VaultError::WrongMasterKey { version, .. } => {
                format!("do not open under the given master key v{version}")
            }
            other => chain(other),
        };
        *causes.entry(cause).or_default() += 1;
    }
    let causes: Vec<String> = causes
        .iter()
        .map(|(cause, keys)| format!("{keys} data keys {cause}"))
        .collect();
    Finding::failure(
        MASTER,
        causes.join("; "),
        "set ST_MASTER_KEY to the keys that wrapped them; `stock-tracker keys list` shows versions",
    )
}

fn check_token(settings: &Settings) -> Finding {
    let remedy = "set ST_JWT_KEY to an Ed25519 key in PEM, as `stock-tracker keys generate` prints one";
    match settings.secret_keys.required_jwt_key() {
        Err(problem) => Finding::failure(TOKEN, problem.to_string(), remedy),
        Ok(pem) => match auth::AccessTokens::from_pem(pem) {
            Ok(_) => Finding::ok(TOKEN, "can be read"),
            Err(error) => Finding::failure(TOKEN, chain(&error), remedy),
        },
    }
}
