//! Seller accounts at marketplaces.

pub mod change;
pub mod check;
pub mod connect;
pub mod disconnect;
pub mod list;
pub mod replace_credential;
pub mod request_sync;
pub mod show;
mod tag;

use application::connect_cabinet;
use application::credential::CredentialError;
use application::domain::cabinet::CabinetRefusal;
use chrono::{DateTime, Utc};
use events::cabinet::CredentialFacts;
use read_models::operations::queries::Cabinet;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::handlers::execute_problem;
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
    /// What it opens.
    pub scopes: Vec<String>,
}

/// When a cabinet is synced by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// Seconds between two syncs; none means the service's own rhythm.
    pub interval_seconds: Option<i64>,
    /// Whether it rests.
    pub paused: bool,
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
    fn of(cabinet: Cabinet, title: Option<String>) -> Self {
        Self {
            id: cabinet.cabinet_id,
            title: title.unwrap_or_default(),
            marketplace: cabinet.marketplace,
            status: cabinet.status,
            credential: CredentialView {
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
            CredentialError::UnsupportedMarketplace { .. } => {
                Problem::invalid_field("#/marketplace", error.to_string())
            }
            CredentialError::Vault(error) => Problem::failure(error),
            CredentialError::NotAToken(ref why) => refused(format!("{error}: {why}")),
            error => refused(error.to_string()),
        },
        connect_cabinet::Error::Execute(error) => execute_problem(error, cabinet_refusal),
        connect_cabinet::Error::Store(error) => error.into(),
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
        CabinetRefusal::IntervalOutOfRange => {
            Problem::invalid_field("#/interval_seconds", refusal.to_string())
        }
    }
}
