//! A PostgreSQL server of our own, in a data folder of our own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::{PostgresPrograms, all_postgres, find_postgres};
use crate::child::{self, POLL, Running};
use crate::{Error, ports};

const SERVER: &str = "PostgreSQL";
/// Recovery after a power cut may replay much log before the server accepts.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long the processes of a killed server may take to notice that it is dead.
const ORPHANS_LIMIT: Duration = Duration::from_secs(10);
/// Starts with another free port before giving up.
const PORT_TRIES: usize = 5;
/// What the server says of a lock file, its cluster's or its socket's, that names a process which lives
/// (`CreateLockFile` in `src/backend/utils/init/miscinit.c`).
const LOCKED: &str = "lock file";
/// A Unix socket's path may have 107 bytes, and the server adds a file name of some 20.
const SOCKET_FOLDER_LIMIT: usize = 85;

/// How an embedded PostgreSQL is to run.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Folder for everything the server keeps; made if missing, taken over if a dead run left it.
    pub data_dir: PathBuf,
    /// Port on the loopback address; `None` chooses a free one.
    pub port: Option<u16>,
    /// Keep every promise about the disk. `false` is for tests: a power cut may then destroy the data.
    pub durable: bool,
    /// Folder of PostgreSQL's programs; `None` looks for the newest.
    pub programs: Option<PathBuf>,
    /// Folder for a made-ready empty cluster, shared by all runs of this machine's user, that is copied
    /// instead of running `initdb` again (0.1 s instead of 1 s). For tests.
    pub cluster_cache: Option<PathBuf>,
}

impl PostgresOptions {
    /// A durable server with its data in `data_dir`, on a free port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            durable: true,
            programs: None,
            cluster_cache: None,
        }
    }
}

/// An embedded PostgreSQL server; superuser `postgres`, no passwords, reachable from this machine only.
/// Killed when dropped; belongs to no async runtime, so that tests with runtimes of their own can share one.
#[derive(Debug)]
pub struct Postgres {
    options: PostgresOptions,
    programs: PostgresPrograms,
    account: Account,
    port: u16,
    running: Mutex<Option<Running>>,
}

impl Postgres {
    /// Makes the data folder ready (once), starts the server and waits until it accepts connections.
    ///
    /// # Errors
    /// See [`Error`]; nothing is left running.
    pub async fn start(options: PostgresOptions) -> Result<Self, Error> {
        let preparing = options.clone();
        let prepared = tokio::task::spawn_blocking(move || prepare(&preparing));
        let (programs, account) = prepared.await.map_err(|error| Error::Io {
            action: format!("make the data folder {} ready", options.data_dir.display()),
            source: std::io::Error::other(error),
        })??;
        claim(&options.data_dir).await?;
        let mut tries = PORT_TRIES;
        loop {
            let port = match options.port {
                Some(port) => ports::demanded(SERVER, port)?,
                None => ports::free(SERVER)?,
            };
            let server = Self {
                options: options.clone(),
                programs: programs.clone(),
                account: account.clone(),
                port,
                running: Mutex::new(None),
            };
            tries -= 1;
            match server.launch().await {
                Ok(()) => return Ok(server),
                Err(Error::Exited { .. }) if options.port.is_none() && tries > 0 && !ports::is_free(port) => {
                }
                // Somebody was in the folder when we looked and is gone by now, or is named by the next look.
                Err(Error::Exited { log, .. }) if tries > 0 && log.contains(LOCKED) => {
                    claim(&options.data_dir).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Address of a database on this server, for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// Address of a database on this server, for another role (any password is accepted).
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}@{}:{}/{database}",
            Ipv4Addr::LOCALHOST,
            self.port
        )
    }

    /// The port on the loopback address; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id of the server; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(|running| self.server_pid(running))
    }

    /// How the server ended, if it did so without being asked: killed, out of memory, a full disk. None while
    /// it runs and after one of the ways to stop it.
    pub fn ended_unasked(&self) -> Option<Error> {
        let log = self.log_file();
        self.running().as_mut()?.ended_unasked(&log)
    }

    /// The folder for everything the server keeps.
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// The server's log.
    pub fn log_file(&self) -> PathBuf {
        log_file(&self.options.data_dir)
    }

