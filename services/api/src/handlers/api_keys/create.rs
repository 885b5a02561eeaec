//! A key is made.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::Action;
use auth::api_keys::NewKey;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::attempt;
use crate::call::Call;
use crate::command::Replay;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// Which key.
#[derive(ToSchema)]
pub struct CreateKeyRequest {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it may do, such as `products:read`; nothing above its maker's role.
    #[schema(value_type = Vec<String>, min_items = 1)]
    pub scopes: Vec<Action>,
    /// When it ends by itself.
    #[schema(required = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The caller's password, once more.
    #[schema(value_type = String, format = "password")]
    pub current_password: SecretString,
}

impl Input for CreateKeyRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", shape::text(1, 100));
        let scopes = fields.required("scopes", shape::list_of(1, Action::ALL.len(), Action::of_scope));
        let expires_at = fields.optional("expires_at", shape::time);
        let password = fields.required("current_password", shape::secret(auth::password::LONGEST));
        Some(Self {
            name: name?,
            scopes: scopes?,
            expires_at,
            current_password: password?,
        })
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    pub id: Uuid,
    /// The key, to be sent as `Authorization: Bearer`. It is not shown again.
    pub key: String,
}

/// Make an API key. The answer shows it once.
///
/// The key is not kept: repeating the request with the same `Idempotency-Key` shows another secret of the
/// same key, unless it was used or revoked meanwhile.
///
/// # Errors
/// 403 for a wrong password or a scope above one's own role, 429 after too many wrong passwords.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "api-keys", operation_id = "create_api_key",
    request_body = CreateKeyRequest, responses((status = 201, body = CreatedKey)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<CreateKeyRequest>(&request, payload).await?;
    let role = call.principal.role;
    if let Some(above) = body.value.scopes.iter().find(|action| !action.allowed_for(role)) {
        let scope = above.scope().unwrap_or_default();
        let detail = format!("the scope {scope} is above your own role");
        return Err(Problem::new(Code::Forbidden, detail).at("#/scopes"));
    }
    if body.value.expires_at.is_some_and(|end| end <= call.trace.now) {
        return Err(Problem::invalid_field("#/expires_at", "must be in the future"));
    }
    let (caller, from) = (call.clone(), attempt::address(&request));
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            attempt::confirm(&caller, from, &body.value.current_password).await?;
            let key = NewKey {
                key_id: context.new_id("api key"),
                user_id: caller.principal.user_id,
                name: body.value.name,
                scopes: body.value.scopes,
                expires_at: body.value.expires_at,
            };
            let issued = state
                .app
                .api_keys
                .issue(context.tenant_id, &key, context.now)
                .await
                .map_err(Problem::failure)?;
            let Some(secret) = issued else {
                let detail = "this key was used or revoked meanwhile; it cannot be shown again";
                return Err(Problem::new(Code::Conflict, detail));
            };
            let view = CreatedKey {
                id: key.key_id,
                key: secret.expose_secret().to_owned(),
            };
            Reply::json(201, &view)
        },
    )
    .await
}
