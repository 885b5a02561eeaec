//! What roles share: pools that act as their role, one link to the broker, one clock, one lifecycle.
//! Everything is made from settings here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use application::App;
use application::billing::{CardSales, Prices};
use application::domain::plans::Plans;
use connectors::bucket::Buckets;
use connectors::google::{Accounts, SheetsOptions, TokenHosts};
use connectors::http::{CallObserver, CallRecord, HttpClient};
use connectors::limits::{LimitTable, Limits};
use connectors::stripe::{self, PriceId, Stripe};
use connectors::webhooks;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::subscription::Plan;
use limits::{LevelPlaces, Table};
use messaging::{Broker, BrokerOptions, BrokerTls, Bucket, Hints};
use runtime::{Clock, Health, Ids, Lifecycle, Metrics, Settings};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;
use vault::Vault;
use worker::Marketplaces;

use crate::Failure;

/// Writes a minute to Google with one service account; Google allows 60.
const SHEET_WRITES: u32 = 50;

/// What roles are built from; cheap to clone.
#[derive(Clone)]
pub(crate) struct Assembly {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) wake: Wake,
    pub(crate) broker: Broker,
    links: Arc<Mutex<Vec<Broker>>>,
}

impl Assembly {
    /// Builds what every role needs, with a link to the broker as the user of `role`.
    pub(crate) async fn new(settings: Settings, role: &'static str) -> Result<Self, Failure> {
        let broker = link(&settings, role).await?;
        Ok(Self {
            settings: Arc::new(settings),
            clock: Clock::system(),
            ids: Ids::system(),
            metrics: Metrics::new("stock-tracker")?,
            health: Health::default(),
            lifecycle: Lifecycle::new(),
            wake: Wake::default(),
            links: Arc::new(Mutex::new(vec![broker.clone()])),
            broker,
        })
    }

    /// The same for another role of this process. Where the broker knows users, each role has a link of its
    /// own, so that none may more than it would in a process of its own.
    pub(crate) async fn acting_as(&self, role: &'static str) -> Result<Self, Failure> {
        if self.settings.broker.seed_dir.is_none() {
            return Ok(self.clone());
        }
        let broker = link(&self.settings, role).await?;
        self.links.lock().await.push(broker.clone());
        Ok(Self {
            broker,
            ..self.clone()
        })
    }

    /// Says good-bye to the broker on every link.
    pub(crate) async fn leave_broker(&self) {
        for broker in self.links.lock().await.iter() {
            if let Err(error) = broker.client().drain().await {
                tracing::debug!(error = ?error, "the broker's link was gone already");
            }
        }
    }

    /// Connections that act as a role.
    pub(crate) fn pool(&self, role: Role) -> Result<Pool, Failure> {
        let database = &self.settings.database;
        Ok(Pool::open(database.required_url()?, role, database.connections)?)
    }

    /// The vault over these connections.
    pub(crate) fn vault(&self, pool: Pool) -> Result<Vault, Failure> {
        Ok(Vault::new(pool, crate::keys::masters(&self.settings)?))
    }

    /// The use cases with a role's rights; the combiner behind them runs until the role's end.
    pub(crate) fn app(&self, pool: Pool) -> Result<App, Failure> {
        let metrics = self.metrics.clone();
        let observer = Arc::new(move |commands: usize| metrics.append_batch(commands as u64));
        let database = &self.settings.database;
        let url = database.required_url()?;
        let appends = Pool::open(url, pool.role(), database.append_connections)?;
        let (store, combiner) =
            EventStore::with_appends_over(appends, pool.clone(), self.wake.clone(), Some(observer));
        self.lifecycle.spawn("combiner", async move {
            combiner.run().await;
            Ok::<(), Failure>(())
        });
        Ok(App::new(store, self.vault(pool)?)
            .selling(self.plans()?)
            .calling(self.webhook_targets())
            .by_card(self.card_sales()?))
    }

