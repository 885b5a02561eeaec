//! The list of all settings as data, from which the reference page is made and against which keys are
//! checked.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name in the environment and in the settings file.
    pub name: &'static str,
    /// The value when none is given; `None` if there is none.
    pub default: Option<&'static str>,
    /// What it means, with units.
    pub meaning: &'static str,
    /// Never shown, and also accepted as `<NAME>_FILE`.
    pub secret: bool,
}

const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        default: Some(default),
        meaning,
        secret: false,
    }
}

const fn optional(name: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        default: None,
        meaning,
        secret: false,
    }
}

const fn secret(name: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        default: None,
        meaning,
        secret: true,
    }
}

/// Every setting of every role. Hosts of outside services are the ones their vendors publish.
pub const KEYS: &[Key] = &[
    secret(
        "DATABASE_URL",
        "Address of PostgreSQL, `postgres://…`; not needed with `--embedded`",
    ),
    plain(
        "ST_DATABASE_CONNECTIONS",
        "12",
        "Most connections to PostgreSQL that one role of one process keeps for requests, jobs and reading, 4 to 500. What \
         an installation needs in all: `deploy/README.md`",
    ),
    plain(
        "ST_DATABASE_APPEND_CONNECTIONS",
        "2",
        "Further connections of roles that append to the log, for appending only, 1 to 16; readers cannot take them",
    ),
    secret(
        "NATS_URL",
        "Address of NATS, `nats://…`, several separated by commas; not needed with `--embedded`",
    ),
    optional(
        "ST_NATS_SEED_DIR",
        "Folder with the seeds of the broker's users, made by `stock-tracker nats users`; a role reads its own \
         `<role>.nk` only. Not set: roles are whoever `NATS_URL` says",
    ),
    optional(
        "ST_NATS_CA_FILE",
        "Certificates (PEM) of the only authorities trusted for NATS; those of the operating system if not set",
    ),
    optional(
        "ST_NATS_REPLICAS",
        "Servers of a NATS cluster that keep a copy of each stream and bucket (1, 3 or 5); with 3 one server may fail, \
         with 5 two. The same for all processes; `nats apply` changes what is there. One if not set",
    ),
    plain(
        "ST_REQUIRE_TLS",
        "false",
        "Whether the ways to PostgreSQL and NATS have to be encrypted and the servers to prove who they are. If \
         `true`, `DATABASE_URL` needs `sslmode=verify-full` and `sslrootcert=<PEM file>`",
    ),
    plain("ST_HTTP_ADDR", "127.0.0.1:8080", "Where the HTTP API listens"),
    optional(
        "ST_HTTP_CERT_FILE",
        "Certificate of the HTTP API with the chain above it (PEM); it speaks TLS then",
    ),
    optional("ST_HTTP_KEY_FILE", "Private key of that certificate (PEM)"),
    optional(
        "ST_HTTP_ORIGINS",
        "Origins whose pages may call the HTTP API (CORS), such as `https://app.example.com`, separated by commas; \
         none if not set",
    ),
    optional(
        "ST_HTTP_PROXIES",
        "Networks of the proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`, separated by commas; \
         nobody's if not set",
    ),
    plain(
        "ST_HTTP_CONNECTIONS",
        "4096",
        "Connections that the HTTP API holds at a time (16 to 100000); more wait. Each takes two file handles",
    ),
    plain(
        "ST_HTTP_HEAD_SECONDS",
        "10",
        "Time for the head of a request, and for TLS before it, in seconds (1 to 300)",
    ),
    plain(
        "ST_HTTP_BODY_SECONDS",
        "15",
        "Time for the body of a request, in seconds (1 to 300)",
    ),
    plain(
        "ST_HTTP_IDLE_SECONDS",
        "75",
        "Time between two requests on one connection, in seconds (1 to 300); longer than a proxy before it keeps its own",
    ),
    optional(
        "ST_LIMITS_FILE",
        "Table of request limits and plans in the form of `services/limits/limits.toml`, which counts if not set",
    ),
    plain(
        "ST_METRICS_ADDR",
        "127.0.0.1:9464",
        "Where `/metrics` and `/health/live` of each process listen; another port than the HTTP API's",
    ),
    plain(
        "ST_DATA_DIR",
        ".stock-tracker",
        "Folder of the embedded servers' data",
    ),
    optional(
        "ST_EMBEDDED_POSTGRES_PORT",
        "Port of the embedded PostgreSQL; a free one if not set",
    ),
    optional(
        "ST_EMBEDDED_NATS_PORT",
        "Port of the embedded NATS, another than PostgreSQL's; a free one if not set",
    ),
    secret(
        "ST_MASTER_KEY",
        "Master keys of the vault, `v1:<base64 of 32 bytes>`, separated by commas; the newest wraps",
    ),
    secret(
        "ST_JWT_KEY",
        "Ed25519 private keys, PEM (PKCS #8), one after the other: the first signs access tokens, all verify",
    ),
    plain(
        "ST_WB_CONTENT_URL",
        "https://content-api.wildberries.ru",
        "Wildberries, product cards",
    ),
    plain(
        "ST_WB_ANALYTICS_URL",
        "https://seller-analytics-api.wildberries.ru",
        "Wildberries, stock reports and order feed",
    ),
    plain(
        "ST_WB_STATISTICS_URL",
        "https://statistics-api.wildberries.ru",
        "Wildberries, older order report",
    ),
    plain(
        "ST_WB_MARKETPLACE_URL",
        "https://marketplace-api.wildberries.ru",
        "Wildberries, stock in the seller's own warehouses",
    ),
    plain(
        "ST_WB_COMMON_URL",
        "https://common-api.wildberries.ru",
        "Wildberries, facts about the seller",
    ),
    plain(
        "ST_WB_PRICES_URL",
        "https://discounts-prices-api.wildberries.ru",
        "Wildberries, prices",
    ),
    secret(
        "ST_WB_SERVICE_SECRET",
        "Secret by which Wildberries recognises this service; base tokens get the full limits by it",
    ),
    plain("ST_OZON_URL", "https://api-seller.ozon.ru", "Ozon Seller API"),
    plain(
        "ST_GOOGLE_SHEETS_URL",
        "https://sheets.googleapis.com",
        "Google Sheets API",
    ),
    plain(
        "ST_GOOGLE_DRIVE_URL",
        "https://www.googleapis.com",
        "Google Drive API",
    ),
    optional(
        "ST_GOOGLE_SHARED_DRIVE",
        "Id of the Google shared drive in which spreadsheets are created; the service account is a member of it",
    ),
    secret(
        "ST_GOOGLE_SERVICE_ACCOUNT",
        "Key of the Google service account, JSON as Google hands it out",
    ),
    plain("ST_STRIPE_URL", "https://api.stripe.com", "Stripe API"),
    secret(
        "ST_STRIPE_API_KEY",
        "Stripe's secret key (`sk_…`) or a restricted one (`rk_…`). If it is set, the webhook secret and the three prices \
         have to be set as well; if not, nothing is sold",
    ),
    secret(
        "ST_STRIPE_WEBHOOK_SECRET",
        "Signing secrets of the Stripe webhook (`whsec_…`), several separated by commas while one is being replaced; none \
         of them empty",
    ),
    plain(
        "ST_STRIPE_WEBHOOK_TOLERANCE_SECONDS",
        "300",
        "How far the time of a delivery's signature may be from ours, in either direction, in seconds (1 to 600)",
    ),
    optional(
        "ST_STRIPE_PRICE_STARTER",
        "Stripe price (`price_…`) of the plan Starter; the three prices differ",
    ),
    optional("ST_STRIPE_PRICE_PRO", "Stripe price of the plan Pro"),
    optional(
        "ST_STRIPE_PRICE_ENTERPRISE",
        "Stripe price of the plan Enterprise",
    ),
    optional(
        "ST_BILLING_RETURN_URL",
        "Page that people come back to from Stripe's pages, an address without query; `/billing/done` of the HTTP API if \
         not set",
    ),
    plain("ST_TELEGRAM_URL", "https://api.telegram.org", "Telegram Bot API"),
    secret("ST_TELEGRAM_BOT_TOKEN", "Token of the Telegram bot"),
    secret(
        "ST_TELEGRAM_WEBHOOK_SECRET",
        "Secret that Telegram sends with each webhook call",
    ),
    optional(
        "ST_WEBHOOKS_ALLOW",
        "What outgoing webhooks may call beside public addresses by HTTPS at the ports 443 and 8443, separated by \
         commas: `http` (plain HTTP), `private` (loopback and private addresses), `any-port`. For tests and networks of \
         one's own: with `private`, customers can send requests to the machines around this one",
    ),
    optional(
        "ST_SYNC_INTERVAL_SECONDS",
        "Seconds (300 to 86400) between two scheduled syncs of cabinets that were given no rhythm, whatever their \
         tenant's plan; the plan's rhythm if not set. 86400 is once a day, in the tenant's morning",
    ),
    plain(
        "ST_SYNC_ATTEMPTS",
        "5",
        "Attempts before a sync is given up (1 to 100)",
    ),
    plain(
        "ST_SYNC_RETRY_SECONDS",
        "15",
        "Pause before the second attempt of a sync, in seconds (1 to 3600); it doubles with each",
    ),
    plain(
        "ST_PAYLOAD_DAYS",
        "14",
        "Days for which raw answers of marketplaces are kept for audits (0 to 365); 0 keeps none",
    ),
    plain(
        "ST_PAYLOAD_CABINET_MB",
        "64",
        "Most megabytes of raw answers that are kept of one cabinet, compressed (1 to 1048576)",
    ),
    plain(
        "ST_PAYLOAD_TOTAL_MB",
        "4096",
        "Most megabytes of raw answers that are kept of all cabinets, compressed (1 to 1048576)",
    ),
    plain(
        "ST_SYNC_PARALLEL",
        "16",
        "Syncs one worker has under way at a time (1 to 64); most of them wait for a marketplace's limit",
    ),
    plain(
        "ST_SYNC_REQUESTS",
        "8",
        "Requests to marketplaces that one worker works on at a time (2 to 256); tenants take turns",
    ),
    optional(
        "ST_MARKETPLACE_LIMITS_FILE",
        "Limits of the marketplaces in the form of `services/connectors/limits.toml`, in the place of those of the same \
         marketplace and group",
    ),
    plain(
        "ST_EGRESS_ADDRESS",
        "default",
        "Name of the address by which this process reaches the marketplaces; processes behind one address share what is \
         counted per address",
    ),
    plain(
        "ST_SYNC_PER_TENANT",
        "2",
        "Syncs of one tenant that are with the workers at a time (1 to 64); its others wait for their turn",
    ),
    plain(
        "ST_SYNC_OUTSTANDING",
        "100",
        "Syncs that wait for the workers or are with them before the schedule requests more (1 to 100000); bounds the \
         rate at which an installation that was down catches up",
    ),
    plain(
        "ST_ORDER_DAYS",
        "30",
        "Days of orders every sync asks for (7 to 30)",
    ),
    plain(
        "ST_MARKETPLACE_SPEED",
        "1",
        "How many times faster than published the marketplaces' limits are taken to be (1 to 100000); more than 1 \
         is for simulators only and refused while an address of a marketplace is its own",
    ),
    plain(
        "ST_SYNC_SOFT_LIMIT_SECONDS",
        "540",
        "After this time a sync starts no further request, in seconds (60 to 7199); below the hard limit",
    ),
    plain(
        "ST_SYNC_HARD_LIMIT_SECONDS",
        "600",
        "After this time a sync is broken off, in seconds (61 to 7200)",
    ),
    plain(
        "ST_SHEET_COALESCE_MS",
        "2000",
        "Time in which changes are gathered before a sheet is written, in milliseconds (0 to 60000); less than \
         `ST_SHEET_FRESHNESS_SECONDS`",
    ),
    plain(
        "ST_SHEET_FRESHNESS_SECONDS",
        "15",
        "Longest time from a change to the sheet that shows it while changes keep coming, in seconds (6 to 3600)",
    ),
    plain(
        "ST_SHEET_SETTLE_SECONDS",
        "240",
        "Time after which a write to a sheet whose answer was lost has certainly ended at Google, in seconds (1 to \
         3600); less than 180 is for simulators only and refused for Google's own address",
    ),
    optional(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "Where traces go: the address of an OTLP collector over HTTP, without `/v1/traces`; none are made when it is \
         not set",
    ),
    plain(
        "RUST_LOG",
        "info",
        "Which log lines are written, in the syntax of `tracing-subscriber`'s `EnvFilter`",
    ),
    plain("ST_LOG_FORMAT", "text", "Form of log lines: `text` or `json`"),
];

/// The setting of that name, or the secret whose `_FILE` form it is.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let exact = KEYS.iter().find(|key| key.name == name);
    exact.or_else(|| {
        let secret = name.strip_suffix("_FILE")?;
        KEYS.iter().find(|key| key.secret && key.name == secret)
    })
}

pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// All settings as a Markdown table, for `docs/config.md`.
pub fn reference_table() -> String {
    let mut table = String::from("| key | default | secret | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = key
            .default
            .map_or_else(|| "–".to_owned(), |value| format!("`{value}`"));
        let secret = if key.secret { "yes" } else { "" };
        table.push_str(&format!(
            "| `{}` | {default} | {secret} | {} |\n",
            key.name, key.meaning
        ));
    }
    table
}
