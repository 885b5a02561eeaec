//! What a user may do in a tenant, from the tenant's own stream: a role that was taken away a moment ago
//! counts, whatever read models know.

use domain::tenant::Tenant;
use event_store::{Loaded, ReadError};
use events::ids::{TenantId, UserId};
use events::tenant::Role;

use crate::{App, Folded};

/// How a user stands in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// May act as this.
    Member(Role),
    /// The tenant may not use the service for now.
    Suspended,
    /// Not a member, or no such tenant.
    None,
}

/// Looks it up.
///
/// # Errors
/// [`ReadError`] when the stream cannot be read.
pub async fn of(app: &App, tenant_id: TenantId, user_id: UserId) -> Result<Membership, ReadError> {
    let Loaded {
        state: Folded(tenant),
        ..
    } = app
        .states
        .load::<Folded<Tenant>>(tenant_id, tenant_id.uuid())
        .await?;
    Ok(match tenant.members.get(&user_id) {
        _ if !tenant.registered || tenant.erased => Membership::None,
        None => Membership::None,
        Some(_) if tenant.suspended => Membership::Suspended,
        Some(role) => Membership::Member(*role),
    })
}
