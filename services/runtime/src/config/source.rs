//! Where a value comes from, and what can be wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::keys::{self, KEYS, Key};

/// Where a setting was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The environment.
    Environment,
    /// The settings file.
    File,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Environment => "the environment",
            Self::File => super::FILE_NAME,
        })
    }
}

/// One thing that is wrong with the settings. Names the key; shows no value of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A key that no role reads.
    #[error("unknown setting {key} in {origin}{}", hint(.near))]
    Unknown {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// A known key that looks like it.
        near: Option<&'static str>,
    },
    /// A value that cannot be understood.
    #[error("{key} must be {expected}{shown}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
        /// The value as `, not "…"`, or empty if it is a secret.
        shown: String,
    },
    /// A setting that a role needs is not given.
    #[error("{key} is needed for {purpose} and is not set")]
    Missing {
        /// The key.
        key: &'static str,
        /// Who needs it.
        purpose: &'static str,
    },
    /// A secret is given in two ways, and which one counts is anybody's guess.
    #[error("{key} and {key}_FILE are both set in {origin}; give one of them")]
    Twice {
        /// The key.
        key: &'static str,
        /// Where both stand.
        origin: Origin,
    },
    /// A file named by a setting, or the settings file, cannot be read.
    #[error("{key}: the file {} cannot be read", path.display())]
    Unreadable {
        /// The key that names the file.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is no TOML. (The parser's own report is not kept: it quotes the line, which may hold
    /// a secret.)
    #[error("{} is no valid TOML{}: {message}", super::FILE_NAME, place(.line))]
    Toml {
        /// Line of the error, from 1.
        line: Option<usize>,
        /// What the parser says.
        message: String,
    },
}

fn hint(near: &Option<&'static str>) -> String {
    near.map(|name| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

fn place(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

/// Everything that is wrong with the settings.
#[derive(Debug)]
pub struct ConfigError {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the settings cannot be used")?;
        for problem in &self.problems {
            write!(out, "\n  {problem}")?;
            // The list is the end of the chain: each problem tells its own cause.
            if let Some(cause) = std::error::Error::source(problem) {
                write!(out, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

/// What was given, from both places, for the known keys.
#[derive(Default)]
pub(super) struct Source {
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl Source {
    /// Sorts what was given into known keys; unknown ones and a broken file are reported beside.
    pub(super) fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&str>,
    ) -> (Self, Vec<Problem>) {
        let mut source = Self::default();
        let mut problems = Vec::new();
        for (key, value) in environment {
            if keys::is_known(&key) {
                source.environment.insert(key, value);
            } else if key.starts_with("ST_") {
                problems.push(unknown(key, Origin::Environment));
            }
        }
        match file.map(toml::from_str::<toml::Table>) {
            None => {}
            Some(Ok(table)) => source.take_file(table, &mut problems),
            Some(Err(error)) => {
                let before = error
                    .span()
                    .zip(file)
                    .and_then(|(span, text)| text.get(..span.start));
                let line = before.map(|text| text.matches('\n').count() + 1);
                problems.push(Problem::Toml {
                    line,
                    message: error.message().to_owned(),
                });
            }
        }
        (source, problems)
    }

    fn take_file(&mut self, table: toml::Table, problems: &mut Vec<Problem>) {
        for (key, value) in table {
            let Some(known) = keys::find(&key) else {
                problems.push(unknown(key, Origin::File));
                continue;
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(yes) => yes.to_string(),
                _ => {
                    let expected = "a text, a whole number or true/false";
                    problems.push(Problem::Malformed {
                        key: known.name,
                        expected,
                        shown: String::new(),
                    });
                    continue;
                }
            };
            self.file.insert(key, text);
        }
    }

    /// The value that counts, with the default if there is one.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        let given = given(&self.environment, name).or_else(|| given(&self.file, name));
        given.or_else(|| keys::find(name)?.default).map(str::to_owned)
    }

    /// A value in the form that `parse` understands; the default must be one too.
    pub(super) fn parsed<Value>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<Value>,
    ) -> Result<Option<Value>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(malformed(name, expected, &text)),
        }
    }

    /// As [`Source::parsed`], for a setting that has a default.
    pub(super) fn required<Value>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<Value>,
    ) -> Result<Value, Problem> {
        self.parsed(name, expected, parse)?.ok_or(Problem::Missing {
            key: name,
            purpose: "every role",
        })
    }

    /// The address of an outside service, without a slash at its end.
    pub(super) fn base_url(&self, name: &'static str) -> Result<String, Problem> {
        self.required(name, "an http:// or https:// address without query", base_url)
    }

    /// A number between two bounds.
    pub(super) fn number<Number: std::str::FromStr + PartialOrd>(
        &self,
        name: &'static str,
        expected: &'static str,
        range: std::ops::RangeInclusive<Number>,
    ) -> Result<Number, Problem> {
        self.required(name, expected, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// A secret, given directly or as the path of a file. The environment counts before the file of settings.
    pub(super) fn secret(&self, name: &'static str) -> Result<Option<SecretString>, Problem> {
        let in_file = format!("{name}_FILE");
        for (origin, values) in [
            (Origin::Environment, &self.environment),
            (Origin::File, &self.file),
        ] {
            match (given(values, name), given(values, &in_file)) {
                (Some(_), Some(_)) => return Err(Problem::Twice { key: name, origin }),
                (Some(value), None) => return Ok(Some(value.into())),
                (None, Some(path)) => return read_secret(in_file, path.into()).map(Some),
                (None, None) => {}
            }
        }
        Ok(None)
    }
}

impl Source {
    /// The file that a secret is read from, where it is given as a file.
    pub(super) fn secret_file(&self, name: &'static str) -> Option<PathBuf> {
        let in_file = format!("{name}_FILE");
        for values in [&self.environment, &self.file] {
            if given(values, name).is_some() {
                return None;
            }
            if let Some(path) = given(values, &in_file) {
                return Some(path.into());
            }
        }
        None
    }
}

fn given<'a>(values: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    values
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

/// Editors and `echo` end a file with a line break that is no part of the secret.
fn read_secret(key: String, path: PathBuf) -> Result<SecretString, Problem> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).into()),
        Err(source) => Err(Problem::Unreadable { key, path, source }),
    }
}

pub(super) fn malformed(name: &'static str, expected: &'static str, value: &str) -> Problem {
    let secret = keys::find(name).is_none_or(|key| key.secret);
    let shown = if secret {
        String::new()
    } else {
        format!(", not {value:?}")
    };
    Problem::Malformed {
        key: name,
        expected,
        shown,
    }
}

pub(super) fn base_url(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@'));
    (!host.is_empty() && clean).then(|| text.trim_end_matches('/').to_owned())
}

fn unknown(key: String, origin: Origin) -> Problem {
    let near = KEYS
        .iter()
        .map(|known: &Key| (distance(known.name, &key), known.name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 4);
    Problem::Unknown {
        key,
        origin,
        near: near.map(|(_, name)| name),
    }
}

/// Levenshtein's edit distance, for the "did you mean".
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let best = (diagonal + usize::from(a != b)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
