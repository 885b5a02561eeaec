//! Where units lie.

pub mod list;
