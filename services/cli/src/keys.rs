//! Makes, lists and replaces keys, and keeps those of an embedded installation in its data folder so that a
//! second start can open what the first one sealed.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use database::{Pool, Role};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use runtime::{Clock, Settings};
use secrecy::{ExposeSecret as _, SecretString};
use vault::{Inventory, Keeper, KeyFacts, LONGEST_USE_DAYS, MOST_SEALS, MasterKeys, Scope};

use crate::Failure;
use crate::args::KeysAction;

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

/// The master keys of the settings; where they came out of a file, that file is read again when it changes.
pub(crate) fn masters(settings: &Settings) -> Result<MasterKeys, Failure> {
    let keys = &settings.secret_keys;
    let ring = MasterKeys::parse(keys.required_master_keys()?)?;
    Ok(ring.kept_in(keys.master_keys_file.clone()))
}

/// The tool `keys`. Exit code 1 where `status` finds something to do or `verify` something that does not
/// open.
pub(crate) async fn run(settings: &Settings, action: KeysAction) -> Result<u8, Failure> {
    if let KeysAction::Generate { version } = action {
        return generate(version);
    }
    let masters = masters(settings)?;
    let pool = Pool::open(settings.database.required_url()?, Role::Keys, 2)?;
    let keeper = Keeper::new(pool, masters.clone());
    match action {
        KeysAction::Generate { version } => generate(version),
        KeysAction::List => list(&keeper, &masters).await,
        KeysAction::RotateMaster => rotate_master(&keeper, &masters).await,
        KeysAction::RotateData { tenant, due } => {
            let scope = match tenant {
                Some(tenant) => Scope::Tenant(tenant),
                None if due => Scope::Due(Clock::system().now()),
                None => Scope::All,
            };
            rotate_data(&keeper, scope).await
        }
        KeysAction::Status => status(&keeper, &masters).await,
        KeysAction::Verify => verify(&keeper).await,
    }
}

#[expect(clippy::print_stdout, reason = "the keys are what the tool is for")]
fn generate(version: i32) -> Result<u8, Failure> {
    let master = MasterKeys::generate()?;
    let key = master.expose_secret().trim_start_matches("v1:");
    println!("ST_MASTER_KEY=v{version}:{key}");
    println!("ST_JWT_KEY=\"{}\"", new_token_key()?.expose_secret());
    Ok(0)
}

/// How many data keys each master key wraps; versions of the settings that wrap none are there too.
fn wrapped_by(inventory: &Inventory, masters: &MasterKeys) -> BTreeMap<i32, u64> {
    let mut wrapped: BTreeMap<i32, u64> = masters
        .versions()
        .into_iter()
        .map(|version| (version, 0))
        .collect();
    for key in &inventory.keys {
        *wrapped.entry(key.master_version).or_default() += 1;
    }
    wrapped
}

#[expect(clippy::print_stdout, reason = "the list is what the tool is for")]
async fn list(keeper: &Keeper, masters: &MasterKeys) -> Result<u8, Failure> {
    let inventory = keeper.inventory().await?;
    println!("master key  data keys  in the settings");
    for (version, keys) in wrapped_by(&inventory, masters) {
        let given = if masters.versions().contains(&version) {
            "yes"
        } else {
            "NO"
        };
        println!("v{version:<10} {keys:>9}  {given}");
    }
    println!();
    println!("tenant                                version  master  secrets  encryptions  since");
    for key in &inventory.keys {
        println!(
            "{}  {:>7}  v{:<5}  {:>7}  {:>11}  {}",
            key.tenant,
            key.version,
            key.master_version,
            key.secrets,
            key.seals,
            key.created_at.format("%Y-%m-%d")
        );
    }
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn rotate_master(keeper: &Keeper, masters: &MasterKeys) -> Result<u8, Failure> {
    let wrapped = keeper.rotate_master().await?;
    let newest = masters.newest_version();
    println!("{wrapped} data keys were wrapped by master key v{newest}");
    println!("older versions may leave ST_MASTER_KEY when `keys status` says that they wrap nothing");
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn rotate_data(keeper: &Keeper, scope: Scope) -> Result<u8, Failure> {
    let done = keeper.rotate_data(scope).await?;
    println!(
        "{} tenants have a new data key, {} secrets were encrypted anew, {} old keys destroyed",
        done.tenants, done.secrets, done.destroyed
    );
    if done.unreadable > 0 {
        println!(
            "{} secrets do not open and keep their old key; see `keys verify`",
            done.unreadable
        );
    }
    Ok(u8::from(done.unreadable > 0))
}

/// What `keys status` says, a line each; the second part is what should be done.
fn findings(inventory: &Inventory, masters: &MasterKeys, now: DateTime<Utc>) -> (Vec<String>, Vec<String>) {
    let newest = masters.newest_version();
    let count = |wanted: &dyn Fn(&KeyFacts) -> bool| inventory.keys.iter().filter(|key| wanted(key)).count();
    let mut facts = vec![format!(
        "{} data keys, {} secrets, {} keys destroyed so far",
        inventory.keys.len(),
        inventory.keys.iter().map(|key| key.secrets).sum::<i64>(),
        inventory.destroyed
    )];
    let mut to_do = Vec::new();
    for (version, keys) in wrapped_by(inventory, masters) {
        let given = masters.versions().contains(&version);
        match (keys, given) {
            (0, _) if version < newest => {
                facts.push(format!(
                    "master key v{version} wraps nothing and may leave ST_MASTER_KEY"
                ));
            }
            (keys, true) if version != newest => {
                to_do.push(format!(
                    "{keys} data keys are under master key v{version}: `keys rotate-master`"
                ));
            }
            (keys, false) => {
                to_do.push(format!(
                    "{keys} data keys need master key v{version}, which ST_MASTER_KEY lacks"
                ));
            }
            (keys, true) => facts.push(format!("master key v{version} wraps {keys} data keys")),
        }
    }
    let old = count(&|key| !key.newest);
    let due = count(&|key| key.is_due(now));
    if inventory.pending > 0 {
        to_do.push(format!(
            "{} tenants wait for their new data key: `keys rotate-data`",
            inventory.pending
        ));
    }
    if old > 0 && inventory.pending == 0 {
        to_do.push(format!(
            "{old} replaced data keys still have secrets that do not open: `keys verify`"
        ));
    }
    if due > 0 {
        to_do.push(format!(
            "{due} data keys are older than {LONGEST_USE_DAYS} days or made {MOST_SEALS} ciphertexts: \
             `keys rotate-data --due`"
        ));
    }
    (facts, to_do)
}

#[expect(clippy::print_stdout, reason = "the report is what the tool is for")]
async fn status(keeper: &Keeper, masters: &MasterKeys) -> Result<u8, Failure> {
    let inventory = keeper.inventory().await?;
    let (facts, to_do) = findings(&inventory, masters, Clock::system().now());
    for line in &facts {
        println!("ok    {line}");
    }
    for line in &to_do {
        println!("TODO  {line}");
    }
    Ok(u8::from(!to_do.is_empty()))
}

#[expect(clippy::print_stdout, reason = "the report is what the tool is for")]
async fn verify(keeper: &Keeper) -> Result<u8, Failure> {
    let verified = keeper.verify().await?;
    for (tenant, credential, why) in &verified.unreadable {
        println!("FAIL  tenant {tenant}, credential {credential}: {why}");
    }
    println!(
        "{} secrets open, {} do not",
        verified.readable,
        verified.unreadable.len()
    );
    Ok(u8::from(!verified.unreadable.is_empty()))
}
