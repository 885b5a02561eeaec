//! What can keep an embedded server from running, told so that the reader knows what to do next.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why an embedded server could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable server program on this machine.
    #[error("no {program} {minimum} or newer on this machine{seen}; run `make tools`")]
    ProgramMissing {
        /// Name of the program looked for.
        program: &'static str,
        /// Oldest version that would do.
        minimum: &'static str,
        /// What was found instead, as ` (found …)`, or empty.
        seen: String,
    },
    /// The port that the settings demand belongs to another process.
    #[error("port {port} for {server} is already taken by another program; free it or set another port")]
    PortTaken {
        /// The server that was to listen there.
        server: &'static str,
        /// The port.
        port: u16,
    },
    /// No free port was found.
    #[error("no free port found for {server}")]
    NoFreePort {
        /// The server that needed it.
        server: &'static str,
    },
    /// Another live server works on the data folder.
    #[error("the data folder {} is in use by {server} (process {pid}); stop it first", folder.display())]
    InUse {
        /// The server found.
        server: &'static str,
        /// The data folder.
        folder: PathBuf,
        /// Process id of the server found.
        pid: u32,
    },
    /// Running as root, and the account that PostgreSQL must run as cannot reach the data folder.
    #[error(
        "account {account} cannot enter {}, which is on the way to the data folder {}; \
         PostgreSQL does not run as root, \
         so choose a data folder that other accounts can reach",
        blocked.display(), folder.display()
    )]
    Unreachable {
        /// The unprivileged account.
        account: String,
        /// The wanted data folder.
        folder: PathBuf,
        /// The first folder on the way that the account may not enter.
        blocked: PathBuf,
    },
    /// Running as root on a machine without an account or program to give root up.
    #[error("PostgreSQL refuses to run as root, and this machine lacks {what} to run it as another account")]
    NoAccount {
        /// What is missing.
        what: &'static str,
    },
    /// The data folder was made by a major version of PostgreSQL that is not on this machine.
    #[error(
        "the data folder {} was made by PostgreSQL {found}, which is not on this machine (there is {here}); \
         install it (Debian, Ubuntu: `apt-get install postgresql-{found}`, from apt.postgresql.org where the \
         distribution has it no more; Red Hat: `dnf install postgresql{found}-server`), \
         or move the folder away to begin anew",
        folder.display()
    )]
    OtherVersion {
        /// The data folder.
        folder: PathBuf,
        /// Major version in the folder.
        found: String,
        /// Versions that are on the machine, newest first.
        here: String,
    },
    /// A helper program ended with an error.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote.
        output: String,
    },
    /// A server ended while it was expected to run.
    #[error("{server} ended ({status}) instead of accepting connections; the end of its log: {log}")]
    Exited {
        /// The server.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A server that was running ended without being asked to.
    #[error("{server} ended by itself ({status}); the end of its log: {log}")]
    Ended {
        /// The server.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A server did not get where it should within the time allowed.
    #[error("{server} was not {state} after {seconds} s; last seen: {last}")]
    TooSlow {
        /// The server.
        server: &'static str,
        /// The state waited for.
        state: &'static str,
        /// Time allowed, in seconds.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
    /// The server is not running, so it cannot be signalled.
    #[error("{server} is not running")]
    NotRunning {
        /// The server.
        server: &'static str,
    },
    /// The server runs already, so it cannot be started again.
    #[error("{server} is running already")]
    AlreadyRunning {
        /// The server.
        server: &'static str,
    },
    /// The operating system refused something.
    #[error("could not {action}")]
    Io {
        /// What was tried, with its object.
        action: String,
        /// Why it did not work.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Adapter for `map_err`: names what was tried.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
