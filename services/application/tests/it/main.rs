//! The use cases on a real PostgreSQL, under the roles that run them: a command that comes again is answered
//! like the first time, and nothing that opens a seller's account gets into the log.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod credentials;
mod erasure;
mod observations;
mod plan_limits;
mod reconnecting;
mod registration;
mod repetition;
mod syncs;
mod world;
