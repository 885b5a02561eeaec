//! Wiring: settings in, roles out. Every role is a library with a `run`; this crate builds what it needs,
//! starts it under one lifecycle, and says how it ended.

mod admin;
mod args;
mod assembly;
mod connections;
mod doctor;
mod embedded_servers;
mod erase;
mod errands;
mod keys;
mod migrate_sheets;
mod payloads;
mod progress;
mod roles;
mod schema;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use connectors::http::{HttpClient, NoObserver, TraceClient};
use runtime::{Settings, telemetry};

use sheets::Choice;

use crate::args::{Arguments, Command, Role, SheetsAction, SheetsArguments};
use crate::progress::Form;

/// Any failure that ends the program; printed with its causes.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Parses the command line, runs it, and returns the exit code: 0 in order, 1 for a failure, 2 for a
/// command line that cannot be understood, 3 for warnings of `doctor`, 78 for settings that cannot be used.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match Settings::of_this_process() {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return ExitCode::from(runtime::config::EXIT_CODE);
        }
    };
    connectors::http::install_crypto();
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let tokio = match built {
        Ok(tokio) => tokio,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    let begun = telemetry::init(&settings.telemetry, origin(&arguments.command), || {
        let http = HttpClient::new(Arc::new(NoObserver))?;
        Ok(TraceClient::new(http, tokio.handle().clone()))
    });
    let traces = match begun {
        Ok(traces) => traces,
        Err(error) => {
            complain(&error);
            return ExitCode::from(runtime::config::EXIT_CODE);
        }
    };
    let outcome = tokio.block_on(run(arguments.command, settings));
    // While the runtime still works, which sends them.
    traces.end();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(error.as_ref());
            let settings_at_fault =
                error.is::<runtime::ConfigError>() || error.is::<runtime::config::Problem>();
            ExitCode::from(if settings_at_fault {
                runtime::config::EXIT_CODE
            } else {
                1
            })
        }
    }
}

/// What spans tell of this process.
const fn origin(command: &Command) -> telemetry::Origin {
    telemetry::Origin {
        service: "stock-tracker",
        version: env!("CARGO_PKG_VERSION"),
        role: match command {
            Command::Role(role) => roles::name_of(role),
            _ => "tool",
        },
    }
}

async fn run(command: Command, settings: Settings) -> Result<u8, Failure> {
    match command {
        Command::Role(Role::Sheets(SheetsArguments {
            action:
                Some(SheetsAction::Migrate {
                    tenant,
                    dry_run,
                    backup,
                }),
        })) => migrate_sheets::run(&settings, tenant, Choice { dry_run, backup }).await,
        Command::Role(role) => roles::run(role, settings).await,
        Command::Migrate { roles_only: true, .. } => tools::make_roles(&settings).await,
        Command::Migrate { output, .. } => tools::migrate(&settings, Form::chosen(output.json)).await,
        Command::Nats {
            action: args::NatsAction::Apply(output),
        } => tools::nats_apply(&settings, Form::chosen(output.json)).await,
        Command::Nats {
            action: args::NatsAction::Users { folder },
        } => tools::nats_users(&folder),
        Command::Rebuild { projection, output } => {
            tools::rebuild(&settings, &projection, Form::chosen(output.json)).await
        }
        Command::Doctor(output) => doctor::run(&settings, output.json).await,
        Command::Admin { action } => admin::run(&settings, &action).await,
        Command::Erase { action } => erase::run(&settings, &action).await,
        Command::Payloads { action } => payloads::run(&settings, &action).await,
        Command::Keys { action } => keys::run(&settings, action).await,
    }
}

/// Prints a failure with all its causes.
#[expect(clippy::print_stderr, reason = "the program's last words")]
fn complain(error: &(dyn std::error::Error + 'static)) {
    eprintln!("stock-tracker: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
