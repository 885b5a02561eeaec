//! One whole installation of a test's own: PostgreSQL, NATS, simulated marketplaces, and one process per
//! role.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::stream::State;
use messaging::{Broker, BrokerOptions, users};
use simulators::google::Quotas;
use simulators::ozon::OzonLimits;
use simulators::wildberries::{Host, Limits};
use simulators::{
    Google, GoogleConfig, Ozon, OzonConfig, OzonSellerConfig, SellerConfig, Wildberries, WildberriesConfig,
};
use support::{Nats, Own, Pooler, Pooling, Postgres, SOON, eventually};

use crate::process::{Process, Settings, run};
use crate::seller::plain;

/// Every role, in the order of their start.
pub(crate) const ROLES: [&str; 8] = [
    "relay",
    "projector",
    "gateway",
    "worker",
    "sheets",
    "scheduler",
    "notifier",
    "api",
];
/// How many times faster than published the marketplaces are taken to be.
const SPEED: f64 = 10_000.0;

/// The servers under an installation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers {
    /// Folder of PostgreSQL's programs; none takes the newest of the system.
    pub(crate) postgres: Option<PathBuf>,
    /// Whether the login is the plain owner of its database, or the superuser.
    pub(crate) owner: bool,
    /// Whether a session pooler stands in front of it.
    pub(crate) pooler: bool,
    /// The program of nats-server; none takes the one of `make tools`.
    pub(crate) nats: Option<PathBuf>,
    /// Whether three servers keep everything three times.
    pub(crate) three: bool,
    /// More arguments of a single broker.
    pub(crate) arguments: Vec<String>,
}

/// The installation. Dropping it ends everything; if the test fails, the last words of each process are
/// shown.
pub(crate) struct World {
    processes: Mutex<BTreeMap<String, Process>>,
    pub(crate) wildberries: Wildberries,
    pub(crate) ozon: Ozon,
    pub(crate) google: Google,
    pub(crate) nats: Own<Nats>,
    /// The other two of three.
    _more_nats: Vec<Own<Nats>>,
    _pooler: Option<Pooler>,
    pub(crate) postgres: Own<Postgres>,
    settings: Settings,
    folder: PathBuf,
    address: String,
}

/// A shop of the simulated marketplace: small, because a debug build reads it again and again.
pub(crate) fn shop(seed: u64) -> SellerConfig {
    SellerConfig {
        seed,
        articles: 16,
        warehouses: 5,
        fbs_warehouses: 1,
        orders_per_day: 12,
        ..SellerConfig::default()
    }
}

impl World {
    /// Everything, with every role running.
    pub(crate) async fn start(shops: Vec<SellerConfig>) -> Self {
        let world = Self::empty(shops).await;
        world.begin_all().await;
        world
    }

    /// Installs what has to be there, and starts every role.
    pub(crate) async fn begin_all(&self) {
        self.tool(&["migrate"]);
        self.tool(&["nats", "apply"]);
        for role in ROLES {
            self.begin(role);
        }
        self.ready().await;
    }

    /// One more setting of the processes that are started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Servers as they come, and nothing of ours in them.
    pub(crate) async fn empty(shops: Vec<SellerConfig>) -> Self {
        Self::with_broker(shops, &[]).await
    }

    /// As [`World::empty`], with more arguments of the broker's server.
    pub(crate) async fn with_broker(shops: Vec<SellerConfig>, arguments: &[&str]) -> Self {
        let servers = Servers {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            ..Servers::default()
        };
        Self::on(shops, &servers).await
    }

    /// As [`World::empty`], on these servers.
    pub(crate) async fn on(shops: Vec<SellerConfig>, servers: &Servers) -> Self {
        let folder = support::scratch_folder("world");
        let seeds = folder.join("nats-users");
        users::prepare(&seeds).unwrap();
        let conf = seeds.join(users::CONF_FILE);
        let starting = support::own_postgres_with(|options| options.programs.clone_from(&servers.postgres));
        let (postgres, mut brokers) = tokio::join!(starting, brokers(servers, &conf));
        let (database, pooler) = way_to(&postgres, servers).await;
        let addresses: Vec<String> = brokers.iter().map(|broker| broker.url()).collect();
        let nats = brokers.remove(0);
        let config = WildberriesConfig {
            sellers: shops,
            limits: Limits::Speed(SPEED),
            ..WildberriesConfig::default()
        };
        let wildberries = Wildberries::start(config).await.unwrap();
        let ozon = Ozon::start(OzonConfig {
            sellers: vec![OzonSellerConfig {
                seed: 21,
                products: 12,
                warehouses: 4,
                ..OzonSellerConfig::default()
            }],
            limits: OzonLimits::Speed(SPEED),
            ..OzonConfig::default()
        })
        .await
        .unwrap();
        let quotas = Quotas {
            speed: SPEED,
            ..Quotas::default()
        };
        let google = Google::start(GoogleConfig {
            quotas,
            ..GoogleConfig::default()
        })
        .await
        .unwrap();
        let key_file = folder.join("service-account.json");
        std::fs::write(&key_file, google.service_account_json()).unwrap();
        let http = format!("127.0.0.1:{}", support::free_port());
        let mut settings = outside(&wildberries, &google);
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        set("ST_OZON_URL", ozon.base_url());
        set("DATABASE_URL", database);
        set("NATS_URL", addresses.join(","));
        if servers.three {
            set("ST_NATS_REPLICAS", "3".to_owned());
        }
        set("ST_NATS_SEED_DIR", seeds.display().to_string());
        set("ST_LIMITS_FILE", wide_limits(&folder).display().to_string());
        set("ST_HTTP_ADDR", http.clone());
        set("ST_METRICS_ADDR", "127.0.0.1:0".to_owned());
        set("ST_GOOGLE_SERVICE_ACCOUNT_FILE", key_file.display().to_string());
        settings.extend(new_keys());
        Self {
            processes: Mutex::default(),
            wildberries,
            ozon,
            google,
            nats,
            _more_nats: brokers,
            _pooler: pooler,
            postgres,
            settings,
            folder,
            address: format!("http://{http}"),
        }
    }

