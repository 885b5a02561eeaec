//! The tables of billing against a real server.
