//! What does not belong in a tracked file: where somebody's checkout or package source happens to be. Both
//! differ on the next machine, and the second is the business of that machine's own settings.

use crate::workspace::File;

/// Hosts of package sources and image sources. Written in two halves, so that this file does not break its
/// own rule.
const HOSTS: [(&str, &str); 12] = [
    ("crates", ".io"),
    ("index.crates", ".io"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("registry.npmjs", ".org"),
    ("proxy.golang", ".org"),
    ("deb.debian", ".org"),
    ("archive.ubuntu", ".com"),
    ("registry-1.docker", ".io"),
    ("ghcr", ".io"),
    ("quay", ".io"),
    ("gcr", ".io"),
];

/// Beginnings of paths that only one machine has.
const FOLDERS: [(&str, &str); 4] = [("/wo", "rk/"), ("/ho", "me/"), ("/Us", "ers/"), ("/tm", "p/")];

/// Hosts and machine paths in one file.
#[must_use]
pub fn complaints(file: &File) -> Vec<String> {
    // Cargo writes its source into the lock file by itself.
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for (head, tail) in HOSTS {
            let host = format!("{head}{tail}");
            if line
                .match_indices(&host)
                .any(|(at, _)| ends_there(line, at + host.len()))
            {
                complaints.push(format!("{}:{number}: names the package source {host}", file.path));
            }
        }
        for (head, tail) in FOLDERS {
            let folder = format!("{head}{tail}");
            if line.match_indices(&folder).any(|(at, _)| begins_there(line, at)) {
                complaints.push(format!(
                    "{}:{number}: names the machine's folder {folder}",
                    file.path
                ));
            }
        }
    }
    complaints
}

fn begins_there(line: &str, at: usize) -> bool {
    let before = line.get(..at).and_then(|before| before.chars().next_back());
    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '>' | ':'))
}

fn ends_there(line: &str, at: usize) -> bool {
    let after = line.get(at..).and_then(|after| after.chars().next());
    !after.is_some_and(|c| c.is_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        complaints(&File::new("docs/page.md", text))
    }

    #[test]
    fn a_package_source_is_named() {
        for (head, tail) in HOSTS {
            assert!(
                !check(&format!("see https://{head}{tail}/x")).is_empty(),
                "{head}"
            );
        }
        assert_eq!(check("the crates in one tree"), [""; 0]);
    }

    #[test]
    fn a_folder_of_one_machine_is_named() {
        for (head, tail) in FOLDERS {
            assert!(!check(&format!("open `{head}{tail}x`")).is_empty(), "{head}");
        }
        assert_eq!(check("the homework, `target/tmp/x`, events/work/x"), [""; 0]);
    }
}
