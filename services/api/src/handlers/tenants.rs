//! The caller's own business.

pub mod members;
pub mod rename;
pub mod show;

use application::domain::tenant::TenantRefusal;

use crate::problem::{Code, Problem};

/// What a tenant's refusal is called.
pub(crate) fn tenant_refusal(refusal: &TenantRefusal) -> Problem {
    match refusal {
        TenantRefusal::Suspended => Problem::new(Code::TenantSuspended, refusal.to_string()),
        TenantRefusal::NotRegistered => Problem::not_found("tenant"),
        TenantRefusal::NotMember => Problem::not_found("member"),
        TenantRefusal::AboveOwnRole => Problem::new(Code::Forbidden, refusal.to_string()),
        TenantRefusal::UnknownTimeZone => Problem::invalid_field("#/time_zone", refusal.to_string()),
        TenantRefusal::LastOwner => Problem::new(Code::LastOwner, refusal.to_string()),
        TenantRefusal::AlreadyMember | TenantRefusal::AlreadyRegistered => {
            Problem::new(Code::Conflict, refusal.to_string())
        }
    }
}
