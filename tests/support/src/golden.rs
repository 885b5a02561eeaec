//! Compares with a file that is checked in, or rewrites it when asked to.

use std::path::Path;

/// Compares `actual` with the file at `path` (from the crate's folder, where `cargo test` stands). With
/// `UPDATE_GOLDEN=1` in the environment the file is written instead, to be looked at and committed.
#[track_caller]
pub fn golden(path: impl AsRef<Path>, actual: &str) {
    let path = path.as_ref();
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for whoever runs the tests, no setting of the product"
    )]
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    if update {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = made.and_then(|()| std::fs::write(path, actual)) {
            panic!("golden file {} cannot be written: {error}", path.display());
        }
        return;
    }
    let wanted = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => panic!(
            "golden file {}: {error}; UPDATE_GOLDEN=1 writes it",
            path.display()
        ),
    };
    if wanted != actual {
        let line = wanted
            .lines()
            .zip(actual.lines())
            .take_while(|(wanted, actual)| wanted == actual)
            .count();
        let at = |text: &str| text.lines().nth(line).unwrap_or("(end of text)").to_owned();
        panic!(
            "differs from golden file {} in line {}\n  wanted: {}\n  actual: {}\n\
             UPDATE_GOLDEN=1 accepts the change",
            path.display(),
            line + 1,
            at(&wanted),
            at(actual)
        );
    }
}
