//! A database for each test, copied from a template that is migrated once per process.
//!
//! Statements that make and drop databases run one after the other on one thread with a runtime of its own:
//! PostgreSQL copies a template only while nobody is connected to it, and a test's runtime is gone when its
//! database is dropped.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::{eventually, postgres};

/// A migrated database to copy from; see [`template`].
#[derive(Debug, Clone)]
pub struct Template {
    database: String,
}

/// A database of one test's own, on the shared server. Dropped in the background when this value is dropped,
/// whoever is still connected.
#[derive(Debug)]
pub struct Database {
    /// Address for the superuser `postgres`.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl Database {
    /// Address for another role of the server (any password is accepted).
    pub async fn url_as(&self, role: &str) -> String {
        postgres().await.url_as(role, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody waits for the answer; a database that stays goes with the server.
        let (reply, _answer) = oneshot::channel();
        order(
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            reply,
        );
    }
}

/// The template `name`: made by `migrate` from an empty database when first asked for in this process.
/// `migrate` gets the superuser's address of that database.
pub async fn template<Migrate, Migration, Failure>(name: &str, migrate: Migrate) -> Template
where
    Migrate: FnOnce(String) -> Migration,
    Migration: Future<Output = Result<(), Failure>>,
    Failure: Display,
{
    static TEMPLATES: LazyLock<Mutex<HashMap<String, Arc<OnceCell<Template>>>>> =
        LazyLock::new(Mutex::default);
    let cell = {
        let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(templates.entry(name.to_owned()).or_default())
    };
    let make = || async {
        let database = format!(
            "template_{}",
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
                .to_lowercase()
        );
        // A test that died half-way may have left a part.
        administer(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
        administer(&format!("CREATE DATABASE {database} TEMPLATE template0")).await;
        if let Err(error) = migrate(postgres().await.url(&database)).await {
            panic!("migration of the template {name}: {error}");
        }
        // Pools close their connections in their own time; nobody may be left when the template is copied.
        administer(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await;
        administer(&format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'"
        ))
        .await;
        Template { database }
    };
    cell.get_or_init(make).await.clone()
}

/// A new database: a copy of `template`, or empty.
pub async fn fresh_database(template: Option<&Template>) -> Database {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let from = template.map_or("template0", |template| template.database.as_str());
    administer(&format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
    Database {
        url: postgres().await.url(&name),
        name,
    }
}

/// A plain connection, driven by the calling test's runtime.
pub async fn connect(url: &str) -> Client {
    match tokio_postgres::connect(url, NoTls).await {
        Ok((client, connection)) => {
            // Its end is seen by the client's next call.
            tokio::spawn(async move { drop(connection.await) });
            client
        }
        Err(error) => panic!("connection to {url}: {}", eventually::chain(&error)),
    }
}

type Order = (String, oneshot::Sender<Result<(), String>>);

/// Sends a statement to the administrating thread, which is started with the first one.
fn order(statement: String, reply: oneshot::Sender<Result<(), String>>) {
    static ORDERS: LazyLock<mpsc::UnboundedSender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::unbounded_channel();
        let run = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(serve(inbox)),
            Err(error) => panic!("no runtime to make databases: {error}"),
        };
        if let Err(error) = std::thread::Builder::new()
            .name("databases".to_owned())
            .spawn(run)
        {
            panic!("no thread to make databases: {error}");
        }
        orders
    });
    // A closed channel drops the reply, and whoever waits for it reports that.
    drop(ORDERS.send((statement, reply)));
}

async fn administer(statement: &str) {
    let (reply, answer) = oneshot::channel();
    order(statement.to_owned(), reply);
    let outcome = answer
        .await
        .unwrap_or_else(|_closed| Err("the thread that makes databases is gone".to_owned()));
    if let Err(error) = outcome {
        panic!("`{statement}`: {error}");
    }
}

async fn serve(mut inbox: mpsc::UnboundedReceiver<Order>) {
    let client = connect(&postgres().await.url("postgres")).await;
    while let Some((statement, reply)) = inbox.recv().await {
        // A dropped receiver means that nobody wanted to know.
        drop(reply.send(execute(&client, &statement).await));
    }
}

/// A connection that has just been closed by its client may still count; that passes.
async fn execute(client: &Client, statement: &str) -> Result<(), String> {
    const PATIENCE: usize = 100;
    let mut left = PATIENCE;
    loop {
        match client.batch_execute(statement).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && left > 0 => left -= 1,
            outcome => return outcome.map_err(|error| eventually::chain(&error)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
