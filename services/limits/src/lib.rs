//! How many requests an address, a user and a tenant may make: sliding windows that all replicas of the API
//! share. What is counted where is decided here; HTTP is not known here.
//!
//! A replica claims a slice of a budget in the bucket `limits` with one guarded write and admits out of it
//! without asking again, so most requests cost no round trip. A slice counts from the moment it is claimed
//! and is worth nothing in the next slot of time, which is why two replicas together never admit more than
//! the limit. What was not used goes back.
//!
//! When the broker is away every replica counts for itself with the same numbers: `n` replicas then admit up
//! to `n` times the limit, and nobody is refused for our trouble. What was admitted meanwhile is entered
//! afterwards.
//!
//! [`LevelPlaces`] is the other direction: where several processes keep the limits of those whom we ask.

mod limiter;
mod places;
mod store;
mod table;
mod window;

pub use limiter::{Decision, Limiter, Observer, Subject};
pub use places::LevelPlaces;
pub use store::{Shared, Store, StoreError};
pub use table::{Quota, Streams, Table, TableError};
pub use window::{SLOTS, Window};
