//! A NATS server of our own with JetStream, in a folder of our own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::binaries::{NatsProgram, find_nats};
use crate::child::{self, POLL, Running};
use crate::{Error, ports};

const SERVER: &str = "nats-server";
/// Recovery of large streams takes its time.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// Starts with other free ports before giving up.
const PORT_TRIES: usize = 5;

/// How an embedded nats-server is to run.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Folder for everything the server keeps; JetStream's files go below it.
    pub data_dir: PathBuf,
    /// Port for clients on the loopback address; `None` chooses a free one.
    pub port: Option<u16>,
    /// Port for monitoring on the loopback address; `None` chooses a free one.
    pub monitoring_port: Option<u16>,
    /// Configuration file; ports, folder and log above win over what it says.
    pub config_file: Option<PathBuf>,
    /// Further arguments of the program.
    pub extra_arguments: Vec<String>,
    /// The program; `None` looks for it.
    pub program: Option<PathBuf>,
    /// Folder that `make tools` fills; `None` looks for `.tools` in the current folder and above.
    pub tools_dir: Option<PathBuf>,
}

impl NatsOptions {
    /// A server with its data in `data_dir`, on free ports.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            monitoring_port: None,
            config_file: None,
            extra_arguments: Vec::new(),
            program: None,
            tools_dir: None,
        }
    }
}

/// An embedded nats-server with JetStream, reachable from this machine only. Killed when dropped; belongs to
/// no async runtime, so that tests with runtimes of their own can share one.
#[derive(Debug)]
pub struct Nats {
    options: NatsOptions,
    program: NatsProgram,
    port: u16,
    monitoring_port: u16,
    running: Mutex<Option<Running>>,
}

