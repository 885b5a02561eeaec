//! The tools: each prepares or inspects an installation and ends.

use std::time::Duration;

use database::{Pool, Role};
use event_store::GlobalReader;
use messaging::{Broker, topology, users};
use read_models::{Inventory, Operations, Projection};
use runtime::Settings;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::{Failure, assembly};

/// How long a tool waits for the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// `migrate`: core schema, then the read models' schemas.
pub(crate) async fn migrate(settings: &Settings) -> Result<u8, Failure> {
    let url = settings.database.required_url()?;
    let applied = database::migrate(url).await?;
    read_models::schema::install(url).await?;
    tracing::info!(applied = ?applied, "database is up to date");
    Ok(0)
}

/// `migrate --roles-only`: the roles, before a backup is restored.
pub(crate) async fn make_roles(settings: &Settings) -> Result<u8, Failure> {
    database::make_roles(settings.database.required_url()?).await?;
    tracing::info!("the database's roles are there");
    Ok(0)
}

/// `nats apply`: creates what is missing, refuses what differs.
pub(crate) async fn nats_apply(settings: &Settings) -> Result<u8, Failure> {
    let broker = broker(settings).await?;
    let applied = topology::apply(&broker).await?;
    tracing::info!(created = ?applied.created, "streams, consumers and buckets are as declared");
    Ok(0)
}

/// `nats users`: seeds that are missing, and the server's configuration.
#[expect(clippy::print_stdout, reason = "what was made is what the tool tells")]
pub(crate) fn nats_users(folder: &std::path::Path) -> Result<u8, Failure> {
    let made = users::prepare(folder)?;
    let conf = folder.join(users::CONF_FILE);
    println!(
        "new seeds: {}",
        if made.is_empty() {
            "none".to_owned()
        } else {
            made.join(", ")
        }
    );
    println!("let nats-server include {} and reload it", conf.display());
    Ok(0)
}

/// `rebuild`: a new copy beside the live one, then swapped.
pub(crate) async fn rebuild(settings: &Settings, projection: &str) -> Result<u8, Failure> {
    let known = [Inventory::NAME, Operations::NAME];
    if projection != "all" && !known.contains(&projection) {
        return Err(format!(
            "there is no projection `{projection}`; there are {}",
            known.join(", ")
        )
        .into());
    }
    if projection == "all" || projection == Inventory::NAME {
        rebuild_one::<Inventory>(settings).await?;
    }
    if projection == "all" || projection == Operations::NAME {
        rebuild_one::<Operations>(settings).await?;
    }
    Ok(0)
}

async fn rebuild_one<P: Projection>(settings: &Settings) -> Result<(), Failure> {
    let url = settings.database.required_url()?;
    let reader = GlobalReader::new(Pool::open(url, Role::Projector, 2)?);
    let rebuilt = projector::rebuild::<P>(url, &reader, &CancellationToken::new()).await?;
    tracing::info!(
        projection = P::NAME,
        position = rebuilt.position,
        events = rebuilt.events,
        parked = rebuilt.parked,
        "rebuilt and swapped"
    );
    Ok(())
}

/// `doctor`: every check is made, and each failure says what to do.
#[expect(clippy::print_stdout, reason = "the report is what the tool is for")]
pub(crate) async fn doctor(settings: &Settings) -> Result<u8, Failure> {
    let checks = [
        ("database", check_database(settings).await),
        ("broker", check_broker(settings).await),
        ("master keys", check_master_keys(settings)),
        ("token key", check_token_key(settings)),
        ("service account", check_service_account(settings).await),
    ];
    let mut sound = true;
    for (name, outcome) in checks {
        match outcome {
            Ok(found) => println!("ok    {name}: {found}"),
            Err(error) => {
                sound = false;
                println!("FAIL  {name}: {error}");
            }
        }
    }
    Ok(u8::from(!sound))
}

async fn check_database(settings: &Settings) -> Result<String, Failure> {
    let url = settings.database.required_url()?;
    let reader = GlobalReader::new(Pool::open(url, Role::Projector, 1)?);
    let head = reader
        .head()
        .await
        .map_err(|error| format!("{error}; run `stock-tracker migrate`"))?;
    Ok(format!("the log holds {head} events"))
}

async fn check_broker(settings: &Settings) -> Result<String, Failure> {
    let broker = broker(settings).await?;
    topology::verify(&broker)
        .await
        .map_err(|error| format!("{error}; run `stock-tracker nats apply`"))?;
    Ok("streams, consumers and buckets are as declared".to_owned())
}

fn check_master_keys(settings: &Settings) -> Result<String, Failure> {
    crate::keys::masters(settings)?;
    Ok("can be read".to_owned())
}

fn check_token_key(settings: &Settings) -> Result<String, Failure> {
    auth::AccessTokens::from_pem(settings.secret_keys.required_jwt_key()?)?;
    Ok("can be read".to_owned())
}

async fn check_service_account(settings: &Settings) -> Result<String, Failure> {
    let Some(key) = &settings.google.service_account else {
        return Ok("none; every tenant links its sheet with an account of its own".to_owned());
    };
    let hosts = connectors::google::TokenHosts::Any;
    let account = connectors::google::ServiceAccount::from_key(key.expose_secret(), hosts).await?;
    Ok(account.email().to_owned())
}

async fn broker(settings: &Settings) -> Result<Broker, Failure> {
    let broker = assembly::link(settings, users::ADMIN).await?;
    if broker.wait_connected(PATIENCE).await {
        Ok(broker)
    } else {
        Err("NATS does not answer at the configured address".into())
    }
}
