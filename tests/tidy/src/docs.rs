//! Pages rot where nobody notices: what they name has to exist, and what exists and matters has to be named.

use crate::workspace::File;

/// Every path and link of a page leads somewhere. `exists` is asked about paths from the root of the
/// checkout; `top` are the names there, which tell a path from other words with a slash.
#[must_use]
pub fn dead_paths(page: &File, top: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _name)| folder);
    let mut complaints = Vec::new();
    let mut in_block = false;
    for (number, line) in (1..).zip(page.text.lines()) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let told = if in_block { Vec::new() } else { inline_code(line) };
        for path in told.iter().filter_map(|code| as_path(code, top)) {
            if !exists(&path) && !exists(&join(folder, &path)) {
                complaints.push(format!("{}:{number}: `{path}` does not exist", page.path));
            }
        }
        for link in links(line) {
            let target = join(folder, link.split('#').next().unwrap_or_default());
            if !target.is_empty() && !exists(&target) {
                complaints.push(format!(
                    "{}:{number}: the link to {link} leads nowhere",
                    page.path
                ));
            }
        }
    }
    complaints
}

/// Every crate that a page calls a crate is one.
#[must_use]
pub fn unknown_crates(page: &File, crates: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(page.text.lines()) {
        let parts: Vec<&str> = line.split('`').collect();
        for window in parts.windows(3) {
            let [before, name, after] = window else { continue };
            let called = before.ends_with("crate ") || after.starts_with(" crate");
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            if called && is_name && !crates.iter().any(|known| known == name) {
                complaints.push(format!("{}:{number}: there is no crate `{name}`", page.path));
            }
        }
    }
    complaints
}

/// A page names every one of these words as code.
#[must_use]
pub fn unnamed(page: &File, names: &[String]) -> Vec<String> {
    let missing = names
        .iter()
        .filter(|name| !page.text.contains(&format!("`{name}`")));
    missing
        .map(|name| format!("{} does not name `{name}`", page.path))
        .collect()
}

/// A page is not longer than somebody reads.
#[must_use]
pub fn too_long(page: &File, lines: usize) -> Vec<String> {
    let count = page.text.lines().count();
    if count > lines {
        vec![format!("{} has {count} lines, at most {lines}", page.path)]
    } else {
        Vec::new()
    }
}

fn inline_code(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// The path that a piece of code is, when it is one: it begins with a name at the root and goes on with a
/// slash. Patterns and what follows `::` or `:7` are no part of it.
fn as_path(code: &str, top: &[String]) -> Option<String> {
    let path = code.split("::").next()?.split(' ').next()?;
    let path = path.split_once(':').map_or(path, |(path, _line)| path);
    let (first, rest) = path.split_once('/')?;
    let literal = !path.contains(['*', '<', '{', '…', '$']);
    (literal && !rest.is_empty() && top.iter().any(|name| name == first)).then(|| path.to_owned())
}

fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .collect()
}

/// A path from a folder, with `..` resolved.
fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        let top = ["docs", "services"].map(str::to_owned);
        let known = ["docs/testing.md", "services/api/src/lib.rs", "services/api"];
        dead_paths(&File::new(path, text), &top, |path| known.contains(&path))
    }

    #[test]
    fn what_exists_may_be_named() {
        let text = "`services/api/src/lib.rs::run`, `GET health/live`, `services/<name>`, [a](testing.md#x)\n\
                    ```\nservices/old\n```\n[out](https://example.org/a)";
        assert_eq!(check("docs/page.md", text), [""; 0]);
    }

    #[test]
    fn a_path_that_is_gone_is_named_with_its_line() {
        assert_eq!(
            check("README.md", "\nsee `services/old/src/lib.rs:7`"),
            ["README.md:2: `services/old/src/lib.rs` does not exist"]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        assert_eq!(
            check("docs/page.md", "[a](../services/api) [b](testing.md)"),
            [""; 0]
        );
        assert_eq!(check("docs/page.md", "[a](../testing.md)").len(), 1);
    }

    #[test]
    fn a_crate_that_is_none_is_named() {
        let page = File::new(
            "docs/page.md",
            "the crate `api`, the `old` crate, and `word` alone",
        );
        assert_eq!(
            unknown_crates(&page, &["api".to_owned()]),
            ["docs/page.md:1: there is no crate `old`"]
        );
    }

    #[test]
    fn a_name_that_is_missing_and_a_page_that_is_too_long_are_told() {
        let page = File::new("docs/page.md", "`a`\n\n");
        assert_eq!(
            unnamed(&page, &["a".to_owned(), "b".to_owned()]),
            ["docs/page.md does not name `b`"]
        );
        assert_eq!(too_long(&page, 2), [""; 0]);
        assert_eq!(too_long(&page, 1).len(), 1);
    }
}
