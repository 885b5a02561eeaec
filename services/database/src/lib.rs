//! The only way to PostgreSQL: pools that act as one least-privileged role, transactions that see one tenant,
//! and the migrations. Statements live in the crates whose tables they touch; roles, tenants and error
//! classes live here, so that no other crate can forget them.

mod connections;
mod error;
mod identity;
mod migrate;
mod pool;
mod protection;
mod roles;

pub use connections::{connect, prove};
pub use error::{DatabaseError, ErrorClass};
pub use identity::IdentityError;
pub use migrate::{make_roles, migrate};
pub use pool::{Pool, Role, Session, TenantSession};
