//! What may happen. Every aggregate is a state, commands, a `decide` that answers a command with events or a
//! named refusal, and an `evolve` that folds events into the state. No I/O, clock or randomness: times and
//! ids arrive in the command. Read one of the files to a customer and they should nod.
//!
//! The aggregates implement [`cqrs_es::Aggregate`] by calling their own `decide` and `evolve` ([`decider`]),
//! which gives them the given/when/then kit. `cqrs-es`'s stores, snapshots and replay are not used.

pub mod alert;
pub mod alert_rules;
pub mod cabinet;
pub mod decider;
pub mod notice;
pub mod plans;
pub mod product;
pub mod schedule;
pub mod sheet;
pub mod subscription;
pub mod sync;
pub mod tenant;
pub mod user;
pub mod webhook_endpoint;

pub use decider::{Decider, Fact};
