//! A database's owner who is no superuser migrates, on every PostgreSQL that is installed: the system's, and
//! those below `.tools/postgresql/<major>/bin`.
#![expect(clippy::unwrap_used, reason = "helpers of tests end the test where they fail")]

use std::path::PathBuf;

use database::{DatabaseError, Pool, Role};
use support::{Own, Postgres};

/// Folders of programs; none stands for the system's.
fn installed() -> Vec<Option<PathBuf>> {
    let tools = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/postgresql");
    let found = std::fs::read_dir(tools).into_iter().flatten().flatten();
    let found = found.map(|major| Some(major.path().join("bin").canonicalize().unwrap()));
    std::iter::once(None).chain(found).collect()
}

async fn server(programs: Option<PathBuf>, login: &str) -> Own<Postgres> {
    let server = support::own_postgres_with(|options| options.programs = programs).await;
    let admin = support::connect(&server.url("postgres")).await;
    admin.batch_execute(login).await.unwrap();
    admin.batch_execute("CREATE DATABASE st OWNER app").await.unwrap();
    server
}

#[tokio::test]
async fn an_owner_with_createrole_migrates_and_acts_as_every_role() {
    for programs in installed() {
        let server = server(programs, "CREATE ROLE app LOGIN CREATEROLE").await;
        let url = server.url_as("app", "st").into();
        let applied = database::migrate(&url).await;
        let applied = applied.unwrap_or_else(|error| panic!("PostgreSQL {}: {error:?}", server.version()));
        assert!(!applied.is_empty());
        assert!(database::migrate(&url).await.unwrap().is_empty());
        for role in Role::ALL {
            drop(Pool::open(&url, role, 1).unwrap().get().await.unwrap());
        }
        println!("PostgreSQL {}: migrated by a plain owner", server.version());
    }
}

#[tokio::test]
async fn an_owner_who_may_not_make_roles_gets_the_script_that_an_administrator_runs() {
    let server = server(None, "CREATE ROLE app LOGIN").await;
    let url = server.url_as("app", "st").into();
    let Err(DatabaseError::Administrator { script, .. }) = database::migrate(&url).await else {
        panic!("no script");
    };
    let file = support::scratch_folder("script").join("roles.sql");
    std::fs::write(&file, script).unwrap();
    let mut psql = std::process::Command::new(server.programs().join("psql"));
    psql.arg("--set=ON_ERROR_STOP=1")
        .arg("--file")
        .arg(&file)
        .arg(server.url("postgres"));
    assert!(psql.status().unwrap().success());
    database::migrate(&url).await.unwrap();
}
