//! The caller's own business.

pub mod rename;
pub mod show;
