//! Names the one place where a ciphertext may stand. The name is authenticated with the ciphertext, so that a
//! copied row, a swapped column or a restored neighbour fails to open instead of opening as somebody else's.

use events::ids::TenantId;
use uuid::Uuid;

/// Where a ciphertext stands and under which version of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose secret.
    pub tenant: TenantId,
    /// Table, without its schema.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Row inside the tenant.
    pub row: Uuid,
    /// Version of the key it is encrypted under.
    pub key_version: i32,
}

impl Place<'_> {
    /// The canonical form `v1|tenant|table|column|row|key version`. No part can contain the separator: ids
    /// are uuids, numbers are numbers and SQL names come from this crate.
    #[must_use]
    pub fn associated_data(&self) -> Vec<u8> {
        format!(
            "v1|{}|{}|{}|{}|{}",
            self.tenant, self.table, self.column, self.row, self.key_version
        )
        .into_bytes()
    }
}
