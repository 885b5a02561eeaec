//! The worst that can happen to a broker, done to a real one: after all of it the stream is again a copy of
//! the log, event by event, in order, from its first to its last.
#![expect(clippy::unwrap_used, reason = "helpers of tests end the test where they fail")]

mod broken_store;
mod fencing;
mod journal;
mod restarts;
mod world;
