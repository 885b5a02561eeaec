//! Messages against simulated receivers.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world cannot go on"
)]

mod webhooks;
mod webhooks_killed;
mod webhooks_world;
