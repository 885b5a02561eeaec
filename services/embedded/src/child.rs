//! Child processes that end when we end, and the signals and process tables needed to run them.
//!
//! The kernel's parent-death signal goes off when the *thread* that started a child ends, and test threads
//! end early. Every server is therefore started by one thread that lives as long as the process.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::Error;

/// Pause between two looks at a state that nothing announces.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Who runs the server of a data folder, and which process that is.
const HOLDER_FILE: &str = "holder";
/// The kernel's parent-death signal arrives at once; what lives longer than this was not sent one.
const ORPHAN_DIES: Duration = Duration::from_secs(2);

/// Whether util-linux' `setpriv` is here and new enough to ask for the parent-death signal.
pub(crate) static SETPRIV_KILLS_ORPHANS: LazyLock<bool> =
    LazyLock::new(|| runs("setpriv", &["--pdeathsig", "KILL", "true"]));

/// Whether a program can be run and says yes.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command whose process the kernel kills when the thread that starts it ends (where that can be had).
pub(crate) fn dying_with_us(program: &Path) -> Command {
    if !*SETPRIV_KILLS_ORPHANS {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    unless_orphaned(&mut command, program);
    command
}

/// Ends `command` with `program`, started only if this process is still the parent: the kernel sends no
/// parent-death signal for a parent that had died before it was asked for.
pub(crate) fn unless_orphaned(command: &mut Command, program: &Path) {
    let script = r#"[ "$PPID" = "$0" ] || exit 1; exec "$@""#;
    command.args(["/bin/sh", "-c", script]);
    command.arg(std::process::id().to_string()).arg(program);
}

/// How much of the end of a log is looked at for its last lines.
const LAST_BYTES: u64 = 4096;

/// A running server program; killed with all its processes when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    server: &'static str,
}

impl Running {
    /// Starts `command` in a process group of its own, so that Ctrl-C on a terminal reaches only us and we
    /// can stop the servers in order.
    pub(crate) fn start(server: &'static str, mut command: Command) -> Result<Self, Error> {
        command.process_group(0).stdin(Stdio::null());
        let child = spawn_on_keeper(command).map_err(Error::io(format!("start {server}")))?;
        Ok(Self { child, server })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How a server ended by itself that was expected to run, said as an error; none while it runs.
    pub(crate) fn ended_unasked(&mut self, log: &Path) -> Option<Error> {
        match self.ended() {
            Ok(None) => None,
            Ok(Some(status)) => Some(Error::Ended {
                server: self.server,
                status,
                log: log_since(
                    log,
                    std::fs::metadata(log).map_or(0, |log| log.len().saturating_sub(LAST_BYTES)),
                ),
            }),
            Err(error) => Some(error),
        }
    }

    /// How the server ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child
            .try_wait()
            .map_err(Error::io(format!("look after {}", self.server)))
    }

    /// Waits until the server has ended, at most `limit`; says whether it did.
    pub(crate) async fn ended_within(&mut self, limit: Duration) -> Result<bool, Error> {
        let start = Instant::now();
        while self.ended()?.is_none() {
            if start.elapsed() > limit {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(true)
    }

    /// Kills the server and everything below it, and returns the killed processes.
    ///
    /// The server is stopped first, so that it starts no new process between the look at the table and the
    /// blow.
    pub(crate) fn kill_all(&mut self) -> Vec<u32> {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return Vec::new();
        }
        let pid = self.pid();
        if signal("STOP", &[pid]).is_err() {
            tracing::warn!(
                process.pid = pid,
                "{} could not be halted before it was killed",
                self.server
            );
        }
        let mut pids = descendants(pid);
        pids.push(pid);
        // A refusal means that some of them are gone already; the wait below is what decides.
        if signal("KILL", &pids).is_err() && self.child.kill().is_err() {
            tracing::warn!(process.pid = pid, "{} could not be killed", self.server);
        }
        if let Err(error) = self.child.wait() {
            tracing::warn!(process.pid = pid, error = %error, "{} could not be waited for", self.server);
        }
        pids
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_all();
    }
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The way to the thread that starts all servers.
static KEEPER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    let keep = move || {
        for (mut command, reply) in inbox {
            // Nobody waits for the reply any more: then the child has no owner either.
            if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(command.spawn())
                && let Err(error) = orphan.kill().and_then(|()| orphan.wait())
            {
                tracing::warn!(error = %error, "an orphaned child process could not be ended");
            }
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("child-keeper".to_owned())
        .spawn(keep)
    {
        tracing::error!(error = %error, "no thread for child processes");
    }
    Mutex::new(orders)
});

fn spawn_on_keeper(command: Command) -> std::io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    let orders = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let gone = || std::io::Error::other("the thread that keeps child processes is gone");
    if orders.send((command, reply)).is_err() {
        return Err(gone());
    }
    answer.recv().unwrap_or_else(|_closed| Err(gone()))
}

/// Sends a signal by the shell's own `kill`, which needs no further package and no unsafe code.
pub(crate) fn signal(name: &str, pids: &[u32]) -> Result<(), Error> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"s=$1; shift; kill -s "$s" "$@""#, "sh", name]);
    command.args(pids.iter().map(u32::to_string));
    run(command).map(drop)
}

