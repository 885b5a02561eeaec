//! A cabinet gets another credential.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::replace_credential;
use events::ids::CabinetId;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::connect::{LONGEST_CREDENTIAL, whole};
use super::trial::{self, Trial};
use super::{CredentialFactsView, credential_problem};
use crate::call::{Call, path_id};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// The new credential.
#[derive(ToSchema)]
pub struct CredentialRequest {
    /// At Ozon, the `Client-Id` of the account; without it, that of the cabinet.
    #[schema(required = false, value_type = String, example = "1234567", max_length = 20)]
    pub client_id: Option<String>,
    /// Has to open the same seller account. It is sealed at once and never shown again.
    #[schema(value_type = String, format = "password")]
    pub credential: SecretString,
}

impl Input for CredentialRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let client_id = fields.optional("client_id", shape::client_id);
        let credential = fields.required("credential", shape::secret(LONGEST_CREDENTIAL));
        Some(Self {
            credential: whole(client_id.as_deref(), credential?),
            client_id,
        })
    }
}

/// A credential that was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replaced {
    /// What the new one said about itself.
    pub credential: CredentialFactsView,
    /// What a trial at the marketplace brought out, and whether the new one is in use.
    pub check: Trial,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Replace a cabinet's credential. The new one is tried first and takes the place of the old one when nothing
/// is lost by it; a running sync goes on with the old one.
///
/// # Errors
/// 404; 422 for a credential that cannot be used, saying why.
#[utoipa::path(put, path = "/api/v1/cabinets/{id}/credentials", tag = "cabinets",
    operation_id = "replace_credential", params(("id" = Uuid, Path, description = "Id of the cabinet")),
    request_body = CredentialRequest, responses((status = 200, body = Replaced)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<CredentialRequest>(&request, payload).await?;
    let credential = body.value.credential;
    call.command(&request, &body.raw, move |state, context| async move {
        let given = replace_credential::execute(&state.app, &context, CabinetId(id), &credential)
            .await
            .map_err(credential_problem)?;
        let check = trial::of_given(&state, &context, CabinetId(id), given.in_use).await;
        let view = Replaced {
            credential: given.credential.into(),
            check,
            receipt: ReceiptView::of(context.command_id, &given.receipt),
        };
        Ok(Reply::json(200, &view)?.position(given.receipt.position))
    })
    .await
}
