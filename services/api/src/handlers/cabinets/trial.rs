//! What a trial of a credential brought out, as it is shown. The trying is done by the worker: this process
//! cannot open credentials.

use application::Context;
use application::wire::CredentialCheck;
use chrono::{DateTime, Utc};
use events::cabinet::{Right, RightStatus};
use events::ids::CabinetId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::{ApiState, ErrandError};

/// What a credential may do in one category of the marketplace's methods.
#[derive(Debug, Serialize, ToSchema)]
pub struct RightView {
    /// The category, as the marketplace names it.
    pub category: String,
    /// Whether products, stock or orders cannot be read without it.
    pub needed: bool,
    /// `open`, `not_in_credential`, `unauthorized`, `forbidden`, `payment_required` or `no_answer`.
    pub status: &'static str,
}

impl From<Right> for RightView {
    fn from(right: Right) -> Self {
        Self {
            category: right.category,
            needed: right.needed,
            status: match right.status {
                RightStatus::Open => "open",
                RightStatus::NotInCredential => "not_in_credential",
                RightStatus::Unauthorized => "unauthorized",
                RightStatus::Forbidden => "forbidden",
                RightStatus::PaymentRequired => "payment_required",
                RightStatus::NoAnswer => "no_answer",
            },
        }
    }
}

/// How a credential came out that was tried at its marketplace.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trial {
    /// `accepted`, `rejected`, or `pending` where it could not be tried now and will be by itself.
    pub status: &'static str,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Whether the cabinet uses it. A new one that is rejected or pending leaves the old one in use.
    pub in_use: bool,
    /// What it may do, category by category.
    pub rights: Vec<RightView>,
    /// When it ends, where that is told.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it can only read, where that is known.
    pub read_only: Option<bool>,
}

impl From<CredentialCheck> for Trial {
    fn from(check: CredentialCheck) -> Self {
        Self {
            status: if check.refused.is_none() {
                "accepted"
            } else {
                "rejected"
            },
            reason: check.refused,
            in_use: check.in_use,
            rights: check.rights.into_iter().map(Into::into).collect(),
            expires_at: check.expires_at,
            read_only: check.read_only,
        }
    }
}

impl Trial {
    const fn pending(in_use: bool) -> Self {
        Self {
            status: "pending",
            reason: None,
            in_use,
            rights: Vec::new(),
            expires_at: None,
            read_only: None,
        }
    }
}

/// Has a credential tried that was just given. That nobody answers is no failure of giving it: the next sync
/// tries it.
pub(super) async fn of_given(state: &ApiState, context: &Context, cabinet: CabinetId, in_use: bool) -> Trial {
    match state.errands.check_credential(context.tenant_id, cabinet).await {
        Ok(check) => check.into(),
        Err(error) => {
            if !matches!(error, ErrandError::Away(_)) {
                tracing::info!(error = ?error, cabinet.id = %cabinet, "a new key could not be tried");
            }
            Trial::pending(in_use)
        }
    }
}
