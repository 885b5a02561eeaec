//! The promises made to test authors, checked on the real servers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use support::{SOON, eventually};

async fn migrate(url: String) -> Result<(), tokio_postgres::Error> {
    support::connect(&url)
        .await
        .batch_execute("CREATE TABLE seed AS SELECT 7 AS number")
        .await
}

async fn numbers(url: &str) -> Vec<i32> {
    let rows = support::connect(url)
        .await
        .query("SELECT number FROM seed ORDER BY number", &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn each_test_gets_a_migrated_database_of_its_own() {
    let template = support::template("own", migrate).await;
    let (one, other) = tokio::join!(
        support::fresh_database(Some(&template)),
        support::fresh_database(Some(&template))
    );
    support::connect(&one.url)
        .await
        .batch_execute("INSERT INTO seed VALUES (8)")
        .await
        .unwrap();
    assert_eq!(numbers(&one.url).await, [7, 8]);
    assert_eq!(numbers(&other.url).await, [7]);
}

#[tokio::test]
async fn a_template_is_migrated_once_however_many_tests_ask() {
    let never = |_url: String| async { Err::<(), _>("migrated twice") };
    support::template("once", migrate).await;
    support::template("once", never).await;
}

#[tokio::test]
async fn a_dropped_database_goes_away_though_somebody_is_connected() {
    let database = support::fresh_database(None).await;
    let client = support::connect(&database.url).await;
    let name = database.name.clone();
    drop(database);
    let admin = support::connect(&support::postgres().await.url("postgres")).await;
    eventually("the database is dropped", SOON, async || {
        let found = admin
            .query("SELECT FROM pg_database WHERE datname = $1", &[&name])
            .await
            .unwrap();
        if found.is_empty() {
            Ok(())
        } else {
            Err(format!("{name} exists"))
        }
    })
    .await;
    assert!(client.simple_query("SELECT 1").await.is_err());
}

#[test]
fn shared_servers_outlive_the_runtime_that_started_them() {
    let ports = [(); 2].map(|()| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { (support::postgres().await.port(), support::nats().await.port()) })
    });
    assert_eq!(ports[0], ports[1]);
    let (postgres, nats) = ports[1];
    for port in [postgres, nats] {
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
}

#[tokio::test]
async fn own_servers_are_private_and_start_fast() {
    support::postgres().await;
    let start = Instant::now();
    let (postgres, nats) = tokio::join!(support::own_postgres(), support::own_nats());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    println!("own servers took {:?}", start.elapsed());
    assert_ne!(postgres.port(), support::postgres().await.port());
    assert_ne!(nats.port(), support::nats().await.port());
    postgres.kill().await.unwrap();
    postgres.start_again().await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "not seen within 0.1 s: a blue moon; last state: it is white")]
async fn a_wait_in_vain_reports_the_last_state() {
    eventually("a blue moon", Duration::from_millis(100), async || {
        Err::<(), _>("it is white".to_owned())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "the probe itself did not answer")]
async fn a_wait_for_a_probe_that_hangs_ends_too() {
    eventually(
        "an answer",
        Duration::from_millis(50),
        std::future::pending::<Result<(), String>>,
    )
    .await;
}

#[test]
#[should_panic(expected = "in line 2\n  wanted: b\n  actual: c")]
fn a_golden_file_that_differs_shows_the_first_line_that_does() {
    let file = support::scratch_folder("golden").join("text");
    std::fs::write(&file, "a\nb\n").unwrap();
    support::golden(file, "a\nc\n");
}
