//! What Stripe sent, stored once by the id of the event before it is acknowledged.

use database::Pool;

/// The events that Stripe sent. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    pool: Pool,
}

impl Inbox {
    /// Over `pool`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The connections it uses.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }
}
