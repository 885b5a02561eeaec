//! The projector against a real PostgreSQL and a real nats-server: with the broker, without it, with holes in
//! it, beside another projector, and while the read model is rebuilt under it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod following;
mod lost;
mod rebuilding;
mod world;
