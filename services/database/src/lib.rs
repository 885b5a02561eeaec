//! The only way to PostgreSQL: pools that act as one least-privileged role, transactions that see one tenant,
//! and the migrations. Statements live in the crates whose tables they touch; roles, tenants and error
//! classes live here, so that no other crate can forget them.

mod connections;
mod error;
mod identity;
mod migrate;
mod pool;
mod protection;

pub use connections::{Connections, connect, prove};
pub use error::{DatabaseError, ErrorClass};
pub use identity::IdentityError;
pub use migrate::migrate;
pub use pool::{Pool, Role, Session, TenantSession};
