//! What metrics say of a sync's end: few words, all of them known.

use application::sync_attempt;
use events::sync::{SourceOutcome, SourceReport};

/// How the sources came out, in words for metrics.
pub(super) fn outcomes(end: &sync_attempt::End) -> Vec<(String, &'static str)> {
    let reports = match end {
        sync_attempt::End::Completed(completed) => &completed.sources,
        sync_attempt::End::Failed(failed) => &failed.sources,
        sync_attempt::End::Quarantined(quarantined) => &quarantined.sources,
    };
    let outcome = |report: &SourceReport| match report.outcome {
        SourceOutcome::Complete => "complete",
        SourceOutcome::Partial => "partial",
        SourceOutcome::Failed => "failed",
        SourceOutcome::Cached => "cached",
    };
    reports
        .iter()
        .map(|report| (report.source.clone(), outcome(report)))
        .collect()
}

/// A label for metrics: classes are few and known.
pub(super) fn class_label(class: &str) -> &'static str {
    match class {
        "unauthorized" | "forbidden" | "expired" | "payment_required" => "refused",
        "rate_limited" => "rate_limited",
        "internal" => "internal",
        _ => "failed",
    }
}
