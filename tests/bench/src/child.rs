//! The worker's part of a measured sync, in a process of its own: policy and jobs as the role `worker` runs
//! them. It ends when its input does, so it cannot outlive the benchmark.

use std::sync::Arc;
use std::time::Duration;

use application::App;
use connectors::http::{HttpClient, NoObserver};
use connectors::wildberries::{Hosts, Options};
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use messaging::{Cache, Hints, WorkQueue};
use runtime::Clock;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use vault::{MasterKeys, Vault};
use worker::Marketplaces;
use worker::payloads::{PayloadLimits, Payloads};
use worker::policy::SyncPolicy;
use worker::sync::{Limits, Syncs};

use crate::{Failure, world};

/// Hidden command of the program.
pub const COMMAND: &str = "sync-child";
/// The marketplace's limits run so much faster, here and there, that they are not what is measured.
pub const SPEED: f64 = 10_000.0;
/// Any key.
pub const MASTER_KEY: &str = "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Raw answers are kept as they are unless a setting says otherwise.
const PAYLOADS: PayloadLimits = PayloadLimits {
    days: 14,
    of_cabinet: 64 * 1024 * 1024,
    of_all: 4_096 * 1024 * 1024,
};

/// What the child has to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Address of the database.
    pub database: String,
    /// Address of the broker.
    pub nats: String,
    /// Addresses of the marketplace: content, analytics, statistics, marketplace, prices, common.
    pub hosts: [String; 6],
    /// Address of Ozon.
    pub ozon: String,
}

/// Works until the input ends.
///
/// # Errors
/// When a server cannot be reached.
pub async fn run(settings: &str) -> Result<(), Failure> {
    let settings: Settings = serde_json::from_str(settings)?;
    let pool = Pool::open(&settings.database.into(), Role::Worker, 12)?;
    let broker = world::connect(&settings.nats, "bench worker").await?;
    let wake = Wake::default();
    let (store, _combiner) = EventStore::start(pool.clone(), wake.clone());
    let keys = MasterKeys::parse(&MASTER_KEY.to_owned().into())?;
    let clock = Clock::system();
    let vault = Vault::new(pool.clone(), keys);
    let payloads = Payloads {
        pool: pool.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        limits: PAYLOADS,
    };
    let syncs = Syncs {
        app: App::new(store, vault),
        marketplaces: marketplaces(settings.hosts, settings.ozon)?,
        cache: Arc::new(Cache::new(&broker)),
        clock: clock.clone(),
        limits: Limits::default(),
        turns: None,
        order_days: 7,
        observer: None,
        source_observer: None,
        payloads: Some(payloads),
    };
    let queue = WorkQueue::new(&broker);
    let policy = SyncPolicy {
        pool,
        queue: queue.clone(),
        clock,
        plans: application::domain::plans::Plans::unlimited(),
        per_tenant: 2,
    };
    let stop = CancellationToken::new();
    let hints = tokio::spawn(bridge(Hints::new(&broker), wake.clone()));
    let (watching, ending) = (wake.subscribe(), stop.clone());
    let policy = tokio::spawn(async move { policy.run(watching, ending).await });
    let ending = stop.clone();
    let jobs = tokio::spawn(async move { worker::jobs::run(&queue, &syncs, 1, &ending).await });
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    stop.cancel();
    hints.abort();
    policy.await?;
    jobs.abort();
    Ok(())
}

/// This program; under `cargo test` the program beside the test.
pub(crate) fn program() -> Result<std::path::PathBuf, Failure> {
    let this = std::env::current_exe()?;
    if this.file_stem().is_some_and(|name| name == "bench") {
        return Ok(this);
    }
    let folder = this.ancestors().nth(2).ok_or("no folder above the test")?;
    Ok(folder.join("bench"))
}

/// The most memory a process ever had, as the kernel counted it.
pub(crate) fn peak_megabytes(pid: u32) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("the kernel tells no peak")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1_024.0 / 1e6)
}

fn marketplaces(
    [content, analytics, statistics, marketplace, prices, common]: [String; 6],
    ozon: String,
) -> Result<Marketplaces, Failure> {
    let hosts = Hosts {
        content,
        analytics,
        statistics,
        marketplace,
        prices,
        common,
    };
    let shortest = Duration::from_millis(20);
    let options = Options {
        repeat_pause: shortest,
        report_poll: shortest,
        ..Options::default()
    };
    let ozon_options = connectors::ozon::Options {
        repeat_pause: shortest,
        ..connectors::ozon::Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver))?;
    Ok(Marketplaces::new(http, hosts, options, SPEED).with_ozon(ozon, ozon_options))
}

/// Carries wakes between this process and the other.
pub async fn bridge(hints: Hints, wake: Wake) {
    let Ok(mut stream) = hints.subscribe().await else {
        return;
    };
    let mut grown = wake.subscribe();
    let mut heard_up_to = 0;
    loop {
        tokio::select! {
            heard = stream.next() => match heard {
                Some(position) => {
                    heard_up_to = heard_up_to.max(position);
                    wake.notify(position);
                }
                None => return,
            },
            own = grown.changed_or(Duration::from_secs(5)) => if let Some(position) = own
                && position > heard_up_to
            {
                heard_up_to = position;
                // A lost hint costs a poll.
                drop(hints.publish(position).await);
            },
        }
    }
}
