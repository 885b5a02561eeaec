//! A user changes the password.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::change_password;
use application::domain::user::UserRefusal;
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::attempt;
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// The present password and the next one.
#[derive(ToSchema)]
pub struct ChangePasswordRequest {
    /// The present one.
    #[schema(value_type = String, format = "password")]
    pub current_password: SecretString,
    /// The next one; at least 8 characters, and not one of the most common ones.
    #[schema(value_type = String, format = "password", min_length = 8)]
    pub new_password: SecretString,
}

impl Input for ChangePasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("current_password", shape::secret(auth::password::LONGEST));
        let new = fields.required("new_password", shape::password);
        Some(Self {
            current_password: current?,
            new_password: new?,
        })
    }
}

/// Change one's own password. Every other session ends.
///
/// # Errors
/// 403 for a wrong current password, 429 after too many of them, 422 for a new one that is not taken.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "auth", operation_id = "change_password",
    request_body = ChangePasswordRequest, responses((status = 200, body = ReceiptView), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<ChangePasswordRequest>(&request, payload).await?;
    let who = call.principal;
    let (caller, from) = (call.clone(), attempt::address(&request));
    call.command(&request, &body.raw, move |state, context| async move {
        attempt::confirm(&caller, from, &body.value.current_password).await?;
        let new = &body.value.new_password;
        let receipt = change_password::execute(&state.app, &context, who.user_id, new, Some(who.session_id))
            .await
            .map_err(problem)?;
        state.forget_callers();
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

pub(super) fn problem(error: change_password::Error) -> Problem {
    match error {
        change_password::Error::Unacceptable(reason) => {
            Problem::invalid_field("#/new_password", reason.to_string())
        }
        change_password::Error::Code => Problem::new(Code::CodeRefused, "ask for another code"),
        change_password::Error::Execute(error) => execute_problem(error, |refusal| match refusal {
            UserRefusal::Deactivated => Problem::new(Code::AccountDeactivated, refusal.to_string()),
            UserRefusal::NotRegistered | UserRefusal::AlreadyRegistered | UserRefusal::TelegramNotLinked => {
                Problem::not_found("account")
            }
        }),
        change_password::Error::Store(error) => error.into(),
        error @ change_password::Error::Password(_) => Problem::failure(error),
    }
}
