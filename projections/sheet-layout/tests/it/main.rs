//! The layout seen from outside: what a first write looks like, and what must hold whatever a seller does to
//! the sheet.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure"
)]

mod accounting;
mod codec;
mod decorations;
mod export;
mod left_out;
mod migrate;
mod model;
mod names;
mod properties;
mod seller;
mod size;
mod sizes;
mod views;
mod worked_example;
mod world;
