//! Can the spreadsheet be written? Nothing is changed by asking.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::link_sheet;
use secrecy::SecretString;
use utoipa::ToSchema;

use super::{TestView, errand_problem, key_file, language, spreadsheet_id, try_out};
use crate::call::Call;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// Which spreadsheet; nothing for the linked one.
#[derive(ToSchema)]
pub struct TestRequest {
    /// Its id, or its address.
    #[schema(required = false)]
    pub spreadsheet_id: Option<String>,
    /// Title of the worksheet that would be managed.
    #[schema(required = false, max_length = 100, default = "Products")]
    pub worksheet: String,
    /// Key file of the service account; left out to use the service's own.
    #[schema(required = false, value_type = Option<Object>)]
    pub service_account: Option<SecretString>,
}

impl Input for TestRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let spreadsheet_id = fields.optional("spreadsheet_id", spreadsheet_id);
        let service_account = fields.optional("service_account", key_file);
        if spreadsheet_id.is_none() && service_account.is_some() {
            fields.wrong("spreadsheet_id", "is required beside a key file".to_owned());
        }
        let worksheet = fields.optional("worksheet", shape::text(1, 100));
        Some(Self {
            spreadsheet_id,
            worksheet: worksheet.unwrap_or_else(|| link_sheet::DEFAULT_WORKSHEET.to_owned()),
            service_account,
        })
    }
}

/// Try a spreadsheet before it is linked, or the linked one. A failed test is an answer, not an error.
///
/// # Errors
/// 404 while none is linked and none is named; 422 for a broken key file.
#[utoipa::path(post, path = "/api/v1/sheets/test", tag = "sheets", operation_id = "test_sheet",
    request_body = TestRequest, responses((status = 200, body = TestView), (status = 404), (status = 502)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let given = input::body::<TestRequest>(&request, payload).await?.value;
    let test = match &given.spreadsheet_id {
        Some(id) => {
            let language = language(&call).await?;
            let key = given.service_account.as_ref();
            try_out(&call.state.google, id, &given.worksheet, key, language).await?
        }
        None => call
            .state
            .errands
            .test_sheet(call.tenant())
            .await
            .map_err(errand_problem)?,
    };
    Ok(Reply::json(200, &TestView::from(test))?.into())
}
