//! Buying, changing and ending a plan, against a simulated Stripe. What Stripe sends by itself arrives
//! where a test waits for it; else a customer is read when a test says that news came.

mod buying;
mod changing;
mod invoices;
mod journey;
mod world;

pub(crate) use world::Shop;