    /// Folder of the programs that the server was started from; `psql` and `pg_dump` lie there in packages of
    /// distributions.
    pub fn programs(&self) -> &Path {
        &self.programs.folder
    }

    /// Version of the server program, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.programs.version
    }

    /// Stops in order: connections are cut, what was committed is written out ("fast" shutdown).
    ///
    /// # Errors
    /// [`Error::NotRunning`], or [`Error::TooSlow`] after a minute; it is killed then.
    pub async fn stop(&self) -> Result<(), Error> {
        self.end_by("INT").await
    }

    /// Stops at once without writing out; the next start recovers from the log ("immediate" shutdown).
    ///
    /// # Errors
    /// As [`Postgres::stop`].
    pub async fn stop_immediate(&self) -> Result<(), Error> {
        self.end_by("QUIT").await
    }

    /// `kill -9` of the server and of every process it started, and waits until they are gone.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub async fn kill(&self) -> Result<(), Error> {
        let mut running = self.take_running()?;
        let killed = running.kill_all();
        self.gone(&killed).await
    }

    /// Starts the server again on the same data and port, after one of the ways to stop it.
    ///
    /// # Errors
    /// [`Error::AlreadyRunning`], and as [`Postgres::start`].
    pub async fn start_again(&self) -> Result<(), Error> {
        if let Some(running) = self.running().as_mut()
            && running.ended()?.is_none()
        {
            return Err(Error::AlreadyRunning { server: SERVER });
        }
        self.running().take();
        claim(&self.options.data_dir).await?;
        ports::demanded(SERVER, self.port)?;
        self.launch().await
    }

    async fn end_by(&self, signal: &str) -> Result<(), Error> {
        let pid = self.pid();
        let mut running = self.take_running()?;
        if running.ended()?.is_some() {
            return Ok(());
        }
        child::signal(signal, &[pid.unwrap_or(running.pid())])?;
        if running.ended_within(STOP_LIMIT).await? {
            return Ok(());
        }
        Err(too_slow(
            "stopped",
            STOP_LIMIT,
            &format!("process {} runs", running.pid()),
        ))
    }

    async fn gone(&self, pids: &[u32]) -> Result<(), Error> {
        match child::all_gone(pids, ORPHANS_LIMIT).await {
            None => Ok(()),
            Some(pid) => Err(too_slow("killed", ORPHANS_LIMIT, &format!("process {pid} lives"))),
        }
    }

    /// Starts the program and waits until it accepts; on failure nothing keeps running.
    async fn launch(&self) -> Result<(), Error> {
        let log = self.log_file();
        let (stdout, stderr) = (child::open_log(&log)?, child::open_log(&log)?);
        let log_before = stderr.metadata().map_or(0, |metadata| metadata.len());
        let mut command = self.account.command(&self.programs.folder.join("postgres"));
        command.args(self.arguments()).stdout(stdout).stderr(stderr);
        let mut running = Running::start(SERVER, command)?;
        let start = Instant::now();
        loop {
            if let Some(status) = running.ended()? {
                return Err(Error::Exited {
                    server: SERVER,
                    status,
                    log: child::log_since(&log, log_before),
                });
            }
            let refusal = match self.is_ready().await {
                Ok(()) => break,
                Err(refusal) => refusal,
            };
            if start.elapsed() > START_LIMIT {
                return Err(too_slow("accepting connections", START_LIMIT, &refusal));
            }
            tokio::time::sleep(POLL).await;
        }
        child::note_holder(&self.options.data_dir, self.server_pid(&running))?;
        *self.running() = Some(running);
        Ok(())
    }

    /// Whether our server accepts. The port alone does not say so: somebody else's PostgreSQL may have taken
    /// it a moment before ours, which then ends. Ours writes port and state into its lock file.
    async fn is_ready(&self) -> Result<(), String> {
        let lock = std::fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap_or_default();
        let line = |number: usize| lock.lines().nth(number - 1).map(str::trim);
        // Lines 4 and 8 (`LOCK_FILE_LINE_PORT`, `LOCK_FILE_LINE_PM_STATUS` in `src/include/utils/pidfile.h`).
        if line(4) != Some(&self.port.to_string()) || line(8) != Some("ready") {
            return Err(format!("its lock file says {:?}", line(8).unwrap_or_default()));
        }
        accepts(self.port).await.map_err(|error| error.to_string())
    }

    fn server_pid(&self, running: &Running) -> u32 {
        // `su` stays in between as a parent, so what the server wrote down itself counts.
        child::pid_in(&self.cluster().join("postmaster.pid")).unwrap_or_else(|| running.pid())
    }

    fn arguments(&self) -> Vec<String> {
        let socket_folder = self.options.data_dir.to_string_lossy();
        // The server wants no socket rather than one that cannot be opened.
        let sockets = if socket_folder.len() <= SOCKET_FOLDER_LIMIT {
            socket_folder.as_ref()
        } else {
            ""
        };
        let mut settings = vec![
            format!("listen_addresses={}", Ipv4Addr::LOCALHOST),
            format!("port={}", self.port),
            format!("unix_socket_directories={sockets}"),
            "max_connections=200".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "log_line_prefix=%m [%p] %q%u@%d ".to_owned(),
            "log_checkpoints=off".to_owned(),
        ];
        let by_promise: &[&str] = if self.options.durable {
            &["shared_buffers=256MB", "max_wal_size=2GB"]
        } else {
            &[
                "shared_buffers=64MB",
                // What was acknowledged survives the end of a process, if not of the machine.
                "fsync=off",
                "full_page_writes=off",
            ]
        };
        settings.extend(by_promise.iter().map(|setting| (*setting).to_owned()));
        let cluster = self.cluster().to_string_lossy().into_owned();
        let flags = settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting]);
        ["-D".to_owned(), cluster].into_iter().chain(flags).collect()
    }

    fn cluster(&self) -> PathBuf {
        cluster(&self.options.data_dir)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_running(&self) -> Result<Running, Error> {
        self.running().take().ok_or(Error::NotRunning { server: SERVER })
    }
}

