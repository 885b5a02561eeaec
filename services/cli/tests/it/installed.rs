//! Servers of a test's own with what the product needs in them, and the program run against them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use messaging::users;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use support::{Nats, NatsOptions, Own, Postgres, scratch_folder};

/// Settings by name.
pub(crate) type Settings = Vec<(&'static str, String)>;

pub(crate) struct Installed {
    pub(crate) postgres: Own<Postgres>,
    pub(crate) nats: Own<Nats>,
    pub(crate) seeds: PathBuf,
    pub(crate) settings: Settings,
}

/// A run tool: exit code, standard output, and both outputs.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Installed {
    /// Servers with nothing of ours in them.
    pub(crate) async fn empty() -> Self {
        Self::with_broker("", |_| {}).await
    }

    /// As [`Installed::empty`], with more lines in the broker's configuration, and options of its server.
    pub(crate) async fn with_broker(lines: &str, change: impl FnOnce(&mut NatsOptions)) -> Self {
        let folder = scratch_folder("installed");
        let seeds = folder.join("nats-users");
        users::prepare(&seeds).unwrap();
        let conf = seeds.join("server.conf");
        std::fs::write(&conf, format!("include \"{}\"\n{lines}\n", users::CONF_FILE)).unwrap();
        let (postgres, nats) = tokio::join!(
            support::own_postgres(),
            support::own_nats_with(|options| {
                options.config_file = Some(conf);
                change(options);
            })
        );
        let master = vault::MasterKeys::generate().unwrap();
        let token = auth::AccessTokens::generate_pem().unwrap();
        let settings = vec![
            ("DATABASE_URL", postgres.url("postgres")),
            ("NATS_URL", nats.url()),
            ("ST_NATS_SEED_DIR", seeds.display().to_string()),
            ("ST_MASTER_KEY", master.expose_secret().to_owned()),
            ("ST_JWT_KEY", token.expose_secret().to_owned()),
            ("ST_METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("RUST_LOG", "warn".to_owned()),
        ];
        Self {
            postgres,
            nats,
            seeds,
            settings,
        }
    }

    /// Servers with schema and streams.
    pub(crate) async fn ready() -> Self {
        Self::empty().await.prepared()
    }

    /// Makes schema and streams.
    pub(crate) fn prepared(self) -> Self {
        for tool in [&["migrate"][..], &["nats", "apply"]] {
            let ran = self.run(tool, &[]);
            assert_eq!(ran.code, Some(0), "{}", ran.said);
        }
        self
    }

    pub(crate) fn command(&self, arguments: &[&str], changed: &[(&'static str, String)]) -> Command {
        let mut command = program(arguments);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command.envs(changed.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Runs a tool to its end, with some settings changed.
    pub(crate) fn run(&self, arguments: &[&str], changed: &[(&'static str, String)]) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments, changed).output().unwrap();
        let out = String::from_utf8_lossy(&stdout).into_owned();
        let said = format!("{out}{}", String::from_utf8_lossy(&stderr));
        Ran {
            code: status.code(),
            out,
            said,
        }
    }

    /// The report of `doctor`, and its exit code.
    pub(crate) fn doctor(&self, changed: &[(&'static str, String)]) -> (Option<i32>, Value) {
        let ran = self.run(&["doctor", "--json"], changed);
        let report = serde_json::from_str(&ran.out);
        (ran.code, report.unwrap_or_else(|_| panic!("{}", ran.said)))
    }
}

/// The program with nothing of our environment but what any program needs.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let kept = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_stock-tracker"));
    command
        .args(arguments)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::null());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// The finding of a check: severity, what was found, and the remedy.
#[track_caller]
pub(crate) fn finding<'a>(report: &'a Value, check: &str) -> (&'a str, &'a str, &'a str) {
    let found = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing about {check}: {report:#}"));
    (
        found["severity"].as_str().unwrap(),
        found["found"].as_str().unwrap(),
        found["remedy"].as_str().unwrap_or_default(),
    )
}

/// A check failed for this reason, and is mended so.
#[track_caller]
pub(crate) fn assert_fails(report: &Value, check: &str, reason: &str, remedy: &str) {
    let (severity, found, told) = finding(report, check);
    assert_eq!(severity, "failure", "{check}: {found}");
    assert!(found.contains(reason), "{check}: {found}");
    assert!(told.contains(remedy), "{check}: {told}");
}
