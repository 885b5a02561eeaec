//! Outgoing webhooks: events that are sent to addresses which customers choose, signed as Standard Webhooks
//! 1.0 (github.com/standard-webhooks/standard-webhooks) wants it.
//!
//! A customer's address must never make us call into a network that only we can reach. [`target`] refuses
//! addresses that lead there by themselves, [`resolver`] names that resolve to such an address; which ones
//! are public is decided in [`guard`]. [`sign`] makes secrets and signatures, [`client`] sends, [`schedule`]
//! says when to send again. What is sent to whom, and what is kept of it, is the caller's business.

pub mod client;
pub mod guard;
pub mod resolver;
pub mod schedule;
pub mod sign;
pub mod target;

pub use client::{Delivered, DeliveryError, DeliveryFailure, Message, Outcome, WebhookClient};
pub use guard::{Refused, is_public};
pub use resolver::{Lookup, SystemLookup};
pub use schedule::{ATTEMPTS, next_attempt};
pub use sign::{Secret, SecretError};
pub use target::{Policy, Target, TargetError};
