//! One scratch folder per test process, removed when the process is gone, also after `kill -9`.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The folder and the pipe whose closing tells the watcher that this process has ended.
static SCRATCH: LazyLock<(PathBuf, Option<ChildStdin>)> = LazyLock::new(|| {
    // Others may pass through (PostgreSQL's account when the tests run as root) but not look around.
    let open = std::fs::Permissions::from_mode(0o711);
    let folder = match tempfile::Builder::new()
        .prefix("st-test-")
        .permissions(open)
        .tempdir()
    {
        Ok(folder) => folder.keep(),
        Err(error) => panic!("no scratch folder: {error}"),
    };
    let watcher = watch(&folder);
    (folder, watcher)
});

/// Statics are never dropped and a killed process cleans nothing up, so a shell waits for our end of a pipe
/// to close. Servers that die with us may still write for a moment, hence more than one try.
fn watch(folder: &std::path::Path) -> Option<ChildStdin> {
    let script = r#"cat >/dev/null; for i in 1 2 3 4 5 6; do rm -rf -- "$1" && exit; sleep 0.5; done"#;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "sh"])
        .arg(folder)
        .current_dir("/")
        .process_group(0);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        Ok(mut child) => child.stdin.take(),
        Err(error) => panic!("no watcher for the scratch folder: {error}"),
    }
}

/// A new empty folder for one server or test, gone after the process. Other accounts may pass through it.
pub fn scratch_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = SCRATCH.0.join(format!("{name}-{number}"));
    if let Err(error) = std::fs::create_dir(&folder) {
        panic!("no scratch folder {}: {error}", folder.display());
    }
    folder
}
