//! PostgreSQL and NATS as child processes, so that `--embedded` and the tests need nothing but the two
//! programs.
//!
//! Why not containers: a fresh machine has neither an image nor a daemon, and a test wants to kill, pause and
//! restart a server by its process id. What this crate takes care of:
//!
//! - **root**: PostgreSQL refuses to run as root, so its programs then run as an unprivileged account
//!   ([`place`] says where data must lie so that this account can reach it);
//! - **orphans**: where util-linux' `setpriv` exists, the kernel kills the servers when this process dies,
//!   also by `kill -9`; a data folder that a dead run left behind is taken over, a live one is refused by
//!   name;
//! - **ports**: a port that was demanded and is taken is an error that names it; otherwise a free one is
//!   chosen.
//!
//! Linux only: process tables are read from `/proc`.

mod account;
mod binaries;
mod child;
mod error;
mod nats;
mod ports;
mod postgres;

pub use account::{Placed, place};
pub use binaries::{MINIMUM_NATS, MINIMUM_POSTGRES, NatsProgram, PostgresPrograms, find_nats, find_postgres};
pub use error::Error;
pub use nats::{Nats, NatsOptions};
pub use ports::free as free_port;
pub use postgres::{Postgres, PostgresOptions};
