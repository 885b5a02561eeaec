//! The real program, every role a process of its own, on real servers beside simulated marketplaces: an
//! installation, journeys of a seller, and what must still hold when processes, the broker and the database
//! are killed under load.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, so do its helpers, and what they saw is told"
)]

mod accidents;
mod canaries;
mod checks;
mod compat;
mod deliveries;
mod input;
mod installation;
mod journey;
mod load;
mod process;
mod seller;
mod sheet;
mod traces;
mod world;
