//! `--embedded`: an own PostgreSQL and NATS as child processes, and keys that are made at the first start.
//! For one machine, for trying out, for the demonstration.

use embedded::{Nats, NatsOptions, Postgres, PostgresOptions};
use messaging::users;
use runtime::Settings;

use crate::{Failure, keys};

/// The children; they end with this.
pub(crate) struct EmbeddedServers {
    postgres: Postgres,
    nats: Nats,
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

    /// Stops both in order.
    pub(crate) async fn stop(self) {
        if let Err(error) = self.nats.stop().await {
            tracing::warn!(error = ?error, "the embedded NATS did not stop in order");
        }
        if let Err(error) = self.postgres.stop().await {
            tracing::warn!(error = ?error, "the embedded PostgreSQL did not stop in order");
        }
    }
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
