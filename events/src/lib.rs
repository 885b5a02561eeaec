//! The contract between the write side and everything that reads: what happened, in every version ever
//! written. This crate is pure. It knows no database, no broker and no clock, so that any process, test or
//! audit can decode a log that was written years ago.
//!
//! A **stream** is the history of one thing. The write side appends to it, everybody else folds it:
//!
//! | stream | id | module |
//! |---|---|---|
//! | `tenant` | tenant id | [`tenant`] |
//! | `user` | user id | [`user`] |
//! | `cabinet` | cabinet id | [`cabinet`] |
//! | `sync` | the **cabinet's** id: all attempts of one cabinet are one history, so that "one at a time" is a rule of one stream | [`sync`] |
//! | `product` | derived from cabinet and article, [`ids::ProductId::of`] | [`product`] |
//! | `sheet` | the tenant's id: a tenant has one sheet | [`sheet`] |
//! | `subscription` | the user's id: a user has one contract at a time | [`subscription`] |
//! | `alert_rule` | the tenant's id: all rules of a tenant are one history | [`alert_rule`] |
//! | `alert` | the **product's** id | [`alert`] |
//! | `webhook_endpoint` | endpoint id | [`webhook_endpoint`] |
//!
//! Start at [`catalog`]: the table of every event type and version. [`codec`] turns stored bytes into
//! [`Event`]s and runs the [`upcast`] chain.

pub mod alert;
pub mod alert_rule;
pub mod cabinet;
pub mod catalog;
pub mod codec;
pub mod envelope;
pub mod ids;
pub mod product;
pub mod sheet;
pub mod subject;
pub mod subscription;
pub mod sync;
pub mod tenant;
pub mod upcast;
pub mod user;
pub mod webhook_endpoint;

pub use catalog::{Event, StreamType};
pub use codec::{DecodeError, Decoded};
pub use envelope::{Metadata, NewEvent, Recorded};

#[cfg(test)]
mod tests;
