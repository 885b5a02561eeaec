//! What platform administrators do: see people, close and open logins, suspend businesses, help an owner who
//! forgot the password. Only a person who is logged in is one, never an API key.

pub mod access;
pub mod payments;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::{Context, administration};
use auth::people::{Person, PersonCursor};
use chrono::{DateTime, Utc};
use events::ids::{TenantId, UserId};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::{Call, path_id};
use crate::command::Replay;
use crate::cursor::{Binding, next_address};
use crate::handlers::execute_problem;
use crate::handlers::tenants::members::CodeView;
use crate::handlers::tenants::tenant_refusal;
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::Problem;
use crate::reply::{Page, ReceiptView, Reply};
use crate::state::ApiState;

/// A login of any tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// The login.
    pub id: Uuid,
    /// Its business.
    pub tenant_id: Uuid,
    /// Its address.
    pub email: String,
    /// The person's name; may be empty.
    pub full_name: String,
    /// `viewer`, `member`, `admin`, `owner`.
    pub role: String,
    /// Whether it may be used.
    pub is_active: bool,
    /// Whether it is a platform administrator.
    pub is_admin: bool,
    /// Whether its business may not use the service for now.
    pub tenant_suspended: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// The plan of its own contract, if it has one.
    pub plan: Option<String>,
    /// When that contract ends, if somebody said so.
    pub plan_ends_at: Option<DateTime<Utc>>,
}

impl From<Person> for PersonView {
    fn from(person: Person) -> Self {
        Self {
            id: person.user_id.uuid(),
            tenant_id: person.tenant_id.uuid(),
            email: person.email,
            full_name: person.display_name,
            role: person.role,
            is_active: person.state == "active",
            is_admin: person.admin,
            tenant_suspended: person.suspended,
            created_at: person.created_at,
            plan: person.plan,
            plan_ends_at: person.plan_ends_at,
        }
    }
}

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeopleFilter {
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i32,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for PeopleFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields.optional("limit", shape::integer(1, 100)).unwrap_or(50);
        let cursor = fields.optional("cursor", shape::text(1, 1000));
        Some(Self {
            limit: i32::try_from(limit).ok()?,
            cursor,
        })
    }
}

/// List the people of all businesses, the oldest registration first.
///
/// # Errors
/// 422 for a cursor of another list.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "admin", operation_id = "people",
    params(PeopleFilter), responses((status = 200, body = Page<PersonView>)))]
pub async fn users(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: PeopleFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let after = filter
        .cursor
        .map(|cursor| binding.decode::<PersonCursor>(&cursor))
        .transpose()?;
    let people = &call.state.app.people;
    let mut rows = people
        .list(call.principal.user_id, after, filter.limit + 1)
        .await?;
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => Some(binding.encode(&(last.created_at, last.user_id.uuid()))?),
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let data = rows.into_iter().map(PersonView::from).collect();
    Ok(Reply::json(200, &Page::part(data, next))?.next_page(link).into())
}

/// Make the code with which somebody who forgot the password, such as the only owner of a business, sets
/// another one. It is shown once and works for ten minutes.
///
/// # Errors
/// 404.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/password-reset", tag = "admin",
    operation_id = "reset_user_password",
    params(("id" = Uuid, Path, description = "Id of the login")),
    responses((status = 201, body = CodeView)))]
pub async fn reset_password(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "user")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let me = call.principal.user_id;
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let context = of_user(&state, context, me, UserId(id)).await?;
            let issued = state
                .app
                .resets
                .issue(context.tenant_id, UserId(id), context.now)
                .await
                .map_err(Problem::failure)?;
            Reply::json(201, &CodeView::of(id, &issued))
        },
    )
    .await
}

/// Whether the business may use the service.
#[derive(ToSchema)]
pub struct SuspendRequest {
    /// True stops all its use at once, false allows it again.
    pub suspended: bool,
    /// Why, as a short code; needed for suspending.
    #[schema(required = false, max_length = 40, example = "unpaid")]
    pub reason: Option<String>,
}

impl Input for SuspendRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let suspended = fields.required("suspended", shape::boolean);
        let reason = fields.optional("reason", shape::code(40));
        if suspended == Some(true) && reason.is_none() {
            fields.wrong("reason", "is required for suspending".to_owned());
        }
        Some(Self {
            suspended: suspended?,
            reason,
        })
    }
}

/// Suspend a business or allow it again. It counts from its people's next request on.
///
/// # Errors
/// 404.
#[utoipa::path(patch, path = "/api/v1/admin/tenants/{id}", tag = "admin", operation_id = "suspend_tenant",
    params(("id" = Uuid, Path, description = "Id of the business")),
    request_body = SuspendRequest, responses((status = 200, body = ReceiptView)))]
pub async fn suspend(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "tenant")?;
    let body = input::body::<SuspendRequest>(&request, payload).await?;
    let SuspendRequest { suspended, reason } = body.value;
    let reason = reason.filter(|_| suspended);
    call.command(&request, &body.raw, move |state, context| async move {
        let context = Context {
            tenant_id: TenantId(id),
            ..context
        };
        let receipt = administration::set_suspended(&state.app, &context, reason)
            .await
            .map_err(|error| execute_problem(error, tenant_refusal))?;
        state.forget_callers();
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

/// The same command, about another tenant's user.
async fn of_user(state: &ApiState, context: Context, me: UserId, user: UserId) -> Result<Context, Problem> {
    let tenant = state.app.people.tenant_of(me, user).await?;
    let tenant_id = tenant.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Context { tenant_id, ..context })
}
