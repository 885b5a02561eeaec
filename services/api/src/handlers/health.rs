//! Whether the process lives and can work. No secrets and no addresses: these routes are public.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::call::state;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::trace::Trace;

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`, `alive` or `unhealthy`.
    pub status: &'static str,
    /// The server's time.
    pub timestamp: DateTime<Utc>,
    /// Name of the service.
    pub service: &'static str,
    /// Per check, where any was made: `ok`, or what is wrong.
    pub checks: BTreeMap<&'static str, String>,
}

const SERVICE: &str = "stock-tracker";

/// The process answers.
///
/// # Errors
/// None in practice.
#[utoipa::path(get, path = "/api/v1/health", tag = "health", operation_id = "health",
    responses((status = 200, body = Health)))]
pub async fn overall(request: HttpRequest) -> Result<HttpResponse, Problem> {
    plain(&request, "healthy")
}

/// The process lives; asks nobody.
///
/// # Errors
/// None in practice.
#[utoipa::path(get, path = "/api/v1/health/live", tag = "health", operation_id = "health_live",
    responses((status = 200, body = Health)))]
pub async fn live(request: HttpRequest) -> Result<HttpResponse, Problem> {
    plain(&request, "alive")
}

/// The process can work: every check of its own servers passes. 503 with the same body when one does not.
///
/// # Errors
/// None in practice.
#[utoipa::path(get, path = "/api/v1/health/ready", tag = "health", operation_id = "health_ready",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn ready(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let reports = state(&request)?.health.report().await;
    let ready = reports.iter().all(|report| report.problem.is_none());
    let checks = reports
        .into_iter()
        .map(|report| (report.name, report.problem.unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let (code, status) = if ready {
        (200, "healthy")
    } else {
        (503, "unhealthy")
    };
    let body = Health {
        status,
        timestamp: Trace::of(&request).now,
        service: SERVICE,
        checks,
    };
    Ok(Reply::json(code, &body)?.into())
}

fn plain(request: &HttpRequest, status: &'static str) -> Result<HttpResponse, Problem> {
    let timestamp = Trace::of(request).now;
    let body = Health {
        status,
        timestamp,
        service: SERVICE,
        checks: BTreeMap::new(),
    };
    Ok(Reply::json(200, &body)?.into())
}
