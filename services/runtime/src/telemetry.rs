//! Log lines and traces. Lines have one form for people and one for machines, with the same field names in
//! both (`projection.name`, `duration_ms`). Traces go to a collector where one is named; one that is away or
//! slow costs its spans and nothing else, because they are handed to a thread through a bounded queue.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits,
};
use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, TelemetrySettings};
use crate::trace::TARGET;

/// Spans that wait for the exporter; further ones are dropped.
const QUEUE: usize = 8_192;
/// Spans in one request to the collector.
const BATCH: usize = 512;
/// Longest time a span waits before it is sent.
const DELAY: Duration = Duration::from_secs(1);
/// Time for one batch, repetitions included.
const EXPORT_LIMIT: Duration = Duration::from_secs(10);
/// Time for the last batches at the end of the process.
const LAST: Duration = Duration::from_secs(3);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why logging or tracing could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error("RUST_LOG is no log filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// There is no HTTP client to export with.
    #[error("traces cannot be exported without an HTTP client")]
    Client(#[source] Cause),
    /// The exporter cannot be made.
    #[error("traces cannot be exported to OTEL_EXPORTER_OTLP_ENDPOINT")]
    Traces(#[source] ExporterBuildError),
    /// Something else in this process has set up logging before.
    #[error("logging is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// What stands beside every span.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// `service.name`.
    pub service: &'static str,
    /// `service.version`.
    pub version: &'static str,
    /// The role or tool that this process is.
    pub role: &'static str,
}

/// The traces of this process; to be ended when everything else has.
#[derive(Debug)]
#[must_use]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Sends what is left, for a few seconds at most. Blocks this thread, which must not be one that the HTTP
    /// client needs.
    pub fn end(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(LAST)
        {
            tracing::debug!(error = ?error, "the last spans were not sent");
        }
    }
}

/// Begins to write log lines to standard error (standard output stays free for what a tool prints), and to
/// export traces if an address is set: with the HTTP client that `client` makes then, which is asked from a
/// thread of the exporter.
///
/// # Errors
/// [`TelemetryError`] if a setting is wrong or logging was set up before.
pub fn init<Client: HttpClient + 'static>(
    settings: &TelemetrySettings,
    origin: Origin,
    client: impl FnOnce() -> Result<Client, Cause>,
) -> Result<Traces, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(TelemetryError::Filter)?;
    let provider = match &settings.otlp_endpoint {
        Some(endpoint) => {
            let client = client().map_err(TelemetryError::Client)?;
            Some(provider(endpoint, origin, client)?)
        }
        None => None,
    };
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(origin.service))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(exported())
    });
    let lines = lines(settings.log_format, std::io::stderr);
    tracing_subscriber::registry()
        .with(spans)
        .with(shown(lines, filter))
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(Traces { provider })
}

/// Lines of one of the two forms. In the one for machines, no value can begin a line of its own.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    }
}

/// Only spans that are made to leave.
fn exported() -> FilterFn {
    let made_to_leave = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == TARGET;
    FilterFn::new(made_to_leave as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

/// Everything else that the filter lets through.
fn shown<S>(lines: impl Layer<S> + Send + Sync, filter: EnvFilter) -> impl Layer<S> + Send + Sync
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    // With a hint, or the filter's own one would be lost and every line be asked about.
    let stays = filter_fn(|metadata| metadata.target() != TARGET).with_max_level_hint(LevelFilter::TRACE);
    lines.with_filter(filter.and(stays))
}

fn provider(
    endpoint: &str,
    origin: Origin,
    client: impl HttpClient + 'static,
) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        // The path that the specification adds to an address for all signals.
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .with_timeout(EXPORT_LIMIT)
        .build()
        .map_err(TelemetryError::Traces)?;
    // Every number is set, so that nothing but our own settings is read from the environment.
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build();
    let resource = Resource::builder_empty()
        .with_service_name(origin.service)
        .with_attribute(KeyValue::new("service.version", origin.version))
        .with_attribute(KeyValue::new("stock.role", origin.role))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_span_limits(SpanLimits::default())
        .with_resource(resource)
        .build())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written when a value that somebody made up is logged in each way there is.
    fn logged(format: LogFormat, planted: &str) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = lines(format, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            let cause = std::io::Error::other(planted.to_owned());
            tracing::warn!(user.agent = planted, path = %planted, cause = ?cause, "seen");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_planted_line_break_or_escape_begins_no_line_of_its_own() {
        let planted = "x\r\n{\"level\":\"INFO\",\"message\":\"all is well\"}\n\u{1b}[2K\u{1b}[1A";
        let text = logged(LogFormat::Json, planted);
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "seen");
        assert_eq!(line["path"], planted);
    }
}
