//! The tool `admin`: makes the first platform administrator, whom nobody could make over HTTP, takes one away
//! when nobody else can, and gives a login a plan. It appends the same events as the API does, in the name of
//! `system`.

use application::billing::manual::{self, Grant, PaidInvoice};
use application::{App, Context, administration};
use auth::Email;
use auth::accounts::Login;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::CommandId;
use runtime::{Clock, Ids, Settings};
use vault::{MasterKeys, Vault};

use crate::Failure;
use crate::args::{AdminAction, GrantPlanArguments};

/// Runs it with the API's rights.
pub(crate) async fn run(settings: &Settings, action: &AdminAction) -> Result<u8, Failure> {
    let pool = Pool::open(settings.database.required_url()?, Role::Api, 2)?;
    let (store, combiner) = EventStore::new(pool.clone(), Wake::default(), None);
    let masters = MasterKeys::parse(settings.secret_keys.required_master_keys()?)?;
    let app = App::new(store, Vault::new(pool, masters));
    tokio::select! {
        () = combiner.run() => Err("nothing can be appended".into()),
        outcome = act(&app, action) => outcome,
    }
}

async fn act(app: &App, action: &AdminAction) -> Result<u8, Failure> {
    match action {
        AdminAction::Grant { email } => set(app, email, true).await,
        AdminAction::Revoke { email } => set(app, email, false).await,
        AdminAction::GrantPlan(arguments) => grant_plan(app, arguments).await,
    }
}

#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn set(app: &App, email: &str, admin: bool) -> Result<u8, Failure> {
    let (login, context) = about(app, email).await?;
    administration::set_admin(app, &context, login.user_id, admin).await?;
    let now = if admin { "is" } else { "is not" };
    println!("{} {now} a platform administrator", login.user_id);
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn grant_plan(app: &App, arguments: &GrantPlanArguments) -> Result<u8, Failure> {
    let (login, context) = about(app, &arguments.email).await?;
    let GrantPlanArguments { plan, until, .. } = *arguments;
    let reason = Some(arguments.reason.clone());
    let paid = arguments
        .invoice
        .clone()
        .zip(arguments.amount)
        .zip(arguments.currency.clone())
        .zip(until);
    match paid {
        Some((((number, amount_minor), currency), until)) => {
            let invoice = PaidInvoice {
                plan,
                until,
                number,
                amount_minor,
                currency,
                paid_at: context.now,
                reason,
            };
            manual::record_invoice(app, &context, login.user_id, invoice).await?;
        }
        None => {
            let grant = Grant { plan, until, reason };
            manual::grant(app, &context, login.user_id, grant).await?;
        }
    }
    let end = until.map_or_else(String::new, |until| format!(" until {}", until.to_rfc3339()));
    println!("{} has the plan {}{end}", login.user_id, plan.as_str());
    Ok(0)
}

/// The login with an address, and the circumstances of a command about it.
async fn about(app: &App, email: &str) -> Result<(Login, Context), Failure> {
    let login = app.accounts.with_address(&Email::parse(email)?).await?;
    let Some(login) = login else {
        return Err("nobody is registered with this address".into());
    };
    let ids = Ids::system();
    let context = Context {
        tenant_id: login.tenant_id,
        actor: "system".to_owned(),
        command_id: CommandId(ids.next()),
        correlation_id: ids.next(),
        causation_id: None,
        traceparent: None,
        now: Clock::system().now(),
    };
    Ok((login, context))
}
