//! The backup of `deploy/README.md` holds every tenant's rows and comes back on a server that has no roles
//! yet, taken and restored by an owner who is no superuser. The commands are read out of that page.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end the test where they fail"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use database::{Pool, Role};
use support::{Own, Postgres};

/// Events of each tenant, and the two tenants.
const EVENTS: i64 = 3;
const TENANTS: [&str; 2] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
];

async fn server(programs: Option<PathBuf>) -> Own<Postgres> {
    let server = support::own_postgres_with(|options| options.programs = programs).await;
    let admin = support::connect(&server.url("postgres")).await;
    admin
        .batch_execute("CREATE ROLE app LOGIN CREATEROLE")
        .await
        .unwrap();
    admin.batch_execute("CREATE DATABASE st OWNER app").await.unwrap();
    server
}

/// A command of the page, without the backslashes that break its lines.
fn documented(program: &str) -> String {
    let page = include_str!("../../../deploy/README.md").replace("\\\n", " ");
    let line = page.lines().map(str::trim).find(|line| line.starts_with(program));
    line.unwrap_or_else(|| panic!("no {program} in deploy/README.md"))
        .to_owned()
}

/// Runs a documented command with this server's programs of the system.
fn run(program: &str, programs: &Path, url: &str, file: &Path) {
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-ec", &documented(program)]).env("PATH", path);
    shell.env("DATABASE_URL", url).env("BACKUP", file);
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
}

async fn fill(url: &str) {
    let owner = support::connect(url).await;
    for tenant in TENANTS {
        for number in 1..=EVENTS {
            let sql = format!(
                "SET ROLE st_owner; SET app.tenant = '{tenant}'; INSERT INTO core.events (aggregate_type, \
                 aggregate_id, sequence, event_type, event_version, payload, metadata) VALUES ('product', \
                 '{tenant}', {number}, 'product_delisted', '1', '{{}}', json_build_object('tenant_id', '{tenant}'))"
            );
            owner.batch_execute(&sql).await.unwrap();
        }
    }
}

async fn events(url: &str) -> i64 {
    let pool = Pool::open(&url.to_owned().into(), Role::Relay, 1).unwrap();
    let session = pool.get().await.unwrap();
    let asked = "SELECT count(*) FROM core.events";
    session.query_one(asked, &[]).await.unwrap().get(0)
}

/// Every PostgreSQL below `.tools/postgresql`, and the system's.
fn targets() -> Vec<Option<PathBuf>> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/postgresql");
    let found = std::fs::read_dir(tools).into_iter().flatten().flatten();
    let found = found.map(|major| Some(major.path().join("bin").canonicalize().unwrap()));
    std::iter::once(None).chain(found).collect()
}

#[tokio::test]
async fn a_plain_owners_backup_comes_back_on_a_new_server_with_all_tenants() {
    let source = server(None).await;
    let from = source.url_as("app", "st");
    database::migrate(&from.clone().into()).await.unwrap();
    fill(&from).await;
    let file = support::scratch_folder("backup").join("stock-tracker.dump");
    run("pg_dump", source.programs(), &from, &file);
    for programs in targets() {
        let target = server(programs).await;
        let to = target.url_as("app", "st");
        database::make_roles(&to.clone().into()).await.unwrap();
        run("pg_restore", source.programs(), &to, &file);
        assert!(database::migrate(&to.clone().into()).await.unwrap().is_empty());
        assert_eq!(
            events(&to).await,
            EVENTS * i64::try_from(TENANTS.len()).unwrap(),
            "PostgreSQL {}",
            target.version()
        );
        // The guards came back with the rows, and the log goes on.
        let owner = support::connect(&to).await;
        let refused = owner
            .batch_execute("SET ROLE st_owner; DELETE FROM core.events")
            .await;
        assert!(refused.is_err(), "PostgreSQL {}", target.version());
        println!(
            "PostgreSQL {} to {}: restored",
            source.version(),
            target.version()
        );
    }
}

#[tokio::test]
async fn every_table_of_the_write_side_is_open_to_the_backup() {
    let server = server(None).await;
    let url = server.url_as("app", "st");
    database::migrate(&url.clone().into()).await.unwrap();
    let client = support::connect(&url).await;
    let asked = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'core'::regnamespace \
                 AND c.relkind IN ('r', 'p') AND (NOT has_table_privilege('st_backup', c.oid, 'SELECT') \
                 OR c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid \
                 AND p.polname = 'backup'))";
    let closed: Vec<String> = client
        .query(asked, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(closed.is_empty(), "{closed:?}");
}
