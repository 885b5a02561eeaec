//! Outgoing webhooks: [`Reader`] makes messages of events, [`Sender`] brings them to receivers.
//!
//! What is promised: a message is made for every event that an endpoint wants, once, and it is sent until the
//! receiver takes it or the schedule ends. A process that is killed may have sent a message without having
//! noted it; then it is sent again under the same `webhook-id`, by which receivers tell repetitions.

pub mod bodies;
mod opened;
mod reader;
mod sender;

pub use reader::{Reader, ReaderError};
pub use sender::{Sender, SenderError};
