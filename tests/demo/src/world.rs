//! The outside world: a simulated Wildberries and a simulated Ozon that live on by themselves, a simulated
//! Google that keeps its spreadsheets in the data folder, and a simulated Stripe where plans are paid.

use std::path::PathBuf;

use simulators::google::Role;
use simulators::ozon::OzonLimits;
use simulators::stripe::{EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER};
use simulators::wildberries::{Host, Limits};
use simulators::{
    Google, GoogleConfig, Ozon, OzonConfig, OzonSellerConfig, Receiver, ReceiverConfig, SellerConfig, Stripe,
    StripeConfig, Wildberries, WildberriesConfig,
};

use crate::{Arguments, Failure};

/// Title by which a second run finds the spreadsheet of the first.
const SPREADSHEET: &str = "Stock Tracker demo";
/// Seconds between two steps of the shop's life.
const STEP_SECONDS: f64 = 5.0;
/// How much faster than published the simulated limits refill.
pub(crate) const SPEED: u32 = 600;

/// Path of the demo seller's endpoint at the receiver.
const HOOK: &str = "/demo";

pub(crate) struct World {
    wildberries: Wildberries,
    ozon: Ozon,
    google: Google,
    stripe: Stripe,
    receiver: Receiver,
    spreadsheet: String,
    key_file: PathBuf,
}

impl World {
    pub(crate) async fn start(arguments: &Arguments, http_port: u16) -> Result<Self, Failure> {
        let folder = arguments.data_dir.join("simulators");
        std::fs::create_dir_all(&folder)?;
        let wildberries = Wildberries::start(WildberriesConfig {
            port: crate::product::free_port(9101),
            sellers: vec![SellerConfig {
                articles: arguments.articles,
                warehouses: arguments.warehouses,
                orders_per_day: arguments.articles * 2,
                ..SellerConfig::default()
            }],
            limits: Limits::Speed(f64::from(SPEED)),
            auto_seconds: Some(STEP_SECONDS),
            data_dir: Some(folder.join("wildberries")),
            ..WildberriesConfig::default()
        })
        .await?;
        let ozon = Ozon::start(OzonConfig {
            port: crate::product::free_port(9103),
            sellers: vec![OzonSellerConfig {
                products: arguments.articles.div_ceil(3),
                warehouses: arguments.warehouses.div_ceil(2),
                orders_per_day: arguments.articles,
                ..OzonSellerConfig::default()
            }],
            limits: OzonLimits::Speed(f64::from(SPEED)),
            auto_seconds: Some(STEP_SECONDS),
            ..OzonConfig::default()
        })
        .await?;
        let google = Google::start(GoogleConfig {
            port: crate::product::free_port(9102),
            data_dir: Some(folder.join("google")),
            ..GoogleConfig::default()
        })
        .await?;
        let stripe = Stripe::start(StripeConfig {
            port: crate::product::free_port(9104),
            endpoints: vec![EndpointConfig {
                urls: vec![format!("http://127.0.0.1:{http_port}/api/v1/billing/webhook")],
                ..EndpointConfig::default()
            }],
            data_dir: Some(folder.join("stripe")),
            ..StripeConfig::default()
        })
        .await?;
        let receiver = Receiver::start(ReceiverConfig {
            port: crate::product::free_port(9106),
            ..ReceiverConfig::default()
        })
        .await?;
        let spreadsheet = match google.find_spreadsheet(SPREADSHEET) {
            Some(known) => known,
            None => {
                let account = google.service_account_email(0);
                google.create_spreadsheet(SPREADSHEET, &[(account.as_str(), Role::Writer)])
            }
        };
        let key_file = std::path::absolute(folder.join("service-account.json"))?;
        std::fs::write(&key_file, google.service_account_json())?;
        Ok(Self {
            wildberries,
            ozon,
            google,
            stripe,
            receiver,
            spreadsheet,
            key_file,
        })
    }

