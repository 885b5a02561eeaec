//! What a tenant used of what its plan allows, a calendar month.

use database::Pool;

/// The usage of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    pool: Pool,
}

impl Usage {
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
