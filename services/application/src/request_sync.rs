//! Somebody wants a cabinet brought up to date. While one sync is outstanding, the caller is given that one.

use domain::cabinet::Cabinet;
use domain::plans::Limit;
use domain::sync::{Sync, SyncCommand, SyncRefusal};
use event_store::{Loaded, ReadError};
use events::ids::{CabinetId, SyncId};
use events::sync::Trigger;

use crate::{App, Context, ExecuteError, Folded, Receipt, allowance};

/// Why no sync was begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Never connected, taken away, or another tenant's.
    #[error("there is no such cabinet")]
    NoCabinet,
    /// The marketplace refused the cabinet's key; another one must be given first.
    #[error("the marketplace refused the cabinet's credential: {reason}")]
    CredentialRejected {
        /// In the marketplace's class.
        reason: String,
    },
    /// The log could not be read.
    #[error("the cabinet could not be read")]
    Read(#[from] ReadError),
    /// The plan allows fewer cabinets, and this is one of the newest.
    #[error(transparent)]
    Allowance(#[from] allowance::Error),
    /// The log failed.
    #[error("the sync was not requested")]
    Execute(#[from] ExecuteError<SyncRefusal>),
}

/// The sync the caller may wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Which; also the id of the operation.
    pub sync_id: SyncId,
    /// Whether it was outstanding already.
    pub was_waiting: bool,
    /// For the caller.
    pub receipt: Receipt,
}

/// Begins a sync, or finds the one that is outstanding.
///
/// # Errors
/// [`Error`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    trigger: Trigger,
    forced: bool,
) -> Result<Requested, Error> {
    let Loaded {
        state: Folded(cabinet),
        ..
    } = app
        .states
        .load::<Folded<Cabinet>>(context.tenant_id, cabinet_id.uuid())
        .await?;
    if cabinet.marketplace.is_none() || cabinet.disconnected {
        return Err(Error::NoCabinet);
    }
    if let Some(reason) = cabinet.rejected {
        return Err(Error::CredentialRejected { reason });
    }
    if cabinet.paused_by_plan {
        let connected = app.places.cabinets(context.tenant_id).await;
        let used = connected.map_err(allowance::Error::from)?.len() as u64;
        // Nothing to refuse where the plan has become better and the cabinet is about to go on.
        allowance::check(app, context.tenant_id, Limit::Cabinets, used, 0).await?;
    }
    let wanted = SyncId(context.new_id("sync"));
    let command = SyncCommand::Request {
        sync_id: wanted,
        trigger,
        forced,
        at: context.now,
    };
    let executed = app
        .execute::<Sync>(context, cabinet_id.uuid(), command, |sync| {
            sync.outstanding
                .as_ref()
                .map(|outstanding| outstanding.sync_id.to_string())
        })
        .await?;
    let sync_id = executed
        .answer
        .as_deref()
        .and_then(|id| id.parse().ok())
        .unwrap_or(wanted);
    Ok(Requested {
        sync_id,
        was_waiting: sync_id != wanted,
        receipt: executed.receipt,
    })
}
