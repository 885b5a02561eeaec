//! What every Rust file has and has not. Rules that a lint of the compiler can express are lints in the
//! manifest of the workspace; here is the rest.

use crate::code::{Parts, bracketed, line_of, parts, words};
use crate::workspace::File;

/// Longest file, in lines.
pub const LINES: usize = 600;
/// Longest line, in characters.
pub const COLUMNS: usize = 110;
/// Longest line that holds a text in quotes or a row of a table.
pub const COLUMNS_UNBROKEN: usize = 145;

/// All rules of this module on one file.
#[must_use]
pub fn complaints(file: &File) -> Vec<String> {
    let parts = parts(&file.text);
    let rules = [
        no_header(file),
        too_long(file),
        is_mod_rs(file),
        ignored_tests(&parts),
        sleeping_tests(file, &parts),
        nameless_todos(&parts),
        expectations_without_reason(&parts),
        environment_readers(file, &parts),
        causes_told_twice(&file.text),
    ];
    let found = rules.into_iter().flatten();
    found.map(|text| format!("{}{text}", file.path)).collect()
}

fn no_header(file: &File) -> Vec<String> {
    let fine = file.text.starts_with("//! ");
    let text = ": the first line is no `//!` that says why the file exists";
    if fine { Vec::new() } else { vec![text.to_owned()] }
}

fn too_long(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = file.text.lines().count();
    if lines > LINES {
        complaints.push(format!(
            ": {lines} lines, at most {LINES}: split it by what changes together"
        ));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let columns = line.chars().count();
        let most = widest(line);
        if columns > most {
            complaints.push(format!(":{number}: {columns} characters, at most {most}"));
        }
    }
    complaints
}

/// A text in quotes and a row of a table are not broken for the width's sake; they get some room, not all.
fn widest(line: &str) -> usize {
    let unbreakable = line.contains('"') || line.ends_with('\\') || line.trim_start().starts_with("//! |");
    if unbreakable { COLUMNS_UNBROKEN } else { COLUMNS }
}

fn is_mod_rs(file: &File) -> Vec<String> {
    let named = file.path.ends_with("/mod.rs");
    let text = ": a module `x` begins in `x.rs`, beside its folder";
    if named { vec![text.to_owned()] } else { Vec::new() }
}

fn ignored_tests(parts: &Parts) -> Vec<String> {
    let places = words(&parts.code, "ignore").filter(|at| {
        let before = parts.code.get(..*at).unwrap_or_default();
        before.trim_end().ends_with("#[")
    });
    places
        .map(|at| {
            format!(
                ":{}: a test that does not run tests nothing",
                line_of(&parts.code, at)
            )
        })
        .collect()
}

/// Tests wait for states. Where a pause is the behaviour under test and nothing is asserted by its length,
/// the line before says so: `// pause: why`.
fn sleeping_tests(file: &File, parts: &Parts) -> Vec<String> {
    if file.path.starts_with("tests/support/") {
        return Vec::new();
    }
    let all_is_test = is_test_code(&file.path);
    let regions = test_regions(&parts.code);
    let comments: Vec<&str> = parts.comments.lines().collect();
    let explained = |line: usize| {
        let near = comments.get(line.saturating_sub(2)..line).unwrap_or_default();
        near.iter().any(|comment| comment.contains("// pause: "))
    };
    let calls = words(&parts.code, "sleep").chain(words(&parts.code, "sleep_until"));
    let calls = calls.filter(|at| called(&parts.code, *at));
    let in_tests =
        calls.filter(|at| all_is_test || regions.iter().any(|(from, to)| (from..to).contains(&at)));
    let lines = in_tests.map(|at| line_of(&parts.code, at));
    lines
        .filter(|line| !explained(*line))
        .map(|line| format!(":{line}: a test waits for a state, never for time: `support::eventually`"))
        .collect()
}

