//! The month's quota of calls by programs, as HTTP tells it: 402 where it is used up, and an item `month`
//! in the headers of the limits of requests. The counting is done by the crate [`billing`].
//!
//! A call with an API key counts when it is answered. What was not answered does not: 304, a refusal of who
//! or what calls (401, 402, 403, 429), and a failure of ours (5xx). Neither do the routes of billing, by
//! which a program finds out why it is refused.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::{HttpMessage as _, HttpRequest};
use application::domain::plans::{Allowance, Limit, PlanLimit};
use auth::Standing;
use billing::{Counted, Month, Usage};
use chrono::{DateTime, SecondsFormat, Utc};
use events::ids::TenantId;

use crate::problem::Problem;
use crate::state::ApiState;
use crate::trace::Trace;

/// Calls of these routes do not count.
const NOT_COUNTED: &str = "/api/v1/billing/";

/// Whether calls of a path count.
pub(crate) fn is_counted(path: &str) -> bool {
    !path.starts_with(NOT_COUNTED)
}

/// What an answer tells of the month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    quota: u32,
    used: u64,
    month: Month,
    now: DateTime<Utc>,
}

/// A call that counts, until its answer says otherwise.
#[derive(Clone)]
struct Metered {
    usage: Usage,
    tenant: TenantId,
    counted: Counted,
}

/// Counts the request if a program makes it, and notes what its answer tells.
///
/// # Errors
/// 402 where the quota is used up.
pub(crate) async fn admit(
    request: &HttpRequest,
    state: &ApiState,
    standing: &Standing,
    by_key: bool,
) -> Result<(), Problem> {
    let now = Trace::of(request).now;
    let plans = &state.app.plans;
    let tenant = standing.principal.tenant_id;
    let quota = plans
        .allowance(standing.plan)
        .and_then(|allowance: &Allowance| allowance.api_calls);
    let usage = &state.app.usage;
    if !by_key || !is_counted(request.path()) {
        let Some(quota) = quota else { return Ok(()) };
        // Only a header: without it the answer is still right.
        match usage.recent_api_calls(tenant, now).await {
            Ok(used) => tell(request, quota, used, Month::of(now), now),
            Err(error) => tracing::debug!(error = ?error, "the month's usage is not known"),
        }
        return Ok(());
    }
    let counted = usage.admit(tenant, quota, now).await?;
    if let Some(quota) = quota {
        tell(request, quota, counted.used, counted.month, now);
    }
    if counted.admitted {
        request.extensions_mut().insert(Metered {
            usage: usage.clone(),
            tenant,
            counted,
        });
        return Ok(());
    }
    plans
        .check(standing.plan, Limit::ApiCalls, counted.used, 1)
        .map_err(|limit| refusal(limit, counted.month))
}

fn refusal(limit: PlanLimit, month: Month) -> Problem {
    let ends = month.ends().to_rfc3339_opts(SecondsFormat::Secs, true);
    Problem::plan_limit(limit).more(&format!("; the next month begins at {ends}"))
}

fn tell(request: &HttpRequest, quota: u32, used: u64, month: Month, now: DateTime<Utc>) {
    request.extensions_mut().insert(Told {
        quota,
        used,
        month,
        now,
    });
}

/// Takes back a call that does not count by its answer.
pub(crate) async fn settle(response: &ServiceResponse<BoxBody>) {
    let metered = response.request().extensions().get::<Metered>().cloned();
    let Some(metered) = metered.filter(|_| !counts(response.status().as_u16())) else {
        return;
    };
    metered.usage.give_back(metered.tenant, metered.counted).await;
    if let Some(told) = response.request().extensions_mut().get_mut::<Told>() {
        told.used = told.used.saturating_sub(1);
    }
}

/// Whether an answer with this status is one that was asked for.
const fn counts(status: u16) -> bool {
    !matches!(status, 304 | 401 | 402 | 403 | 429 | 500..)
}

impl Told {
    /// The items of `RateLimit-Policy` and `RateLimit`.
    pub(crate) fn items(self) -> (String, String) {
        let Self {
            quota, used, month, ..
        } = self;
        let window = (month.ends() - month.begins()).num_seconds();
        let left = u64::from(quota).saturating_sub(used);
        let until = (month.ends() - self.now).num_seconds().max(0);
        (
            format!("\"month\";q={quota};w={window}"),
            format!("\"month\";r={left};t={until}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn an_answer_counts_and_a_refusal_or_a_failure_of_ours_does_not() {
        let of = |statuses: &[u16]| statuses.iter().map(|status| counts(*status)).collect::<Vec<_>>();
        assert_eq!(of(&[200, 201, 202, 204, 404, 409, 412, 422]), [true; 8]);
        assert_eq!(of(&[304, 401, 402, 403, 429, 500, 502, 503]), [false; 8]);
    }
}
