//! Events become notices, notices become messages, messages are delivered: to members by Telegram, to
//! endpoints by HTTP. A notice's id is made from its event and its receiver, so that however often the log is
//! read, a receiver is notified once.

mod kinds;
pub mod webhooks;

pub use kinds::kind_of;
