//! Plans, and the caller's own subscription: what it is, and what its owner does with it.

pub mod change_plan;
pub mod checkout;
pub mod done;
pub mod end;
pub mod plans;
pub mod portal;
pub mod subscription;
pub mod usage;
pub mod webhook;

use application::billing::{BillingError, ObserveError, Stands};
use application::domain::subscription::SubscriptionRefusal;
use connectors::stripe::StripeError;
use events::ids::UserId;
use events::subscription::Plan;

use crate::handlers::execute_problem;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ApiState;
use subscription::SubscriptionView;

/// Words for the plans that cost something.
pub(crate) const PAID_PLANS: &[(&str, Plan)] = &[
    ("starter", Plan::Starter),
    ("pro", Plan::Pro),
    ("enterprise", Plan::Enterprise),
];

/// The answer to a command on the caller's own subscription.
async fn stands(
    state: &ApiState,
    context: &application::Context,
    user: UserId,
    stands: &Stands,
) -> Result<Reply, Problem> {
    let view = SubscriptionView::of(
        state,
        context.tenant_id,
        user,
        true,
        &stands.subscription,
        context.now,
    )
    .await?;
    let reply = Reply::json(200, &view)?;
    Ok(if stands.position > 0 {
        reply.position(stands.position)
    } else {
        reply
    })
}

/// The problem of a wish that was not fulfilled, with the way on.
pub(crate) fn problem(error: BillingError) -> Problem {
    let conflict = |way_on: &str| Problem::new(Code::Conflict, format!("{error}{way_on}"));
    match &error {
        BillingError::NotSelling => conflict("; ask the operator of the service for an invoice"),
        BillingError::NotSold(_) => Problem::invalid_field("#/plan", error.to_string()),
        BillingError::Exists { .. } => Problem::new(
            Code::SubscriptionExists,
            format!(
                "{error}. Change the plan (POST /api/v1/billing/change-plan), or pay what is open and change the \
                 card in the portal (POST /api/v1/billing/portal-session)"
            ),
        ),
        BillingError::Covered(_) => conflict("; wait until it ends, or cancel it first"),
        BillingError::NoCustomer | BillingError::NoSubscription => Problem::new(
            Code::NotFound,
            format!("{error}; buy a plan first (POST /api/v1/billing/checkout-session)"),
        ),
        BillingError::SamePlan(_) => Problem::invalid_field("#/plan", error.to_string()),
        BillingError::PaymentMissing(_) => {
            conflict("; pay in the portal first (POST /api/v1/billing/portal-session)")
        }
        BillingError::NoPeriod => Problem::invalid_field("#/immediately", error.to_string()),
        BillingError::KeptByOperator | BillingError::NothingToResume | BillingError::Outdated => conflict(""),
        BillingError::Declined(_) => Problem::new(
            Code::PaymentDeclined,
            "the bank declined the payment, and nothing was changed; choose another card in the portal \
             (POST /api/v1/billing/portal-session)",
        )
        .because(error),
        BillingError::Contention => {
            Problem::unavailable("other requests about this subscription are being worked on; try again")
        }
        _ => failure(error),
    }
}

fn failure(error: BillingError) -> Problem {
    match error {
        BillingError::Execute(error) => execute_problem(error, plan_refusal),
        BillingError::Stripe(error) => stripe_problem(error),
        BillingError::Observe(ObserveError::Stripe(error)) => stripe_problem(error),
        BillingError::Observe(ObserveError::Busy) => {
            Problem::unavailable("the subscription is being compared with Stripe; try again")
        }
        BillingError::Observe(ObserveError::Unusable(unusable)) => Problem::new(
            Code::Conflict,
            "Stripe has a subscription of yours that is none of our plans; ask the operator of the service",
        )
        .because(unusable),
        error => Problem::failure(error),
    }
}

/// Stripe's own words are for the operator: they name our ids and settings.
fn stripe_problem(error: StripeError) -> Problem {
    match error {
        StripeError::Refused { .. } | StripeError::KeyRefused { .. } | StripeError::Unreadable(_) => {
            Problem::new(
                Code::UpstreamFailed,
                "Stripe did not accept the request; nothing was changed",
            )
            .because(error)
        }
        StripeError::Busy { .. } | StripeError::Unreachable(_) | StripeError::TimedOut { .. } => {
            let detail =
                "Stripe does not answer at the moment; repeat the request with the same Idempotency-Key";
            Problem::new(Code::UpstreamFailed, detail)
                .because(error)
                .retry_after(5)
        }
    }
}

/// The problem of a contract that cannot be given.
pub(crate) fn plan_refusal(refusal: &SubscriptionRefusal) -> Problem {
    match refusal {
        SubscriptionRefusal::Over => Problem::invalid_field("#/until", refusal.to_string()),
        SubscriptionRefusal::PaidElsewhere => Problem::new(Code::Conflict, refusal.to_string()),
    }
}