fn cluster(data_dir: &Path) -> PathBuf {
    data_dir.join("cluster")
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres.log")
}

fn too_slow(state: &'static str, limit: Duration, last: &str) -> Error {
    Error::TooSlow {
        server: SERVER,
        state,
        seconds: limit.as_secs(),
        last: last.to_owned(),
    }
}

/// Finds the programs, and makes the cluster if there is none. Blocks for about a second then.
fn prepare(options: &PostgresOptions) -> Result<(PostgresPrograms, Account), Error> {
    let found = all_postgres(options.programs.as_deref())?;
    let account = Account::for_postgres()?;
    account.own_folder(&options.data_dir)?;
    let version = cluster(&options.data_dir).join("PG_VERSION");
    match std::fs::read_to_string(&version) {
        Ok(major) => Ok((of_major(found, major.trim(), &options.data_dir)?, account)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let newest = find_postgres(options.programs.as_deref())?;
            make_cluster(options, &newest, &account)?;
            Ok((newest, account))
        }
        Err(error) => Err(Error::io(format!("read {}", version.display()))(error)),
    }
}

/// The newest programs that can work on a cluster of this major version.
fn of_major(found: Vec<PostgresPrograms>, major: &str, folder: &Path) -> Result<PostgresPrograms, Error> {
    let here: Vec<String> = found.iter().map(|programs| programs.version.clone()).collect();
    found
        .into_iter()
        .find(|programs| programs.major.to_string() == major)
        .ok_or_else(|| Error::OtherVersion {
            folder: folder.to_path_buf(),
            found: major.to_owned(),
            here: here.join(", "),
        })
}

/// Made beside its place and renamed, so that a run that dies in between leaves no half a cluster.
fn make_cluster(
    options: &PostgresOptions,
    programs: &PostgresPrograms,
    account: &Account,
) -> Result<(), Error> {
    let cluster = cluster(&options.data_dir);
    let half = options.data_dir.join("cluster.half");
    remove_folder(&half)?;
    match &options.cluster_cache {
        None => initdb(&half, options.durable, programs, account)?,
        Some(cache) => {
            let ready = cached_cluster(cache, programs, account)?;
            let mut copy = account.command(Path::new("cp"));
            copy.args(["-a", "--reflink=auto", "--"]).arg(ready).arg(&half);
            child::run(copy)?;
        }
    }
    let action = format!("name the new cluster {}", cluster.display());
    std::fs::rename(&half, &cluster).map_err(Error::io(action))
}

