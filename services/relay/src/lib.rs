//! Store to JetStream, in global order, without a second truth.
//!
//! The stream `EVENTS` is a copy of the log whose sequence *is* the position. That one property carries
//! everything:
//!
//! - **Resume.** The stream's last sequence says where to go on; no checkpoint is kept anywhere ([`mirror`]).
//! - **Fencing.** Every event is published under the condition that the stream ends right before it. A relay
//!   with an outdated view, woken from a pause or running beside another one, is refused by the broker
//!   ([`publisher`]).
//! - **Repair.** Before anything is published after a start, a reconnect or an error, the stream's last event
//!   is compared with the log. A stream that is missing, ahead, foreign or has holes is replaced from the
//!   log.
//!
//! One relay publishes at a time: the holder of a session lock in PostgreSQL ([`leader`]). The lock saves
//! work; it is the condition on every message that keeps the stream right.

pub mod leader;
pub mod mirror;
pub mod observer;
pub mod publisher;
mod relay;
pub mod verify;

pub use leader::{LockConnection, lock_connection};
pub use observer::{Observer, Silent};
pub use publisher::{PublishError, Publisher};
pub use relay::{RelayOptions, run};
pub use verify::{Verified, VerifyError, verify};
