//! `--embedded`: an own PostgreSQL and NATS as child processes, and keys that are made at the first start.
//! For one machine, for trying out, for the demonstration. A server that ends by itself is started again on
//! the same data and port a few times; then the program ends with an error, so that whatever supervises it
//! learns that something is wrong.

use std::time::{Duration, Instant};

use embedded::{Nats, NatsOptions, Postgres, PostgresOptions};
use messaging::users;
use runtime::Settings;
use tokio_util::sync::CancellationToken;

use crate::{Failure, keys};

/// The children; they end with this.
pub(crate) struct EmbeddedServers {
    postgres: Postgres,
    nats: Nats,
}

/// How often the children are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Starts of one server within [`WINDOW`] before the program gives up: one that was killed by accident needs
/// one; a full disk or too little memory is not cured by more.
const RESTARTS: usize = 3;
/// The time over which starts are counted.
const WINDOW: Duration = Duration::from_secs(600);

/// An embedded server could not be kept running.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// It ended more often than starting it again can help.
    #[error("the embedded {server} ended more than {RESTARTS} times within {} minutes", WINDOW.as_secs() / 60)]
    TooOften {
        /// The server.
        server: &'static str,
        /// How it ended last.
        #[source]
        last: embedded::Error,
    },
    /// It ended and does not start again.
    #[error("the embedded {server} ended and could not be started again")]
    NotAgain {
        /// The server.
        server: &'static str,
        /// Why not.
        #[source]
        cause: embedded::Error,
    },
}

/// Database of the embedded installation.
const DATABASE: &str = "stock_tracker";

impl EmbeddedServers {
    /// Starts both and puts their addresses and keys into the settings.
    pub(crate) async fn start(settings: &mut Settings) -> Result<Self, Failure> {
        let placed = embedded::place(&settings.embedded.data_dir)?;
        if let Some(blocked) = &placed.moved_because_of {
            tracing::info!(
                folder = %placed.folder.display(), blocked = %blocked.display(),
                "data are kept elsewhere, because PostgreSQL's account cannot reach the wanted folder"
            );
        }
        let folder = placed.folder;
        std::fs::create_dir_all(&folder)?;
        let postgres = Postgres::start(PostgresOptions {
            port: settings.embedded.postgres_port,
            ..PostgresOptions::new(folder.join("postgres"))
        })
        .await?;
        let seeds = folder.join("nats-users");
        users::prepare(&seeds)?;
        let nats = Nats::start(NatsOptions {
            port: settings.embedded.nats_port,
            config_file: Some(seeds.join(users::CONF_FILE)),
            ..NatsOptions::new(folder.join("nats"))
        })
        .await?;
        create_database(&postgres.url("postgres")).await?;
        settings.database.url = Some(postgres.url(DATABASE).into());
        settings.broker.url = Some(nats.url().into());
        settings.broker.seed_dir = Some(seeds);
        // The servers are this process's children, on the loopback address.
        settings.broker.ca_file = None;
        settings.transport.require_tls = false;
        if settings.secret_keys.master_keys.is_none() {
            let made = || Ok(vault::MasterKeys::generate()?);
            settings.secret_keys.master_keys = Some(keys::kept(&folder.join("master.key"), made)?);
        }
        if settings.secret_keys.jwt_key.is_none() {
            settings.secret_keys.jwt_key = Some(keys::kept(&folder.join("token.key"), keys::new_token_key)?);
        }
        tracing::info!(
            postgres.port = postgres.port(), nats.port = nats.port(), folder = %folder.display(),
            "embedded servers started"
        );
        Ok(Self { postgres, nats })
    }

    /// Looks after both until `stop`, and starts again what ended by itself.
    ///
    /// # Errors
    /// [`WatchError`] when that does not help; the program is of no use then.
    pub(crate) async fn watch(&self, stop: CancellationToken) -> Result<(), WatchError> {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let (mut postgres, mut nats) = (Starts::default(), Starts::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            if let Some(ended) = self.postgres.ended_unasked() {
                postgres.allow("PostgreSQL", ended)?;
                let started = self.postgres.start_again().await;
                tell("PostgreSQL", started)?;
            }
            if let Some(ended) = self.nats.ended_unasked() {
                nats.allow("NATS", ended)?;
                tell("NATS", self.nats.start_again().await)?;
            }
        }
    }

    /// Stops both in order.
    pub(crate) async fn stop(&self) {
        if let Err(error) = self.nats.stop().await {
            tracing::warn!(error = ?error, "the embedded NATS did not stop in order");
        }
        if let Err(error) = self.postgres.stop().await {
            tracing::warn!(error = ?error, "the embedded PostgreSQL did not stop in order");
        }
    }
}

/// When a server was started again.
#[derive(Default)]
struct Starts(Vec<Instant>);

impl Starts {
    /// Counts one more start after this end, or refuses it.
    fn allow(&mut self, server: &'static str, ended: embedded::Error) -> Result<(), WatchError> {
        let now = Instant::now();
        self.0.retain(|start| now.duration_since(*start) < WINDOW);
        if self.0.len() >= RESTARTS {
            return Err(WatchError::TooOften { server, last: ended });
        }
        self.0.push(now);
        tracing::error!(error = %ended, start = self.0.len(), "an embedded server is started again");
        Ok(())
    }
}

fn tell(server: &'static str, started: Result<(), embedded::Error>) -> Result<(), WatchError> {
    started.map_err(|cause| WatchError::NotAgain { server, cause })?;
    tracing::info!(server, "the embedded server runs again");
    Ok(())
}

async fn create_database(admin_url: &str) -> Result<(), Failure> {
    let client = database::connect(&admin_url.to_owned().into(), None).await?;
    let exists = client
        .query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await?;
    if exists.is_none() {
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
    }
    Ok(())
}
