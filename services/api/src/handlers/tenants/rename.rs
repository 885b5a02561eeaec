//! The business gets another name.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::rename_tenant;
use utoipa::ToSchema;

use super::tenant_refusal;
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// The new name.
#[derive(ToSchema)]
pub struct RenameRequest {
    /// What the business is called.
    #[schema(min_length = 2, max_length = 255)]
    pub name: String,
}

impl Input for RenameRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", shape::text(2, 255));
        Some(Self { name: name? })
    }
}

/// Rename the tenant.
///
/// # Errors
/// 403 while it is suspended.
#[utoipa::path(patch, path = "/api/v1/tenants/me", tag = "tenants", operation_id = "rename_tenant",
    request_body = RenameRequest, responses((status = 200, body = ReceiptView), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<RenameRequest>(&request, payload).await?;
    let name = body.value.name;
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = rename_tenant::execute(&state.app, &context, &name)
            .await
            .map_err(problem)?;
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
