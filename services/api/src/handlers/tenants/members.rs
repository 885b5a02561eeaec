//! Who belongs to the business.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::members::{self, DecideError};
use auth::accounts::Account;
use auth::invitations::Invitation;
use auth::permission::role_name;
use auth::{Email, Role};
use chrono::{DateTime, Utc};
use events::ids::UserId;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::tenant_refusal;
use crate::call::{Call, path_id};
use crate::command::Replay;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::{Code, Problem};
use crate::reply::{Page, ReceiptView, Reply};

/// The roles by their names.
pub(crate) const ROLES: &[(&str, Role)] = &[
    ("viewer", Role::Viewer),
    ("member", Role::Member),
    ("admin", Role::Admin),
    ("owner", Role::Owner),
];

/// A member, or an invitation that waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The login's id, or the invitation's.
    pub id: Uuid,
    /// Address; none for an invitation that anybody may accept.
    pub email: Option<String>,
    /// The person's name; may be empty.
    pub full_name: String,
    /// `viewer`, `member`, `admin`, `owner`.
    pub role: &'static str,
    /// `active`, `deactivated` or `invited`.
    pub status: &'static str,
    /// Whether it is the caller.
    pub is_me: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when the invitation waits.
    pub expires_at: Option<DateTime<Utc>>,
}

/// List members and invitations that wait.
///
/// # Errors
/// 403.
#[utoipa::path(get, path = "/api/v1/tenants/me/members", tag = "tenants", operation_id = "members",
    responses((status = 200, body = Page<MemberView>)))]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let (app, tenant) = (&call.state.app, call.tenant());
    let accounts = app.accounts.list(tenant).await?;
    let invitations = app.invitations.list(tenant, call.trace.now).await?;
    let me = call.principal.user_id;
    let members = accounts.into_iter().map(|account| member(account, me));
    let data = members.chain(invitations.into_iter().map(invited)).collect();
    Ok(Reply::json(200, &Page::whole(data))?.into())
}

fn member(account: Account, me: UserId) -> MemberView {
    MemberView {
        id: account.user_id.uuid(),
        email: Some(account.email.address().to_owned()),
        full_name: account.display_name,
        role: role_name(account.role),
        status: account.state.name(),
        is_me: account.user_id == me,
        created_at: account.created_at,
        expires_at: None,
    }
}

fn invited(invitation: Invitation) -> MemberView {
    MemberView {
        id: invitation.invitation_id,
        email: invitation.email,
        full_name: String::new(),
        role: role_name(invitation.role),
        status: "invited",
        is_me: false,
        created_at: invitation.created_at,
        expires_at: Some(invitation.expires_at),
    }
}

/// Who is invited.
#[derive(ToSchema)]
pub struct InviteRequest {
    /// As what; at most the caller's own role.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
    /// Only this address may accept; case does not matter.
    #[schema(required = false, value_type = String, format = "email", max_length = 254)]
    pub email: Option<Email>,
}

impl Input for InviteRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let role = fields.required("role", shape::one_of(ROLES));
        let email = fields.optional("email", shape::email);
        Some(Self { role: role?, email })
    }
}

/// A code that is shown once.
#[derive(Serialize, ToSchema)]
pub struct CodeView {
    /// What it belongs to: the invitation, or the login.
    pub id: Uuid,
    /// The code. Hand it on by a way that only its receiver sees; it is not shown again.
    pub code: String,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

impl CodeView {
    /// The one place where a code is revealed.
    pub(crate) fn of(id: Uuid, issued: &auth::invitations::IssuedCode) -> Self {
        Self {
            id,
            code: issued.code.expose_secret().to_owned(),
            expires_at: issued.expires_at,
        }
    }
}

/// Invite somebody. The answer shows a code once, with which they join at `auth/accept-invitation`.
///
/// The code is not kept: repeating the request with the same key shows another one, and the first one stops
/// working.
///
/// # Errors
/// 403 for a role above one's own.
#[utoipa::path(post, path = "/api/v1/tenants/me/members", tag = "tenants", operation_id = "invite_member",
    request_body = InviteRequest, responses((status = 201, body = CodeView), (status = 404)))]
