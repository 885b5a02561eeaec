//! Whether whoever opened a stream of events may still see it. A request is judged once; a stream goes on, so
//! it is judged again before anything is sent (by what is at most a second old) and at every heartbeat.

use actix_web::web::Data;
use auth::api_keys::KeyStanding;
use auth::{Principal, StoreError};
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::call::allow;
use crate::routes::Access;
use crate::state::ApiState;

/// With what the caller came.
#[derive(Clone)]
pub(crate) enum Proof {
    /// An access token: of whom, and until when it is good.
    Token(Principal, DateTime<Utc>),
    /// An API key.
    Key(SecretString),
}

/// The rights of a request that goes on.
#[derive(Clone)]
pub(crate) struct Rights {
    pub(crate) state: Data<ApiState>,
    pub(crate) proof: Proof,
    pub(crate) access: Option<Access>,
}

/// Why a stream ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The access token's time is over. With a new one the client comes again.
    TokenExpired,
    /// The session was ended, the key revoked or expired, the account closed, the tenant erased.
    NoAccess,
    /// The tenant may not use the service for now.
    TenantSuspended,
    /// The role or the key's scopes do not allow it any more.
    Forbidden,
    /// This process stops; another one answers.
    Stopping,
    /// Something failed on our side.
    Failed,
}

impl Ended {
    /// The name in the last event.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::NoAccess => "access_ended",
            Self::TenantSuspended => "tenant_suspended",
            Self::Forbidden => "forbidden",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
        }
    }
}

impl Rights {
    /// Whether they still hold.
    ///
    /// # Errors
    /// How they ended; a failure to find out ends a stream as well.
    pub(crate) async fn judge(&self) -> Result<(), Ended> {
        if self.state.stopping.is_cancelled() {
            return Err(Ended::Stopping);
        }
        let now = self.state.clock.now();
        let (standing, scopes) = match &self.proof {
            Proof::Token(_, ends_at) if now >= *ends_at => return Err(Ended::TokenExpired),
            Proof::Token(principal, _) => {
                let standing = self.state.sessions.check(principal, now).await;
                (standing.map_err(|error| failed(&error))?, None)
            }
            Proof::Key(key) => {
                let found = self.state.app.api_keys.check(key, now).await;
                let found = found.map_err(|error| failed(&error))?;
                found.map_or((None, None), |KeyStanding { standing, scopes }| {
                    (Some(standing), Some(scopes))
                })
            }
        };
        let standing = standing.ok_or(Ended::NoAccess)?;
        if standing.suspended && !standing.admin {
            return Err(Ended::TenantSuspended);
        }
        allow(self.access, &standing, scopes.as_deref()).map_err(|_refused| Ended::Forbidden)
    }
}

fn failed(error: &StoreError) -> Ended {
    tracing::warn!(error = ?error, "the rights of a stream cannot be looked up");
    Ended::Failed
}