    /// Address of the API, without the version.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs a tool of the program, which has to succeed; returns what it said.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        let (code, said) = run(arguments, &self.settings);
        assert_eq!(code, Some(0), "stock-tracker {arguments:?}: {said}");
        said
    }

    /// Runs a tool of the program with a setting changed; returns its exit code and what it said.
    pub(crate) fn tool_with(&self, arguments: &[&str], name: &str, value: &str) -> (Option<i32>, String) {
        let mut settings = self.settings.clone();
        settings.retain(|(known, _)| known != name);
        settings.push((name.to_owned(), value.to_owned()));
        run(arguments, &settings)
    }

    /// Starts a role.
    pub(crate) fn begin(&self, role: &str) {
        self.begin_as(role, role);
    }

    /// Starts one more process of a role, under a name of its own.
    pub(crate) fn begin_as(&self, name: &str, role: &str) {
        let log = self.folder.join(format!("{name}.log"));
        let process = Process::start(&[role], self.settings.clone(), log);
        self.processes().insert(name.to_owned(), process);
    }

    /// `kill -9`.
    pub(crate) fn kill(&self, name: &str) {
        self.processes().get_mut(name).unwrap().kill();
    }

    /// Starts a killed process again.
    pub(crate) fn revive(&self, name: &str) {
        self.processes().get_mut(name).unwrap().start_again();
    }

    /// A killed process is not wanted any more.
    pub(crate) fn forget(&self, name: &str) {
        self.processes().remove(name).unwrap();
    }

    /// Value of a setting of all processes.
    pub(crate) fn setting(&self, name: &str) -> String {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.unwrap().1.clone()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        self.processes().get(name).unwrap().signal(signal);
    }

    /// Waits until the API says that it is ready.
    pub(crate) async fn ready(&self) {
        let address = format!("{}/api/v1/health/ready", self.address);
        eventually("the API to be ready", SOON, || async {
            match plain().get(&address).send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// What a process wrote.
    pub(crate) fn said(&self, name: &str) -> String {
        self.processes().get(name).unwrap().said()
    }

    /// How a process ended, if it has.
    pub(crate) fn ended(&self, name: &str) -> Option<std::process::ExitStatus> {
        self.processes().get_mut(name).unwrap().ended()
    }

    /// No process has ended by itself.
    pub(crate) fn assert_all_live(&self) {
        for (name, process) in self.processes().iter_mut() {
            let ended = process.ended();
            assert!(
                ended.is_none(),
                "{name} ended by itself: {ended:?}\n{}",
                process.said()
            );
        }
    }

    /// State of a stream of the broker.
    pub(crate) async fn stream(&self, name: &str) -> Result<State, String> {
        let context = self.jetstream().await?;
        let stream = context
            .get_stream(name)
            .await
            .map_err(|error| error.to_string())?;
        Ok(stream.cached_info().state.clone())
    }

    /// Nobody wanted to do at the broker what its user may not.
    pub(crate) fn assert_nobody_was_refused(&self) {
        for (name, process) in self.processes().iter() {
            let said = process.said();
            let refused = said.lines().find(|line| line.contains("Permissions Violation"));
            assert_eq!(refused, None, "{name}");
        }
    }

    /// A link to the broker as an administrator.
    pub(crate) async fn jetstream(&self) -> Result<async_nats::jetstream::Context, String> {
        let seeds = self.folder.join("nats-users");
        let options = BrokerOptions::new(self.nats.url(), "test").as_user(users::ADMIN, &seeds);
        let broker = Broker::connect(options)
            .await
            .map_err(|error| error.to_string())?;
        if !broker.wait_connected(SOON).await {
            return Err("the broker does not answer".to_owned());
        }
        Ok(broker.jetstream().clone())
    }

    /// Address of the database for the superuser.
    pub(crate) fn database(&self) -> String {
        self.postgres.url("postgres")
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (name, process) in self.processes().iter() {
                let said = process.said();
                let wanted = |line: &&str| {
                    line.contains("WARN") || line.contains("ERROR") || line.contains("panicked")
                };
                let loud: Vec<&str> = said.lines().rev().filter(wanted).take(6).collect();
                let last: Vec<&str> = said.lines().rev().take(8).collect();
                println!("--- {name}: warnings, then the last lines");
                for line in loud.iter().rev().chain(&["..."]).chain(last.iter().rev()) {
                    println!("{line}");
                }
            }
        }
    }
}

/// One broker, or three that know each other.
async fn brokers(servers: &Servers, conf: &std::path::Path) -> Vec<Own<Nats>> {
    let start = async |arguments: Vec<String>| {
        support::own_nats_with(|options| {
            options.config_file = Some(conf.to_path_buf());
            options.program.clone_from(&servers.nats);
            options.extra_arguments = arguments;
        })
        .await
    };
    if !servers.three {
        return vec![start(servers.arguments.clone()).await];
    }
    let routes: [String; 3] = std::array::from_fn(|_| format!("nats://127.0.0.1:{}", support::free_port()));
    let arguments = |index: usize| {
        let all = routes.join(",");
        let name = format!("n{index}");
        let words = [
            "--server_name",
            &name,
            "--cluster_name",
            "three",
            "--cluster",
            &routes[index],
            "--routes",
            &all,
        ];
        words.map(str::to_owned).to_vec()
    };
    let (one, two, three) = tokio::join!(start(arguments(0)), start(arguments(1)), start(arguments(2)));
    vec![one, two, three]
}

/// Address of the database, with what stands in front of it.
async fn way_to(postgres: &Postgres, servers: &Servers) -> (String, Option<Pooler>) {
    let mut url = postgres.url("postgres");
    if servers.owner {
        let admin = support::connect(&url).await;
        admin
            .batch_execute("CREATE ROLE app LOGIN CREATEROLE")
            .await
            .unwrap();
        admin.batch_execute("CREATE DATABASE st OWNER app").await.unwrap();
        url = postgres.url_as("app", "st");
    }
    if !servers.pooler {
        return (url, None);
    }
    let pooler = Pooler::before(postgres.port(), Pooling::Session).await;
    (pooler.url(&url, postgres.port()), Some(pooler))
}

/// Settings that lead to the simulators, and that make waiting short.
pub(crate) fn outside(wildberries: &Wildberries, google: &Google) -> Settings {
    let host = |host| wildberries.host_url(host);
    [
        ("ST_WB_CONTENT_URL", host(Host::Content)),
        ("ST_WB_ANALYTICS_URL", host(Host::Analytics)),
        ("ST_WB_STATISTICS_URL", host(Host::Statistics)),
        ("ST_WB_MARKETPLACE_URL", host(Host::Marketplace)),
        ("ST_WB_COMMON_URL", host(Host::Common)),
        ("ST_WB_PRICES_URL", host(Host::Prices)),
        // Nobody there, unless a world has an Ozon of its own: speed is for simulators only.
        ("ST_OZON_URL", "http://127.0.0.1:9".to_owned()),
        ("ST_GOOGLE_SHEETS_URL", google.base_url()),
        ("ST_GOOGLE_DRIVE_URL", google.base_url()),
        ("ST_MARKETPLACE_SPEED", SPEED.to_string()),
        ("ST_SHEET_SETTLE_SECONDS", "1".to_owned()),
        ("ST_SHEET_COALESCE_MS", "300".to_owned()),
        ("ST_SYNC_RETRY_SECONDS", "1".to_owned()),
        ("ST_SYNC_ATTEMPTS", "30".to_owned()),
        // Only the first sync of a cabinet comes by itself.
        ("ST_SYNC_INTERVAL_SECONDS", "80000".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Keys as the program makes them.
fn new_keys() -> Settings {
    let (code, said) = run(&["keys", "generate"], &Settings::new());
    assert_eq!(code, Some(0), "{said}");
    let (master, token) = said.split_once("\nST_JWT_KEY=\"").unwrap();
    let (_, master) = master.split_once("ST_MASTER_KEY=").unwrap();
    let token = token.split('"').next().unwrap();
    let pairs = [("ST_MASTER_KEY", master), ("ST_JWT_KEY", token)];
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .to_vec()
}

/// All requests of these tests come from one address.
fn wide_limits(folder: &std::path::Path) -> PathBuf {
    let quota = "requests = 1000000\nwindow_seconds = 60\n";
    let path = folder.join("limits.toml");
    let table = format!("default_plan = \"p\"\n[address]\n{quota}[user]\n{quota}[plan.p]\n{quota}");
    std::fs::write(&path, table).unwrap();
    path
}
