//! The simulated Stripe.

mod account;
mod subscriptions;
