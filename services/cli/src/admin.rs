//! The tool `admin`: makes the first platform administrator, whom nobody could make over HTTP, and takes one
//! away when nobody else can. It appends the same events as the API does, in the name of `system`.

use application::{App, Context, administration};
use auth::Email;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::CommandId;
use runtime::{Clock, Ids, Settings};
use vault::{MasterKeys, Vault};

use crate::Failure;
use crate::args::AdminAction;

/// Runs it with the API's rights.
pub(crate) async fn run(settings: &Settings, action: &AdminAction) -> Result<u8, Failure> {
    let (email, admin) = match action {
        AdminAction::Grant { email } => (email, true),
        AdminAction::Revoke { email } => (email, false),
    };
    let pool = Pool::open(settings.database.required_url()?, Role::Api, 2)?;
    let (store, combiner) = EventStore::new(pool.clone(), Wake::default(), None);
    let masters = MasterKeys::parse(settings.secret_keys.required_master_keys()?)?;
    let app = App::new(store, Vault::new(pool, masters));
    tokio::select! {
        () = combiner.run() => Err("nothing can be appended".into()),
        outcome = set(&app, email, admin) => outcome,
    }
}

#[expect(clippy::print_stdout, reason = "the outcome is what the tool is for")]
async fn set(app: &App, email: &str, admin: bool) -> Result<u8, Failure> {
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
    administration::set_admin(app, &context, login.user_id, admin).await?;
    let now = if admin { "is" } else { "is not" };
    println!("{} {now} a platform administrator", login.user_id);
    Ok(0)
}
