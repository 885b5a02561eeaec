//! The simulated Stripe.

mod account;
mod deliveries;
mod rules;
mod subscriptions;
