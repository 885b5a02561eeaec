//! Finds the server programs and asks them for their version, because distributions ship servers too old for
//! us.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Oldest PostgreSQL that will do (its major version). Debian 12 ships 15.
pub const MINIMUM_POSTGRES: &str = "15";
/// Oldest nats-server that will do: message schedules and counters came with 2.12.
pub const MINIMUM_NATS: &str = "2.12";

/// Where PostgreSQL's programs lie.
#[derive(Debug, Clone)]
pub struct PostgresPrograms {
    /// Folder with `initdb` and `postgres`.
    pub folder: PathBuf,
    /// Major version, such as 15.
    pub major: u32,
    /// Full version, such as `15.18`.
    pub version: String,
}

/// Where the nats-server program lies.
#[derive(Debug, Clone)]
pub struct NatsProgram {
    /// The program.
    pub path: PathBuf,
    /// Its version, such as `2.15.1`.
    pub version: String,
}

/// Finds PostgreSQL: in `explicit` alone if given, else the newest below `/usr/lib/postgresql` (Debian) or
/// `/usr/pgsql-*` (Red Hat), else what the search path holds.
///
/// # Errors
/// [`Error::ProgramMissing`] if none is new enough.
pub fn find_postgres(explicit: Option<&Path>) -> Result<PostgresPrograms, Error> {
    let mut found = all_postgres(explicit)?;
    Ok(found.swap_remove(0))
}

/// Every PostgreSQL that is new enough, the newest first; never empty. A cluster works with its own major
/// only, so the newest is not always the right one.
pub(crate) fn all_postgres(explicit: Option<&Path>) -> Result<Vec<PostgresPrograms>, Error> {
    let folders = match explicit {
        Some(folder) => vec![folder.to_path_buf()],
        None => postgres_folders(),
    };
    let mut too_old = String::new();
    let mut found: Vec<PostgresPrograms> = Vec::new();
    for folder in folders {
        if !folder.join("postgres").is_file() {
            continue;
        }
        let Some(version) = version_of(&folder.join("initdb")) else {
            continue;
        };
        if !at_least(&version, MINIMUM_POSTGRES) {
            too_old = format!(" (found {version} in {})", folder.display());
            continue;
        }
        let major = numbers(&version).first().copied().unwrap_or(0);
        found.push(PostgresPrograms {
            folder,
            major,
            version,
        });
    }
    if found.is_empty() {
        return Err(Error::ProgramMissing {
            program: "PostgreSQL server",
            minimum: MINIMUM_POSTGRES,
            seen: too_old,
        });
    }
    found.sort_by_key(|programs| std::cmp::Reverse(numbers(&programs.version)));
    Ok(found)
}

/// Finds nats-server: `explicit` alone if given, else `tools/nats-server`, else `.tools/nats-server` in the
/// current folder or one above it (a checkout), else what the search path holds.
///
/// # Errors
/// [`Error::ProgramMissing`] if none is new enough.
pub fn find_nats(explicit: Option<&Path>, tools: Option<&Path>) -> Result<NatsProgram, Error> {
    let candidates = match explicit {
        Some(path) => vec![path.to_path_buf()],
        None => nats_candidates(tools),
    };
    let mut too_old = String::new();
    for path in candidates {
        let Some(version) = version_of(&path) else {
            continue;
        };
        if at_least(&version, MINIMUM_NATS) {
            return Ok(NatsProgram { path, version });
        }
        too_old = format!(" (found {version} at {})", path.display());
    }
    Err(Error::ProgramMissing {
        program: "nats-server",
        minimum: MINIMUM_NATS,
        seen: too_old,
    })
}

fn postgres_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let packages = std::fs::read_dir("/usr").into_iter().flatten().flatten();
    folders.extend(
        packages
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("pgsql-"))
            .map(|entry| entry.path().join("bin")),
    );
    // Links are followed: PostgreSQL looks for its own files relative to the program's real place.
    let on_path = on_search_path("initdb").and_then(|path| path.canonicalize().ok());
    folders.extend(on_path.as_deref().and_then(Path::parent).map(Path::to_path_buf));
    folders
}

fn nats_candidates(tools: Option<&Path>) -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = tools
        .map(|folder| folder.join("nats-server"))
        .into_iter()
        .collect();
    if let Ok(here) = std::env::current_dir() {
        candidates.extend(
            here.ancestors()
                .map(|folder| folder.join(".tools").join("nats-server")),
        );
    }
    candidates.extend(on_search_path("nats-server"));
    candidates
}

/// The shell looks through the search path, so that this crate reads no environment of its own.
fn on_search_path(program: &str) -> Option<PathBuf> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"command -v -- "$1""#, "sh", program])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = command.output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    path.is_absolute().then_some(path)
}

fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// The first dotted number of a text such as `initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_in(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.').to_owned())
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn at_least(version: &str, minimum: &str) -> bool {
    numbers(version) >= numbers(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_out_of_what_the_programs_print() {
        assert_eq!(
            version_in("initdb (PostgreSQL) 15.18 (Debian 15.18-0)").as_deref(),
            Some("15.18")
        );
        assert_eq!(version_in("nats-server: v2.15.1\n").as_deref(), Some("2.15.1"));
        assert_eq!(version_in("postgres (PostgreSQL) 18beta1").as_deref(), Some("18"));
        assert_eq!(version_in("no number"), None);
    }

    #[test]
    fn versions_compare_as_numbers_and_not_as_text() {
        assert!(at_least("2.12", MINIMUM_NATS));
        assert!(at_least("2.15.1", MINIMUM_NATS));
        assert!(!at_least("2.9.10", MINIMUM_NATS));
        assert!(at_least("15.18", MINIMUM_POSTGRES));
        assert!(!at_least("9.6", MINIMUM_POSTGRES));
    }

    #[test]
    fn a_missing_program_is_reported_with_the_command_that_brings_it() {
        let error = find_nats(Some(Path::new("/nowhere/nats-server")), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no nats-server 2.12 or newer on this machine; run `make tools`"
        );
    }
}