    /// The settings that lead the product here.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let host = |host| self.wildberries.host_url(host);
        vec![
            ("ST_WB_CONTENT_URL", host(Host::Content)),
            ("ST_WB_ANALYTICS_URL", host(Host::Analytics)),
            ("ST_WB_STATISTICS_URL", host(Host::Statistics)),
            ("ST_WB_MARKETPLACE_URL", host(Host::Marketplace)),
            ("ST_WB_COMMON_URL", host(Host::Common)),
            ("ST_WB_PRICES_URL", host(Host::Prices)),
            ("ST_OZON_URL", self.ozon.base_url()),
            ("ST_GOOGLE_SHEETS_URL", self.google.base_url()),
            ("ST_GOOGLE_DRIVE_URL", self.google.base_url()),
            (
                "ST_GOOGLE_SERVICE_ACCOUNT_FILE",
                self.key_file.display().to_string(),
            ),
            ("ST_MARKETPLACE_SPEED", SPEED.to_string()),
            // The receiver is on this machine.
            ("ST_WEBHOOKS_ALLOW", "http,private,any-port".to_owned()),
            ("ST_STRIPE_URL", self.stripe.url().to_owned()),
            ("ST_STRIPE_API_KEY", self.stripe.api_key().to_owned()),
            (
                "ST_STRIPE_WEBHOOK_SECRET",
                self.stripe.secret(0).unwrap_or_default(),
            ),
            ("ST_STRIPE_PRICE_STARTER", PRICE_STARTER.to_owned()),
            ("ST_STRIPE_PRICE_PRO", PRICE_PRO.to_owned()),
            ("ST_STRIPE_PRICE_ENTERPRISE", PRICE_ENTERPRISE.to_owned()),
        ]
    }

    /// The seller's two parts of the key to Ozon.
    pub(crate) fn ozon_pair(&self) -> Result<(String, String), Failure> {
        let seller = self.ozon.sellers().first().copied().ok_or("Ozon has no seller")?;
        Ok((seller.to_string(), self.ozon.api_key(seller)))
    }

    /// The seller's key to Wildberries.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let seller = self
            .wildberries
            .sellers()
            .first()
            .copied()
            .ok_or("the marketplace has no seller")?;
        Ok(self.wildberries.personal_token(seller))
    }

    pub(crate) fn spreadsheet(&self) -> &str {
        &self.spreadsheet
    }

    /// Address of the page that shows the managed worksheet; of the first worksheet when it is not there yet.
    pub(crate) async fn spreadsheet_url(&self) -> Result<String, Failure> {
        let page = self.google.spreadsheet_url(&self.spreadsheet);
        let text = crate::client::plain().get(&page).send().await?.text().await?;
        let tab = text.split("href=\"").find(|link| link.contains(">Products<"));
        let query = tab
            .and_then(|link| link.split(['"', '&']).next())
            .unwrap_or_default();
        Ok(format!("{page}{query}"))
    }

    pub(crate) fn wildberries_url(&self) -> String {
        self.wildberries.base_url()
    }

    pub(crate) fn ozon_url(&self) -> String {
        self.ozon.base_url()
    }

    pub(crate) fn stripe_url(&self) -> String {
        self.stripe.url().to_owned()
    }

    /// The page that shows what arrived.
    pub(crate) fn receiver_url(&self) -> String {
        self.receiver.base_url()
    }

    /// Where the demo seller is called.
    pub(crate) fn hook_url(&self) -> String {
        self.receiver.url(HOOK)
    }

    /// The secret with which what arrives there is verified.
    pub(crate) fn verify_with(&self, secret: &str) {
        self.receiver.secrets(HOOK, &[secret]);
    }

    pub(crate) async fn stop(self) {
        self.wildberries.stop().await;
        self.ozon.stop().await;
        self.google.stop().await;
        self.stripe.stop().await;
        self.receiver.stop().await;
    }
}
