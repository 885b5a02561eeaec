//! What is sold, for everybody.

use actix_web::{HttpRequest, HttpResponse};
use application::domain::plans::Allowance;
use application::domain::subscription::{TRIAL, TRIAL_PLAN};
use events::subscription::Plan;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::state;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// What is sold.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlansView {
    /// The plans, the least first; none where the installation sells nothing and limits nothing.
    pub plans: Vec<PlanView>,
    /// The free trial that every new user gets, without a card.
    pub trial: Option<TrialView>,
    /// Whether plans can be bought by card; else by invoice only.
    pub by_card: bool,
}

/// A plan with what it allows; null is no limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// The plan's name in requests.
    #[schema(example = "pro")]
    pub plan: &'static str,
    /// The plan's name for people.
    #[schema(example = "PRO")]
    pub name: String,
    /// Price a month in cents of a US dollar.
    #[schema(example = 2990)]
    pub price_monthly: u32,
    /// Products that are kept up to date.
    #[schema(example = 1000)]
    pub max_products: Option<u32>,
    /// Cabinets that are synced.
    #[schema(example = 2)]
    pub max_cabinets: Option<u32>,
    /// Shortest time between two syncs, in minutes.
    #[schema(example = 30)]
    pub sync_frequency_minutes: u32,
    /// Calls with API keys in a calendar month (UTC).
    #[schema(example = 10_000)]
    pub api_calls_limit: Option<u32>,
    /// Whether events are sent to your own addresses.
    #[schema(example = true)]
    pub webhooks: bool,
    /// Days of history that can be asked for.
    #[schema(example = 365)]
    pub history_days: Option<u32>,
    /// The same for people.
    #[schema(example = json!(["1000 products", "2 cabinets", "sync every 30 minutes"]))]
    pub features: Vec<String>,
}

/// The free trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialView {
    /// What it gives.
    #[schema(example = "pro")]
    pub plan: &'static str,
    /// How many days.
    #[schema(example = 14)]
    pub days: i64,
}

impl PlanView {
    fn of((plan, allowance): (Plan, &Allowance)) -> Self {
        Self {
            plan: plan.as_str(),
            name: plan.as_str().to_uppercase(),
            price_monthly: allowance.price_cents,
            max_products: allowance.products,
            max_cabinets: allowance.cabinets,
            sync_frequency_minutes: allowance.sync_interval_minutes,
            api_calls_limit: allowance.api_calls,
            webhooks: allowance.webhooks,
            history_days: allowance.history_days,
            features: features(allowance),
        }
    }
}

fn features(allowance: &Allowance) -> Vec<String> {
    let counted = |limit: Option<u32>, one: &str, many: &str| match limit {
        None => format!("unlimited {many}"),
        Some(1) => format!("1 {one}"),
        Some(limit) => format!("{limit} {many}"),
    };
    let mut features = vec![
        counted(allowance.products, "product", "products"),
        counted(allowance.cabinets, "cabinet", "cabinets"),
        match allowance.sync_interval_minutes {
            1440 => "sync once a day".to_owned(),
            minutes => format!("sync every {minutes} minutes"),
        },
        counted(allowance.api_calls, "API call a month", "API calls a month"),
        counted(allowance.history_days, "day of history", "days of history"),
    ];
    if allowance.webhooks {
        features.push("outgoing webhooks".to_owned());
    }
    features
}

/// List the plans with their prices and limits.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/api/v1/billing/plans", tag = "billing", operation_id = "plans",
    responses((status = 200, body = PlansView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let Nothing = input::query(&request)?;
    let plans: Vec<PlanView> = state.app.plans.sold().map(PlanView::of).collect();
    let trial = (!plans.is_empty()).then(|| TrialView {
        plan: TRIAL_PLAN.as_str(),
        days: TRIAL.num_days(),
    });
    let view = PlansView {
        plans,
        trial,
        by_card: state.app.card.is_some(),
    };
    Ok(Reply::json(200, &view)?.into())
}
