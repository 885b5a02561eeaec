//! The simulated Stripe.

mod account;
mod deliveries;
mod pages;
mod rules;
mod subscriptions;
