//! Stock that is low or gone, and how it was before.

pub mod list;
