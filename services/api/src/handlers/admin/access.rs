//! What a login may: whether it may be used, whether it is a platform administrator, and which plan it is
//! granted.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::manual::{self, Grant};
use application::domain::subscription::SubscriptionRefusal;
use application::domain::user::UserRefusal;
use application::{Context, ExecuteError, Receipt, administration, subscriptions};
use chrono::{DateTime, Utc};
use events::ids::UserId;
use events::subscription::Plan;
use utoipa::ToSchema;

use super::of_user;
use crate::call::{Call, path_id};
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};
use crate::state::ApiState;

/// Words for plans; `none` takes a granted one away.
const PLANS: &[(&str, Option<Plan>)] = &[
    ("none", None),
    ("free", Some(Plan::Free)),
    ("starter", Some(Plan::Starter)),
    ("pro", Some(Plan::Pro)),
    ("enterprise", Some(Plan::Enterprise)),
];

/// What changes; at least one of the first three.
#[derive(ToSchema)]
pub struct AccessRequest {
    /// Whether the login may be used. Closing it ends its sessions.
    #[schema(required = false)]
    pub is_active: Option<bool>,
    /// Whether it is a platform administrator.
    #[schema(required = false)]
    pub is_admin: Option<bool>,
    /// The plan it is granted: `free`, `starter`, `pro`, `enterprise`; `none` ends its contract. A business
    /// has the best plan of its owners.
    #[schema(required = false, value_type = String, example = "pro")]
    pub plan: Option<Option<Plan>>,
    /// When the granted plan ends by itself; without it, never.
    #[schema(required = false)]
    pub plan_until: Option<DateTime<Utc>>,
    /// Why it is granted. Nobody's name belongs here: it is kept for ever.
    #[schema(required = false, max_length = 200, example = "partner")]
    pub plan_reason: Option<String>,
}

impl Input for AccessRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let is_active = fields.optional("is_active", shape::boolean);
        let is_admin = fields.optional("is_admin", shape::boolean);
        let plan = fields.optional("plan", shape::one_of(PLANS));
        let plan_until = fields.optional("plan_until", shape::time);
        let plan_reason = fields.optional("plan_reason", shape::text(1, 200));
        if is_active.is_none() && is_admin.is_none() && plan.is_none() {
            let words = "is required where neither is_admin nor plan is given";
            fields.wrong("is_active", words.to_owned());
        }
        if plan_until.is_some() && plan.flatten().is_none() {
            fields.wrong("plan_until", "needs a plan that it is about".to_owned());
        }
        if plan_reason.is_some() && plan.flatten().is_none() {
            fields.wrong("plan_reason", "needs a plan that it is about".to_owned());
        }
        Some(Self {
            is_active,
            is_admin,
            plan,
            plan_until,
            plan_reason,
        })
    }
}

/// Close or open a login; make it a platform administrator or not; grant it a plan or take it away. It counts
/// from its next request on.
///
/// # Errors
/// 404; 409 for one's own login, so that nobody locks himself out; 422 for a plan that would be over already.
#[utoipa::path(patch, path = "/api/v1/admin/users/{id}/access", tag = "admin", operation_id = "change_access",
    params(("id" = uuid::Uuid, Path, description = "Id of the login")),
    request_body = AccessRequest, responses((status = 200, body = ReceiptView)))]
pub async fn change(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = UserId(path_id(&request, "user")?);
    let body = input::body::<AccessRequest>(&request, payload).await?;
    let me = call.principal.user_id;
    let wanted = body.value;
    // A plan is no access: an administrator who sells may have one.
    if id == me && (wanted.is_active.is_some() || wanted.is_admin.is_some()) {
        return Err(Problem::new(
            Code::Conflict,
            "nobody changes the access of his own login",
        ));
    }
    call.command(&request, &body.raw, move |state, context| async move {
        let context = of_user(&state, context, me, id).await?;
        let done = apply(&state, &context, id, &wanted).await;
        state.forget_callers();
        let receipt = done?.ok_or_else(|| Problem::invalid_field("#/is_active", "is required"))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

/// One part after the other, each with an id of its own, so that a repetition finishes what was begun.
async fn apply(
    state: &ApiState,
    context: &Context,
    id: UserId,
    wanted: &AccessRequest,
) -> Result<Option<Receipt>, Problem> {
    let mut last = None;
    if let Some(plan) = wanted.plan {
        let part = context.part("plan");
        let granted = match plan {
            Some(plan) => {
                let grant = Grant {
                    plan,
                    until: wanted.plan_until,
                    reason: wanted.plan_reason.clone(),
                };
                manual::grant(&state.app, &part, id, grant).await
            }
            None => subscriptions::revoke(&state.app, &part, id, "revoked").await,
        };
        last = Some(granted.map_err(|error| execute_problem(error, plan_refusal))?);
    }
    if let Some(admin) = wanted.is_admin {
        let part = context.part("admin");
        let set = administration::set_admin(&state.app, &part, id, admin).await;
        last = Some(set.map_err(user_problem)?);
    }
    if let Some(active) = wanted.is_active {
        let set = administration::set_active(&state.app, context, id, active).await;
        last = Some(set.map_err(user_problem)?);
    }
    Ok(last)
}

fn plan_refusal(refusal: &SubscriptionRefusal) -> Problem {
    match refusal {
        SubscriptionRefusal::Over => Problem::invalid_field("#/plan_until", refusal.to_string()),
        SubscriptionRefusal::PaidElsewhere => Problem::new(Code::Conflict, refusal.to_string()),
    }
}

fn user_problem(error: ExecuteError<UserRefusal>) -> Problem {
    execute_problem(error, |refusal| match refusal {
        UserRefusal::NotRegistered => Problem::not_found("user"),
        refusal => Problem::new(Code::Conflict, refusal.to_string()),
    })
}
