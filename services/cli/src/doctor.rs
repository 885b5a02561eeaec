//! `doctor`: makes every check, whatever the others found, and says for each failure what is wrong and
//! which command mends it. It changes nothing.

mod broker;
mod database;
mod keys;

use std::fmt;

use runtime::Settings;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::Failure;

/// Exit code where something is wrong.
const FAILED: u8 = 1;
/// Exit code where nothing is wrong and something deserves a look.
const WARNED: u8 = 3;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Ok,
    Warning,
    Failure,
}

/// The outcome of one check.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    severity: Severity,
    /// What was found; where it failed, what is wrong.
    found: String,
    /// The command or the setting that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            severity: Severity::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    fn warning(check: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, found)
        }
    }

    fn failure(check: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Failure,
            ..Self::warning(check, found, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Ok => "ok   ",
            Severity::Warning => "WARN ",
            Severity::Failure => "FAIL ",
        };
        write!(f, "{mark} {}: {}", self.check, self.found)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Makes every check and prints a line for each, or one JSON document. Exit code 0 where all is well, 1
/// where something is wrong, 3 where there are warnings only.
#[expect(clippy::print_stdout, reason = "the report is what the tool is for")]
pub(crate) async fn run(settings: &Settings, json: bool) -> Result<u8, Failure> {
    let mut findings = database::check(settings).await;
    findings.extend(broker::check(settings).await);
    findings.extend(keys::check(settings).await);
    findings.push(check_service_account(settings).await);
    let worst = findings.iter().map(|finding| finding.severity).max();
    if json {
        println!("{}", serde_json::json!({ "severity": worst, "checks": findings }));
    } else {
        for finding in &findings {
            println!("{finding}");
        }
    }
    Ok(match worst {
        Some(Severity::Failure) => FAILED,
        Some(Severity::Warning) => WARNED,
        _ => 0,
    })
}

async fn check_service_account(settings: &Settings) -> Finding {
    const CHECK: &str = "service account";
    let Some(key) = &settings.google.service_account else {
        return Finding::ok(
            CHECK,
            "none; every tenant links its sheet with an account of its own",
        );
    };
    let hosts = connectors::google::TokenHosts::Any;
    match connectors::google::ServiceAccount::from_key(key.expose_secret(), hosts).await {
        Ok(account) => Finding::ok(CHECK, account.email()),
        Err(error) => Finding::failure(
            CHECK,
            chain(&error),
            "make a new key of the service account at Google and set ST_GOOGLE_SERVICE_ACCOUNT",
        ),
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
