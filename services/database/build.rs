//! A migration that was added has to be embedded; without this, only a change of a source file is noticed.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/core");
}