/// Runs a short command to its end.
pub(crate) fn run(mut command: Command) -> Result<Output, Error> {
    command.stdin(Stdio::null());
    let output = command
        .output()
        .map_err(Error::io(format!("run `{}`", line_of(&command))))?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(command_failed(&command, &output))
    }
}

pub(crate) fn command_failed(command: &Command, output: &Output) -> Error {
    let written = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&written).trim().to_owned();
    Error::Command {
        command: line_of(command),
        status: output.status,
        output: text,
    }
}

fn line_of(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// All processes below `root`, from the kernel's table.
fn descendants(root: u32) -> Vec<u32> {
    let table: Vec<(u32, u32)> = processes()
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            table
                .iter()
                .filter(|(_, above)| *above == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.remove(0);
    found
}

/// Processes that stand in `folder`, as PostgreSQL's do in their data folder.
pub(crate) fn standing_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else {
        return Vec::new();
    };
    let stands = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    processes().filter(stands).collect()
}

/// Whether process `pid` lives and was started with `word` somewhere in its command line.
pub(crate) fn lives_as(pid: u32, word: &str) -> bool {
    is_alive(pid)
        && std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
}

/// Whether process `pid` exists and is more than a dead entry that nobody has collected yet.
pub(crate) fn is_alive(pid: u32) -> bool {
    stat_fields(pid).is_some_and(|fields| !fields.starts_with('Z') && !fields.starts_with('X'))
}

/// A process that cannot be mistaken for a later one with its number: number and time of start.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Born {
    pid: u32,
    /// In ticks since the machine started; field 22 of `/proc/<pid>/stat`.
    at: String,
}

impl Born {
    fn of(pid: u32) -> Option<Self> {
        let at = stat_fields(pid)?.split(' ').nth(19)?.to_owned();
        Some(Self { pid, at })
    }

    fn read(line: &str) -> Option<Self> {
        let (pid, at) = line.split_once(' ')?;
        let (pid, at) = (pid.parse().ok()?, at.to_owned());
        Some(Self { pid, at })
    }

    fn lives(&self) -> bool {
        is_alive(self.pid) && Self::of(self.pid).as_ref() == Some(self)
    }
}

/// Notes in `folder` that this process runs the server `pid` there, for [`end_orphan`].
pub(crate) fn note_holder(folder: &Path, pid: u32) -> Result<(), Error> {
    let noted = [std::process::id(), pid].map(Born::of);
    let [Some(holder), Some(server)] = noted else {
        return Ok(());
    };
    let text = format!("{} {}\n{} {}\n", holder.pid, holder.at, server.pid, server.at);
    let path = folder.join(HOLDER_FILE);
    std::fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))
}

/// Sees to it that the server in `folder` that a dead run of ours left there ends: it may be dying this
/// moment, and where the kernel has no parent-death signal it lives on. A server that anybody else runs is
/// let alone.
pub(crate) async fn end_orphan(server: &'static str, folder: &Path, limit: Duration) -> Result<(), Error> {
    let noted = std::fs::read_to_string(folder.join(HOLDER_FILE)).unwrap_or_default();
    let mut lines = noted.lines().map(Born::read);
    let (Some(Some(holder)), Some(Some(orphan))) = (lines.next(), lines.next()) else {
        return Ok(());
    };
    if holder.lives() || !orphan.lives() {
        return Ok(());
    }
    if all_gone(&[orphan.pid], ORPHAN_DIES).await.is_none() {
        return Ok(());
    }
    tracing::warn!(
        process.pid = orphan.pid,
        "{server} outlived the program that started it and is stopped"
    );
    // A refusal means that it ended meanwhile; the wait below decides.
    if let Err(error) = signal("INT", &[orphan.pid]) {
        tracing::debug!(error = %error, "{server} could not be signalled");
    }
    if all_gone(&[orphan.pid], limit).await.is_none() {
        return Ok(());
    }
    let mut pids = descendants(orphan.pid);
    pids.push(orphan.pid);
    signal("KILL", &pids)?;
    all_gone(&pids, limit).await;
    Ok(())
}

