//! Every setting of every role: environment over `stock-tracker.toml` over defaults.
//!
//! Both use the same names, so there is one word per setting: the file is a flat list such as `ST_HTTP_ADDR =
//! "0.0.0.0:8080"`. Each setting that is a secret can also be given as `<NAME>_FILE`, the path of a file that
//! holds it. A key that nobody reads and a value that makes no sense stop the start (exit code 78,
//! `EX_CONFIG` of `sysexits.h`): a misspelt limit that silently keeps its default is found too late. Errors
//! name the key and never show the value of a secret.

mod broker;
mod database;
mod embedded;
mod google;
mod http;
mod keys;
mod marketplaces;
mod source;
mod stripe;
mod sync;
mod telegram;
mod telemetry;
mod transport;
mod vault;
mod webhooks;

use std::path::Path;

pub use broker::BrokerSettings;
pub use database::DatabaseSettings;
pub use embedded::EmbeddedSettings;
pub use google::GoogleSettings;
pub use http::{HttpSettings, Network};
pub use keys::{KEYS, Key, reference_table};
pub use marketplaces::{OzonSettings, WildberriesSettings};
pub use source::{ConfigError, Origin, Problem};
pub use stripe::{StripeAccount, StripePrices, StripeSettings};
pub use sync::SyncSettings;
pub use telegram::TelegramSettings;
pub use telemetry::{LogFormat, TelemetrySettings};
pub use transport::TransportSettings;
pub use vault::SecretKeySettings;
pub use webhooks::WebhookSettings;

use source::Source;

/// Exit code of a program that was given settings it cannot use: `EX_CONFIG` of `sysexits.h`.
pub const EXIT_CODE: u8 = 78;

/// Name of the settings file, looked for in the folder where the program is started.
pub const FILE_NAME: &str = "stock-tracker.toml";

/// All settings. One part per concern; a role takes the parts it needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Event store and read models.
    pub database: DatabaseSettings,
    /// Message broker.
    pub broker: BrokerSettings,
    /// Protection of the ways to both.
    pub transport: TransportSettings,
    /// Listeners.
    pub http: HttpSettings,
    /// Servers that the program starts by itself.
    pub embedded: EmbeddedSettings,
    /// Keys of the vault and of access tokens.
    pub secret_keys: SecretKeySettings,
    /// Wildberries' hosts.
    pub wildberries: WildberriesSettings,
    /// Ozon's host.
    pub ozon: OzonSettings,
    /// Google Sheets and the service account.
    pub google: GoogleSettings,
    /// Stripe.
    pub stripe: StripeSettings,
    /// Telegram.
    pub telegram: TelegramSettings,
    /// Outgoing webhooks.
    pub webhooks: WebhookSettings,
    /// Pace and limits of syncs and of writing sheets.
    pub sync: SyncSettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
}

impl Settings {
    /// Reads the settings from what looks like an environment and the text of a settings file.
    ///
    /// Variables that are not ours (other names than those of [`KEYS`], and not beginning with `ST_`) are
    /// passed over. An empty value counts as not given.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, not only the first thing.
    pub fn load(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let (source, mut problems) = Source::new(environment, file);
        let settings = Self::from_source(&source, &mut problems);
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(ConfigError { problems }),
        }
    }

    /// Reads the settings of this process: its environment, and `stock-tracker.toml` in the current folder if
    /// there is one. The only place of the program that reads the environment.
    ///
    /// # Errors
    /// As [`Settings::load`], also when the file is there and cannot be read.
    pub fn of_this_process() -> Result<Self, ConfigError> {
        let file = match std::fs::read_to_string(Path::new(FILE_NAME)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                let problem = Problem::Unreadable {
                    key: FILE_NAME.to_owned(),
                    path: FILE_NAME.into(),
                    source,
                };
                return Err(ConfigError {
                    problems: vec![problem],
                });
            }
        };
        // A value that is no text cannot be a valid setting; it is read as text so that the error can name
        // its key.
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(key, value)| (text(key), text(value)));
        Self::load(environment, file.as_deref())
    }

    /// Every part is read even after one has failed, so that the reader sees all problems at once.
    fn from_source(source: &Source, problems: &mut Vec<Problem>) -> Option<Self> {
        let database = database::read(source);
        let broker = broker::read(source);
        let transport = part(transport::read(source), problems);
        if let (Ok(database), Some(transport)) = (&database, &transport) {
            part(transport::check(transport, database), problems);
        }
        let http = part(http::read(source), problems);
        let embedded = part(embedded::read(source), problems);
        let secret_keys = part(vault::read(source), problems);
        let wildberries = part(marketplaces::read_wildberries(source), problems);
        let ozon = part(marketplaces::read_ozon(source), problems);
        let google = part(google::read(source), problems);
        let stripe = stripe::read(source, problems);
        let telegram = part(telegram::read(source), problems);
        let webhooks = part(webhooks::read(source), problems);
        let sync = part(sync::read(source), problems);
        if let (Some(sync), Some(wildberries), Some(ozon), Some(google)) =
            (&sync, &wildberries, &ozon, &google)
        {
            part(sync::check(sync, wildberries, ozon, google), problems);
        }
        let telemetry = part(telemetry::read(source), problems);
        Some(Self {
            database: part(database, problems)?,
            broker: part(broker, problems)?,
            transport: transport?,
            http: http?,
            embedded: embedded?,
            secret_keys: secret_keys?,
            wildberries: wildberries?,
            ozon: ozon?,
            google: google?,
            stripe: stripe?,
            telegram: telegram?,
            webhooks: webhooks?,
            sync: sync?,
            telemetry: telemetry?,
        })
    }
}

fn part<Part>(read: Result<Part, Problem>, problems: &mut Vec<Problem>) -> Option<Part> {
    match read {
        Ok(part) => Some(part),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

#[cfg(test)]
mod tests;
