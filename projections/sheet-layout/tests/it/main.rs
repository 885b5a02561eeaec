//! The layout seen from outside: what a first write looks like, and what must hold whatever a seller does to the sheet.

mod accounting;
mod codec;
mod model;
mod properties;
mod seller;
mod worked_example;
mod world;
