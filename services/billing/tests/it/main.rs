//! The tables of billing against a real server.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world cannot go on"
)]

mod inbox;
mod sales;
mod usage;
