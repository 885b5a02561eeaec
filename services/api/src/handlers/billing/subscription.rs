//! The contract that counts.

use actix_web::{HttpRequest, HttpResponse};
use application::billing;
use application::billing::next::{Next, next};
use application::domain::subscription::{Contract, Subscription};
use chrono::{DateTime, Utc};
use events::ids::{TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::ApiState;

/// A contract, with what its owner may do next.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Id at Stripe, or the number of the paid invoice; none for a trial and a grant.
    #[schema(example = "sub_1RxHnrGaouLfVOpUyx8QsO59")]
    pub id: Option<String>,
    /// `free`, `starter`, `pro`, `enterprise`.
    #[schema(example = "pro")]
    pub plan_name: &'static str,
    /// `incomplete`: the first payment is missing; `trialing`; `active`; `past_due`: a payment is late, and
    /// the plan holds until `grace_until`; `unpaid`, `paused`: the plan does not hold.
    #[schema(example = "active")]
    pub status: &'static str,
    /// `trial`, `grant`, `invoice`, `stripe`.
    #[schema(example = "stripe")]
    pub basis: &'static str,
    /// Whether it is the caller's own. Else it is an owner's, and gives the business its plan.
    pub is_yours: bool,
    /// When it began.
    pub start_date: Option<DateTime<Utc>>,
    /// Up to when it is paid or granted; none for one without an end.
    pub end_date: Option<DateTime<Utc>>,
    /// When the trial ends, or ended.
    pub trial_end_date: Option<DateTime<Utc>>,
    /// When it will end, if that is decided.
    pub cancel_at: Option<DateTime<Utc>>,
    /// Until when a late payment takes nothing away.
    pub grace_until: Option<DateTime<Utc>>,
    /// Calls with API keys that the business made in this calendar month (UTC).
    #[schema(example = 2_750)]
    pub api_calls_used: u64,
    /// Calls with API keys that the plan allows in a calendar month (UTC); null is no limit.
    #[schema(example = 10_000)]
    pub api_calls_limit: Option<u32>,
    /// Shortest time between two syncs, in minutes; null where the installation limits nothing.
    #[schema(example = 30)]
    pub sync_frequency_minutes: Option<u32>,
    /// What the caller may do with it: `checkout`, `portal`, `change_plan`, `cancel`, `resume`. Empty for a
    /// contract of somebody else.
    #[schema(example = json!(["portal", "change_plan", "cancel"]))]
    pub next: Vec<&'static str>,
}

impl SubscriptionView {
    /// The contract that counts among a user's; none where the user has none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) async fn of(
        state: &ApiState,
        tenant: TenantId,
        user: UserId,
        is_yours: bool,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Problem> {
        let Some(contract) = subscription.contract() else {
            return Ok(None);
        };
        let start_date = billing::began(&state.app, tenant, user, contract.basis.slot())
            .await
            .map_err(Problem::failure)?;
        let used = state.app.usage.api_calls(tenant, now).await?;
        let by_card = state.app.card.is_some();
        let next = if is_yours {
            next(subscription, by_card)
        } else {
            Vec::new()
        };
        Ok(Some(Self {
            is_yours,
            start_date,
            api_calls_used: used,
            next: next.into_iter().map(Next::as_str).collect(),
            ..Self::shown(state, contract)
        }))
    }

    /// What the contract itself says.
    fn shown(state: &ApiState, contract: &Contract) -> Self {
        let gives = contract.status.gives_plan().then_some(contract.plan);
        let allowance = state.app.plans.allowance(gives);
        Self {
            id: contract.reference.clone(),
            plan_name: contract.plan.as_str(),
            status: contract.status.as_str(),
            basis: contract.basis.as_str(),
            is_yours: false,
            start_date: None,
            end_date: contract.period_end,
            trial_end_date: contract.trial_end,
            cancel_at: contract.cancel_at,
            grace_until: contract.grace_until,
            api_calls_used: 0,
            api_calls_limit: allowance.and_then(|allowance| allowance.api_calls),
            sync_frequency_minutes: allowance.map(|allowance| allowance.sync_interval_minutes),
            next: Vec::new(),
        }
    }
}

/// Show the caller's own contract, or else the one of an owner that gives the business its plan. `null`
/// where there is none: then the business has the plan that costs nothing.
///
/// A user may have a contract with Stripe and another one that is kept here (a trial, a grant, a paid
/// invoice); shown is the one that counts.
///
/// # Errors
/// None of its own.
#[utoipa::path(get, path = "/api/v1/billing/subscription", tag = "billing", operation_id = "subscription",
    responses((status = 200, body = Option<SubscriptionView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let (tenant, me, now) = (call.tenant(), call.principal.user_id, call.trace.now);
    let own = of_user(&call.state, tenant, me).await?;
    if let Some(view) = SubscriptionView::of(&call.state, tenant, me, true, &own, now).await? {
        return Ok(Reply::json(200, &view)?.into());
    }
    let view = match call.state.app.terms.plan_from(tenant).await? {
        Some(owner) if owner != me => {
            let theirs = of_user(&call.state, tenant, owner).await?;
            SubscriptionView::of(&call.state, tenant, owner, false, &theirs, now).await?
        }
        _ => None,
    };
    Ok(Reply::json(200, &view)?.into())
}

async fn of_user(state: &ApiState, tenant: TenantId, user: UserId) -> Result<Subscription, Problem> {
    let found = billing::of_user(&state.app, tenant, user).await;
    found.map_err(|error| execute_problem(error, super::plan_refusal))
}
