//! The list of migrations is embedded for `doctor` and `migrate`; without this, only a change of a source
//! file is noticed.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/core");
}
