//! The alert policy against a real log: events in, alerts out.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod changes;
mod judging;
mod repeating;
mod uncertain;
mod world;