pub async fn invite(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<InviteRequest>(&request, payload).await?;
    let by = call.principal.user_id;
    let work = move |state: actix_web::web::Data<crate::state::ApiState>, context| async move {
        let InviteRequest { role, email } = body.value;
        let invited = members::invite(&state.app, &context, by, role, email)
            .await
            .map_err(decide_problem)?;
        let Some((id, issued)) = invited else {
            let detail = "this invitation was accepted meanwhile; its code cannot be shown again";
            return Err(Problem::new(Code::Conflict, detail));
        };
        Reply::json(201, &CodeView::of(id, &issued))
    };
    call.command_as(Replay::Rerun, &request, &body.raw, work).await
}

/// The new role.
#[derive(ToSchema)]
pub struct ChangeRoleRequest {
    /// At most the caller's own role.
    #[schema(value_type = String, example = "admin")]
    pub role: Role,
}

impl Input for ChangeRoleRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let role = fields.required("role", shape::one_of(ROLES));
        Some(Self { role: role? })
    }
}

/// Give a member another role. It counts from their next request on.
///
/// # Errors
/// 403 for a member or a role above one's own, 409 for the last owner.
#[utoipa::path(patch, path = "/api/v1/tenants/me/members/{id}", tag = "tenants", operation_id = "change_role",
    params(("id" = Uuid, Path, description = "Id of the member")),
    request_body = ChangeRoleRequest, responses((status = 200, body = ReceiptView)))]
pub async fn change_role(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = UserId(path_id(&request, "member")?);
    let body = input::body::<ChangeRoleRequest>(&request, payload).await?;
    let (by, role) = (call.principal.user_id, body.value.role);
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = members::change_role(&state.app, &context, by, id, role)
            .await
            .map_err(|error| execute_problem(error, tenant_refusal))?;
        state.forget_callers();
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    /// `member` or `invitation`.
    pub removed: &'static str,
}

/// Remove a member, or take an invitation back. A removed member's login, sessions and API keys go at once.
///
/// # Errors
/// 403 for a member or an invitation above one's own role, 404, 409 for the last owner.
#[utoipa::path(delete, path = "/api/v1/tenants/me/members/{id}", tag = "tenants", operation_id = "remove_member",
    params(("id" = Uuid, Path, description = "Id of the member or invitation")),
    responses((status = 200, body = Removed)))]
pub async fn remove(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "member")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let by = call.principal.user_id;
    call.command(&request, &body.raw, move |state, context| async move {
        let withdrawn = members::withdraw(&state.app, &context, by, id)
            .await
            .map_err(decide_problem)?;
        if withdrawn {
            return Reply::json(
                200,
                &Removed {
                    removed: "invitation",
                },
            );
        }
        let receipt = members::remove(&state.app, &context, by, UserId(id))
            .await
            .map_err(|error| execute_problem(error, tenant_refusal))?;
        state.forget_callers();
        Ok(Reply::json(200, &Removed { removed: "member" })?.position(receipt.position))
    })
    .await
}

/// Make the code with which a member who forgot the password sets another one at `auth/password/reset`. It is
/// shown once and works for ten minutes; an earlier one stops working.
///
/// # Errors
/// 403 for a member above one's own role, or one who is a platform administrator, 404.
#[utoipa::path(post, path = "/api/v1/tenants/me/members/{id}/password-reset", tag = "tenants",
    operation_id = "reset_member_password",
    params(("id" = Uuid, Path, description = "Id of the member")),
    responses((status = 201, body = CodeView)))]
pub async fn reset_password(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "member")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let by = call.principal.user_id;
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let issued = members::issue_reset(&state.app, &context, by, UserId(id))
                .await
                .map_err(decide_problem)?;
            Reply::json(201, &CodeView::of(id, &issued))
        },
    )
    .await
}

fn decide_problem(error: DecideError) -> Problem {
    match error {
        DecideError::Refused(refusal) => tenant_refusal(&refusal),
        DecideError::OfPlatform => Problem::new(Code::Forbidden, error.to_string()),
        DecideError::Store(error) => error.into(),
        error => Problem::failure(error),
    }
}
