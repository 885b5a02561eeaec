//! The command line.

use clap::{Args, Parser, Subcommand};

/// Keeps sellers' stock on Wildberries and Ozon in view and their Google Sheet right.
#[derive(Debug, Parser)]
#[command(name = "stock-tracker", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A role to play or a tool to use.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Role(Role),
    /// Bring the database's schema up to date
    Migrate {
        /// Only make the database's roles: before a backup is restored on a new server
        #[arg(long)]
        roles_only: bool,
        #[command(flatten)]
        output: Output,
    },
    /// NATS: streams, consumers and buckets
    Nats {
        #[command(subcommand)]
        action: NatsAction,
    },
    /// Build a read model anew beside the live one, then swap
    Rebuild {
        /// `inventory`, `operations` or `all`
        projection: String,
        #[command(flatten)]
        output: Output,
    },
    /// Say whether everything this installation needs is there and right; exit code 1 if not, 3 for
    /// warnings only
    Doctor(Output),
    /// Platform administrators: the first one is made here; plans that are granted or paid by invoice
    Admin {
        #[command(subcommand)]
        action: AdminAction,
    },
    /// Acts and ledger of erasures
    Erase {
        #[command(subcommand)]
        action: EraseAction,
    },
    /// Raw answers of marketplaces, kept for audits
    Payloads {
        #[command(subcommand)]
        action: PayloadsAction,
    },
    /// Keys of the vault and of access tokens
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
}

/// For whom a tool writes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Print JSON on standard output, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// One role, or all of them.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Role {
    /// HTTP API
    Api,
    /// Commands and queries over NATS
    Gateway,
    /// Copies the log to JetStream
    Relay,
    /// Folds events into read models
    Projector,
    /// Keeps spreadsheets equal to the read models; or a tool for them
    Sheets(SheetsArguments),
    /// Policies and syncs
    Worker,
    /// Requests scheduled syncs
    Scheduler,
    /// Warns of stock that runs out, and notifies members and webhooks
    Notifier,
    /// All roles in one process
    All(AllArguments),
}

/// How to run everything at once.
#[derive(Debug, Clone, Args)]
pub(crate) struct AllArguments {
    /// Start an own PostgreSQL and NATS with their data below `ST_DATA_DIR`, and make missing keys
    #[arg(long)]
    pub(crate) embedded: bool,
}

/// The role, unless there is something else to do.
#[derive(Debug, Clone, Args)]
pub(crate) struct SheetsArguments {
    #[command(subcommand)]
    pub(crate) action: Option<SheetsAction>,
}

/// What to do with spreadsheets.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum SheetsAction {
    /// Move sheets of earlier layouts to the current one; columns, rows and notes of the seller's stay
    Migrate {
        /// Only this tenant's
        #[arg(long, value_parser = tenant)]
        tenant: Option<events::ids::TenantId>,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
        /// Copy each worksheet first, inside its spreadsheet
        #[arg(long)]
        backup: bool,
    },
}

/// What to do with NATS.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum NatsAction {
    /// Create what is missing, bring streams to ST_NATS_REPLICAS, and check the rest; drift is an error
    Apply(Output),
    /// Make a key pair for every user that has none, and the server's configuration with the rights of all
    Users {
        /// Where seeds (`<user>.nk`) and configuration (`users.conf`) are kept
        folder: std::path::PathBuf,
    },
}

/// What to do with platform administrators.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AdminAction {
    /// Make a registered login a platform administrator
    Grant {
        /// Its e-mail address
        email: String,
    },
    /// It is no platform administrator any more
    Revoke {
        /// Its e-mail address
        email: String,
    },
    /// Give a registered login a plan, or record an invoice that was paid for one
    GrantPlan(GrantPlanArguments),
}

/// To whom, which plan, and on what basis.
#[derive(Debug, Clone, Args)]
pub(crate) struct GrantPlanArguments {
    /// Its e-mail address
    #[arg(long)]
    pub(crate) email: String,
    /// `free`, `starter`, `pro` or `enterprise`
    #[arg(long, value_parser = plan)]
    pub(crate) plan: events::subscription::Plan,
    /// When it ends by itself, such as 2027-03-01T00:00:00Z; needed for an invoice
    #[arg(long)]
    pub(crate) until: Option<chrono::DateTime<chrono::Utc>>,
    /// Why; nobody's name belongs here, since it is kept for ever
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    /// Number of the invoice that was paid
    #[arg(long, value_parser = invoice, requires_all = ["amount", "currency", "until"])]
    pub(crate) invoice: Option<String>,
    /// What was paid, in the smallest unit of the currency (kopecks, cents)
    #[arg(long, requires = "invoice", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) amount: Option<i64>,
    /// Its currency, such as RUB
    #[arg(long, requires = "invoice", value_parser = currency)]
    pub(crate) currency: Option<String>,
}

fn plan(text: &str) -> Result<events::subscription::Plan, String> {
    events::subscription::Plan::parse(text)
        .ok_or_else(|| "not one of free, starter, pro, enterprise".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    of_length(text, 200)
}

fn invoice(text: &str) -> Result<String, String> {
    of_length(text, 100)
}

fn of_length(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("1 to {most} characters are needed"))
}

fn currency(text: &str) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| "not a currency such as RUB or USD".to_owned())
}

/// What to do with erasures.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum EraseAction {
    /// Print the ledger, a line of JSON per erasure, to be kept where a backup of the database does not reach
    Ledger,
    /// Print every act with the entries of the log that concern it, a line of JSON each
    Acts,
    /// Enter a ledger's lines that a restored database lacks; running workers carry them out
    Replay {
        /// The ledger, as `erase ledger` printed it
        file: std::path::PathBuf,
    },
}

/// What to do with raw answers.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PayloadsAction {
    /// List a tenant's, newest first: when, which cabinet and source, hash and sizes
    List {
        /// Whose
        #[arg(value_parser = tenant)]
        tenant: events::ids::TenantId,
        /// Only those with this hash, as it stands in a sync's event
        #[arg(long)]
        sha256: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
    },
    /// Print one: a line per page of the answer, without what could be a buyer's
    Show {
        /// Whose
        #[arg(value_parser = tenant)]
        tenant: events::ids::TenantId,
        /// Which
        payload: uuid::Uuid,
        /// Why it is looked at; goes to the log with who looks
        #[arg(long)]
        reason: String,
    },
}

/// What to do with keys.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum KeysAction {
    /// Print a new master key and a new token key
    Generate {
        /// Version of the new master key
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
        version: i32,
    },
    /// List master keys and data keys by version; never a key
    List,
    /// Wrap every data key by the newest master key
    RotateMaster,
    /// Replace data keys and encrypt their secrets anew; an unfinished rotation is finished first
    RotateData {
        /// Only this tenant's
        #[arg(long, value_parser = tenant)]
        tenant: Option<events::ids::TenantId>,
        /// Only those that have been used too often or for too long
        #[arg(long, conflicts_with = "tenant")]
        due: bool,
    },
    /// Say what is old, unfinished or due
    Status,
    /// Open every secret once and say which do not
    Verify,
}

fn tenant(text: &str) -> Result<events::ids::TenantId, String> {
    text.parse().map_err(|_wrong| "not the id of a tenant".to_owned())
}
