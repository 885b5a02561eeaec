//! What was written once can be read for ever: a golden file per version of every event, which **is never
//! edited once it was released**, a JSON schema beside it, and the promises of the decoder.
//!
//! A new event or version needs a sample in [`samples`]; then `UPDATE_GOLDEN=1 cargo test -p events
//! --features schema` writes the files that are missing, and the schemas that differ. It never rewrites a
//! golden file.

mod catalog;
mod decoding;
mod golden;
mod samples;
#[cfg(feature = "schema")]
mod schemas;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::catalog::{ENTRIES, Entry};

/// A folder of this crate.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every version of every event.
fn versions() -> impl Iterator<Item = (&'static Entry, u16)> {
    ENTRIES
        .iter()
        .flat_map(|entry| (1..=entry.version).map(move |version| (entry, version)))
}

/// The names that a folder should hold, and those that it holds.
fn expected_and_found(name: &str, suffix: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let expected = versions()
        .map(|(entry, version)| format!("{}.v{version}.{suffix}", entry.event_type))
        .collect();
    let found = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    (expected, found)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch for whoever runs the tests, no setting of the product"
)]
fn updating() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; UPDATE_GOLDEN=1 writes what is missing",
            path.display()
        )
    })
}
