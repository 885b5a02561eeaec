//! `kill -9` of the parent takes the servers with it, so that no run leaves a port or a data folder occupied.
//!
//! A program of its own without the test harness: it starts itself as the parent to be killed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test"
)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use embedded::{Nats, NatsOptions, Postgres, PostgresOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.as_slice() {
        [_, hold, folder] if hold == "hold" => hold_servers(Path::new(folder)).await,
        _ => servers_die_with_a_parent_that_is_killed().await,
    }
}

async fn start(folder: &Path) -> (Postgres, Nats) {
    let postgres = PostgresOptions {
        durable: false,
        ..PostgresOptions::new(folder.join("pg"))
    };
    (
        Postgres::start(postgres).await.unwrap(),
        Nats::start(NatsOptions::new(folder.join("nats"))).await.unwrap(),
    )
}

async fn hold_servers(folder: &Path) {
    let (postgres, nats) = start(folder).await;
    println!("{} {}", postgres.pid().unwrap(), nats.pid().unwrap());
    std::future::pending::<()>().await;
}

async fn servers_die_with_a_parent_that_is_killed() {
    let open = std::fs::Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new()
        .prefix("orphans-")
        .permissions(open)
        .tempdir()
        .unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut parent = command
        .arg("hold")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = String::new();
    BufReader::new(parent.stdout.take().unwrap())
        .read_line(&mut pids)
        .unwrap();
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2, "the parent told no process numbers");
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    parent.kill().unwrap();
    parent.wait().unwrap();

    let start_of_wait = Instant::now();
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(
            start_of_wait.elapsed() < Duration::from_secs(20),
            "servers outlive their parent: {pids:?}"
        );
        tokio::task::yield_now().await;
    }
    // And the next run continues at once on the same folders.
    drop(start(folder.path()).await);
    println!("servers die with a parent that is killed ... ok");
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, fields)| fields.chars().next().expect("a state"));
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
