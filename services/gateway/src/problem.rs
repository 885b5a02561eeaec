//! The one place where the gateway's failures become problems for the caller.

use application::domain::cabinet::CabinetRefusal;
use application::domain::plans::PlanLimit;
use application::domain::sheet::SheetRefusal;
use application::{ExecuteError, allowance, change_schedule, request_sync};
use messaging::rpc::Problem;

pub(crate) fn problem(kind: &str, status: u16, title: &str, detail: impl Into<String>) -> Problem {
    Problem {
        kind: kind.to_owned(),
        title: title.to_owned(),
        status,
        detail: detail.into(),
    }
}

/// The body is not what the subject takes; the text names the field.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    problem(
        "validation-failed",
        422,
        "The request's body does not fit",
        error.to_string(),
    )
}

/// Our own side failed; the cause goes to the log and not to the caller.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = ?error, "request failed");
    problem(
        "temporarily-unavailable",
        503,
        "The request could not be processed",
        "try again with the same command id",
    )
}

pub(crate) fn no_such(what: &str) -> Problem {
    problem("not-found", 404, "Not found", format!("there is no such {what}"))
}

pub(crate) fn cabinet(error: ExecuteError<CabinetRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(CabinetRefusal::NotConnected) => no_such("cabinet"),
        ExecuteError::Refused(
            refusal @ (CabinetRefusal::IntervalOutOfRange | CabinetRefusal::IntervalBelowPlan { .. }),
        ) => problem(
            "validation-failed",
            422,
            "The schedule does not fit",
            refusal.to_string(),
        ),
        ExecuteError::Refused(refusal) => problem("conflict", 409, "Refused", refusal.to_string()),
        error => internal(&error),
    }
}

pub(crate) fn schedule(error: change_schedule::Error) -> Problem {
    match error {
        change_schedule::Error::Execute(error) => cabinet(error),
        change_schedule::Error::Limit(limit) => plan_limit(&limit),
        error @ change_schedule::Error::Terms(_) => internal(&error),
    }
}

pub(crate) fn sheet(error: ExecuteError<SheetRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(refusal) => problem("conflict", 409, "Refused", refusal.to_string()),
        error => internal(&error),
    }
}

pub(crate) fn sync(error: request_sync::Error) -> Problem {
    match error {
        request_sync::Error::NoCabinet => no_such("cabinet"),
        error @ request_sync::Error::CredentialRejected { .. } => problem(
            "credential-rejected",
            409,
            "The cabinet's credential was refused",
            error.to_string(),
        ),
        request_sync::Error::Allowance(allowance::Error::Limit(limit)) => plan_limit(&limit),
        error => internal(&error),
    }
}

fn plan_limit(limit: &PlanLimit) -> Problem {
    problem(
        "plan-limit",
        402,
        "The plan does not allow this",
        limit.to_string(),
    )
}
