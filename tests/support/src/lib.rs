//! Servers, databases and waiting for tests, so that no test has to mock a server or to sleep.
//!
//! One PostgreSQL and one NATS are shared by all tests of one test program (`cargo test` runs them as threads
//! of one process); each test gets a database of its own, copied from a template that the migrations have
//! filled once. A test that wants to kill a server takes one of its own. Everything lives in one scratch
//! folder, which a watching shell removes when the process has ended, however it ended.
//!
//! ```no_run
//! # async fn migrate(_url: String) -> Result<(), std::io::Error> { Ok(()) }
//! # async fn example() {
//! let template = support::template("orders", migrate).await;
//! let database = support::fresh_database(Some(&template)).await;
//! let client = support::connect(&database.url).await;
//! # }
//! ```
//!
//! Everything here panics where it fails: a test without its servers cannot go on.
#![expect(
    clippy::panic,
    reason = "a test without its servers cannot go on, and says why by panicking"
)]

mod databases;
mod eventually;
mod golden;
mod log;
mod pooler;
mod scratch;
mod servers;

pub use databases::{Database, Template, connect, fresh_database, template};
pub use embedded::{Nats, NatsOptions, Postgres, PostgresOptions};
pub use eventually::{SOON, eventually};
pub use golden::golden;
pub use log::broken_log;
pub use pooler::{Pooler, Pooling};
pub use scratch::scratch_folder;
pub use servers::{Own, free_port, nats, own_nats, own_nats_with, own_postgres, own_postgres_with, postgres};
