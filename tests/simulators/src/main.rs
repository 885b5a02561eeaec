//! The simulators as a program of its own, for tests in other processes and for trying things by hand.

use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::{Value, json};
use simulators::google::{Quotas, Role};
use simulators::ozon::OzonLimits;
use simulators::stripe::{EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER};
use simulators::telegram::TelegramLimits;
use simulators::wildberries::Limits;
use simulators::{
    Clock, Google, GoogleConfig, Ozon, OzonConfig, OzonSellerConfig, Receiver, ReceiverConfig, SellerConfig,
    SimulatorError, Stripe, StripeConfig, Telegram, TelegramConfig, Wildberries, WildberriesConfig,
};

/// Wildberries, Ozon, Google, Stripe, Telegram and a receiver of webhooks on this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port of Wildberries; 0 takes a free one.
    #[arg(long, default_value_t = 9101)]
    wildberries_port: u16,
    /// Port of Google; 0 takes a free one.
    #[arg(long, default_value_t = 9102)]
    google_port: u16,
    /// Port of Ozon; 0 takes a free one.
    #[arg(long, default_value_t = 9103)]
    ozon_port: u16,
    /// Port of Stripe; 0 takes a free one.
    #[arg(long, default_value_t = 9104)]
    stripe_port: u16,
    /// Port of the receiver of webhooks; 0 takes a free one.
    #[arg(long, default_value_t = 9106)]
    receiver_port: u16,
    /// Address that gets Stripe's events; several take turns.
    #[arg(long)]
    stripe_webhook: Vec<String>,
    /// Port of Telegram; 0 takes a free one.
    #[arg(long, default_value_t = 9105)]
    telegram_port: u16,
    /// Product cards of every seller.
    #[arg(long, default_value_t = 60)]
    articles: usize,
    /// Warehouses of each marketplace.
    #[arg(long, default_value_t = 8)]
    warehouses: usize,
    /// Sellers; the seeds count up from --seed.
    #[arg(long, default_value_t = 1)]
    sellers: u64,
    /// Everything in the cabinets follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much faster than in reality limits and quotas refill; 0 switches them off.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Seconds between two automatic steps of the shops' life; 0 lets them stand still.
    #[arg(long, default_value_t = 5.0)]
    auto_seconds: f64,
    /// Start with masked warehouses, as Wildberries shows them since 15.08.2026.
    #[arg(long)]
    masked: bool,
    /// Folder that keeps the key, the spreadsheets, the shops' past and Stripe's account between two starts.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Writes addresses, tokens and the ready spreadsheet into this JSON file.
    #[arg(long)]
    write_env: Option<PathBuf>,
}

/// The program could not do its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A simulator did not start.
    #[error("a simulator did not start")]
    Simulator(#[from] SimulatorError),
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The signal handler could not be set.
    #[error("cannot wait for the end signal")]
    Signal(#[source] io::Error),
}

/// Title of the spreadsheet that is ready for linking.
const TITLE: &str = "Stock Tracker - демо";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let arguments = Arguments::parse();
    let wildberries = Wildberries::start(wildberries_config(&arguments)).await?;
    let ozon = Ozon::start(ozon_config(&arguments)).await?;
    let google = Google::start(google_config(&arguments)).await?;
    let stripe = Stripe::start(stripe_config(&arguments)).await?;
    let telegram = Telegram::start(telegram_config(&arguments)).await?;
    let receiver = Receiver::start(receiver_config(&arguments)).await?;
    let mut facts = facts(&wildberries, &ozon, &google, arguments.data_dir.as_deref())?;
    facts["stripe"] = stripe_facts(&stripe);
    facts["telegram"] = json!({"url": telegram.url(), "botToken": telegram.token()});
    facts["receiver"] = json!({"url": receiver.base_url()});
    if let Some(path) = &arguments.write_env {
        write(path, &format!("{facts:#}\n"))?;
    }
    announce(&facts);
    tokio::signal::ctrl_c().await.map_err(Failure::Signal)?;
    wildberries.stop().await;
    ozon.stop().await;
    google.stop().await;
    stripe.stop().await;
    receiver.stop().await;
    telegram.stop().await;
    Ok(())
}

fn wildberries_config(arguments: &Arguments) -> WildberriesConfig {
    let seller = |number: u64| SellerConfig {
        seed: arguments.seed + number,
        articles: arguments.articles,
        warehouses: arguments.warehouses,
        orders_per_day: arguments.articles * 2,
        sold_per_step: arguments.articles.div_ceil(20),
        ..SellerConfig::default()
    };
    WildberriesConfig {
        port: arguments.wildberries_port,
        sellers: (0..arguments.sellers).map(seller).collect(),
        clock: Clock::system(),
        limits: if arguments.speed > 0.0 {
            Limits::Speed(arguments.speed)
        } else {
            Limits::Off
        },
        masked: arguments.masked,
        auto_seconds: (arguments.auto_seconds > 0.0).then_some(arguments.auto_seconds),
        data_dir: arguments.data_dir.clone(),
        ..WildberriesConfig::default()
    }
}

