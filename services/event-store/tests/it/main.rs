//! The contract of the log, held against a real PostgreSQL: what a writer is told, in which order readers see
//! it, and what no writer can do. Each test has a database of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod compat;
mod concurrency;
mod contract;
mod guards;
mod lost_answers;
mod plans;
mod products;
mod proxy;
mod states;
mod tenants;
mod wake;
mod world;
