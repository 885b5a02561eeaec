//! `stock-tracker keys`, killed with signal 9 between any two of its statements, while other processes seal
//! and open: no secret is ever unreadable, and the next run finishes what the dead one began.

use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use database::{Pool, Role};
use events::ids::{CredentialId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use support::{SOON, eventually};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

const TENANTS: u128 = 12;
const SECRETS: u128 = 10;

struct World {
    database: support::Database,
    ring: SecretString,
    admin: Client,
}

async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let admin = support::connect(&database.url).await;
    let first = MasterKeys::generate().unwrap();
    let world = World {
        database,
        ring: first,
        admin,
    };
    let vault = world.vault(Role::Api);
    for (tenant, number) in places() {
        vault
            .seal(
                tenant,
                credential(number),
                "wildberries_token",
                &secret(tenant, number),
            )
            .await
            .unwrap();
    }
    world
}

fn places() -> impl Iterator<Item = (TenantId, u128)> {
    (1..=TENANTS)
        .flat_map(|tenant| (1..=SECRETS).map(move |number| (TenantId(Uuid::from_u128(tenant)), number)))
}

fn credential(number: u128) -> CredentialId {
    CredentialId(Uuid::from_u128(number))
}

fn secret(tenant: TenantId, number: u128) -> SecretString {
    format!("{tenant}/{number}").into()
}

impl World {
    fn vault(&self, role: Role) -> Vault {
        let pool = Pool::open(&self.database.url.clone().into(), role, 4).unwrap();
        Vault::new(pool, MasterKeys::parse(&self.ring).ok().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stock-tracker"));
        command
            .arg("keys")
            .args(arguments)
            .env("DATABASE_URL", &self.database.url)
            .env("ST_MASTER_KEY", self.ring.expose_secret())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the tool, waits until it stands before a row that this holds locked, and kills it there.
    async fn kill_before(&self, arguments: &[&str], row: &str) {
        let mut blocker = support::connect(&self.database.url).await;
        let transaction = blocker.transaction().await.unwrap();
        transaction
            .query_one(&format!("{row} FOR UPDATE"), &[])
            .await
            .unwrap();
        let mut child: Child = self.command(arguments).spawn().unwrap();
        eventually("the tool stands before the row", SOON, || async {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND application_name = 'st_keys'
                              AND wait_event_type = 'Lock'";
            let waiting: i64 = self.admin.query_one(waiting, &[]).await.unwrap().get(0);
            if waiting > 0 {
                Ok(())
            } else {
                Err("it does not wait".to_owned())
            }
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        transaction.rollback().await.unwrap();
    }

    async fn assert_all_open(&self) {
        let vault = self.vault(Role::Worker);
        for (tenant, number) in places() {
            let opened = vault
                .open(tenant, credential(number))
                .await
                .map_err(|error| error.to_string());
            assert_eq!(
                opened
                    .as_ref()
                    .map(SecretString::expose_secret)
                    .map_err(String::as_str),
                Ok(secret(tenant, number).expose_secret())
            );
        }
    }

    async fn count(&self, of: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {of}");
        self.admin.query_one(&count, &[]).await.unwrap().get(0)
    }
}

/// Others at work: each seals and opens one secret of a tenant, over and over.
struct Others {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<u64>,
}

impl Others {
    fn start(world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for tenant in [1_u128, 5, TENANTS] {
            let (sealing, opening) = (world.vault(Role::Api), world.vault(Role::Worker));
            let stop = stop.clone();
            tasks.spawn(async move {
                let tenant = TenantId(Uuid::from_u128(tenant));
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    let secret = secret(tenant, SECRETS);
                    sealing
                        .seal(tenant, credential(SECRETS), "wildberries_token", &secret)
                        .await
                        .unwrap();
                    let opened = opening.open(tenant, credential(SECRETS)).await.unwrap();
                    assert_eq!(opened.expose_secret(), secret.expose_secret());
                    rounds += 1;
                }
                rounds
            });
        }
        Self { stop, tasks }
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(rounds) = self.tasks.join_next().await {
            assert!(rounds.unwrap() > 0);
        }
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_rotation_of_data_keys_loses_nothing_and_is_finished_by_the_next_run() {
    let world = world().await;
    let others = Others::start(&world);
    for (tenant, number) in [(1, 1), (1, 7), (4, 2), (8, 9), (12, 9)] {
        let row = format!(
            "SELECT * FROM core.credentials WHERE tenant_id = '{}' AND credential_id = '{}'",
            Uuid::from_u128(tenant),
            Uuid::from_u128(number)
        );
        world.kill_before(&["rotate-data"], &row).await;
        world.assert_all_open().await;
        assert!(
            world.count("core.key_rotations").await > 0,
            "nothing was left to be done"
        );
        assert_eq!(world.run(&["status"]).status.code(), Some(1));
    }
    let done = world.run(&["rotate-data"]);
    assert!(done.status.success(), "{}", said(&done));
    others.end().await;
    world.assert_all_open().await;
    assert_eq!(world.count("core.tenant_keys WHERE version <> 2").await, 0);
    assert_eq!(world.count("core.destroyed_keys WHERE version = 1").await, 12);
    let verified = world.run(&["verify"]);
    assert!(
        said(&verified).contains("120 secrets open, 0 do not"),
        "{}",
        said(&verified)
    );
    let status = world.run(&["status"]);
    assert!(status.status.success(), "{}", said(&status));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_rotation_of_the_master_key_loses_nothing_and_is_finished_by_the_next_run() {
    let mut world = world().await;
    let generated = said(&world.run(&["generate", "--version", "2"]));
    let second = generated
        .lines()
        .find_map(|line| line.strip_prefix("ST_MASTER_KEY="))
        .unwrap();
    assert!(second.starts_with("v2:"));
    world.ring = format!("{},{second}", world.ring.expose_secret()).into();
    let others = Others::start(&world);
    for tenant in [1, 2, 7, 12] {
        let tenant = Uuid::from_u128(tenant);
        let row = format!("SELECT * FROM core.tenant_keys WHERE tenant_id = '{tenant}'");
        world.kill_before(&["rotate-master"], &row).await;
        world.assert_all_open().await;
        let left = said(&world.run(&["status"]));
        assert!(left.contains("under master key v1"), "{left}");
    }
    let done = world.run(&["rotate-master"]);
    assert!(done.status.success(), "{}", said(&done));
    others.end().await;
    world.ring = second.into();
    world.assert_all_open().await;
    let listed = said(&world.run(&["list"]));
    assert!(!listed.contains(second) && listed.contains("v2 "), "{listed}");
}

#[tokio::test]
async fn one_tenant_gets_a_new_key_and_the_others_keep_theirs() {
    let world = world().await;
    let tenant = Uuid::from_u128(3).to_string();
    let done = world.run(&["rotate-data", "--tenant", &tenant]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(world.count("core.tenant_keys WHERE version = 2").await, 1);
    assert_eq!(
        world.run(&["rotate-data", "--tenant", "3"]).status.code(),
        Some(2)
    );
    let due = said(&world.run(&["rotate-data", "--due"]));
    assert!(due.starts_with("0 tenants"), "{due}");
}
