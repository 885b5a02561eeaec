//! A worker takes a sync up and tells how it ended. Only the attempt that counts is heard: a worker that
//! slept through its lease is refused.

use domain::cabinet::Cabinet;
use domain::sync::{Held, Sync, SyncCommand, SyncRefusal};
use event_store::Loaded;
use events::cabinet::{CredentialFacts, Marketplace, Right};
use events::ids::{CabinetId, CredentialId, SyncId};
use events::sync::{SyncCompleted, SyncFailed, SyncQuarantined};

use crate::{App, Context, ExecuteError, Executed, Folded};

/// Why an attempt is not heard.
pub type Error = ExecuteError<SyncRefusal>;

/// What a worker needs to know to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which sync.
    pub sync_id: SyncId,
    /// How many times it was taken up, this one included.
    pub attempt: u32,
    /// How many of the earlier ones failed.
    pub failures: u32,
    /// How the one before ended, if it failed.
    pub last_failure: Option<String>,
    /// Read even what was read less than five minutes ago.
    pub forced: bool,
    /// Where the cabinet is; none when it was taken away meanwhile.
    pub marketplace: Option<Marketplace>,
    /// The key in use.
    pub credential: Option<CredentialFacts>,
    /// Whether the marketplace refused that key.
    pub rejected: bool,
    /// What the key may do; none where it was never tried.
    pub rights: Option<Vec<Right>>,
    /// A key that was given and waits to be tried.
    pub offered: Option<CredentialId>,
    /// Whether a person released what an earlier attempt saw: that is recorded, and nothing is read.
    pub released: bool,
    /// The sources of which that is held.
    pub releasing: Vec<String>,
    /// The syncs of which something is held back.
    pub held: Vec<Held>,
}

/// Takes the sync up.
///
/// # Errors
/// [`SyncRefusal::NotOutstanding`] when it is over.
pub async fn start(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    sync_id: SyncId,
) -> Result<Attempt, Error> {
    let command = SyncCommand::Start {
        sync_id,
        at: context.now,
    };
    // The number this command began is part of its answer: a repeated command must not be told the number of
    // another worker's attempt, or both would speak as one.
    let executed = app
        .execute::<Sync>(context, cabinet_id.uuid(), command, |sync| {
            sync.outstanding
                .as_ref()
                .map(|outstanding| outstanding.attempt.to_string())
        })
        .await?;
    let begun = executed
        .answer
        .as_deref()
        .and_then(|attempt| attempt.parse::<u32>().ok());
    let held = executed.state.held;
    let outstanding = executed
        .state
        .outstanding
        .filter(|outstanding| outstanding.sync_id == sync_id)
        .ok_or(ExecuteError::Refused(SyncRefusal::NotOutstanding))?;
    let Loaded {
        state: Folded(cabinet),
        ..
    } = app
        .states
        .load::<Folded<Cabinet>>(context.tenant_id, cabinet_id.uuid())
        .await?;
    Ok(Attempt {
        sync_id,
        attempt: begun.unwrap_or(outstanding.attempt),
        failures: outstanding.failures,
        last_failure: outstanding.last_failure,
        forced: outstanding.forced,
        marketplace: cabinet.marketplace.filter(|_| !cabinet.disconnected),
        rejected: cabinet.rejected.is_some(),
        rights: cabinet.rights,
        offered: cabinet.offered.map(|facts| facts.credential_id),
        released: outstanding.released,
        releasing: outstanding.releasing,
        held,
        credential: cabinet.credential,
    })
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Well, at least in part.
    Completed(SyncCompleted),
    /// Badly; with a time, it will be tried again.
    Failed(SyncFailed),
    /// With an implausible result.
    Quarantined(SyncQuarantined),
}

/// Tells how it ended, and returns what is known of the cabinet's syncs since.
///
/// # Errors
/// [`SyncRefusal::Superseded`] when another attempt counts by now.
pub async fn end(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    end: End,
) -> Result<Executed<Sync>, Error> {
    let command = match end {
        End::Completed(completed) => SyncCommand::Complete(completed),
        End::Failed(failed) => SyncCommand::Fail(failed),
        End::Quarantined(quarantined) => SyncCommand::Quarantine(quarantined),
    };
    app.execute::<Sync>(context, cabinet_id.uuid(), command, |_| None)
        .await
}
