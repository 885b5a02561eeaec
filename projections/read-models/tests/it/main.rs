//! Read models held against a real PostgreSQL: events to rows, whatever the batches, whoever asks, and
//! whatever in the log cannot be applied. Each test has a database of its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod absences;
mod alerts;
mod bulk;
mod determinism;
mod erasure;
mod excluded;
mod fencing;
mod held;
mod inventory;
mod isolation;
mod known;
mod large;
mod names;
mod operations;
mod pace;
mod parking;
mod world;
