//! The tools: each prepares or inspects an installation and ends.

use std::time::Duration;

use database::{Pool, Role};
use event_store::GlobalReader;
use messaging::{Broker, topology, users};
use read_models::{Inventory, Operations, Projection};
use runtime::Settings;
use tokio_util::sync::CancellationToken;

use crate::progress::{Form, Progress};
use crate::{Failure, assembly, schema};

/// How long a tool waits for the broker.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a running migration is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// `migrate`: core schema, then the read models' schemas.
pub(crate) async fn migrate(settings: &Settings, form: Form) -> Result<u8, Failure> {
    let url = settings.database.required_url()?;
    let before = schema::standing(url).await?;
    let total = before.missing.len() as u64;
    let progress = Progress::new(form, "migrate", "migrations");
    let applying = database::migrate(url);
    tokio::pin!(applying);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let applied = loop {
        tokio::select! {
            applied = &mut applying => break applied?,
            // Every migration commits by itself, so another connection sees how many are left.
            _ = tick.tick(), if total > 0 => if let Ok(now) = schema::standing(url).await {
                let next = now.missing.first().map_or("", String::as_str);
                progress.at(total.saturating_sub(now.missing.len() as u64), total, next);
            }
        }
    };
    progress.at(total, total, "");
    read_models::schema::install(url).await?;
    progress.end();
    tracing::info!(applied = ?applied, "database is up to date");
    outcome(
        form,
        &serde_json::json!({ "tool": "migrate", "applied": applied }),
    );
    Ok(0)
}

/// `migrate --roles-only`: the roles, before a backup is restored.
pub(crate) async fn make_roles(settings: &Settings) -> Result<u8, Failure> {
    database::make_roles(settings.database.required_url()?).await?;
    tracing::info!("the database's roles are there");
    Ok(0)
}

/// `nats apply`: creates what is missing, changes numbers of replicas, refuses what differs otherwise.
pub(crate) async fn nats_apply(settings: &Settings, form: Form) -> Result<u8, Failure> {
    let broker = broker(settings).await?;
    let progress = Progress::new(form, "nats apply", "streams and consumers");
    let tell = |done: usize, all: usize, name: &str| progress.at(done as u64, all as u64, name);
    let applied = topology::apply_with(&broker, &tell).await;
    progress.end();
    let applied = applied?;
    tracing::info!(
        created = ?applied.created, scaled = ?applied.scaled,
        "streams, consumers and buckets are as declared"
    );
    outcome(
        form,
        &serde_json::json!({ "tool": "nats apply", "created": applied.created, "scaled": applied.scaled }),
    );
    Ok(0)
}

/// What came out, as the last line, where JSON is wanted.
#[expect(clippy::print_stdout, reason = "the outcome is what was asked for")]
fn outcome(form: Form, what: &serde_json::Value) {
    if form == Form::Json {
        println!("{what}");
    }
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
pub(crate) async fn rebuild(settings: &Settings, projection: &str, form: Form) -> Result<u8, Failure> {
    let known = [Inventory::NAME, Operations::NAME];
    if projection != "all" && !known.contains(&projection) {
        return Err(format!(
            "there is no projection `{projection}`; there are {}",
            known.join(", ")
        )
        .into());
    }
    if projection == "all" || projection == Inventory::NAME {
        rebuild_one::<Inventory>(settings, form).await?;
    }
    if projection == "all" || projection == Operations::NAME {
        rebuild_one::<Operations>(settings, form).await?;
    }
    Ok(0)
}

async fn rebuild_one<P: Projection>(settings: &Settings, form: Form) -> Result<(), Failure> {
    let url = settings.database.required_url()?;
    let reader = GlobalReader::new(Pool::open(url, Role::Projector, 2)?);
    let progress = Progress::new(form, "rebuild", "events");
    let tell = |read: i64, end: i64| {
        let count = |position| u64::try_from(position).unwrap_or(0);
        progress.at(count(read), count(end), P::NAME);
    };
    let rebuilt = projector::rebuild_with::<P>(url, &reader, &CancellationToken::new(), &tell).await;
    progress.end();
    let rebuilt = rebuilt?;
    tracing::info!(
        projection = P::NAME,
        position = rebuilt.position,
        events = rebuilt.events,
        parked = rebuilt.parked,
        "rebuilt and swapped"
    );
    outcome(
        form,
        &serde_json::json!({
            "tool": "rebuild", "projection": P::NAME, "position": rebuilt.position, "events": rebuilt.events,
            "parked": rebuilt.parked,
        }),
    );
    Ok(())
}

async fn broker(settings: &Settings) -> Result<Broker, Failure> {
    let broker = assembly::link(settings, users::ADMIN).await?;
    if broker.wait_connected(PATIENCE).await {
        Ok(broker)
    } else {
        Err("NATS does not answer at the configured address".into())
    }
}