    /// What the plans allow of the API, from the installation's file where it has one.
    pub(crate) fn limits(&self) -> Result<Table, Failure> {
        Ok(match &self.settings.http.limits_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("ST_LIMITS_FILE: {}: {error}", path.display()))?;
                Table::parse(&text)?
            }
            None => Table::built_in()?,
        })
    }

    /// What the plans allow of the schedule.
    pub(crate) fn plans(&self) -> Result<Plans, Failure> {
        let everywhere = self.settings.sync.interval;
        let seconds = everywhere.map(|interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
        Ok(self.limits()?.plans()?.everywhere(seconds))
    }

    /// Which addresses outgoing webhooks may have.
    fn webhook_targets(&self) -> webhooks::Policy {
        let allowed = self.settings.webhooks;
        let strict = webhooks::Policy::default();
        webhooks::Policy {
            https_only: !allowed.http,
            ports: strict.ports.filter(|_| !allowed.any_port),
            private_addresses: allowed.private,
        }
    }

    /// How plans are sold by card; none without an account at Stripe.
    pub(crate) fn card_sales(&self) -> Result<Option<CardSales>, Failure> {
        let settings = &self.settings.stripe;
        let Some(account) = &settings.account else {
            return Ok(None);
        };
        let prices = [
            (Plan::Starter, &account.prices.starter),
            (Plan::Pro, &account.prices.pro),
            (Plan::Enterprise, &account.prices.enterprise),
        ];
        let mut sold = Vec::new();
        for (plan, price) in prices {
            sold.push((plan, PriceId::parse(price)?));
        }
        let options = stripe::Options {
            url: settings.url.clone(),
            ..stripe::Options::default()
        };
        let scheme = if self.settings.http.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let own = format!("{scheme}://{}", self.settings.http.address);
        Ok(Some(CardSales {
            stripe: Stripe::new(self.http()?, account.api_key.clone(), options),
            prices: Prices::new(sold),
            return_url: settings.return_url(&own),
        }))
    }

    /// Outgoing HTTP.
    pub(crate) fn http(&self) -> Result<HttpClient, Failure> {
        Ok(HttpClient::new(Arc::new(CountedCalls(self.metrics.clone())))?)
    }

    /// The marketplaces at their configured addresses.
    pub(crate) fn marketplaces(&self) -> Result<Marketplaces, Failure> {
        let urls = &self.settings.wildberries;
        let hosts = connectors::wildberries::Hosts {
            content: urls.content_url.clone(),
            analytics: urls.analytics_url.clone(),
            statistics: urls.statistics_url.clone(),
            marketplace: urls.marketplace_url.clone(),
            prices: urls.prices_url.clone(),
            common: urls.common_url.clone(),
        };
        let speed = f64::from(self.settings.sync.marketplace_speed);
        let mut options = connectors::wildberries::Options::default();
        if speed > 1.0 {
            options.report_poll = options.report_poll.div_f64(speed).max(Duration::from_millis(20));
            options.repeat_pause = options.repeat_pause.div_f64(speed).max(Duration::from_millis(20));
        }
        options.service_secret.clone_from(&urls.service_secret);
        let mut ozon = connectors::ozon::Options::default();
        if speed > 1.0 {
            ozon.repeat_pause = ozon.repeat_pause.div_f64(speed).max(Duration::from_millis(20));
        }
        let limits = self.marketplace_limits(speed)?;
        let marketplaces = Marketplaces::new(self.http()?, hosts, options, speed).within(limits);
        Ok(marketplaces.with_ozon(self.settings.ozon.url.clone(), ozon))
    }

    /// The marketplaces' limits, kept together with the other workers.
    fn marketplace_limits(&self, speed: f64) -> Result<Limits, Failure> {
        let settings = &self.settings.sync;
        let mut table = LimitTable::built_in()?;
        if let Some(path) = &settings.marketplace_limits_file {
            let unusable = |error: &dyn std::fmt::Display| {
                format!("ST_MARKETPLACE_LIMITS_FILE: {}: {error}", path.display())
            };
            let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
            table = table.with(&text).map_err(|error| unusable(&error))?;
        }
        let places = Arc::new(LevelPlaces::new(Bucket::marketplace_limits(&self.broker)));
        let clock = self.clock.clone();
        let buckets = Buckets::shared(places, Arc::new(move || clock.now().timestamp_micros()));
        Ok(Limits::new(table, buckets, settings.egress.clone(), speed))
    }

    /// Carries wakes between processes: what this one appended is hinted to the others, what they hint wakes
    /// this one.
    pub(crate) fn bridge_hints(&self) {
        let (broker, wake, stop) = (self.broker.clone(), self.wake.clone(), self.lifecycle.soft());
        self.lifecycle.spawn("hints", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = bridge(&broker, &wake) => {}
            }
            Ok::<(), Failure>(())
        });
    }
}

/// A link to the broker as one of its users, or as whom the address names where there are no seeds.
pub(crate) async fn link(settings: &Settings, user: &str) -> Result<Broker, Failure> {
    let broker = &settings.broker;
    let url = broker.required_url()?.expose_secret();
    let mut options = BrokerOptions::new(url, format!("stock-tracker {user}"));
    options.tls = BrokerTls {
        required: settings.transport.require_tls,
        ca_file: broker.ca_file.clone(),
    };
    options.replicas = broker.replicas;
    if let Some(folder) = &broker.seed_dir {
        options = options.as_user(user, folder);
    }
    Ok(Broker::connect(options).await?)
}

/// Google at its configured address: options, quotas, and where keys may lead to.
pub(crate) fn google(settings: &Settings, pool: &Pool) -> (SheetsOptions, Arc<Accounts>, TokenHosts) {
    let google = &settings.google;
    let options = SheetsOptions {
        sheets_url: google.sheets_url.clone(),
        drive_url: google.drive_url.clone(),
        ..SheetsOptions::default()
    };
    let own_server = google.sheets_url != SheetsOptions::default().sheets_url;
    let speed = f64::from(settings.sync.marketplace_speed);
    let hosts = if own_server {
        TokenHosts::Any
    } else {
        TokenHosts::Google
    };
    // All processes keep to Google's quota together.
    let queues = sheets::Queues::new(pool.clone());
    let accounts = Accounts::new(SHEET_WRITES, speed).shared(Arc::new(queues));
    (options, Arc::new(accounts), hosts)
}

async fn bridge(broker: &Broker, wake: &Wake) {
    let hints = Hints::new(broker);
    let mut heard_up_to = 0;
    let mut grown = wake.subscribe();
    loop {
        let Ok(mut stream) = hints.subscribe().await else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        loop {
            tokio::select! {
                heard = stream.next() => match heard {
                    Some(position) => {
                        heard_up_to = heard_up_to.max(position);
                        wake.notify(position);
                    }
                    None => break,
                },
                own = grown.changed_or(Duration::from_secs(5)) => if let Some(position) = own
                    && position > heard_up_to
                {
                    heard_up_to = position;
                    // A lost hint costs the others a poll.
                    if let Err(error) = hints.publish(position).await {
                        tracing::debug!(error = ?error, "hint not sent");
                    }
                },
            }
        }
    }
}

/// Counts outgoing calls by host, endpoint and status.
struct CountedCalls(Metrics);

impl CallObserver for CountedCalls {
    fn observe(&self, record: &CallRecord<'_>) {
        self.0
            .marketplace_request(record.host, record.endpoint, record.status);
    }
}
