//! PostgreSQL: survives kills, refuses a folder in use, takes over a dead one.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use embedded::{Error, Postgres, PostgresOptions};
use tokio_postgres::{Client, NoTls};

use crate::scratch;

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move {
        // The server is killed below it on purpose.
        drop(connection.await);
    });
    client
}

#[tokio::test]
async fn a_server_keeps_committed_rows_over_every_way_to_stop_it() {
    let folder = scratch();
    let server = Postgres::start(PostgresOptions::new(folder.path().join("pg")))
        .await
        .unwrap();
    let (url, port) = (server.url("postgres"), server.port());
    connect(&url)
        .await
        .batch_execute("CREATE TABLE kept (step text)")
        .await
        .unwrap();
    for step in ["stop", "stop_immediate", "kill"] {
        let client = connect(&url).await;
        client
            .execute("INSERT INTO kept VALUES ($1)", &[&step])
            .await
            .unwrap();
        match step {
            "stop" => server.stop().await.unwrap(),
            "stop_immediate" => server.stop_immediate().await.unwrap(),
            _ => server.kill().await.unwrap(),
        }
        assert_eq!(server.pid(), None);
        assert!(
            tokio_postgres::connect(&url, NoTls).await.is_err(),
            "still accepts after {step}"
        );
        server.start_again().await.unwrap();
        assert_eq!(server.port(), port);
    }
    let rows = connect(&url)
        .await
        .query("SELECT step FROM kept", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn a_running_server_is_not_started_twice_and_a_second_owner_is_told_who_has_the_folder() {
    let folder = scratch();
    let options = PostgresOptions {
        durable: false,
        ..PostgresOptions::new(folder.path().join("pg"))
    };
    let server = Postgres::start(options.clone()).await.unwrap();
    assert!(matches!(
        server.start_again().await,
        Err(Error::AlreadyRunning { .. })
    ));
    let error = Postgres::start(options).await.unwrap_err();
    assert!(
        matches!(error, Error::InUse { pid, .. } if Some(pid) == server.pid()),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_of_a_dead_run_is_taken_over_though_its_process_number_lives_again() {
    let folder = scratch();
    let options = PostgresOptions {
        durable: false,
        ..PostgresOptions::new(folder.path().join("pg"))
    };
    let server = Postgres::start(options.clone()).await.unwrap();
    server.kill().await.unwrap();
    drop(server);
    let lock = folder.path().join("pg/cluster/postmaster.pid");
    let stale = std::fs::read_to_string(&lock).unwrap();
    let (_, rest) = stale.split_once('\n').unwrap();
    std::fs::write(&lock, format!("{}\n{rest}", std::process::id())).unwrap();
    Postgres::start(options).await.unwrap();
}

#[tokio::test]
async fn a_stale_lock_of_the_socket_that_names_a_living_process_keeps_nothing_from_starting() {
    let folder = scratch();
    let options = |name: &str| PostgresOptions {
        durable: false,
        ..PostgresOptions::new(folder.path().join(name))
    };
    // Of the same account: a process of another one is not believed to be the server.
    let other = Postgres::start(options("other")).await.unwrap();
    let server = Postgres::start(options("pg")).await.unwrap();
    server.kill().await.unwrap();
    let lock = folder.path().join(format!("pg/.s.PGSQL.{}.lock", server.port()));
    let stale = std::fs::read_to_string(&lock).unwrap();
    let (_, rest) = stale.split_once('\n').unwrap();
    std::fs::write(&lock, format!("{}\n{rest}", other.pid().unwrap())).unwrap();
    server.start_again().await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_by_itself_says_so_and_one_that_was_stopped_does_not() {
    let folder = scratch();
    let options = PostgresOptions {
        durable: false,
        ..PostgresOptions::new(folder.path().join("pg"))
    };
    let server = Postgres::start(options).await.unwrap();
    assert!(server.ended_unasked().is_none());
    let pid = server.pid().unwrap().to_string();
    let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
    assert!(killed.unwrap().success());
    let began = std::time::Instant::now();
    let ended = loop {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(20),
            "it is not seen"
        );
        match server.ended_unasked() {
            Some(ended) => break ended,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(matches!(ended, Error::Ended { .. }), "{ended}");
    server.start_again().await.unwrap();
    server.stop().await.unwrap();
    assert!(server.ended_unasked().is_none());
}

#[tokio::test]
async fn a_demanded_port_that_is_taken_is_named() {
    let folder = scratch();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let options = PostgresOptions {
        port: Some(port),
        ..PostgresOptions::new(folder.path().join("pg"))
    };
    let error = Postgres::start(options).await.unwrap_err();
    assert!(
        matches!(error, Error::PortTaken { port: named, .. } if named == port),
        "{error}"
    );
}

#[tokio::test]
async fn servers_that_start_together_share_a_cluster_made_once() {
    let folder = scratch();
    let cache = folder.path().join("cache");
    let start = |name: &str| {
        let cluster_cache = Some(cache.clone());
        let options = PostgresOptions::new(folder.path().join(name));
        Postgres::start(PostgresOptions {
            durable: false,
            cluster_cache,
            ..options
        })
    };
    let (one, other) = tokio::join!(start("one"), start("other"));
    let (one, other) = (one.unwrap(), other.unwrap());
    connect(&one.url("postgres"))
        .await
        .batch_execute("CREATE TABLE mine ()")
        .await
        .unwrap();
    assert!(
        connect(&other.url("postgres"))
            .await
            .batch_execute("TABLE mine")
            .await
            .is_err()
    );
    assert_eq!(
        std::fs::read_dir(&cache).unwrap().count(),
        1,
        "a half-made cluster was left"
    );
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let folder = scratch();
    let server = Postgres::start(PostgresOptions::new(folder.path().join("pg")))
        .await
        .unwrap();
    let url = server.url("postgres");
    drop(server);
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}

#[test]
fn root_is_told_of_a_folder_that_the_other_account_cannot_reach_and_offered_another() {
    let closed = scratch();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = closed.path().join("data");
    let placed = embedded::place(&wanted).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        assert_eq!(placed.folder, wanted);
        return;
    }
    assert_eq!(placed.moved_because_of.as_deref(), Some(closed.path()));
    assert!(placed.folder.starts_with("/var/lib/stock-tracker"), "{placed:?}");
    assert_eq!(embedded::place(&wanted).unwrap(), placed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime
        .block_on(Postgres::start(PostgresOptions::new(&wanted)))
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}
