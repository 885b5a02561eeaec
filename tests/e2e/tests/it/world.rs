//! Servers, simulators, and one process per role.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;

use simulators::google::Role as Share;
use simulators::wildberries::{Host, Limits};
use simulators::{Google, GoogleConfig, SellerConfig, Wildberries, WildberriesConfig};
use support::{Nats, Own, Postgres, SOON, eventually};

use crate::program::{Process, tool};
use crate::seller::Seller;

/// Every role that is a process of its own.
pub(crate) const ROLES: [&str; 7] = [
    "api",
    "gateway",
    "relay",
    "projector",
    "worker",
    "sheets",
    "scheduler",
];

pub(crate) struct World {
    pub(crate) postgres: Own<Postgres>,
    pub(crate) nats: Own<Nats>,
    pub(crate) wildberries: Wildberries,
    pub(crate) google: Google,
    pub(crate) database_url: String,
    pub(crate) api: String,
    settings: Vec<(String, String)>,
    folder: PathBuf,
    roles: BTreeMap<&'static str, Process>,
}

impl World {
    /// Everything up, `sellers` shops at the marketplace, nobody registered yet.
    pub(crate) async fn start(sellers: usize) -> Self {
        // Fails only when somebody installed one before, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let postgres = support::own_postgres().await;
        let nats = support::own_nats().await;
        let shop = |seed| SellerConfig {
            seed,
            articles: 60,
            warehouses: 6,
            fbs_warehouses: 1,
            orders_per_day: 60,
            ..SellerConfig::default()
        };
        let wildberries = Wildberries::start(WildberriesConfig {
            sellers: (0..sellers).map(|seller| shop(seller as u64 + 1)).collect(),
            limits: Limits::Off,
            ..WildberriesConfig::default()
        })
        .await
        .unwrap();
        let google = Google::start(GoogleConfig::default()).await.unwrap();
        google.quotas(simulators::google::Quotas {
            on: false,
            ..simulators::google::Quotas::default()
        });
        let admin = support::connect(&postgres.url("postgres")).await;
        admin
            .batch_execute("CREATE DATABASE stock_tracker")
            .await
            .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut world = Self {
            database_url: postgres.url("stock_tracker"),
            api: format!("http://127.0.0.1:{port}/api/v1"),
            settings: vec![],
            folder: support::scratch_folder("e2e"),
            roles: BTreeMap::new(),
            postgres,
            nats,
            wildberries,
            google,
        };
        world.settings = world.make_settings(port);
        for arguments in [&["migrate"][..], &["nats", "apply"]] {
            let done = tool(arguments, &world.settings);
            assert!(
                done.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
        for role in ROLES {
            world.start_role(role);
        }
        world.wait_ready().await;
        world
    }

    fn make_settings(&self, port: u16) -> Vec<(String, String)> {
        let key_file = self.folder.join("service-account.json");
        std::fs::write(&key_file, self.google.service_account_json()).unwrap();
        let keys = String::from_utf8(tool(&["keys", "generate"], &[]).stdout).unwrap();
        let master = keys
            .lines()
            .find_map(|line| line.strip_prefix("ST_MASTER_KEY="))
            .unwrap();
        let token = keys
            .split("ST_JWT_KEY=\"")
            .nth(1)
            .unwrap()
            .trim_end()
            .trim_end_matches('"');
        let host = |host| self.wildberries.host_url(host);
        [
            ("DATABASE_URL", self.database_url.clone()),
            ("NATS_URL", self.nats.url()),
            ("ST_HTTP_ADDR", format!("127.0.0.1:{port}")),
            ("ST_METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("ST_MASTER_KEY", master.to_owned()),
            ("ST_JWT_KEY", token.to_owned()),
            ("ST_WB_CONTENT_URL", host(Host::Content)),
            ("ST_WB_ANALYTICS_URL", host(Host::Analytics)),
            ("ST_WB_STATISTICS_URL", host(Host::Statistics)),
            ("ST_WB_MARKETPLACE_URL", host(Host::Marketplace)),
            ("ST_WB_COMMON_URL", host(Host::Common)),
            ("ST_WB_PRICES_URL", host(Host::Prices)),
            ("ST_GOOGLE_SHEETS_URL", self.google.base_url()),
            ("ST_GOOGLE_DRIVE_URL", self.google.base_url()),
            ("ST_GOOGLE_SERVICE_ACCOUNT_FILE", key_file.display().to_string()),
            ("ST_MARKETPLACE_SPEED", "10000".to_owned()),
            ("ST_SHEET_COALESCE_MS", "300".to_owned()),
            ("ST_SHEET_SETTLE_SECONDS", "1".to_owned()),
            ("ST_SYNC_RETRY_SECONDS", "1".to_owned()),
            ("ST_SYNC_INTERVAL_SECONDS", "86400".to_owned()),
            ("RUST_LOG", "info,async_nats=warn".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec()
    }

    pub(crate) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    pub(crate) fn start_role(&mut self, role: &'static str) {
        let log = self.folder.join(format!("{role}.log"));
        self.roles
            .insert(role, Process::start(&[role], &self.settings, log));
    }

    pub(crate) fn role(&mut self, role: &str) -> &mut Process {
        self.roles.get_mut(role).unwrap()
    }

    /// `kill -9`, and a new one at once, as a supervisor would.
    pub(crate) fn kill_and_restart(&mut self, role: &'static str) {
        self.role(role).kill();
        self.start_role(role);
    }

    pub(crate) async fn wait_ready(&self) {
        let address = format!("{}/health/ready", self.api);
        eventually("the API is ready", SOON, || async {
            let answer = reqwest::get(&address).await.map_err(|error| error.to_string())?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(answer.text().await.unwrap_or_default())
            }
        })
        .await;
    }

    /// Registers the seller of the marketplace's `number`th shop, with a sheet of its own.
    pub(crate) async fn seller(&self, number: usize) -> Seller {
        let sid = self.wildberries.sellers()[number];
        let account = self.google.service_account_email(0);
        let title = format!("sheet {number}");
        let sheet = self
            .google
            .create_spreadsheet(&title, &[(account.as_str(), Share::Writer)]);
        Seller::register(
            &self.api,
            number,
            self.wildberries.personal_token(sid),
            sid,
            sheet,
        )
        .await
    }

    /// A connection that sees everything.
    pub(crate) async fn admin(&self) -> tokio_postgres::Client {
        support::connect(&self.database_url).await
    }
}
