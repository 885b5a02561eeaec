//! Secrets are compared in constant time, by hash in an index, or by Argon2: never with `==`.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Statements in which a secret stands on one side of a comparison.
fn offences(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]").next().unwrap();
    product
        .split([';', '{', '}'])
        .filter(|statement| statement.contains("==") || statement.contains("!="))
        .filter(|statement| {
            // What is only measured, or asked for its beginning, is not compared.
            statement.contains("expose_secret()")
                && !["expose_secret().len()", "expose_secret().is_empty()"]
                    .iter()
                    .any(|measured| statement.contains(measured))
        })
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn no_secret_is_compared_byte_by_byte_anywhere_in_the_product() {
    let mut files = Vec::new();
    for folder in ["../../services", "../../projections", "../../events"] {
        sources(Path::new(folder), &mut files);
    }
    let files: Vec<_> = files
        .into_iter()
        .filter(|path| path.components().all(|part| part.as_os_str() != "tests"))
        .collect();
    assert!(files.len() > 200, "only {} files were read", files.len());
    let found: Vec<_> = files
        .iter()
        .flat_map(|path| {
            offences(&std::fs::read_to_string(path).unwrap())
                .into_iter()
                .map(move |offence| format!("{}: {offence}", path.display()))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_check_sees_what_it_looks_for() {
    assert_eq!(offences("fn f() { if a.expose_secret() == b { } }").len(), 1);
    assert_eq!(offences("let same = b != *a.expose_secret();").len(), 1);
    assert!(offences("let x = a.expose_secret().len() == 3;").is_empty());
    assert!(offences("let x = a.expose_secret().ct_eq(b);").is_empty());
}
