//! An event is for ever: each version ever written has a golden file, each current one a schema, each a place
//! in the page that says what it means, and a golden file that was released never changes.

use crate::workspace::File;

/// A line of the catalog: type and current version.
pub type Entry<'a> = (&'a str, u16);

/// Every version has a golden file, every current version a schema, and there is no file too many.
#[must_use]
pub fn files(entries: &[Entry<'_>], files: &[File]) -> Vec<String> {
    let exists = |path: &str| files.iter().any(|file| file.path == path);
    let golden = |name: &str, version: u16| format!("events/golden/{name}.v{version}.json");
    let schema = |name: &str, version: u16| format!("events/schemas/{name}.v{version}.schema.json");
    let mut complaints = Vec::new();
    let mut known = Vec::new();
    for (name, version) in entries {
        for every in 1..=*version {
            known.extend([golden(name, every), schema(name, every)]);
            if !exists(&golden(name, every)) {
                complaints.push(format!(
                    "{} is missing: how it is stored must be on record",
                    golden(name, every)
                ));
            }
        }
        if !exists(&schema(name, *version)) {
            complaints.push(format!(
                "{} is missing: `make gen` writes it",
                schema(name, *version)
            ));
        }
    }
    for file in files {
        let is_record = file.path.starts_with("events/golden/") || file.path.starts_with("events/schemas/");
        if is_record && !known.contains(&file.path) {
            complaints.push(format!("{} belongs to no event of the catalog", file.path));
        }
    }
    complaints
}

/// The page about events names every type.
#[must_use]
pub fn words(entries: &[Entry<'_>], page: &str) -> Vec<String> {
    let missing = entries
        .iter()
        .filter(|(name, _version)| !page.contains(&format!("`{name}`")));
    missing
        .map(|(name, _version)| format!("docs/events.md does not say what `{name}` means"))
        .collect()
}

/// The page about events tells the current version of every type that has more than one.
#[must_use]
pub fn histories(entries: &[Entry<'_>], page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, version) in entries.iter().filter(|(_name, version)| *version > 1) {
        let told = page
            .lines()
            .any(|line| line.contains(&format!("`{name}`")) && line.contains(&format!("v{version}")));
        if !told {
            complaints.push(format!(
                "docs/events.md does not tell what changed in v{version} of `{name}`"
            ));
        }
    }
    complaints
}

/// What git tells of the golden files since the last release (`git diff --name-status`) are additions only.
#[must_use]
pub fn rewritten(name_status: &str) -> Vec<String> {
    let changed = name_status
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('A'));
    changed
        .map(|line| {
            let path = line.split('\t').next_back().unwrap_or_default();
            format!("{path} was released and has changed: a new shape is a new version")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: &[Entry<'_>] = &[("sheet_linked", 1), ("sync_completed", 2)];

    fn complete() -> Vec<File> {
        let paths = [
            "events/golden/sheet_linked.v1.json",
            "events/golden/sync_completed.v1.json",
            "events/golden/sync_completed.v2.json",
            "events/schemas/sheet_linked.v1.schema.json",
            "events/schemas/sync_completed.v2.schema.json",
        ];
        paths.iter().map(|path| File::new(path, "{}")).collect()
    }

    #[test]
    fn a_version_without_its_record_is_named() {
        assert_eq!(files(ENTRIES, &complete()), [""; 0]);
        for taken in 0..complete().len() {
            let mut some = complete();
            let gone = some.remove(taken);
            let complaints = files(ENTRIES, &some);
            assert!(
                complaints.len() == 1 && complaints[0].starts_with(&gone.path),
                "{complaints:?}"
            );
        }
    }

    #[test]
    fn a_record_of_no_event_is_named() {
        let mut more = complete();
        more.push(File::new("events/golden/sheet_linked.v2.json", "{}"));
        assert_eq!(files(ENTRIES, &more).len(), 1);
    }

    #[test]
    fn an_event_without_words_is_named() {
        let complaints = words(ENTRIES, "| `sheet_linked` | |");
        assert!(complaints.len() == 1 && complaints[0].contains("sync_completed"));
        assert_eq!(
            histories(ENTRIES, "| `sync_completed` | v2 tells outcomes |"),
            [""; 0]
        );
        assert_eq!(histories(ENTRIES, "| `sync_completed` | v1 |").len(), 1);
    }

    #[test]
    fn a_golden_file_that_changed_after_its_release_is_named() {
        assert_eq!(rewritten("A\tevents/golden/new.v1.json\n"), [""; 0]);
        let complaints = rewritten("M\tevents/golden/a.v1.json\nD\tevents/golden/b.v1.json\nR90\tx\ty\n");
        assert_eq!(complaints.len(), 3, "{complaints:?}");
    }
}
