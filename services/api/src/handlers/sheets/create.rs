//! A spreadsheet is made for the tenant in the service's shared drive, shared, and linked.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::sheet::SheetRefusal;
use application::link_sheet;
use auth::Email;
use connectors::google::{
    GoogleError, NewSpreadsheet, Request, SheetsClient, SpreadsheetProperties, UpdateSpreadsheetProperties,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{address, google_problem, key_problem};
use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// Most people that a new spreadsheet is shared with at once.
const MOST_PEOPLE: usize = 20;

/// What to make.
#[derive(ToSchema)]
pub struct CreateRequest {
    /// Title of the spreadsheet.
    #[schema(required = false, max_length = 200, default = "Stock Tracker")]
    pub title: String,
    /// Title of the worksheet to manage.
    #[schema(required = false, max_length = 100, default = "Products")]
    pub worksheet: String,
    /// E-mail addresses of Google accounts that may edit it.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 20)]
    pub share_with: Vec<Email>,
}

fn people(given: Given<'_>) -> Result<Vec<Email>, String> {
    let items = given.value.as_array().ok_or("must be a list")?;
    if items.is_empty() || items.len() > MOST_PEOPLE {
        return Err(format!("must have 1 to {MOST_PEOPLE} entries"));
    }
    (1..)
        .zip(items)
        .map(|(place, item)| {
            let text = item.as_str().ok_or("must be a list of texts")?;
            Email::parse(text).map_err(|error| format!("entry {place}: {error}"))
        })
        .collect()
}

impl Input for CreateRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.optional("title", shape::text(1, 200));
        let worksheet = fields.optional("worksheet", shape::text(1, 100));
        let share_with = fields.required("share_with", people);
        Some(Self {
            title: title.unwrap_or_else(|| "Stock Tracker".to_owned()),
            worksheet: worksheet.unwrap_or_else(|| link_sheet::DEFAULT_WORKSHEET.to_owned()),
            share_with: share_with?,
        })
    }
}

/// A spreadsheet that was made and linked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Created {
    /// Its id.
    pub spreadsheet_id: String,
    /// Its address.
    pub sheet_url: String,
    /// Title of the managed worksheet.
    pub worksheet_name: String,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Make a spreadsheet in the service's shared drive, let these people edit it, and link it. Repeated with the
/// same key, also after a failure, it never makes a second file.
///
/// # Errors
/// 422 `sheet-refused` where no shared drive is set up or Google refuses; 502 when Google does not answer.
#[utoipa::path(post, path = "/api/v1/sheets/create", tag = "sheets", operation_id = "create_sheet",
    request_body = CreateRequest, responses((status = 201, body = Created), (status = 502)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<CreateRequest>(&request, payload).await?;
    let given = body.value;
    call.command(&request, &body.raw, move |state, context| async move {
        let client = state.google.client(None).await.map_err(|error| key_problem(&error))?;
        let (Some(client), Some(drive)) = (client, state.google.shared_drive.clone()) else {
            let detail = "this service has no shared drive to make files in; make a spreadsheet yourself, and link \
                it with PUT sheets/link";
            return Err(Problem::new(Code::SheetRefused, detail));
        };
        let wanted = NewSpreadsheet {
            title: given.title,
            drive,
            // Derived from tenant and Idempotency-Key.
            request: context.command_id.to_string(),
        };
        let made = make(&client, &wanted, &given.share_with).await;
        let spreadsheet_id = made.map_err(|error| refusal(error, client.client_email()))?;
        let input = link_sheet::Input {
            spreadsheet_id: spreadsheet_id.clone(),
            worksheet: given.worksheet.clone(),
            service_account: None,
        };
        let receipt = link_sheet::execute(&state.app, &context, input)
            .await
            .map_err(|error| match error {
                link_sheet::Error::Vault(error) => Problem::failure(error),
                link_sheet::Error::Execute(error) => execute_problem(error, |refusal: &SheetRefusal| {
                    Problem::new(Code::Conflict, refusal.to_string())
                }),
            })?;
        let view = Created {
            sheet_url: address(&spreadsheet_id),
            spreadsheet_id,
            worksheet_name: given.worksheet,
            receipt: ReceiptView::of(context.command_id, &receipt),
        };
        Ok(Reply::json(201, &view)?
            .location("/api/v1/sheets/link".to_owned())
            .position(receipt.position))
    })
    .await
}

/// Every step may be done again without a second effect.
async fn make(
    client: &SheetsClient,
    wanted: &NewSpreadsheet,
    people: &[Email],
) -> Result<String, GoogleError> {
    let id = client.create(wanted).await?;
    let properties = UpdateSpreadsheetProperties {
        properties: SpreadsheetProperties {
            title: None,
            locale: Some("ru_RU".to_owned()),
            time_zone: Some("Europe/Moscow".to_owned()),
        },
        fields: "locale,timeZone".to_owned(),
    };
    client
        .batch_update(&id, &[Request::UpdateSpreadsheetProperties(properties)])
        .await?;
    for person in people {
        client.share(&id, person.address()).await?;
    }
    Ok(id)
}

fn refusal(error: GoogleError, client_email: &str) -> Problem {
    let detail = match &error {
        GoogleError::NotFound | GoogleError::PermissionDenied { .. } => {
            format!(
                "the service's shared drive cannot be used: {client_email} has to be a content manager of it"
            )
        }
        GoogleError::StorageFull { .. } => format!(
            "there is no room for the file; make a spreadsheet yourself, share it with {client_email} as Editor, and \
             link it with PUT sheets/link"
        ),
        GoogleError::InvalidRequest { detail, .. } => format!("Google refuses: {detail}"),
        _ => return google_problem(error),
    };
    Problem::new(Code::SheetRefused, detail).because(error)
}
