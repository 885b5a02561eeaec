//! The tools of the real program against real servers, killed in the middle of their work where they write.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world cannot go on"
)]

mod admin;
mod catalogue;
mod doctor;
mod erase;
mod installed;
mod keys;
mod payloads;
mod progress;
mod series;
mod sheets;
