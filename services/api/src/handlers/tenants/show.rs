//! What is known of the business.

use actix_web::{HttpRequest, HttpResponse};
use auth::profiles::Subject;
use chrono::{DateTime, Utc};
use events::subscription::Plan;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// The business.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantView {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Whether it may use the service.
    pub is_active: bool,
    /// Language of titles and messages.
    pub language: String,
    /// IANA time zone of daily things.
    pub time_zone: String,
    /// The plan it has: `free`, `starter`, `pro`, `enterprise`; none where the installation sells none.
    pub plan: Option<&'static str>,
    /// Shortest rhythm that its cabinets may be given, seconds.
    pub shortest_interval_seconds: u32,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// The caller's tenant.
///
/// # Errors
/// 404 while the read model has not seen the registration yet.
#[utoipa::path(get, path = "/api/v1/tenants/me", tag = "tenants", operation_id = "tenant",
    responses((status = 200, body = TenantView), (status = 404)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let (tenant, position) = call
        .read(&request, Model::Operations, async |tx| queries::tenant(tx).await)
        .await?;
    let tenant = tenant.ok_or_else(|| Problem::not_found("tenant"))?;
    let mut names = call
        .state
        .app
        .profiles
        .all(call.tenant(), Subject::Tenant)
        .await?;
    let terms = call.state.app.terms.of(call.tenant()).await?;
    let plans = &call.state.app.plans;
    let body = TenantView {
        id: tenant.tenant_id,
        name: names.remove(&tenant.tenant_id).unwrap_or_default(),
        is_active: tenant.status == "active",
        language: tenant.language,
        time_zone: tenant.time_zone,
        plan: plans.in_force(terms.plan).map(Plan::as_str),
        shortest_interval_seconds: plans.shortest_seconds(terms.plan),
        created_at: tenant.registered_at,
    };
    Ok(Reply::json(200, &body)?.position(position).into())
}