fn ozon_config(arguments: &Arguments) -> OzonConfig {
    let seller = |number: u64| OzonSellerConfig {
        seed: arguments.seed + number,
        products: arguments.articles,
        warehouses: arguments.warehouses,
        orders_per_day: arguments.articles,
        sold_per_step: arguments.articles.div_ceil(20),
        ..OzonSellerConfig::default()
    };
    OzonConfig {
        port: arguments.ozon_port,
        sellers: (0..arguments.sellers).map(seller).collect(),
        clock: Clock::system(),
        limits: if arguments.speed > 0.0 {
            OzonLimits::Speed(arguments.speed)
        } else {
            OzonLimits::Off
        },
        auto_seconds: (arguments.auto_seconds > 0.0).then_some(arguments.auto_seconds),
        ..OzonConfig::default()
    }
}

fn google_config(arguments: &Arguments) -> GoogleConfig {
    let quotas = if arguments.speed > 0.0 {
        Quotas {
            speed: arguments.speed,
            ..Quotas::default()
        }
    } else {
        Quotas::off()
    };
    GoogleConfig {
        port: arguments.google_port,
        quotas,
        data_dir: arguments.data_dir.clone(),
        ..GoogleConfig::default()
    }
}

fn stripe_config(arguments: &Arguments) -> StripeConfig {
    StripeConfig {
        port: arguments.stripe_port,
        seed: arguments.seed,
        endpoints: vec![EndpointConfig {
            urls: arguments.stripe_webhook.clone(),
            ..EndpointConfig::default()
        }],
        data_dir: arguments.data_dir.clone(),
        ..StripeConfig::default()
    }
}

fn receiver_config(arguments: &Arguments) -> ReceiverConfig {
    ReceiverConfig {
        port: arguments.receiver_port,
        ..ReceiverConfig::default()
    }
}

fn telegram_config(arguments: &Arguments) -> TelegramConfig {
    TelegramConfig {
        port: arguments.telegram_port,
        limits: if arguments.speed > 0.0 {
            TelegramLimits::Strict
        } else {
            TelegramLimits::Off
        },
        ..TelegramConfig::default()
    }
}

fn stripe_facts(stripe: &Stripe) -> Value {
    json!({
        "url": stripe.url(),
        "apiKey": stripe.api_key(),
        "webhookSecret": stripe.secret(0),
        "prices": {"starter": PRICE_STARTER, "pro": PRICE_PRO, "enterprise": PRICE_ENTERPRISE},
    })
}

/// Everything a client of the marketplaces and of Google has to know.
fn facts(
    wildberries: &Wildberries,
    ozon: &Ozon,
    google: &Google,
    data_dir: Option<&Path>,
) -> Result<Value, Failure> {
    let folder = data_dir.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let key = folder.join("stock-tracker-service-account.json");
    write(&key, &google.service_account_json())?;
    let email = google.service_account_email(0);
    let spreadsheet = match google.find_spreadsheet(TITLE) {
        Some(id) => id,
        None => google.create_spreadsheet(TITLE, &[(email.as_str(), Role::Writer)]),
    };
    let sellers: Vec<Value> = wildberries
        .sellers()
        .into_iter()
        .map(|sid| {
            json!({
                "sid": sid, "personalToken": wildberries.personal_token(sid),
                "baseToken": wildberries.base_token(sid),
            })
        })
        .collect();
    let ozon_sellers: Vec<Value> = ozon
        .sellers()
        .into_iter()
        .map(|id| json!({"clientId": id.to_string(), "apiKey": ozon.api_key(id)}))
        .collect();
    Ok(json!({
        "wildberriesUrl": wildberries.base_url(),
        "ozonUrl": ozon.base_url(),
        "ozonSellers": ozon_sellers,
        "googleUrl": google.base_url(),
        "personalToken": sellers.first().map(|seller| &seller["personalToken"]),
        "baseToken": sellers.first().map(|seller| &seller["baseToken"]),
        "sellers": sellers,
        "serviceAccountFile": key,
        "serviceAccountEmail": email,
        "spreadsheetId": spreadsheet,
        "spreadsheetUrl": google.spreadsheet_url(&spreadsheet),
    }))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::Write {
        path: path.display().to_string(),
        source,
    })
}

#[expect(
    clippy::print_stdout,
    reason = "the program's whole output: where everything is"
)]
fn announce(facts: &Value) {
    println!("{facts:#}");
}