/// Whether everything in the file is compiled for tests only. The simulators and the benchmark are programs
/// of their own, whose pauses are their work.
pub(crate) fn is_test_code(path: &str) -> bool {
    let beside_the_product = path.strip_prefix("tests/").unwrap_or(path);
    beside_the_product.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("tests/e2e/")
}

/// Whether the word at this offset is followed by the bracket of a call.
fn called(code: &str, at: usize) -> bool {
    let rest = code.get(at..).unwrap_or_default();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    rest.trim_start().starts_with('(')
}

/// Offsets from and to of the modules that are only compiled for tests.
pub(crate) fn test_regions(code: &str) -> Vec<(usize, usize)> {
    let mut regions = Vec::new();
    for (at, found) in code.match_indices("#[cfg(test)]") {
        let after = at + found.len();
        let rest = code.get(after..).unwrap_or_default();
        let Some(open) = rest.find(['{', ';']) else {
            continue;
        };
        if let Some(body) = bracketed(code, after + open) {
            regions.push((after + open, after + open + body.len()));
        }
    }
    regions
}

fn nameless_todos(parts: &Parts) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(parts.comments.lines()) {
        for word in ["TODO", "FIXME", "XXX"] {
            for at in words(line, word) {
                let rest = line.get(at + word.len()..).unwrap_or_default();
                let has_number = rest
                    .strip_prefix("(#")
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                if !has_number {
                    complaints.push(format!(
                        ":{number}: {word} without the number of an issue, `{word}(#7)`"
                    ));
                }
            }
        }
    }
    complaints
}

fn expectations_without_reason(parts: &Parts) -> Vec<String> {
    let mut complaints = Vec::new();
    for at in words(&parts.code, "expect") {
        let before = parts.code.get(..at).unwrap_or_default().trim_end();
        let is_attribute =
            before.ends_with("#[") || before.ends_with("#![") || before.ends_with("cfg_attr(test,");
        let body = bracketed(&parts.code, at + "expect".len());
        if is_attribute && body.is_none_or(|body| words(body, "reason").next().is_none()) {
            let line = line_of(&parts.code, at);
            complaints.push(format!(":{line}: #[expect] without a reason"));
        }
    }
    complaints
}

/// Settings have one door. Compile-time variables (`env!`) are none of the environment that a process finds.
fn environment_readers(file: &File, parts: &Parts) -> Vec<String> {
    let may = ["services/runtime/src/config", "tests/support/src/"];
    if may.iter().any(|place| file.path.starts_with(place)) || is_test_code(&file.path) {
        return Vec::new();
    }
    let reads = ["env::var", "env::vars", "env::var_os", "env::vars_os"];
    let calls = reads.iter().flat_map(|call| words(&parts.code, call));
    let calls = calls.chain(clap_variables(&parts.code));
    calls
        .map(|at| {
            let line = line_of(&parts.code, at);
            format!(":{line}: only runtime::config reads the environment")
        })
        .collect()
}

/// `#[arg(env)]` reads the environment behind the back of the settings.
fn clap_variables(code: &str) -> Vec<usize> {
    let mut places = Vec::new();
    for at in words(code, "arg") {
        let opened = code.get(..at).is_some_and(|before| before.ends_with("#["));
        let body = bracketed(code, at + "arg".len()).unwrap_or_default();
        if opened && words(body, "env").next().is_some() {
            places.push(at);
        }
    }
    places
}

/// A message that holds its cause's text says it twice as soon as the chain is printed.
fn causes_told_twice(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (number, pair) in (1..).zip(lines.windows(2)) {
        let [message, variant] = pair else { continue };
        let tells = message.trim_start().starts_with("#[error(") && message.contains("{0");
        let has_cause = variant.contains("(#[from]") || variant.contains("(#[source]");
        if tells && has_cause {
            complaints.push(format!(
                ":{number}: the message repeats its cause; the chain shows it already"
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests;
