//! Which customer of Stripe's a user is, and who reads that customer at the moment.

use database::Pool;

/// The customers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    pool: Pool,
}

impl Customers {
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
