//! The servers that tests share, and servers of a test's own.

use std::path::PathBuf;

use embedded::{Nats, NatsOptions, Postgres, PostgresOptions};
use tokio::sync::OnceCell;

use crate::scratch_folder;

/// A server of one test's own; its folder goes with it. Use it as the server it holds.
#[derive(Debug)]
pub struct Own<Server> {
    // Declared before the folder: the server ends first.
    server: Server,
    _folder: Removed,
}

impl<Server> std::ops::Deref for Own<Server> {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // What cannot be removed now goes with the whole scratch folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The PostgreSQL that all tests of this process share. Starts with the first call; never restart it.
pub async fn postgres() -> &'static Postgres {
    static SHARED: OnceCell<Postgres> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async { start_postgres(fast(scratch_folder("pg"))).await })
        .await
}

/// The nats-server that all tests of this process share: keep apart by subject and stream names. Never
/// restart it.
pub async fn nats() -> &'static Nats {
    static SHARED: OnceCell<Nats> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async { start_nats(NatsOptions::new(scratch_folder("nats"))).await })
        .await
}

/// A PostgreSQL of the test's own, to stop, kill and restart. Not durable against power cuts, but against
/// kills.
pub async fn own_postgres() -> Own<Postgres> {
    own_postgres_with(|_options| {}).await
}

/// As [`own_postgres`], with options changed before the start.
pub async fn own_postgres_with(change: impl FnOnce(&mut PostgresOptions)) -> Own<Postgres> {
    let folder = scratch_folder("own-pg");
    let mut options = fast(folder.clone());
    change(&mut options);
    Own {
        server: start_postgres(options).await,
        _folder: Removed(folder),
    }
}

/// A nats-server of the test's own, to stop, pause, kill, wipe and restart.
pub async fn own_nats() -> Own<Nats> {
    own_nats_with(|_options| {}).await
}

/// As [`own_nats`], with options changed before the start.
pub async fn own_nats_with(change: impl FnOnce(&mut NatsOptions)) -> Own<Nats> {
    let folder = scratch_folder("own-nats");
    let mut options = NatsOptions::new(folder.clone());
    change(&mut options);
    Own {
        server: start_nats(options).await,
        _folder: Removed(folder),
    }
}

/// A port for a server that has to know it before it listens. Never one of those that the kernel gives to
/// outgoing connections: between the choice and the listening, it would give it to one.
pub fn free_port() -> u16 {
    match embedded::free_port("a server of a test") {
        Ok(port) => port,
        Err(error) => panic!("{error}"),
    }
}

/// Options for a server that starts in a fraction of a second: an empty cluster made once per machine and
/// user is copied, and nothing waits for the disk.
fn fast(data_dir: PathBuf) -> PostgresOptions {
    let user =
        std::fs::metadata("/proc/self").map_or(0, |metadata| std::os::unix::fs::MetadataExt::uid(&metadata));
    PostgresOptions {
        durable: false,
        cluster_cache: Some(std::env::temp_dir().join(format!("st-test-cluster-{user}"))),
        ..PostgresOptions::new(data_dir)
    }
}

async fn start_postgres(options: PostgresOptions) -> Postgres {
    match Postgres::start(options).await {
        Ok(server) => server,
        Err(error) => panic!("PostgreSQL for tests: {}", crate::eventually::chain(&error)),
    }
}

async fn start_nats(options: NatsOptions) -> Nats {
    let tools = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    match Nats::start(NatsOptions {
        tools_dir: Some(tools),
        ..options
    })
    .await
    {
        Ok(server) => server,
        Err(error) => panic!("nats-server for tests: {}", crate::eventually::chain(&error)),
    }
}
