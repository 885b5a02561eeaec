//! The checkout as texts: every file that git would track, read once. The folder is walked instead of asking
//! git, so that the rules also hold for a file that is not committed yet, and work in a copy without history.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One file of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the checkout, parts separated by `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// A file by path and text.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Whether it is a Rust source.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.extension() == Some("rs")
    }

    /// What its name ends in.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        Path::new(&self.path).extension().and_then(|text| text.to_str())
    }
}

/// The checkout.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Its text files, sorted by path.
    pub files: Vec<File>,
}

impl Workspace {
    /// Reads the checkout that this crate was built from.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn read() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()?;
        let ignored = ignored_names(&fs::read_to_string(root.join(".gitignore"))?);
        let mut files = Vec::new();
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name != ".git" && !ignored.iter().any(|pattern| matches(pattern, name)) {
                walk(&root, &path, &mut files)?;
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root, files })
    }

    /// The text of one file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        let at = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        self.files.get(at).map(|file| file.text.as_str())
    }

    /// Whether there is such a file or folder.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        !path.is_empty() && self.root.join(path).exists()
    }

    /// Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// Names at the root that git does not track: this project's `.gitignore` knows only the form `/name`.
fn ignored_names(gitignore: &str) -> Vec<String> {
    let lines = gitignore.lines().filter_map(|line| line.trim().strip_prefix('/'));
    lines.map(|name| name.trim_end_matches('/').to_owned()).collect()
}

/// Whether a name fits a pattern with at most one `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

fn walk(root: &Path, path: &Path, files: &mut Vec<File>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(root, &entry?.path(), files)?;
        }
        return Ok(());
    }
    // What is no text (a picture, a key) has nothing that a rule could read; what vanished between the
    // listing and the reading was somebody's scratch file.
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if let (Ok(text), Ok(relative)) = (String::from_utf8(bytes), path.strip_prefix(root)) {
        let parts: Vec<_> = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        files.push(File {
            path: parts.join("/"),
            text,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_ignore_file_are_left_out() {
        let ignored = ignored_names("/target\n/bench-*.json\n# a remark\n");
        assert_eq!(ignored, ["target", "bench-*.json"]);
        assert!(matches("bench-*.json", "bench-7.json"));
        assert!(!matches("bench-*.json", "bench.json"));
        assert!(!matches("target", "targets"));
    }
}
