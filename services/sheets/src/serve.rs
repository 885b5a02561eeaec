//! The questions that other processes ask: can this spreadsheet be written, and write it now.

use std::sync::Arc;

use bytes::Bytes;
use connectors::google::{GoogleError, LinkFinding};
use database::DatabaseError;
use messaging::rpc::{Problem, Request, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sheet_layout::Language;
use tracing::Instrument as _;

use crate::Shared;
use crate::trouble::Trouble;
use crate::wire::{Finding, SERVICE, Sync, SyncAnswer, Test, TestAnswer};

/// The service `sheets` with its handlers.
pub(crate) fn service(shared: &Arc<Shared>) -> Service {
    let (tester, syncer) = (Arc::clone(shared), Arc::clone(shared));
    Service::new(SERVICE, "1.0.0")
        .on("test", move |request: Request| {
            let shared = Arc::clone(&tester);
            let span = runtime::trace::question(&request.subject, request.traceparent.as_deref());
            async move { answer(&test(&shared, read(&request)?).await?) }.instrument(span)
        })
        .on("sync", move |request: Request| {
            let shared = Arc::clone(&syncer);
            let span = runtime::trace::question(&request.subject, request.traceparent.as_deref());
            async move { answer(&sync(&shared, read(&request)?).await?) }.instrument(span)
        })
}

fn problem(kind: &str, title: &str, status: u16, detail: impl Into<String>) -> Problem {
    Problem {
        kind: kind.to_owned(),
        title: title.to_owned(),
        status,
        detail: detail.into(),
    }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    serde_json::from_slice(&request.payload)
        .map_err(|error| problem("malformed", "The request cannot be read", 400, error.to_string()))
}

fn answer<T: Serialize>(answer: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(answer)
        .map(Bytes::from)
        .map_err(|error| problem("internal", "The answer cannot be written", 500, error.to_string()))
}

fn not_linked() -> Problem {
    problem(
        "not-linked",
        "No spreadsheet is linked",
        404,
        "link a spreadsheet first",
    )
}

fn unavailable(error: &DatabaseError) -> Problem {
    tracing::warn!(error = ?error, "the database does not answer");
    problem(
        "unavailable",
        "The database does not answer",
        503,
        "try again in a moment",
    )
}

/// Answers `sheets.test`.
pub(crate) async fn test(shared: &Shared, question: Test) -> Result<TestAnswer, Problem> {
    let tenant = question.tenant_id;
    let link = shared
        .states
        .link(tenant)
        .await
        .map_err(|error| unavailable(&error))?;
    let Some(spreadsheet) = question
        .spreadsheet_id
        .or_else(|| link.as_ref().map(|link| link.spreadsheet_id.clone()))
    else {
        return Err(not_linked());
    };
    let worksheet = (link.as_ref())
        .filter(|link| link.spreadsheet_id == spreadsheet)
        .map(|link| link.worksheet.clone())
        .unwrap_or_default();
    let credential = question
        .credential_id
        .or_else(|| link.and_then(|link| link.credential));
    let language = crate::source::view(&shared.pool, tenant)
        .await
        .map_or_else(|_| Language::default(), |view| view.language);
    let client = match shared.clients.of(tenant, credential).await {
        Ok(client) => client,
        Err(Trouble::Vault(vault::VaultError::Database(error))) => return Err(unavailable(&error)),
        Err(trouble) => {
            return Ok(TestAnswer {
                usable: false,
                title: None,
                client_email: None,
                findings: vec![Finding {
                    kind: "no_account".to_owned(),
                    detail: trouble.text(language),
                }],
            });
        }
    };
    let report = client
        .test_link(&spreadsheet, &worksheet)
        .await
        .map_err(|error| silent(&error))?;
    Ok(TestAnswer {
        usable: report.is_usable(),
        title: report.title,
        client_email: Some(client.client_email().to_owned()),
        findings: (report.findings.iter())
            .map(|found| finding(found, language))
            .collect(),
    })
}

fn silent(error: &GoogleError) -> Problem {
    tracing::warn!(error = ?error, "a link could not be tested");
    problem(
        "google-unavailable",
        "Google does not answer as it should",
        502,
        "whether the spreadsheet can be written is not known; test again in a moment",
    )
}

fn finding(found: &LinkFinding, language: Language) -> Finding {
    let kind = match found {
        LinkFinding::NotAnId => "not_an_id",
        LinkFinding::NotFound { .. } => "not_found",
        LinkFinding::NotShared { .. } => "not_shared",
        LinkFinding::ReadOnly { .. } => "read_only",
        LinkFinding::Trashed => "trashed",
        LinkFinding::NotASpreadsheet => "not_a_spreadsheet",
        LinkFinding::ApiDisabled { .. } => "api_disabled",
        LinkFinding::KeyRefused { .. } => "key_refused",
        LinkFinding::QuotaExceeded { .. } => "quota_exceeded",
        LinkFinding::WriteAccessUnknown => "write_access_unknown",
        LinkFinding::Protected { .. } => "protected",
        LinkFinding::TimeZone { .. } => "time_zone",
        LinkFinding::Locale { .. } => "locale",
    };
    Finding {
        kind: kind.to_owned(),
        detail: match language {
            Language::Russian => found.russian(),
            Language::English => found.to_string(),
        },
    }
}

/// Answers `sheets.sync`.
pub(crate) async fn sync(shared: &Shared, question: Sync) -> Result<SyncAnswer, Problem> {
    let forced = shared
        .states
        .force(question.tenant_id, shared.clock.now())
        .await
        .map_err(|error| unavailable(&error))?;
    let (position, link) = forced.ok_or_else(not_linked)?;
    shared.changed.notify_one();
    Ok(SyncAnswer {
        position,
        written_position: link.written_position,
        last_written_at: link.last_written_at,
    })
}
