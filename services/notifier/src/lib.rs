//! Events become notices, notices become messages, messages are delivered: to members by Telegram, to
//! endpoints by HTTP. A notice's id is made from its event and its receiver, so that however often the log is
//! read, a receiver is notified once.
//!
//! For members: [`matter`] says what an event is worth telling and what it makes pointless, [`when`] when a
//! notice is due, [`fan_out`] writes the notices; [`compose`] makes one message of what is due, [`sender`]
//! sends it. [`sheets`] reports sheets that wait for a person.

pub mod buttons;
pub mod compose;
mod fan;
pub mod fan_out;
mod kinds;
pub mod matter;
pub mod sender;
pub mod sheets;
pub mod texts;
pub mod webhooks;
pub mod when;

pub use kinds::kind_of;
