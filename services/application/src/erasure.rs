//! What tenants' and users' erasures share: a request is in the ledger before anything is destroyed, every
//! step is a command whose id follows from the request, and repeating all of them is how a dead process's
//! work is finished.

use auth::StoreError;
use auth::erasures::{Erasure, Erasures, Subject, Unfinished};
use chrono::{DateTime, Utc};
use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use domain::sheet::{Sheet, SheetCommand, SheetRefusal};
use domain::tenant::{Tenant, TenantCommand, TenantRefusal};
use domain::user::{User, UserCommand, UserRefusal};
use events::ids::{CommandId, UserId};
use uuid::Uuid;

use crate::{App, Context, ExecuteError};

/// Why somebody was not forgotten, or not completely; repeating it goes on where it ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant's stream failed or refused.
    #[error("the tenant's stream was not continued")]
    Tenant(#[from] ExecuteError<TenantRefusal>),
    /// The user's stream failed.
    #[error("the user's stream was not continued")]
    User(#[from] ExecuteError<UserRefusal>),
    /// A cabinet's stream failed.
    #[error("a cabinet was not disconnected")]
    Cabinet(#[from] ExecuteError<CabinetRefusal>),
    /// The sheet's stream failed.
    #[error("the sheet was not unlinked")]
    Sheet(#[from] ExecuteError<SheetRefusal>),
    /// The ledger cannot be used.
    #[error("the ledger of erasures cannot be used")]
    Store(#[from] StoreError),
}

/// The ledger, with the rights of this process.
#[must_use]
pub fn ledger(app: &App) -> Erasures {
    Erasures::new(app.store.pool().clone())
}

/// Carries a request out as far as the log is concerned; the worker closes the act afterwards.
///
/// # Errors
/// [`Error`]. A request that the tenant refuses for good is taken back.
pub async fn carry_out(app: &App, wanted: &Erasure, now: DateTime<Utc>) -> Result<(), Error> {
    let context = &context_of(wanted, now);
    match wanted.subject {
        Subject::Tenant(_) => {
            refusable(app, wanted, erase_tenant(app, context, wanted).await).await?;
            let entry = ledger(app).request(wanted).await?;
            if entry.position.is_none() {
                return nobody(app, wanted).await;
            }
            follow_tenant(app, context, &entry).await
        }
        Subject::User(user) => {
            refusable(app, wanted, leave(app, context, wanted, user).await).await?;
            erase_user(app, context, wanted, user).await?;
            if ledger(app).request(wanted).await?.position.is_none() {
                return nobody(app, wanted).await;
            }
            Ok(())
        }
    }
}

/// There is nobody to be forgotten: a database from before they came, or they went with their tenant.
async fn nobody(app: &App, wanted: &Erasure) -> Result<(), Error> {
    tracing::info!(erasure.id = %wanted.erasure_id, "there is nobody to be erased");
    Ok(ledger(app).withdraw(wanted).await?)
}

/// The circumstances of a request's commands: the same, whoever gives them.
fn context_of(wanted: &Erasure, now: DateTime<Utc>) -> Context {
    Context {
        tenant_id: wanted.tenant_id,
        actor: wanted.requested_by.clone(),
        command_id: CommandId(wanted.erasure_id),
        correlation_id: wanted.erasure_id,
        causation_id: None,
        traceparent: None,
        now,
    }
}

async fn refusable(
    app: &App,
    wanted: &Erasure,
    outcome: Result<(), ExecuteError<TenantRefusal>>,
) -> Result<(), Error> {
    match outcome {
        Err(ExecuteError::Refused(refusal)) => {
            ledger(app).withdraw(wanted).await?;
            Err(ExecuteError::Refused(refusal).into())
        }
        outcome => Ok(outcome?),
    }
}

/// One event, and with it, in the same transaction, the keys and rows of the tenant.
async fn erase_tenant(
    app: &App,
    context: &Context,
    wanted: &Erasure,
) -> Result<(), ExecuteError<TenantRefusal>> {
    let command = TenantCommand::Erase {
        request: wanted.erasure_id.to_string(),
    };
    let tenant = wanted.tenant_id.uuid();
    let erased = app
        .execute::<Tenant>(&context.part("erase"), tenant, command, |_| None)
        .await;
    match erased {
        Ok(_) => Ok(()),
        // Erased under another request: the same end.
        Err(ExecuteError::Refused(TenantRefusal::NotRegistered)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What still points at the tenant ends: its sheet, its cabinets, its people.
async fn follow_tenant(app: &App, context: &Context, entry: &Unfinished) -> Result<(), Error> {
    let wanted = &entry.erasure;
    let unlinked = app
        .execute::<Sheet>(
            &context.part("sheet"),
            wanted.tenant_id.uuid(),
            SheetCommand::Unlink,
            |_| None,
        )
        .await;
    match unlinked {
        Ok(_) | Err(ExecuteError::Refused(SheetRefusal::NotLinked)) => {}
        Err(error) => return Err(error.into()),
    }
    for cabinet in ledger(app).cabinets(wanted.tenant_id).await? {
        let part = context.part(&format!("cabinet {cabinet}"));
        let disconnected = app
            .execute::<Cabinet>(&part, cabinet.uuid(), CabinetCommand::Disconnect, |_| None)
            .await;
        match disconnected {
            // Disconnected before, which is the end that was wanted.
            Ok(_) | Err(ExecuteError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for user in &entry.users {
        erase_user(app, context, wanted, *user).await?;
    }
    Ok(())
}

/// The tenant lets the user go; the last owner cannot.
async fn leave(
    app: &App,
    context: &Context,
    wanted: &Erasure,
    user_id: UserId,
) -> Result<(), ExecuteError<TenantRefusal>> {
    let command = TenantCommand::Leave { user_id };
    let tenant: Uuid = wanted.tenant_id.uuid();
    let left = app
        .execute::<Tenant>(&context.part("leave"), tenant, command, |_| None)
        .await;
    match left {
        Ok(_) => Ok(()),
        // Left before.
        Err(ExecuteError::Refused(TenantRefusal::NotMember | TenantRefusal::NotRegistered)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn erase_user(app: &App, context: &Context, wanted: &Erasure, user: UserId) -> Result<(), Error> {
    let command = UserCommand::Erase {
        request: wanted.erasure_id.to_string(),
    };
    let part = context.part(&format!("user {user}"));
    match app.execute::<User>(&part, user.uuid(), command, |_| None).await {
        Ok(_) | Err(ExecuteError::Refused(UserRefusal::NotRegistered)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
