//! The tables against a real server.
