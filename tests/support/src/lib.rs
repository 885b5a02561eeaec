//! Servers and databases for tests.
