//! Seller accounts at marketplaces.

pub mod change;
pub mod check;
pub mod connect;
pub mod disconnect;
pub mod exclusions;
pub mod list;
pub mod replace_credential;
pub mod request_sync;
pub mod show;
pub mod trial;

use application::connect_cabinet;
use application::credential::{CredentialError, PairError};
use application::domain::cabinet::CabinetRefusal;
use chrono::{DateTime, Utc};
use events::cabinet::CredentialFacts;
use read_models::operations::SourceState;
use read_models::operations::queries::Cabinet;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use self::trial::RightView;
use crate::handlers::execute_problem;
use crate::handlers::syncs::DoubtView;
use crate::problem::{Code, Problem};

/// A cabinet.
#[derive(Debug, Serialize, ToSchema)]
pub struct CabinetView {
    /// Its id.
    pub id: Uuid,
    /// What the seller calls it; may be empty.
    pub title: String,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// `connected` or `disconnected`.
    pub status: String,
    /// What is known of its credential. Never the credential.
    pub credential: CredentialView,
    /// When it is synced by itself.
    pub schedule: ScheduleView,
    /// Its newest sync.
    pub last_sync: Option<LastSyncView>,
    /// How each of its sources is doing.
    pub sources: Vec<SourceFreshnessView>,
    /// Since when.
    pub connected_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What is known of a credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    /// `unchecked`, `accepted` or `rejected`; a rejected one pauses syncs.
    pub status: String,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// When it was last tried.
    pub checked_at: Option<DateTime<Utc>>,
    /// Recognises the same credential again.
    pub fingerprint: String,
    /// `base`, `test`, `personal`, `service`, `api_key`.
    pub token_kind: String,
    /// The marketplace's id of the seller account.
    pub seller_id: Option<String>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it opens, in its own words.
    pub scopes: Vec<String>,
    /// `unchecked`, `ok`, `expiring`, `missing_rights`, `rejected`, `payment_required` or `expired`.
    pub state: &'static str,
    /// Whole days until it ends.
    pub days_left: Option<i64>,
    /// Whether it can only read, where that is known.
    pub read_only: Option<bool>,
    /// What it may do by a trial at the marketplace, category by category.
    pub rights: Vec<RightView>,
    /// When that was tried.
    pub rights_checked_at: Option<DateTime<Utc>>,
    /// The fewest days before its end that were announced: 14, 3 or 1.
    pub announced_days: Option<u32>,
    /// Fingerprint of a new credential that waits to be tried.
    pub offered_fingerprint: Option<String>,
    /// Why the last new credential was not taken; this one stayed in use.
    pub offer_refused: Option<OfferRefusedView>,
}

/// A new credential that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferRefusedView {
    /// `unauthorized`, `forbidden`, `payment_required`, `missing_rights`, `other_seller` or `expired`.
    pub reason: String,
    /// When it was tried.
    pub at: DateTime<Utc>,
}

/// How one source of a cabinet is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceFreshnessView {
    /// `cards`, `stock_fbo`, `stock_fbs`, `orders`.
    pub source: String,
    /// The marketplace's time of the newest complete answer.
    pub as_of: Option<DateTime<Utc>>,
    /// When the newest complete answer was recorded.
    pub complete_at: Option<DateTime<Utc>>,
    /// `complete`, `partial`, `failed` or `cached`: how it came out last.
    pub outcome: serde_json::Value,
    /// When that was.
    pub outcome_at: DateTime<Utc>,
    /// Why it failed or is partial.
    pub error: Option<String>,
    /// Since when it has been failing, where it had worked and then failed several times in a row.
    pub degraded_since: Option<DateTime<Utc>>,
    /// What of its answers is held back as implausible, until a later complete answer or a person decides.
    pub held: Vec<DoubtView>,
    /// The sync to release or to discard for it (`POST syncs/{id}/release`, `…/discard`).
    pub held_by: Option<Uuid>,
}

impl SourceFreshnessView {
    fn of((source, state): (String, SourceState)) -> Self {
        Self {
            source,
            as_of: state.as_of,
            complete_at: state.complete_at,
            outcome: serde_json::json!(state.outcome),
            outcome_at: state.outcome_at,
            error: state.error,
            degraded_since: state.degraded_since,
            held: state.held.into_iter().map(Into::into).collect(),
            held_by: state.held_by,
        }
    }
}

/// When a cabinet is synced by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// Seconds between two syncs; none means the service's own rhythm.
    pub interval_seconds: Option<i64>,
    /// Whether it rests because somebody wants it to.
    pub paused: bool,
    /// Whether it rests because the plan allows fewer cabinets; the oldest work. It goes on by itself with a
    /// plan that allows it, or when an older cabinet is disconnected.
    pub paused_by_plan: bool,
}

/// A cabinet's newest sync in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastSyncView {
    /// Its id; also its operation's.
    pub id: Uuid,
    /// Where it is.
    pub status: &'static str,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the last successful one ended.
    pub last_success_at: Option<DateTime<Utc>>,
}