/// Waits until none of `pids` is alive, at most `limit`; returns one that still is.
pub(crate) async fn all_gone(pids: &[u32], limit: Duration) -> Option<u32> {
    let start = Instant::now();
    loop {
        let alive = pids.iter().copied().find(|pid| is_alive(*pid));
        if alive.is_none() || start.elapsed() > limit {
            return alive;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent_of(pid: u32) -> Option<u32> {
    stat_fields(pid)?.split(' ').nth(1)?.parse().ok()
}

/// `/proc/<pid>/stat` from the state on; the name before it may hold blanks and brackets, so the last one
/// counts.
fn stat_fields(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// The process id written in the first line of a file.
pub(crate) fn pid_in(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file)
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

/// Opens a log for appending; one that has grown beyond 64 MiB is set aside first.
pub(crate) fn open_log(path: &Path) -> Result<File, Error> {
    const LIMIT_BYTES: u64 = 64 << 20;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LIMIT_BYTES) {
        let aside: PathBuf = path.with_extension("log.old");
        std::fs::rename(path, &aside).map_err(Error::io(format!("set the log {} aside", path.display())))?;
    }
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(Error::io(format!("open the log {}", path.display())))
}

/// The end of what was written to a log since `from` (in bytes).
pub(crate) fn log_since(path: &Path, from: u64) -> String {
    const LINES: usize = 12;
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut text)
    });
    if let Err(error) = read {
        return format!("(unreadable: {error})");
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_is_killed_with_the_processes_it_started() {
        let mut command = dying_with_us(Path::new("/bin/sh"));
        command.args(["-c", "sleep 600 & sleep 600 & wait"]);
        let mut running = Running::start("shell", command).unwrap();
        let start = Instant::now();
        while descendants(running.pid()).len() < 2 {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "the shell started no children"
            );
            tokio::task::yield_now().await;
        }
        let killed = running.kill_all();
        assert_eq!(killed.len(), 3);
        assert_eq!(all_gone(&killed, Duration::from_secs(10)).await, None);
    }

    #[tokio::test]
    async fn an_orphan_of_a_dead_run_is_stopped_and_a_server_of_a_living_one_is_not() {
        let folder = std::env::temp_dir().join(format!("holder-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut orphan = Running::start("sleep", command).unwrap();
        let limit = Duration::from_secs(10);

        note_holder(&folder, orphan.pid()).unwrap();
        end_orphan("sleep", &folder, limit).await.unwrap();
        assert_eq!(orphan.ended().unwrap(), None, "its holder, this process, lives");

        // The number is a living process's again, but that one was born at another time.
        let noted = std::fs::read_to_string(folder.join(HOLDER_FILE)).unwrap();
        let (_, server) = noted.split_once('\n').unwrap();
        let dead = format!("{} 1\n{server}", std::process::id());
        std::fs::write(folder.join(HOLDER_FILE), dead).unwrap();
        end_orphan("sleep", &folder, limit).await.unwrap();
        assert!(orphan.ended_within(limit).await.unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_program_is_not_started_for_a_parent_that_has_died() {
        let mut command = Command::new("/bin/sh");
        let mut inner = Command::new("unused");
        unless_orphaned(&mut inner, Path::new("true"));
        // One shell more in between is a parent with another number.
        command
            .args(["-c", r#""$@"; exit $?"#, "sh"])
            .args(inner.get_args());
        assert!(!command.status().unwrap().success());
        let mut direct = Command::new("env");
        unless_orphaned(&mut direct, Path::new("true"));
        assert!(direct.status().unwrap().success());
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let asked = std::thread::spawn(|| {
            let mut command = dying_with_us(Path::new("sleep"));
            command.arg("600");
            Running::start("sleep", command).unwrap()
        });
        let mut running = asked.join().unwrap();
        assert_eq!(running.ended().unwrap(), None);
        assert!(is_alive(running.pid()));
    }
}
