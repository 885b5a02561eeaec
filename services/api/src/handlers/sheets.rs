//! The tenant's spreadsheet.

pub mod change;
pub mod create;
pub mod layout;
pub mod link;
pub mod preview;
pub mod show;
pub mod sync;
pub mod test;
pub mod unlink;

use connectors::google::{GoogleError, KeyError, LinkReport};
use read_models::operations::queries;
use secrecy::SecretString;
use serde::Serialize;
use sheet_layout::Language;
use utoipa::ToSchema;

use crate::call::Call;
use crate::input::Given;
use crate::problem::{Code, Problem};
use crate::state::{ErrandError, Google, SheetTest};

/// Address of a spreadsheet.
fn address(spreadsheet_id: &str) -> String {
    format!("https://docs.google.com/spreadsheets/d/{spreadsheet_id}")
}

/// The id of a spreadsheet, also out of its whole address.
fn spreadsheet_id(given: Given<'_>) -> Result<String, String> {
    let text = given.value.as_str().ok_or("must be text")?.trim();
    let id = match text.split_once("/spreadsheets/d/") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
        None => text,
    };
    let sane = (10..=128).contains(&id.len())
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if sane {
        Ok(id.to_owned())
    } else {
        Err("must be a spreadsheet's id or address".to_owned())
    }
}

/// A service account's key file: the object itself, or its text.
fn key_file(given: Given<'_>) -> Result<SecretString, String> {
    match given.value {
        serde_json::Value::String(text) => Ok(SecretString::from(text.as_str())),
        object @ serde_json::Value::Object(_) => Ok(SecretString::from(object.to_string())),
        _ => Err("must be a service account's key file".to_owned()),
    }
}

/// How a link test came out.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestView {
    /// Whether the spreadsheet can be written.
    pub success: bool,
    /// Its title, when it could be read.
    pub sheet_title: Option<String>,
    /// What is wrong or uncertain, in words that say what to do.
    pub findings: Vec<String>,
}

impl From<SheetTest> for TestView {
    fn from(test: SheetTest) -> Self {
        Self {
            success: test.success,
            sheet_title: test.title,
            findings: test.findings,
        }
    }
}

/// The language of the tenant's table.
async fn language(call: &Call) -> Result<Language, Problem> {
    let (layout, _) = call.ask(async |tx| queries::sheet_layout(tx).await).await?;
    Ok(sheet_source::view(&layout).language)
}

/// Tries a spreadsheet with the given key file, or with the service's own.
async fn try_out(
    google: &Google,
    spreadsheet_id: &str,
    worksheet: &str,
    key: Option<&SecretString>,
    language: Language,
) -> Result<SheetTest, Problem> {
    let client = google
        .client(key)
        .await
        .map_err(|error| key_problem(&error))?
        .ok_or_else(|| {
            Problem::invalid_field(
                "#/service_account",
                "is required: this service has no account of its own",
            )
        })?;
    let LinkReport { title, findings } = client
        .test_link(spreadsheet_id, worksheet)
        .await
        .map_err(google_problem)?;
    let report = LinkReport { title, findings };
    Ok(SheetTest {
        success: report.is_usable(),
        findings: (report.findings.iter())
            .map(|found| match language {
                Language::Russian => found.russian(),
                Language::English => found.to_string(),
            })
            .collect(),
        title: report.title,
    })
}

fn key_problem(error: &KeyError) -> Problem {
    let detail = match error {
        KeyError::NotJson(_) => "the service-account file is not JSON".to_owned(),
        error => error.to_string(),
    };
    Problem::invalid_field("#/service_account", detail)
}

fn google_problem(error: GoogleError) -> Problem {
    Problem::new(
        Code::UpstreamFailed,
        "Google does not answer as it should; try again later",
    )
    .retry_after(30)
    .because(error)
}

/// Why an errand about the sheet was not run, as a problem.
fn errand_problem(error: ErrandError) -> Problem {
    match error {
        ErrandError::NotFound => Problem::not_found("linked spreadsheet"),
        ErrandError::Outside(_) => Problem::new(Code::UpstreamFailed, error.to_string()),
        ErrandError::Away(_) => {
            Problem::unavailable("the process that writes sheets does not answer").because(error)
        }
    }
}
