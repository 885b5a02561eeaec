//! Logs and traces.

use super::source::{Problem, Source};

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Settings of logs and traces.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// `RUST_LOG`: which log lines are written.
    pub log_filter: String,
    /// `ST_LOG_FORMAT`.
    pub log_format: LogFormat,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; no slash at the end.
    pub otlp_endpoint: Option<String>,
}

pub(super) fn read(source: &Source) -> Result<TelemetrySettings, Problem> {
    let otlp_endpoint = match source.text("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Some(_) => Some(source.base_url("OTEL_EXPORTER_OTLP_ENDPOINT")?),
        None => None,
    };
    Ok(TelemetrySettings {
        log_filter: source.required("RUST_LOG", "a log filter such as info,relay=debug", |text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .ok()
                .map(|_valid| text.to_owned())
        })?,
        log_format: source.required("ST_LOG_FORMAT", "text or json", |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        })?,
        otlp_endpoint,
    })
}
