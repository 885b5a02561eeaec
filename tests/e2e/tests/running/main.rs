//! The real program, `target/debug/stock-tracker`, as child processes beside simulated marketplaces: journeys
//! of a seller, and what must still hold when processes, the broker and the database are killed under load.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, so do its helpers, and what they saw is told"
)]

mod checks;
mod damage;
mod input;
mod installation;
mod journey;
mod load;
mod process;
mod seller;
mod sheet;
mod takeover;
mod torture;
mod world;
