//! The rules of the workspace as tests, because a rule that nothing checks is broken within a month and a
//! page that nothing checks lies within two.
//!
//! Every rule is a function from texts to a list of complaints, so that its own tests can show it a text that
//! breaks it. `tests/rules.rs` puts the real workspace before all of them. A complaint names the place and
//! what to do.
//!
//! - [`graph`]: which crate may use which, which package only one crate may use, the walls between sides;
//! - [`manifests`]: what every manifest has;
//! - [`source`]: what every Rust file has and has not;
//! - [`sql`]: what may stand in the texts of statements;
//! - [`events`]: golden files, schemas and words of every event;
//! - [`docs`]: what the pages name exists;
//! - [`invariants`]: each invariant of the design has tests that exist;
//! - [`security`]: each row of the table of security has tests that exist, or says that it has none;
//! - [`recipes`]: Makefile, image, composition;
//! - [`leaks`]: names that do not belong in a tracked file.

pub mod code;
pub mod docs;
pub mod events;
pub mod graph;
pub mod invariants;
pub mod leaks;
pub mod manifests;
pub mod recipes;
pub mod security;
pub mod source;
pub mod sql;
pub mod workspace;
