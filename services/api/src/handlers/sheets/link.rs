//! A spreadsheet is linked, after it was tried.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::sheet::SheetRefusal;
use application::link_sheet;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::{address, key_file, language, spreadsheet_id, try_out};
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// Which spreadsheet.
#[derive(ToSchema)]
pub struct LinkRequest {
    /// Its id, or its address.
    pub spreadsheet_id: String,
    /// Title of the worksheet to manage.
    #[schema(required = false, max_length = 100, default = "Products")]
    pub worksheet: String,
    /// Key file of the service account to write with, as an object or as its text; left out to use the
    /// service's own account. It is sealed at once and never shown again.
    #[schema(required = false, value_type = Option<Object>)]
    pub service_account: Option<SecretString>,
}

impl Input for LinkRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let spreadsheet_id = fields.required("spreadsheet_id", spreadsheet_id);
        let worksheet = fields.optional("worksheet", shape::text(1, 100));
        let service_account = fields.optional("service_account", key_file);
        let worksheet = worksheet.unwrap_or_else(|| link_sheet::DEFAULT_WORKSHEET.to_owned());
        Some(Self {
            spreadsheet_id: spreadsheet_id?,
            worksheet,
            service_account,
        })
    }
}

/// A spreadsheet that was linked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Linked {
    /// Its id.
    pub spreadsheet_id: String,
    /// Its address.
    pub sheet_url: String,
    /// Title of the managed worksheet.
    pub worksheet_name: String,
    /// Its title.
    pub sheet_title: Option<String>,
    /// What is uncertain, in words.
    pub findings: Vec<String>,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Link the spreadsheet that shall be kept up to date. It is tried first; one that cannot be written is not
/// linked.
///
/// # Errors
/// 422 saying what is missing; 502 when Google does not answer.
#[utoipa::path(put, path = "/api/v1/sheets/link", tag = "sheets", operation_id = "link_sheet",
    request_body = LinkRequest, responses((status = 200, body = Linked), (status = 502)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<LinkRequest>(&request, payload).await?;
    let given = body.value;
    let language = language(&call).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let test = try_out(
            &state.google,
            &given.spreadsheet_id,
            &given.worksheet,
            given.service_account.as_ref(),
            language,
        )
        .await?;
        if !test.success {
            let detail = test.findings.join("; ");
            return Err(Problem::new(Code::SheetRefused, detail).at("#/spreadsheet_id"));
        }
        let input = link_sheet::Input {
            spreadsheet_id: given.spreadsheet_id.clone(),
            worksheet: given.worksheet.clone(),
            service_account: given.service_account,
        };
        let receipt = link_sheet::execute(&state.app, &context, input)
            .await
            .map_err(problem)?;
        let view = Linked {
            sheet_url: address(&given.spreadsheet_id),
            spreadsheet_id: given.spreadsheet_id,
            worksheet_name: given.worksheet,
            sheet_title: test.title,
            findings: test.findings,
            receipt: ReceiptView::of(context.command_id, &receipt),
        };
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

fn problem(error: link_sheet::Error) -> Problem {
    match error {
        link_sheet::Error::Vault(error) => Problem::failure(error),
        link_sheet::Error::Execute(error) => execute_problem(error, |refusal: &SheetRefusal| {
            Problem::new(Code::Conflict, refusal.to_string())
        }),
    }
}
