//! What the tenant's plan allows and how much of it is used.

use actix_web::{HttpRequest, HttpResponse};
use application::allowance;
use application::domain::plans::Allowance;
use billing::Month;
use chrono::{DateTime, Utc};
use events::subscription::Plan;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// What the plan allows and how much of it is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// The plan: `free`, `starter`, `pro`, `enterprise`; none where the installation sells none.
    #[schema(example = "pro")]
    pub plan: Option<&'static str>,
    /// The calendar month (UTC) of which the figures are.
    pub period: PeriodView,
    /// Calls with an API key in this month that were answered. A call that is refused, fails on our side or
    /// is answered with 304 does not count, nor do calls of the routes under `billing`.
    #[schema(example = 2_750)]
    pub api_calls_used: u64,
    /// Calls that the plan allows in a month; none is no limit.
    #[schema(example = 10_000)]
    pub api_calls_limit: Option<u64>,
    /// Calls that are left in this month; none is no limit.
    #[schema(example = 7_250)]
    pub remaining: Option<u64>,
    /// Used calls of the limit in percent, one decimal; none where there is no limit.
    #[schema(example = 27.5)]
    pub usage_percentage: Option<f64>,
    /// Products in the catalogues of connected cabinets.
    pub products: CountView,
    /// Connected cabinets.
    pub cabinets: CountView,
    /// Syncs that completed in this month.
    #[schema(example = 412)]
    pub syncs: u64,
    /// The most products of this month, counted at the end of each sync.
    #[schema(example = 830)]
    pub products_peak: u64,
    /// The most cabinets of this month.
    #[schema(example = 2)]
    pub cabinets_peak: u64,
    /// Shortest rhythm that cabinets may be given, seconds.
    #[schema(example = 1_800)]
    pub shortest_interval_seconds: u32,
    /// Whether events may be sent to addresses of one's own.
    pub webhooks_allowed: bool,
    /// Days of history that may be asked for; none is no limit.
    #[schema(example = 365)]
    pub history_days: Option<u32>,
}

/// A calendar month.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// When it begins.
    pub starts_at: DateTime<Utc>,
    /// When the next one begins and calls are counted from none.
    pub ends_at: DateTime<Utc>,
}

/// How much there is of something that the plan counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountView {
    /// How many there are.
    #[schema(example = 830)]
    pub used: u64,
    /// How many the plan keeps up to date; none is no limit.
    #[schema(example = 1_000)]
    pub limit: Option<u64>,
    /// How many are not kept up to date because of that: the newest. They stay readable.
    #[schema(example = 0)]
    pub paused: u64,
}

/// What the plan allows, and how much of it is used in this calendar month (UTC).
///
/// # Errors
/// 503 when the database does not answer.
#[utoipa::path(get, path = "/api/v1/billing/usage", tag = "billing", operation_id = "billing_usage",
    responses((status = 200, body = UsageView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let (app, tenant, now) = (&call.state.app, call.tenant(), call.trace.now);
    let terms = app.terms.of(tenant).await?;
    let allowed = allowance::of(app, tenant).await?;
    let month = Month::of(now);
    let used = app.usage.month(tenant, now).await?;
    let api_calls = app.usage.api_calls(tenant, now).await?;
    let cabinets = app.places.cabinets(tenant).await?;
    let products = app.places.products(tenant).await?;
    let bound = |of: fn(&Allowance) -> Option<u32>| {
        let bound = allowed.as_ref().and_then(|allowed| of(&allowed.allowance));
        bound.map(u64::from)
    };
    let (calls_limit, products_limit) = (bound(|plan| plan.api_calls), bound(|plan| plan.products));
    let kept = products_limit.map_or(products.of_active_cabinets, |limit| {
        limit.min(products.of_active_cabinets)
    });
    let view = UsageView {
        plan: allowed.map(|allowed| Plan::as_str(allowed.plan)),
        period: PeriodView {
            starts_at: month.begins(),
            ends_at: month.ends(),
        },
        api_calls_used: api_calls,
        api_calls_limit: calls_limit,
        remaining: calls_limit.map(|limit| limit.saturating_sub(api_calls)),
        usage_percentage: calls_limit.and_then(|limit| percentage(api_calls, limit)),
        products: CountView {
            used: products.listed,
            limit: products_limit,
            paused: products.listed.saturating_sub(kept),
        },
        cabinets: CountView {
            used: cabinets.len() as u64,
            limit: bound(|plan| plan.cabinets),
            paused: cabinets.iter().filter(|cabinet| cabinet.paused).count() as u64,
        },
        syncs: used.syncs,
        products_peak: used.products.max(products.listed),
        cabinets_peak: used.cabinets.max(cabinets.len() as u64),
        shortest_interval_seconds: app.plans.shortest_seconds(terms.plan),
        webhooks_allowed: allowed.is_none_or(|allowed| allowed.allowance.webhooks),
        history_days: allowed.and_then(|allowed| allowed.allowance.history_days),
    };
    Ok(Reply::json(200, &view)?.into())
}

/// Percent with one decimal, rounded down: less than everything is never shown as 100.
#[expect(clippy::cast_precision_loss, reason = "a thousand and a little at most")]
fn percentage(used: u64, limit: u64) -> Option<f64> {
    let thousandths = used.saturating_mul(1_000).checked_div(limit)?;
    Some(thousandths as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn a_quota_that_is_not_used_up_is_never_shown_as_used_up() {
        assert_eq!(percentage(0, 100), Some(0.0));
        assert_eq!(percentage(275, 1_000), Some(27.5));
        assert_eq!(percentage(99_999, 100_000), Some(99.9));
        assert_eq!(percentage(100, 100), Some(100.0));
        assert_eq!(percentage(1, 0), None);
    }
}
