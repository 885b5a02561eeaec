//! The binary: wiring only.