fn initdb(folder: &Path, sync: bool, programs: &PostgresPrograms, account: &Account) -> Result<(), Error> {
    let mut command = account.command(&programs.folder.join("initdb"));
    command
        .arg("-D")
        .arg(folder)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]);
    if !sync {
        command.arg("--no-sync");
    }
    tracing::info!(server = SERVER, folder = %folder.display(), "making a new database cluster");
    child::run(command).map(drop)
}

/// The empty cluster that is copied for tests: made by whoever comes first, put in place by one rename.
fn cached_cluster(cache: &Path, programs: &PostgresPrograms, account: &Account) -> Result<PathBuf, Error> {
    use std::os::unix::fs::MetadataExt;

    // Servers of one process that start together make it once; other processes have a half of their own.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    account.own_folder(cache)?;
    let ready = cache.join(format!("cluster-{}", programs.version));
    if let Ok(metadata) = std::fs::symlink_metadata(&ready)
        && metadata.is_dir()
        && metadata.uid() == account.uid
    {
        return Ok(ready);
    }
    let half = cache.join(format!("half-{}", std::process::id()));
    remove_folder(&half)?;
    initdb(&half, false, programs, account)?;
    match std::fs::rename(&half, &ready) {
        Ok(()) => Ok(ready),
        // Another process was faster; its cluster is as good.
        Err(_) if ready.is_dir() => remove_folder(&half).map(|()| ready),
        Err(error) => Err(Error::io(format!("keep the cluster {}", ready.display()))(error)),
    }
}

fn remove_folder(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", folder.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Makes sure that nobody else works on the cluster, and removes what a dead server left behind.
///
/// PostgreSQL's own check believes any live process with the number in its lock file, and numbers are used
/// again: in a container nearly always. Its processes stand in the data folder, which cannot be mistaken.
async fn claim(data_dir: &Path) -> Result<(), Error> {
    child::end_orphan(SERVER, data_dir, ORPHANS_LIMIT).await?;
    let cluster = cluster(data_dir);
    let lock = cluster.join("postmaster.pid");
    let owner = child::pid_in(&lock);
    let start = Instant::now();
    loop {
        let inside = child::standing_in(&cluster);
        let Some(first) = inside.first().copied() else {
            break;
        };
        let main = owner.filter(|owner| inside.contains(owner));
        // Processes whose server was killed need a moment to notice it.
        if main.is_some() || start.elapsed() > ORPHANS_LIMIT {
            return Err(Error::InUse {
                server: SERVER,
                folder: data_dir.to_path_buf(),
                pid: main.unwrap_or(first),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    // The socket's lock names a process as well, and is believed as blindly.
    let left = std::fs::read_dir(data_dir).into_iter().flatten().flatten();
    let sockets = left.filter(|file| file.file_name().to_string_lossy().starts_with(".s.PGSQL."));
    let stale = std::iter::once(lock).chain(sockets.map(|file| file.path()));
    for file in stale {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(format!(
                    "remove the stale lock file {}",
                    file.display()
                ))(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the server lets a client in; while it starts or recovers it says that it does not yet.
async fn accepts(port: u16) -> Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(Ipv4Addr::LOCALHOST.to_string())
        .port(port)
        .user("postgres")
        .dbname("postgres");
    config.connect_timeout(Duration::from_secs(5));
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    drop(client);
    connection.await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cluster_gets_the_programs_of_its_own_major_though_newer_ones_are_there() {
        let folder = std::env::temp_dir().join(format!("majors-{}", std::process::id()));
        let fake = |version: &str| {
            let bin = folder.join(version);
            std::fs::create_dir_all(&bin).unwrap();
            let initdb = bin.join("initdb");
            std::fs::write(
                &initdb,
                format!("#!/bin/sh\necho 'initdb (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            std::fs::set_permissions(&initdb, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::fs::write(bin.join("postgres"), "").unwrap();
            all_postgres(Some(&bin)).unwrap().remove(0)
        };
        let here = || vec![fake("18.1"), fake("16.4"), fake("15.9")];
        let data = Path::new("/data");
        assert_eq!(of_major(here(), "16", data).unwrap().version, "16.4");
        let said = of_major(here(), "17", data).unwrap_err().to_string();
        for part in [
            "/data",
            "PostgreSQL 17",
            "18.1, 16.4, 15.9",
            "postgresql-17",
            "postgresql17-server",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
