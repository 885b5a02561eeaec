//! The checkout that a user may still pay: one at a time, so that nothing is paid twice.

use database::Pool;

/// The open checkouts of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Checkouts {
    pool: Pool,
}

impl Checkouts {
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
