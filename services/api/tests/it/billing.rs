//! Buying, changing and ending a plan, against a simulated Stripe. What Stripe sends by itself arrives
//! elsewhere; here a customer is read whenever a test says that news came.

mod buying;
mod changing;
mod invoices;
mod world;

pub(crate) use world::Shop;