impl Nats {
    /// Starts the server and waits until it greets clients and its JetStream is healthy.
    ///
    /// # Errors
    /// See [`Error`]; nothing is left running.
    pub async fn start(options: NatsOptions) -> Result<Self, Error> {
        let program = find_nats(options.program.as_deref(), options.tools_dir.as_deref())?;
        let folder = &options.data_dir;
        std::fs::create_dir_all(folder)
            .map_err(Error::io(format!("make the folder {}", folder.display())))?;
        let absolute = std::path::absolute(folder).map_err(Error::io("find the current folder"))?;
        let options = NatsOptions {
            data_dir: absolute,
            ..options
        };
        claim(&options.data_dir).await?;
        let mut tries = PORT_TRIES;
        loop {
            let port = choose(options.port)?;
            let monitoring_port = choose(options.monitoring_port)?;
            let server = Self {
                options: options.clone(),
                program: program.clone(),
                port,
                monitoring_port,
                running: Mutex::new(None),
            };
            tries -= 1;
            let raced = || {
                let lost = |wanted: Option<u16>, port| wanted.is_none() && !ports::is_free(port);
                lost(options.port, port) || lost(options.monitoring_port, monitoring_port)
            };
            match server.launch().await {
                Ok(()) => return Ok(server),
                Err(Error::Exited { .. }) if tries > 0 && raced() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Address for clients.
    pub fn url(&self) -> String {
        format!("nats://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Address of the monitoring pages (`/healthz`, `/jsz`, …).
    pub fn monitoring_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.monitoring_port)
    }

    /// Port for clients; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id of the server; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(Running::pid)
    }

    /// How the server ended, if it did so without being asked. None while it runs and after one of the ways
    /// to stop it.
    pub fn ended_unasked(&self) -> Option<Error> {
        let log = self.log_file();
        self.running().as_mut()?.ended_unasked(&log)
    }

    /// JetStream's own folder: what a test deletes or replaces to take the broker's memory away.
    pub fn store_dir(&self) -> PathBuf {
        self.options.data_dir.join("jetstream")
    }

    /// The folder for everything the server keeps.
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// The server's log.
    pub fn log_file(&self) -> PathBuf {
        self.options.data_dir.join("nats.log")
    }

    /// Version of the server program, such as `2.15.1`.
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// Stops in order.
    ///
    /// # Errors
    /// [`Error::NotRunning`], or [`Error::TooSlow`] after half a minute; it is killed then.
    pub async fn stop(&self) -> Result<(), Error> {
        let mut running = self.take_running()?;
        if running.ended()?.is_some() {
            return Ok(());
        }
        // A paused server would hear the signal only when it goes on.
        child::signal("TERM", &[running.pid()])?;
        child::signal("CONT", &[running.pid()])?;
        if running.ended_within(STOP_LIMIT).await? {
            return Ok(());
        }
        Err(too_slow(
            "stopped",
            STOP_LIMIT,
            format!("process {} runs", running.pid()),
        ))
    }

    /// `kill -9`, and waits until the server is gone.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub async fn kill(&self) -> Result<(), Error> {
        let mut running = self.take_running()?;
        let killed = running.kill_all();
        match child::all_gone(&killed, STOP_LIMIT).await {
            None => Ok(()),
            Some(pid) => Err(too_slow("killed", STOP_LIMIT, format!("process {pid} lives"))),
        }
    }

    /// Halts the server where it stands (`SIGSTOP`): connections stay open and nothing answers.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn pause(&self) -> Result<(), Error> {
        self.signal("STOP")
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn resume(&self) -> Result<(), Error> {
        self.signal("CONT")
    }

    /// Starts the server again with the same folder and ports, after one of the ways to stop it.
    ///
    /// # Errors
    /// [`Error::AlreadyRunning`], and as [`Nats::start`].
    pub async fn start_again(&self) -> Result<(), Error> {
        if let Some(running) = self.running().as_mut()
            && running.ended()?.is_none()
        {
            return Err(Error::AlreadyRunning { server: SERVER });
        }
        self.running().take();
        claim(&self.options.data_dir).await?;
        ports::demanded(SERVER, self.port)?;
        ports::demanded(SERVER, self.monitoring_port)?;
        self.launch().await
    }

    fn signal(&self, name: &str) -> Result<(), Error> {
        let pid = self.pid().ok_or(Error::NotRunning { server: SERVER })?;
        child::signal(name, &[pid])
    }

    /// Starts the program and waits until it is ready; on failure nothing keeps running.
    async fn launch(&self) -> Result<(), Error> {
        let log = self.log_file();
        // What it says before it has read where its log is (a broken configuration) goes there too.
        let (stdout, stderr) = (child::open_log(&log)?, child::open_log(&log)?);
        let log_before = stderr.metadata().map_or(0, |metadata| metadata.len());
        let mut command = child::dying_with_us(&self.program.path);
        command
            .args(["--js", "--addr"])
            .arg(Ipv4Addr::LOCALHOST.to_string());
        command.args([
            "--port",
            &self.port.to_string(),
            "--http_port",
            &self.monitoring_port.to_string(),
        ]);
        command.arg("--store_dir").arg(&self.options.data_dir);
        command.arg("--pid").arg(pid_file(&self.options.data_dir));
        command
            .arg("--log")
            .arg(&log)
            .args(["--log_size_limit", "67108864"]);
        if let Some(config) = &self.options.config_file {
            command.arg("--config").arg(config);
        }
        command.args(&self.options.extra_arguments);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
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
                Err(error) => error.to_string(),
            };
            if start.elapsed() > START_LIMIT {
                return Err(too_slow("ready", START_LIMIT, refusal));
            }
            tokio::time::sleep(POLL).await;
        }
        child::note_holder(&self.options.data_dir, running.pid())?;
        *self.running() = Some(running);
        Ok(())
    }

    async fn is_ready(&self) -> Result<(), std::io::Error> {
        let greeting = ask(self.port, None).await?;
        if !greeting.starts_with("INFO ") {
            return Err(std::io::Error::other("no NATS greeting on the client port"));
        }
        let request = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
        let health = ask(self.monitoring_port, Some(request)).await?;
        let status = health.split(' ').nth(1).unwrap_or_default();
        if status == "200" {
            Ok(())
        } else {
            Err(std::io::Error::other(format!("/healthz: {health}")))
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_running(&self) -> Result<Running, Error> {
        self.running().take().ok_or(Error::NotRunning { server: SERVER })
    }
}

fn choose(wanted: Option<u16>) -> Result<u16, Error> {
    wanted.map_or_else(|| ports::free(SERVER), |port| ports::demanded(SERVER, port))
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("nats.pid")
}

fn too_slow(state: &'static str, limit: Duration, last: String) -> Error {
    Error::TooSlow {
        server: SERVER,
        state,
        seconds: limit.as_secs(),
        last,
    }
}

/// nats-server keeps no lock on its folder, and two of them on one store destroy it: the pid file is the
/// lock.
async fn claim(data_dir: &Path) -> Result<(), Error> {
    child::end_orphan(SERVER, data_dir, STOP_LIMIT).await?;
    let owner = child::pid_in(&pid_file(data_dir));
    match owner.filter(|pid| child::lives_as(*pid, &data_dir.to_string_lossy())) {
        Some(pid) => Err(Error::InUse {
            server: SERVER,
            folder: data_dir.to_path_buf(),
            pid,
        }),
        None => Ok(()),
    }
}

/// The first bytes that a local port answers, after an optional request.
async fn ask(port: u16, request: Option<&str>) -> Result<String, std::io::Error> {
    let asking = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        if let Some(request) = request {
            stream.write_all(request.as_bytes()).await?;
        }
        let mut answer = vec![0; 512];
        let length = stream.read(&mut answer).await?;
        answer.truncate(length);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match tokio::time::timeout(PROBE_LIMIT, asking).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)),
    }
}
