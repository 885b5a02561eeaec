//! Every outgoing HTTP call of the product: it lives apart so that timeouts, size limits, secrets and
//! vendor rate limits are decided once, and so that no other crate needs an HTTP client.
//!
//! Read [`limits`] and [`bucket`] for how often we may ask, [`http`] for how a call is made, [`error`] for
//! what can go wrong and what to do about it, [`marketplace`] for the neutral shapes of what a sync sees,
//! [`wildberries`], [`ozon`], [`google`], [`stripe`] and [`telegram`] for the vendors, and [`webhooks`] for
//! calls to addresses that customers choose.

pub mod bucket;
pub mod error;
pub mod google;
pub mod http;
mod json;
pub mod limits;
pub mod marketplace;
pub mod ozon;
pub mod payload;
mod repeat;
mod scrub;
pub mod stripe;
pub mod telegram;
pub mod webhooks;
pub mod wildberries;
