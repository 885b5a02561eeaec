//! Who is calling.

use actix_web::{HttpRequest, HttpResponse};
use auth::permission::role_name;
use auth::profiles::Subject;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The login.
    pub id: Uuid,
    /// Its address.
    pub email: String,
    /// The person's name; may be empty.
    pub full_name: String,
    /// What it may do: `viewer`, `member`, `admin`, `owner`.
    pub role: &'static str,
    /// Its business.
    pub tenant_id: Uuid,
    /// What that is called.
    pub tenant_name: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// The caller's own account.
///
/// # Errors
/// 401.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, body = Me), (status = 404)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let who = call.principal;
    let account = call.state.app.accounts.get(who.tenant_id, who.user_id).await?;
    let account = account.ok_or_else(|| Problem::not_found("account"))?;
    let mut names = call
        .state
        .app
        .profiles
        .all(who.tenant_id, Subject::Tenant)
        .await?;
    let body = Me {
        id: who.user_id.uuid(),
        email: account.email.address().to_owned(),
        full_name: account.display_name,
        role: role_name(who.role),
        tenant_id: who.tenant_id.uuid(),
        tenant_name: names.remove(&who.tenant_id.uuid()).unwrap_or_default(),
        created_at: account.created_at,
    };
    Ok(Reply::json(200, &body)?.into())
}
