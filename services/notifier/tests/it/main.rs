//! Messages against simulated receivers.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world cannot go on"
)]

mod delivery;
mod fan_out;
mod kills;
mod sheets;
mod webhooks;
mod webhooks_killed;
mod webhooks_world;
mod world;
