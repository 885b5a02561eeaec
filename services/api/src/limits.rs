//! Limits of requests as HTTP tells them: the headers `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers), 429 with `Retry-After`, and who is never limited. The counting is
//! done by the crate [`limits`].

use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};
use auth::Standing;
use events::subscription::Plan;
use limits::Decision;

use crate::gate::Gate;
use crate::problem::{Code, Problem};
use crate::quota;
use crate::trace::Trace;

/// Asked by whoever watches the process; a refusal would be taken for its death.
pub(crate) const NEVER_LIMITED: &str = "/api/v1/health";

/// What was decided about a request, for its answer.
#[derive(Debug, Default, Clone)]
struct Told(Vec<Decision>);

/// Counts the request for its address.
///
/// # Errors
/// 429.
pub(crate) async fn admit_address(
    gate: &Gate,
    request: &HttpRequest,
    address: IpAddr,
) -> Result<(), Problem> {
    let Some(limiter) = &gate.limiter else {
        return Ok(());
    };
    if request.path().starts_with(NEVER_LIMITED) {
        return Ok(());
    }
    let now = milliseconds(request);
    let decision = limiter.admit(&limiter.address(address), now).await;
    judge(request, &[decision])
}

/// Counts the request for its user and its tenant, once both are known.
///
/// # Errors
/// 429.
pub(crate) async fn admit_caller(request: &HttpRequest, standing: &Standing) -> Result<(), Problem> {
    let Some(gate) = request.app_data::<Data<Gate>>().cloned() else {
        return Ok(());
    };
    let Some(limiter) = &gate.limiter else {
        return Ok(());
    };
    let now = milliseconds(request);
    let caller = &standing.principal;
    let (user, tenant) = (caller.user_id.to_string(), caller.tenant_id.to_string());
    let plan = standing.plan.map(Plan::as_str);
    let (user, tenant) = (limiter.user(&user), limiter.tenant(&tenant, plan));
    let decided = futures_util::join!(limiter.admit(&user, now), limiter.admit(&tenant, now));
    judge(request, &[decided.0, decided.1])
}

fn milliseconds(request: &HttpRequest) -> u64 {
    u64::try_from(Trace::of(request).now.timestamp_millis()).unwrap_or(0)
}

fn judge(request: &HttpRequest, decided: &[Decision]) -> Result<(), Problem> {
    let mut extensions = request.extensions_mut();
    if let Some(told) = extensions.get_mut::<Told>() {
        told.0.extend_from_slice(decided);
    } else {
        extensions.insert(Told(decided.to_vec()));
    }
    let refused = decided.iter().filter(|decision| !decision.admitted);
    let Some(worst) = refused.max_by_key(|decision| decision.retry_after) else {
        return Ok(());
    };
    let (kind, quota) = (worst.kind, worst.quota);
    let detail = format!(
        "this {kind} may make {} requests in {} seconds",
        quota.requests, quota.window_seconds
    );
    Err(Problem::new(Code::RateLimited, detail).retry_after(seconds(worst.retry_after)))
}

/// Whole seconds, rounded up: whoever waits that long is not refused for being early.
fn seconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Writes the headers.
pub(crate) fn tell(response: &mut ServiceResponse<BoxBody>) {
    let told = response.request().extensions().get::<Told>().cloned();
    let month = response.request().extensions().get::<quota::Told>().copied();
    let windows = told.iter().flat_map(|told| &told.0).map(items);
    let (policy, left): (Vec<_>, Vec<_>) = windows.chain(month.map(quota::Told::items)).unzip();
    if policy.is_empty() {
        return;
    }
    for (name, values) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        let value = values.join(", ");
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
}

/// The items of `RateLimit-Policy` and `RateLimit`.
fn items(decision: &Decision) -> (String, String) {
    let (kind, quota) = (decision.kind, decision.quota);
    let reset = if decision.admitted {
        decision.reset
    } else {
        decision.retry_after
    };
    (
        format!("\"{kind}\";q={};w={}", quota.requests, quota.window_seconds),
        format!("\"{kind}\";r={};t={}", decision.remaining, seconds(reset)),
    )
}
