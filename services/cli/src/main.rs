//! The product's only executable.
fn main() {}
