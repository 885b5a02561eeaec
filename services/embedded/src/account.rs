//! Gives up root for PostgreSQL, which refuses to run as root, and finds a place for data that both can
//! reach.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::Error;
use crate::child;

/// Where data goes that cannot lie where it was wanted; readable by every account on the way.
const FALLBACK_PARENT: &str = "/var/lib/stock-tracker";

/// The account that PostgreSQL's programs run as.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    gid: u32,
    give_up_root: Option<GiveUpRoot>,
}

/// The program that changes the account, best first.
#[derive(Debug, Clone, Copy)]
enum GiveUpRoot {
    Setpriv,
    Runuser,
    Su,
}

impl Account {
    /// The present account, or for root the unprivileged one that PostgreSQL will run as.
    pub(crate) fn for_postgres() -> Result<Self, Error> {
        let uid = effective_uid()?;
        if uid != 0 {
            return Ok(Self {
                name: format!("with id {uid}"),
                uid,
                gid: 0,
                give_up_root: None,
            });
        }
        let accounts = std::fs::read_to_string("/etc/passwd").map_err(Error::io("read /etc/passwd"))?;
        let (name, uid, gid) = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| ids_of(&accounts, name).map(|(uid, gid)| (name.to_owned(), uid, gid)))
            .ok_or(Error::NoAccount {
                what: "an account `postgres` or `nobody`",
            })?;
        let give_up_root = if *child::SETPRIV_KILLS_ORPHANS {
            GiveUpRoot::Setpriv
        } else if child::runs("runuser", &["--version"]) {
            GiveUpRoot::Runuser
        } else if child::runs("su", &["--version"]) {
            GiveUpRoot::Su
        } else {
            return Err(Error::NoAccount {
                what: "`setpriv`, `runuser` or `su`",
            });
        };
        Ok(Self {
            name,
            uid,
            gid,
            give_up_root: Some(give_up_root),
        })
    }

    /// A command that runs as this account in a small, known environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self.give_up_root {
            None => child::dying_with_us(program),
            Some(GiveUpRoot::Setpriv) => {
                let mut command = Command::new("setpriv");
                let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
                // The order matters inside setpriv, not here: it asks for the death signal after the change
                // of account, which would otherwise clear it.
                command.args([
                    "--reuid",
                    &uid,
                    "--regid",
                    &gid,
                    "--clear-groups",
                    "--pdeathsig",
                    "KILL",
                    "--",
                ]);
                child::unless_orphaned(&mut command, program);
                command
            }
            Some(GiveUpRoot::Runuser) => {
                let mut command = Command::new("runuser");
                command.args(["-u", &self.name, "--"]).arg(program);
                command
            }
            Some(GiveUpRoot::Su) => {
                let mut command = Command::new("su");
                let script = r#"exec "$0" "$@""#;
                command
                    .args(["-s", "/bin/sh", &self.name, "-c", script, "--"])
                    .arg(program);
                command
            }
        };
        command
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .envs([("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
            // The folder we stand in may be closed to the other account, and initdb insists on entering it.
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    /// Makes `folder` and gives it to this account, closed to everybody else.
    ///
    /// Fails with [`Error::Unreachable`] if the account could not get there.
    pub(crate) fn own_folder(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder)
            .map_err(Error::io(format!("make the data folder {}", folder.display())))?;
        if let Some(blocked) = self.blocked_at(folder)? {
            return Err(Error::Unreachable {
                account: self.name.clone(),
                folder: folder.to_path_buf(),
                blocked,
            });
        }
        if self.give_up_root.is_some() {
            let action = format!("give {} to account {}", folder.display(), self.name);
            std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid)).map_err(Error::io(action))?;
        }
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder, closed)
            .map_err(Error::io(format!("close {} to other accounts", folder.display())))
    }

    /// The first folder above `folder` that this account may not enter.
    fn blocked_at(&self, folder: &Path) -> Result<Option<PathBuf>, Error> {
        if self.give_up_root.is_none() {
            return Ok(None);
        }
        let folder = std::path::absolute(folder).map_err(Error::io("find the current folder"))?;
        let mut above: Vec<&Path> = folder.ancestors().skip(1).filter(|path| path.exists()).collect();
        above.reverse();
        let mut command = self.command(Path::new("/bin/sh"));
        command
            .args([
                "-c",
                r#"for d; do [ -x "$d" ] || { printf %s "$d"; exit 3; }; done"#,
                "sh",
            ])
            .args(above);
        let output = command
            .output()
            .map_err(Error::io(format!("run a command as {}", self.name)))?;
        match output.status.code() {
            Some(0) => Ok(None),
            Some(3) => Ok(Some(PathBuf::from(
                String::from_utf8_lossy(&output.stdout).into_owned(),
            ))),
            _ => Err(child::command_failed(&command, &output)),
        }
    }
}

/// Where a data folder will really lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The folder to use.
    pub folder: PathBuf,
    /// The folder on the way to the wanted place that PostgreSQL's account may not enter, when that is why
    /// `folder` is another than wanted.
    pub moved_because_of: Option<PathBuf>,
}

/// Decides where the data wanted at `folder` can lie. That is `folder` itself, unless this process is root
/// and PostgreSQL's account cannot get there (a checkout below `/root`): then it is a folder below
/// `/var/lib/stock-tracker` whose name follows from the wanted path, so that the next start finds the same
/// data.
///
/// # Errors
/// [`Error::NoAccount`] or [`Error::Io`] if no account is there to ask for.
pub fn place(folder: &Path) -> Result<Placed, Error> {
    let account = Account::for_postgres()?;
    let wanted = std::path::absolute(folder).map_err(Error::io("find the current folder"))?;
    match account.blocked_at(&wanted)? {
        None => Ok(Placed {
            folder: wanted,
            moved_because_of: None,
        }),
        Some(blocked) => Ok(Placed {
            folder: Path::new(FALLBACK_PARENT).join(flat_name(&wanted)),
            moved_because_of: Some(blocked),
        }),
    }
}

/// A path as one file name, and no two paths as the same one.
fn flat_name(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%25").replace('-', "%2d");
    text.trim_matches('/').replace('/', "-")
}

/// `/proc/self` belongs to the effective user of this process.
fn effective_uid() -> Result<u32, Error> {
    static UID: LazyLock<std::io::Result<u32>> =
        LazyLock::new(|| std::fs::metadata("/proc/self").map(|metadata| metadata.uid()));
    match &*UID {
        Ok(uid) => Ok(*uid),
        Err(error) => Err(Error::Io {
            action: "read /proc/self".to_owned(),
            source: error.kind().into(),
        }),
    }
}

/// Numeric user and group of an account in the text of `/etc/passwd`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:9:9::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(ids_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(passwd, "nobody"), None);
    }

    #[test]
    fn paths_that_differ_get_names_that_differ() {
        assert_eq!(flat_name(Path::new("/root/shop/.data")), "root-shop-.data");
        assert_ne!(flat_name(Path::new("/a-b/c")), flat_name(Path::new("/a/b-c")));
    }
}
