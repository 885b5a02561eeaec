//! The business gets another name, or another clock.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::{change_time_zone, rename_tenant};
use utoipa::ToSchema;

use super::tenant_refusal;
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// What shall be otherwise; at least one of both.
#[derive(ToSchema)]
pub struct RenameRequest {
    /// What the business is called.
    #[schema(required = false, min_length = 2, max_length = 255)]
    pub name: Option<String>,
    /// IANA time zone by which its days go, such as `Europe/Moscow`: daily syncs are made in its morning.
    #[schema(required = false, max_length = 64, example = "Asia/Yekaterinburg")]
    pub time_zone: Option<String>,
}

impl Input for RenameRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.optional("name", shape::text(2, 255));
        let time_zone = fields.optional("time_zone", shape::text(1, 64));
        if name.is_none() && time_zone.is_none() {
            fields.wrong("name", "is required where time_zone is not given".to_owned());
        }
        Some(Self { name, time_zone })
    }
}

/// Rename the tenant, or give it another time zone.
///
/// # Errors
/// 403 while it is suspended.
#[utoipa::path(patch, path = "/api/v1/tenants/me", tag = "tenants", operation_id = "rename_tenant",
    request_body = RenameRequest, responses((status = 200, body = ReceiptView), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<RenameRequest>(&request, payload).await?;
    let RenameRequest { name, time_zone } = body.value;
    call.command(&request, &body.raw, move |state, context| async move {
        let mut last = None;
        if let Some(time_zone) = &time_zone {
            let part = context.part("time zone");
            let changed = change_time_zone::execute(&state.app, &part, time_zone).await;
            last = Some(changed.map_err(|error| execute_problem(error, tenant_refusal))?);
        }
        if let Some(name) = &name {
            let renamed = rename_tenant::execute(&state.app, &context, name).await;
            last = Some(renamed.map_err(problem)?);
        }
        let receipt = last.ok_or_else(|| Problem::invalid_field("#/name", "is required"))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

fn problem(error: rename_tenant::Error) -> Problem {
    match error {
        rename_tenant::Error::Execute(error) => execute_problem(error, tenant_refusal),
        rename_tenant::Error::Store(error) => error.into(),
    }
}
