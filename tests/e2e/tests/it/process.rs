//! The program as a child process that can be killed, halted and started again, its output in a file.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The built program beside this test program.
pub(crate) fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("stock-tracker");
    assert!(
        program.exists(),
        "{} is not built: run `cargo build -p cli` first",
        program.display()
    );
    program
}

/// Settings of a child; nothing else of our environment reaches it.
pub(crate) type Settings = Vec<(String, String)>;

/// A call of the program. Where util-linux is installed, the kernel kills it when this test program dies.
pub(crate) fn command(arguments: &[&str], settings: &Settings) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.exists() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program());
        command
    } else {
        Command::new(program())
    };
    let kept = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
    command
        .args(arguments)
        .env_clear()
        .envs(kept)
        .env("RUST_LOG", "info,async_nats=warn")
        .envs(
            settings
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

/// Runs a tool to its end: its exit code and all it said.
pub(crate) fn run(arguments: &[&str], settings: &Settings) -> (Option<i32>, String) {
    let output = command(arguments, settings).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A running child; killed when dropped.
pub(crate) struct Process {
    arguments: Vec<String>,
    settings: Settings,
    log: PathBuf,
    child: Child,
}

impl Process {
    pub(crate) fn start(arguments: &[&str], settings: Settings, log: PathBuf) -> Self {
        let child = spawn(arguments, &settings, &log);
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self {
            arguments,
            settings,
            log,
            child,
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same again, after it has ended.
    pub(crate) fn start_again(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.child = spawn(&arguments, &self.settings, &self.log);
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -{name} {pid}");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Everything it wrote.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn spawn(arguments: &[&str], settings: &Settings, log: &Path) -> Child {
    let output = OpenOptions::new().create(true).append(true).open(log).unwrap();
    command(arguments, settings)
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
