//! Log lines and traces. Lines have one form for people and one for machines, with the same field names in
//! both (`projection.name`, `duration_ms`). Traces go to a collector where one is named; one that is away or
//! slow costs its spans and nothing else, because they are handed to a thread through a bounded queue.

use std::fmt::Write as _;
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
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
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

/// Lines of one of the two forms. In neither can a value begin a line of its own or move a terminal's cursor.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer();
    match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_writer(Escaping(writer))
            .boxed(),
        LogFormat::Text => lines
            .with_writer(writer)
            .with_ansi(std::io::stderr().is_terminal())
            .fmt_fields(debug_fn(shown_field).delimited(" "))
            .boxed(),
    }
}

/// A field of a line for people: the message as it is, everything else behind its name.
fn shown_field(writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(OneLine(writer), "{value:?}")
}

/// Characters that would end a line, move the cursor or turn the direction of writing: what somebody made up
/// must not look like a line of ours.
fn is_unruly(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes what is unruly as escapes.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl std::fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            self.write_char(character)?;
        }
        Ok(())
    }

    fn write_char(&mut self, character: char) -> std::fmt::Result {
        if is_unruly(character) {
            write!(self.0, "{}", character.escape_default())
        } else {
            self.0.write_char(character)
        }
    }
}

/// Lines of JSON in which everything unruly is an escape: JSON asks that of the lowest characters only.
struct Escaping<W>(W);

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for Escaping<W> {
    type Writer = Escaping<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        Escaping(self.0.make_writer())
    }
}

impl<W: std::io::Write> std::io::Write for Escaping<W> {
    /// Takes a whole line, as the formatter hands it over.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let is_left =
            |character: char| is_unruly(character) && !character.is_ascii_control() || character == '\u{7f}';
        let Some(text) = std::str::from_utf8(line)
            .ok()
            .filter(|text| text.contains(is_left))
        else {
            return self.0.write(line);
        };
        let mut escaped = String::with_capacity(text.len() + 16);
        for character in text.chars() {
            if is_left(character) {
                // All of them have at most four digits. Writing to a string cannot fail.
                let outcome = write!(escaped, "\\u{:04x}", u32::from(character));
                debug_assert!(outcome.is_ok());
            } else {
                escaped.push(character);
            }
        }
        self.0.write_all(escaped.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
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

    const PLANTED: &str = "x\r\n{\"level\":\"INFO\",\"message\":\"all is well\"}\n\u{1b}[2K\u{1b}[1A\
                           \u{7f}\u{85}\u{9b}2K\u{2028}\u{202e}";

    #[test]
    fn a_planted_line_break_or_escape_begins_no_line_of_its_own() {
        let text = logged(LogFormat::Json, PLANTED);
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.trim_end_matches('\n').contains(is_unruly), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "seen");
        assert_eq!(line["path"], PLANTED);
    }

    #[test]
    fn in_the_form_for_people_it_begins_none_either_and_stays_readable() {
        let text = logged(LogFormat::Text, PLANTED);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(is_unruly), "{text:?}");
        assert!(line.contains(r"path=x\r\n{"), "{line}");
        assert!(line.contains(r"\u{1b}[2K"), "{line}");
        let plain = logged(LogFormat::Text, "/api/v1/товары");
        assert!(
            plain.contains("seen user.agent=\"/api/v1/товары\" path=/api/v1/товары cause="),
            "{plain}"
        );
    }
}
