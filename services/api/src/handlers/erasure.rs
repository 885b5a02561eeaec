//! To be forgotten: the whole business by its owner, or one's own login. The answer is the act; it is the
//! last thing that the caller's token is good for.

use std::collections::BTreeMap;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::{erase_tenant, erase_user, erasure};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attempt;
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::handlers::tenants::tenant_refusal;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// The password once more: a stolen session must not be able to do this.
#[derive(ToSchema)]
pub struct EraseRequest {
    /// The caller's password.
    #[schema(value_type = String, format = "password")]
    pub current_password: SecretString,
}

impl Input for EraseRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("current_password", shape::secret(auth::password::LONGEST));
        Some(Self {
            current_password: current?,
        })
    }
}

/// What was destroyed, when, by whom and under which request. It names nobody.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureAct {
    /// The act's id.
    pub act: Uuid,
    /// Where it was destroyed.
    pub system: String,
    /// Who or what was forgotten.
    pub subject: ErasedSubject,
    /// Reference of the request.
    pub request: String,
    /// Who asked, as in the log.
    pub requested_by: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When it was destroyed.
    pub destroyed_at: DateTime<Utc>,
    /// The log's event.
    pub event: ErasureEvent,
    /// Rows per table.
    pub rows_destroyed: BTreeMap<String, i64>,
    /// Keys under which the tenant's secrets were encrypted.
    pub data_keys_destroyed: i64,
    /// Logins that went with the tenant.
    pub users: Vec<Uuid>,
    /// The entries of the log that concern it, oldest first.
    pub log: Vec<ErasureLogEntry>,
}

/// Who or what was forgotten.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasedSubject {
    /// `tenant` or `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// Its tenant.
    pub tenant_id: Uuid,
}

/// The event that destroyed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureEvent {
    /// Position of the log.
    pub position: i64,
    /// Its id.
    pub event_id: Uuid,
}

/// An entry of the log, without what it says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureLogEntry {
    /// Position of the log.
    pub position: i64,
    /// Kind of stream.
    pub stream: String,
    /// Its id.
    pub stream_id: String,
    /// Version of the stream.
    pub version: i64,
    /// What happened.
    pub event_type: String,
    /// Its id.
    pub event_id: Uuid,
    /// Who did it.
    pub actor: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// Erase the tenant: its keys, its people, everything that tells who it is. For ever.
///
/// # Errors
/// 403 for a wrong password, 429 after too many of them.
#[utoipa::path(post, path = "/api/v1/tenants/me/erase", tag = "tenants", operation_id = "erase_tenant",
    request_body = EraseRequest, responses((status = 200, body = ErasureAct), (status = 404)))]
pub async fn tenant(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<EraseRequest>(&request, payload).await?;
    let (caller, from) = (call.clone(), attempt::address(&request));
    call.command(&request, &body.raw, move |state, context| async move {
        attempt::confirm(&caller, from, &body.value.current_password).await?;
        let act = erase_tenant::execute(&state.app, &context).await;
        state.forget_callers();
        reply(act)
    })
    .await
}

/// Erase one's own login. What it did stays, under an id that leads nowhere. The last owner erases the
/// tenant.
///
/// # Errors
/// 403 for a wrong password, 429 after too many of them, 409 for the last owner.
#[utoipa::path(post, path = "/api/v1/auth/erase", tag = "auth", operation_id = "erase_user",
    request_body = EraseRequest, responses((status = 200, body = ErasureAct), (status = 404)))]
pub async fn user(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<EraseRequest>(&request, payload).await?;
    let (caller, from) = (call.clone(), attempt::address(&request));
    let who = call.principal.user_id;
    call.command(&request, &body.raw, move |state, context| async move {
        attempt::confirm(&caller, from, &body.value.current_password).await?;
        let act = erase_user::execute(&state.app, &context, who).await;
        state.forget_callers();
        reply(act)
    })
    .await
}

fn reply(act: Result<Option<Value>, erasure::Error>) -> Result<Reply, Problem> {
    let act = act.map_err(problem)?.ok_or_else(|| Problem::not_found("act"))?;
    let act: ErasureAct = serde_json::from_value(act).map_err(Problem::failure)?;
    Ok(Reply::json(200, &act)?.position(act.event.position))
}

fn problem(error: erasure::Error) -> Problem {
    match error {
        erasure::Error::Tenant(error) => execute_problem(error, tenant_refusal),
        erasure::Error::Store(error) => error.into(),
        error => Problem::failure(error),
    }
}
