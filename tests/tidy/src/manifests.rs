//! What every manifest has: the workspace's lints, the workspace's versions, and nothing that its sources
//! never name.

use toml::{Table, Value};

use crate::code::{parts, words};
use crate::workspace::File;

const LISTS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Every crate takes the lints of the workspace.
#[must_use]
pub fn own_lints(manifest: &File) -> Vec<String> {
    complaints_of(manifest, |table| {
        let inherited = table.get("lints").and_then(|lints| lints.get("workspace"));
        if inherited.and_then(Value::as_bool) == Some(true) {
            Vec::new()
        } else {
            vec!["has no `[lints] workspace = true`".to_owned()]
        }
    })
}

/// Every version and path is chosen in the workspace's manifest, once.
#[must_use]
pub fn own_versions(manifest: &File) -> Vec<String> {
    complaints_of(manifest, |table| {
        let given = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
        dependencies(table)
            .filter(|(_list, _name, value)| !given(value))
            .map(|(list, name, _value)| {
                format!("{name} in [{list}] has no `workspace = true`: versions are chosen in Cargo.toml")
            })
            .collect()
    })
}

/// Every dependency is named somewhere in the crate's sources: in any of them for one that the product has,
/// so that one which only tests name is found to be in the wrong list.
#[must_use]
pub fn unused(manifest: &File, sources: &[&File]) -> Vec<String> {
    let folder = manifest.path.trim_end_matches("Cargo.toml");
    let own: Vec<(bool, String)> = sources
        .iter()
        .filter(|file| file.path.starts_with(folder))
        .map(|file| {
            (
                file.path.starts_with(&format!("{folder}tests/")),
                parts(&file.text).code,
            )
        })
        .collect();
    complaints_of(manifest, |table| {
        let mut complaints = Vec::new();
        for (list, name, value) in dependencies(table) {
            let word = name.replace('-', "_");
            let named = |with_tests: bool| {
                let mut codes = own.iter().filter(|(in_tests, _code)| with_tests || !in_tests);
                codes.any(|(_in_tests, code)| words(code, &word).next().is_some())
            };
            let for_tests = list == "dev-dependencies";
            if !named(true) {
                complaints.push(format!("{name} in [{list}] is named nowhere: take it out"));
            } else if !for_tests && !named(false) && value.get("optional").is_none() {
                complaints.push(format!(
                    "{name} in [{list}] is named in tests only: move it to [dev-dependencies]"
                ));
            }
        }
        complaints
    })
}

/// Nothing in the lock file is banned by `.ci/deny.toml`, or comes from elsewhere than the registry and this
/// tree. The same list that cargo-deny reads, checked also where cargo-deny is not installed.
#[must_use]
pub fn banned(lock: &File, deny: &File) -> Vec<String> {
    let list = |file: &File, keys: [&str; 2]| {
        let table = file.text.parse::<Table>().unwrap_or_default();
        let outer = if keys[1].is_empty() {
            table.get(keys[0]).cloned()
        } else {
            table.get(keys[0]).and_then(|inner| inner.get(keys[1])).cloned()
        };
        outer
            .and_then(|value| value.as_array().cloned())
            .unwrap_or_default()
    };
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let bans = list(deny, ["bans", "deny"]);
    let packages = list(lock, ["package", ""]);
    let mut complaints = Vec::new();
    if bans.is_empty() || packages.is_empty() {
        complaints.push(format!("{} or {} says nothing", deny.path, lock.path));
    }
    for package in &packages {
        let (name, source) = (text(package, "name"), text(package, "source"));
        if let Some(ban) = bans.iter().find(|ban| text(ban, "crate") == name) {
            complaints.push(format!(
                "{}: {name} is banned: {}",
                lock.path,
                text(ban, "reason")
            ));
        }
        if !source.is_empty() && !source.starts_with("registry+") {
            complaints.push(format!("{}: {name} comes from {source}", lock.path));
        }
    }
    complaints
}

fn dependencies(table: &Table) -> impl Iterator<Item = (&'static str, &str, &Value)> {
    LISTS.into_iter().flat_map(move |list| {
        let entries = table.get(list).and_then(Value::as_table);
        let entries = entries.into_iter().flatten();
        entries.map(move |(name, value)| (list, name.as_str(), value))
    })
}

fn complaints_of(manifest: &File, rule: impl Fn(&Table) -> Vec<String>) -> Vec<String> {
    let found = match manifest.text.parse::<Table>() {
        Ok(table) => rule(&table),
        Err(error) => vec![format!("is no TOML: {error}")],
    };
    found
        .into_iter()
        .map(|text| format!("{}: {text}", manifest.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> File {
        File::new("services/x/Cargo.toml", text)
    }

    #[test]
    fn a_manifest_without_the_common_lints_is_named() {
        assert!(own_lints(&manifest("[lints]\nworkspace = true")).is_empty());
        assert_eq!(own_lints(&manifest("[package]\nname = 'x'")).len(), 1);
        assert_eq!(own_lints(&manifest("[lints.clippy]\nall = 'allow'")).len(), 1);
    }

    #[test]
    fn a_version_of_its_own_is_named() {
        assert!(own_versions(&manifest("[dependencies]\nserde.workspace = true")).is_empty());
        let complaints = own_versions(&manifest(
            "[dev-dependencies]\nserde = '1'\ntoml = { path = 'x' }",
        ));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
    }

    #[test]
    fn a_dependency_that_no_source_names_is_named() {
        let text = "[dependencies]\nfutures-util.workspace = true\nhex.workspace = true\n\
                    [dev-dependencies]\nrsa.workspace = true\n";
        let product = File::new(
            "services/x/src/lib.rs",
            "use futures_util::Stream; // hex and rsa",
        );
        let tests = File::new("services/x/tests/it.rs", "use hex::encode;");
        let complaints = unused(&manifest(text), &[&product, &tests]);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("hex in [dependencies] is named in tests only"));
        assert!(complaints[1].contains("rsa in [dev-dependencies] is named nowhere"));
    }

    #[test]
    fn a_banned_package_and_one_from_elsewhere_are_named() {
        let deny = File::new(
            ".ci/deny.toml",
            "[bans]\ndeny = [{ crate = 'openssl', reason = 'one TLS stack' }]",
        );
        let lock = |packages: &str| File::new("Cargo.lock", packages);
        assert_eq!(
            banned(&lock("[[package]]\nname = 'ring'\nsource = 'registry+x'"), &deny),
            [""; 0]
        );
        let bad = "[[package]]\nname = 'openssl'\n[[package]]\nname = 'x'\nsource = 'git+y'";
        let complaints = banned(&lock(bad), &deny);
        assert_eq!(
            complaints,
            [
                "Cargo.lock: openssl is banned: one TLS stack",
                "Cargo.lock: x comes from git+y"
            ]
        );
        assert_eq!(banned(&lock(""), &deny).len(), 1);
    }
}