impl CabinetView {
    fn of(cabinet: Cabinet, title: Option<String>, now: DateTime<Utc>) -> Self {
        let credential_state = credential_state(&cabinet, now);
        Self {
            id: cabinet.cabinet_id,
            title: title.unwrap_or_default(),
            marketplace: cabinet.marketplace,
            status: cabinet.status,
            sources: cabinet.sources.into_iter().map(SourceFreshnessView::of).collect(),
            credential: CredentialView {
                state: credential_state,
                days_left: cabinet.expires_at.map(|at| (at - now).num_days().max(0)),
                read_only: cabinet.guard.read_only,
                rights: cabinet.guard.rights.into_iter().map(Into::into).collect(),
                rights_checked_at: cabinet.guard.rights_at,
                announced_days: cabinet.guard.announced_days,
                offered_fingerprint: cabinet.guard.offered,
                offer_refused: cabinet.guard.offer_refused.map(|refused| OfferRefusedView {
                    reason: refused.reason,
                    at: refused.at,
                }),
                status: cabinet.credential_status,
                reason: cabinet.credential_reason,
                checked_at: cabinet.checked_at,
                fingerprint: cabinet.fingerprint,
                token_kind: cabinet.token_kind,
                seller_id: cabinet.seller_id,
                expires_at: cabinet.expires_at,
                scopes: cabinet.scopes,
            },
            schedule: ScheduleView {
                interval_seconds: cabinet.interval_seconds,
                paused: cabinet.paused,
                paused_by_plan: cabinet.paused_by_plan,
            },
            last_sync: cabinet.last_sync.map(|sync| LastSyncView {
                id: sync.sync_id,
                status: sync.status.as_str(),
                requested_at: sync.requested_at,
                last_success_at: sync.last_success_at,
            }),
            connected_at: cabinet.connected_at,
            updated_at: cabinet.updated_at,
        }
    }
}

/// Days before its end from which a credential counts as ending.
const EXPIRING_DAYS: i64 = 14;

/// The one word for what a seller has to do about a credential; the most urgent one.
fn credential_state(cabinet: &Cabinet, now: DateTime<Utc>) -> &'static str {
    let ended = cabinet.expires_at.is_some_and(|at| at <= now);
    let ending = cabinet
        .expires_at
        .is_some_and(|at| at - now <= chrono::TimeDelta::days(EXPIRING_DAYS));
    let rights = &cabinet.guard.rights;
    let missing = rights
        .iter()
        .any(|right| right.needed && right.status.is_refused());
    match (
        cabinet.credential_status.as_str(),
        cabinet.credential_reason.as_deref(),
    ) {
        ("rejected", Some("payment_required")) => "payment_required",
        ("rejected", Some("expired")) => "expired",
        ("rejected", _) => "rejected",
        _ if ended => "expired",
        _ if missing => "missing_rights",
        _ if ending => "expiring",
        ("unchecked", _) if rights.is_empty() => "unchecked",
        _ => "ok",
    }
}

/// What a credential said about itself when it was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialFactsView {
    /// Recognises the same credential again.
    pub fingerprint: String,
    /// The marketplace's id of the seller account.
    pub seller_id: Option<String>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it opens.
    pub scopes: Vec<String>,
}

impl From<CredentialFacts> for CredentialFactsView {
    fn from(facts: CredentialFacts) -> Self {
        Self {
            fingerprint: facts.fingerprint,
            seller_id: facts.seller_id,
            expires_at: facts.expires_at,
            scopes: facts.scopes,
        }
    }
}

/// Refusals that connecting a cabinet and replacing its credential share.
fn credential_problem(error: connect_cabinet::Error) -> Problem {
    let refused = |detail: String| Problem::new(Code::CredentialRefused, detail).at("#/credential");
    match error {
        connect_cabinet::Error::Credential(error) => match error {
            CredentialError::NotAPair(why @ (PairError::Form | PairError::ClientId)) => {
                Problem::new(Code::CredentialRefused, why.to_string()).at("#/client_id")
            }
            CredentialError::NotAPair(why) => refused(why.to_string()),
            CredentialError::Vault(error) => Problem::failure(error),
            CredentialError::NotAToken(ref why) => refused(format!("{error}: {why}")),
            error => refused(error.to_string()),
        },
        connect_cabinet::Error::Execute(error) => execute_problem(error, cabinet_refusal),
        connect_cabinet::Error::SellerConnected { .. } => {
            Problem::new(Code::Conflict, error.to_string()).at("#/credential")
        }
        connect_cabinet::Error::Store(error) => error.into(),
        connect_cabinet::Error::Read(error) => Problem::failure(error),
        connect_cabinet::Error::Allowance(error) => error.into(),
    }
}

/// What a cabinet refuses, as a problem.
fn cabinet_refusal(refusal: &CabinetRefusal) -> Problem {
    match refusal {
        CabinetRefusal::NotConnected => Problem::not_found("cabinet"),
        CabinetRefusal::AlreadyConnected => Problem::new(Code::Conflict, refusal.to_string()),
        CabinetRefusal::OtherSeller => {
            Problem::new(Code::CredentialRefused, refusal.to_string()).at("#/credential")
        }
        CabinetRefusal::IntervalOutOfRange | CabinetRefusal::IntervalBelowPlan { .. } => {
            Problem::invalid_field("#/interval_seconds", refusal.to_string())
        }
        CabinetRefusal::Reason => Problem::invalid_field("#/reason", refusal.to_string()),
    }
}
