//! Each invariant of the design is held by tests that are named in `docs/invariants.md`. A row that names a
//! test which is gone is a promise that nobody keeps.

use crate::code::{parts, words};
use crate::workspace::File;

/// How many there are.
pub const INVARIANTS: usize = 11;

/// Every invariant has a row with at least one test, and every test that is named exists and runs.
#[must_use]
pub fn complaints(page: &str, files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let rows = rows(page);
    for number in 1..=INVARIANTS {
        if !rows
            .iter()
            .any(|row| row.number == number && !row.tests.is_empty())
        {
            complaints.push(format!("docs/invariants.md names no test for invariant {number}"));
        }
    }
    for row in &rows {
        for test in &row.tests {
            let wrong = wrong_test(test, files);
            complaints.extend(wrong.map(|wrong| format!("invariant {}: {wrong}", row.number)));
        }
    }
    complaints
}

/// What is wrong about `path::test_name`, if anything: the test has to be there and to run.
pub(crate) fn wrong_test(test: &str, files: &[File]) -> Option<String> {
    let Some((path, name)) = test.split_once("::") else {
        return Some(format!("`{test}` is not `path::test_name`"));
    };
    match files.iter().find(|file| file.path == path) {
        Some(file) if is_test(&file.text, name) => None,
        Some(_) => Some(format!("{path} has no test `{name}`")),
        None => Some(format!("there is no {path}")),
    }
}

struct Row<'a> {
    number: usize,
    tests: Vec<&'a str>,
}

/// Headings `## 7. …` open a row, bullets that begin with code below it are its tests.
fn rows(page: &str) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let number = heading.split('.').next().and_then(|number| number.parse().ok());
            rows.push(Row {
                number: number.unwrap_or_default(),
                tests: Vec::new(),
            });
        } else if let (Some(row), Some(bullet)) = (rows.last_mut(), line.strip_prefix("- `")) {
            row.tests.extend(bullet.split('`').next());
        }
    }
    rows
}

/// Whether a function of that name stands under a test attribute (or inside the macro that gives it one).
fn is_test(source: &str, name: &str) -> bool {
    let code = parts(source).code;
    words(&code, name).any(|at| {
        let before = code.get(..at).unwrap_or_default().trim_end();
        let Some(before) = before.strip_suffix("fn") else {
            return false;
        };
        let since_last_item = before.rsplit(['}', ';']).next().unwrap_or_default();
        since_last_item.contains("test]") || since_last_item.contains("test(") || code.contains("proptest!")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_with(test: &str) -> String {
        let rows = (1..=INVARIANTS).map(|number| format!("## {number}. Something.\n\n- `{test}`\n"));
        rows.collect()
    }

    fn files() -> Vec<File> {
        let text = "#[test]\nfn holds() {}\nfn help() {}\n\
                    #[tokio::test(flavor = \"multi_thread\")]\nasync fn waits() {}";
        vec![File::new("a/tests/it.rs", text)]
    }

    #[test]
    fn a_page_whose_tests_exist_has_no_complaints() {
        assert_eq!(complaints(&page_with("a/tests/it.rs::holds"), &files()), [""; 0]);
        assert_eq!(complaints(&page_with("a/tests/it.rs::waits"), &files()), [""; 0]);
    }

    #[test]
    fn an_invariant_without_a_test_is_named() {
        let page = page_with("a/tests/it.rs::holds").replace("## 7.", "## 70.");
        assert_eq!(
            complaints(&page, &files()),
            ["docs/invariants.md names no test for invariant 7"]
        );
    }

    #[test]
    fn a_test_that_is_gone_or_is_no_test_is_named() {
        for (wrong, expected) in [
            ("a/tests/it.rs::gone", "has no test `gone`"),
            ("a/tests/it.rs::help", "has no test `help`"),
            ("b/tests/it.rs::holds", "there is no b/tests/it.rs"),
            ("holds", "is not `path::test_name`"),
        ] {
            let complaints = complaints(&page_with(wrong), &files());
            assert!(
                complaints.len() == INVARIANTS && complaints[0].contains(expected),
                "{complaints:?}"
            );
        }
    }
}
