//! No test yet.
