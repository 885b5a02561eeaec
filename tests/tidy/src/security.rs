//! `docs/security.md` maps what this service owes to the tests that prove it, row by row. A row whose test is
//! gone, or that names none and does not say so, is a promise that nobody keeps.

use crate::invariants::wrong_test;
use crate::workspace::File;

/// How many rows the table has.
pub const ITEMS: usize = 40;
/// How a row says that nothing proves it yet.
const UNPROVEN: &str = "no test yet";

/// Every item has one row; a row names tests that exist, or says that there is none.
#[must_use]
pub fn complaints(page: &str, files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for number in 1..=ITEMS {
        let begin = format!("| {number} |");
        let mut rows = page.lines().filter(|line| line.starts_with(&begin));
        let Some(row) = rows.next() else {
            complaints.push(format!("docs/security.md has no row {number}"));
            continue;
        };
        if rows.next().is_some() {
            complaints.push(format!("docs/security.md has row {number} twice"));
        }
        let proof = row
            .trim_end()
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .unwrap_or_default();
        let tests: Vec<&str> = proof
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|code| code.contains("::"))
            .collect();
        if tests.is_empty() && !proof.contains(UNPROVEN) {
            complaints.push(format!(
                "row {number} of docs/security.md names no test and does not say so"
            ));
        }
        let wrong = tests.into_iter().filter_map(|test| wrong_test(test, files));
        complaints.extend(wrong.map(|wrong| format!("row {number} of docs/security.md: {wrong}")));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_with(proof: &str) -> String {
        let rows = (1..=ITEMS).map(|number| format!("| {number} | something | somehow | {proof} |\n"));
        rows.collect()
    }

    fn check(page: &str) -> Vec<String> {
        complaints(
            page,
            &[File::new("a/tests/it.rs", "#[test]\nfn holds() {}\nfn help() {}")],
        )
    }

    #[test]
    fn a_table_whose_tests_exist_or_that_says_what_is_missing_has_no_complaints() {
        assert_eq!(check(&page_with("`a/tests/it.rs::holds`, `make sbom`")), [""; 0]);
        assert_eq!(check(&page_with("no test yet: nothing is sent there")), [""; 0]);
    }

    #[test]
    fn a_row_that_is_missing_or_stands_twice_is_named() {
        let page = page_with("`a/tests/it.rs::holds`");
        assert_eq!(
            check(&page.replace("| 7 |", "| 70 |")),
            ["docs/security.md has no row 7"]
        );
        assert_eq!(check(&page.replace("| 8 |", "| 7 |")).len(), 2);
    }

    #[test]
    fn a_row_without_a_test_or_with_one_that_is_gone_is_named() {
        for (proof, expected) in [
            ("it is so", "names no test and does not say so"),
            ("`make sbom`", "names no test and does not say so"),
            ("`a/tests/it.rs::gone`", "has no test `gone`"),
            ("`a/tests/it.rs::help`", "has no test `help`"),
            (
                "`a/tests/it.rs::holds`, `b/tests/it.rs::holds`",
                "there is no b/tests/it.rs",
            ),
        ] {
            let complaints = check(&page_with(proof));
            assert!(
                complaints.len() == ITEMS && complaints[0].contains(expected),
                "{complaints:?}"
            );
        }
    }
}
