//! The project's own numbers for Prometheus, made once and under fixed names. No label carries a tenant:
//! their number is unbounded, and who asks about one tenant looks into logs or read models. Labels that a
//! client or a vendor has a say in are cut down by [`labels`].

pub mod labels;
mod readers;
mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};

/// Buckets that the semantic conventions give for `http.server.request.duration`, in seconds.
const HTTP_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// A sync takes between one second and its hard limit, ten minutes.
const SYNC_BUCKETS: [f64; 9] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0];

/// Why the metrics could not be set up or shown.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The exporter could not be registered.
    #[error("could not set up the metrics")]
    SetUp(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The numbers could not be written as text.
    #[error("could not write the metrics as text")]
    Encode(#[source] prometheus::Error),
}

/// The numbers of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// Kept because the instruments go quiet when it is dropped.
    _provider: SdkMeterProvider,
    projection_lag_events: Gauge<u64>,
    projection_lag_seconds: Gauge<f64>,
    relay_position: Gauge<u64>,
    readers: readers::Readers,
    webhooks: webhooks::Webhooks,
    marketplace_requests: Counter<u64>,
    marketplace_hosts: labels::Hosts,
    sync_duration: Histogram<f64>,
    sync_sources: Counter<u64>,
    sheet_writes: Counter<u64>,
    sheet_write_cells: Counter<u64>,
    sheet_calls: Counter<u64>,
    sheet_failures: Counter<u64>,
    sheet_written_at: Arc<Mutex<Option<Instant>>>,
    append_batch_size: Histogram<u64>,
    dlq_messages: Gauge<u64>,
    cabinets_paused: Gauge<u64>,
    billing_events: Gauge<u64>,
    billing_oldest_seconds: Gauge<f64>,
    billing_differences: Counter<u64>,
    http_limits: Counter<u64>,
    http_request_duration: Histogram<f64>,
}

/// One answered HTTP request, as the semantic conventions describe it (`http.server.request.duration`).
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// `http.request.method`; what no route has is counted as `_OTHER`.
    pub method: &'a str,
    /// `http.route`: the pattern, such as `/api/v1/products/{id}`, never the path with ids.
    pub route: &'a str,
    /// `http.response.status_code`.
    pub status: u16,
    /// From the head of the request to the end of the answer.
    pub duration: Duration,
}

impl Metrics {
    /// Sets up a registry of its own, so that tests in one process do not share numbers.
    ///
    /// # Errors
    /// [`MetricsError::SetUp`].
    pub fn new(service_name: &'static str) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(MetricsError::SetUp)?;
        let resource = Resource::builder_empty().with_service_name(service_name).build();
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(exporter)
            .build();
        let meter = provider.meter("stock-tracker");
        let sheet_written_at = age_of_last_write(&meter);
        let inner = Inner {
            projection_lag_events: meter
                .u64_gauge("stock.projection.lag.events")
                .with_description("Events that a projection has not applied yet")
                .build(),
            projection_lag_seconds: meter
                .f64_gauge("stock.projection.lag.seconds")
                .with_description("Age of the oldest event that a projection has not applied yet")
                .build(),
            readers: readers::Readers::new(&meter),
            webhooks: webhooks::Webhooks::new(&meter),
            relay_position: meter
                .u64_gauge("stock.relay.position")
                .with_description("Position of the last event that the broker has acknowledged")
                .build(),
            marketplace_requests: meter
                .u64_counter("stock.marketplace.requests")
                .with_description("Requests to marketplaces by host, endpoint and status")
                .build(),
            marketplace_hosts: labels::Hosts::default(),
            sync_duration: meter
                .f64_histogram("stock.sync.duration.seconds")
                .with_description("Duration of a sync from its start to its outcome")
                .with_boundaries(SYNC_BUCKETS.to_vec())
                .build(),
            sync_sources: meter
                .u64_counter("stock.sync.sources")
                .with_description("Sources of ended syncs by outcome; degraded: worked before, keeps failing")
                .build(),
            sheet_writes: meter
                .u64_counter("stock.sheet.writes")
                .with_description("Batches written to spreadsheets")
                .build(),
            sheet_calls: meter
                .u64_counter("stock.sheet.calls")
                .with_description("Requests to Google by endpoint and status")
                .build(),
            sheet_failures: meter
                .u64_counter("stock.sheet.failures")
                .with_description("Sheets that were not written, by class of the failure")
                .build(),
            sheet_written_at,
            sheet_write_cells: meter
                .u64_counter("stock.sheet.write.cells")
                .with_description("Cells written to spreadsheets")
                .build(),
            append_batch_size: meter
                .u64_histogram("stock.append.batch.size")
                .with_description("Commands that one batch of appends carried")
                .with_boundaries(BATCH_BUCKETS.to_vec())
                .build(),
            dlq_messages: meter
                .u64_gauge("stock.dlq.messages")
                .with_description("Messages in the dead-letter stream")
                .build(),
            cabinets_paused: meter
                .u64_gauge("stock.cabinets.paused")
                .with_description("Cabinets whose syncs rest, by reason; every worker tells the same")
                .build(),
            billing_events: meter
                .u64_gauge("stock.billing.events")
                .with_description("Stripe's events that wait (pending) or cannot be used (failed)")
                .build(),
            billing_oldest_seconds: meter
                .f64_gauge("stock.billing.oldest.seconds")
                .with_description("Age of the oldest of Stripe's events that wait; 0 without one")
                .build(),
            billing_differences: meter
                .u64_counter("stock.billing.differences")
                .with_description("Contracts that stood otherwise than at Stripe when they were compared")
                .build(),
            http_limits: meter
                .u64_counter("stock.http.limits")
                .with_description("Decisions about limits of requests, by who is limited and outcome")
                .build(),
            http_request_duration: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("Duration of HTTP server requests")
                .with_boundaries(HTTP_BUCKETS.to_vec())
                .build(),
            registry,
            _provider: provider,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// How far a projection is behind the store: events not applied yet, and the age of the oldest of them.
    pub fn projection_lag(&self, projection: &str, events: u64, age: Duration) {
        let labels = [KeyValue::new("projection", projection.to_owned())];
        self.inner.projection_lag_events.record(events, &labels);
        self.inner
            .projection_lag_seconds
            .record(age.as_secs_f64(), &labels);
    }

    /// The relay's position: the last event that the broker has acknowledged.
    pub fn relay_position(&self, position: u64) {
        self.inner.relay_position.record(position, &[]);
    }

    /// Length of the log, and how far the relay is behind it.
    pub fn relay_lag(&self, head: u64, events: u64, age: Duration) {
        self.inner.readers.log_head.record(head, &[]);
        self.inner.readers.relay_lag_events.record(events, &[]);
        self.inner
            .readers
            .relay_lag_seconds
            .record(age.as_secs_f64(), &[]);
    }

    /// How far a policy is behind the log: events that it has to take up, and the age of the oldest of them.
    pub fn policy_lag(&self, policy: &str, events: u64, age: Duration) {
        let labels = [KeyValue::new("policy", policy.to_owned())];
        self.inner.readers.policy_lag_events.record(events, &labels);
        self.inner
            .readers
            .policy_lag_seconds
            .record(age.as_secs_f64(), &labels);
    }

    /// Streams that a projection has parked.
    pub fn parked_streams(&self, projection: &'static str, streams: u64) {
        let labels = [KeyValue::new("projection", projection)];
        self.inner.readers.parked_streams.record(streams, &labels);
    }

    /// Jobs of a queue that wait and that are being worked on, and the age of the oldest of both.
    pub fn queue(&self, queue: &'static str, waiting: u64, running: u64, oldest: Duration) {
        for (state, jobs) in [("waiting", waiting), ("running", running)] {
            let labels = [KeyValue::new("queue", queue), KeyValue::new("state", state)];
            self.inner.readers.queue_jobs.record(jobs, &labels);
        }
        let labels = [KeyValue::new("queue", queue)];
        self.inner
            .readers
            .queue_oldest_seconds
            .record(oldest.as_secs_f64(), &labels);
    }

    /// Changes of alerts that were written, by the type of their event; none makes the series begin.
    pub fn alerts_raised(&self, kind: &'static str, number: u64) {
        let labels = [KeyValue::new("kind", kind)];
        self.inner.readers.alerts_raised.add(number, &labels);
    }

    /// What became of notices.
    pub fn notices(&self, outcome: &'static str, kind: &'static str, channel: &'static str, number: u64) {
        let labels = [
            KeyValue::new("outcome", outcome),
            KeyValue::new("kind", kind),
            KeyValue::new("channel", channel),
        ];
        self.inner.readers.notices_ended.add(number, &labels);
    }

    /// Notices that wait by a channel, and how long the oldest of those that are due has been due.
    pub fn waiting_notices(&self, channel: &'static str, waiting: u64, oldest: Duration) {
        let labels = [KeyValue::new("channel", channel)];
        self.inner.readers.notices_waiting.record(waiting, &labels);
        self.inner
            .readers
            .notices_oldest_seconds
            .record(oldest.as_secs_f64(), &labels);
    }

    /// One request to a marketplace and the HTTP status, `None` where no answer came.
    pub fn marketplace_request(&self, host: &str, endpoint: &'static str, status: Option<u16>) {
        let labels = [
            KeyValue::new("host", self.inner.marketplace_hosts.label(host)),
            KeyValue::new("endpoint", endpoint),
            KeyValue::new("status", labels::status(status)),
        ];
        self.inner.marketplace_requests.add(1, &labels);
    }

    /// One sync that has come to its outcome (`completed`, `failed`, `quarantined`).
    pub fn sync_ended(&self, marketplace: &str, outcome: &str, duration: Duration) {
        let labels = [("marketplace", marketplace), ("outcome", outcome)];
        let labels = labels.map(|(key, value)| KeyValue::new(key, value.to_owned()));
        self.inner.sync_duration.record(duration.as_secs_f64(), &labels);
    }

    /// One source of an ended sync (`complete`, `partial`, `failed`, `cached`, `degraded`).
    pub fn source_ended(&self, marketplace: &str, source: &str, outcome: &str) {
        let labels = [
            ("marketplace", marketplace),
            ("source", source),
            ("outcome", outcome),
        ];
        let labels = labels.map(|(key, value)| KeyValue::new(key, value.to_owned()));
        self.inner.sync_sources.add(1, &labels);
    }

    /// A batch that is in a spreadsheet, with the cells it wrote.
    pub fn sheet_written(&self, cells: u64) {
        self.inner.sheet_writes.add(1, &[]);
        self.inner.sheet_write_cells.add(cells, &[]);
        let mut at = self
            .inner
            .sheet_written_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *at = Some(Instant::now());
    }

    /// One request to Google and the HTTP status, `None` where no answer came.
    pub fn sheet_call(&self, endpoint: &'static str, status: Option<u16>) {
        let labels = [
            KeyValue::new("endpoint", endpoint),
            KeyValue::new("status", labels::status(status)),
        ];
        self.inner.sheet_calls.add(1, &labels);
    }

    /// A sheet that was not written.
    pub fn sheet_failed(&self, class: &'static str) {
        let labels = [KeyValue::new("class", class)];
        self.inner.sheet_failures.add(1, &labels);
    }

    /// Commands that one batch of appends carried.
    pub fn append_batch(&self, commands: u64) {
        self.inner.append_batch_size.record(commands, &[]);
    }

    /// Messages that wait in the dead-letter stream.
    pub fn dead_letters(&self, messages: u64) {
        self.inner.dlq_messages.record(messages, &[]);
    }

    /// Cabinets whose syncs rest for one reason (`key_refused`, `payment`, `person`).
    pub fn cabinets_paused(&self, reason: &'static str, cabinets: u64) {
        let labels = [KeyValue::new("reason", reason)];
        self.inner.cabinets_paused.record(cabinets, &labels);
    }

    /// What is in the inbox of Stripe's events, with the age of the oldest that waits.
    pub fn billing_inbox(&self, pending: u64, failed: u64, oldest: Duration) {
        for (state, events) in [("pending", pending), ("failed", failed)] {
            let labels = [KeyValue::new("state", state)];
            self.inner.billing_events.record(events, &labels);
        }
        self.inner
            .billing_oldest_seconds
            .record(oldest.as_secs_f64(), &[]);
    }

    /// Contracts that stood otherwise than at Stripe.
    pub fn billing_differences(&self, contracts: u64) {
        self.inner.billing_differences.add(contracts, &[]);
    }

    /// One decision about a limit of requests: `admitted` or `refused`, with `_alone` where this process
    /// counted for itself because the shared counts were away.
    pub fn http_limit(&self, kind: &'static str, outcome: &'static str) {
        let labels = [KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)];
        self.inner.http_limits.add(1, &labels);
    }

    /// One answered HTTP request.
    pub fn http_request(&self, request: HttpRequest<'_>) {
        let labels = [
            KeyValue::new("http.request.method", labels::method(request.method)),
            KeyValue::new("http.route", request.route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(request.status)),
        ];
        self.inner
            .http_request_duration
            .record(request.duration.as_secs_f64(), &labels);
    }

    /// All numbers in Prometheus' text format, version 0.0.4.
    ///
    /// # Errors
    /// [`MetricsError::Encode`].
    pub fn render(&self) -> Result<Vec<u8>, MetricsError> {
        let mut page = Vec::new();
        TextEncoder::new()
            .encode(&self.inner.registry.gather(), &mut page)
            .map_err(MetricsError::Encode)?;
        Ok(page)
    }
}

/// Registers the age of the last write to any sheet, taken when the page is read; absent until there was
/// one.
fn age_of_last_write(meter: &Meter) -> Arc<Mutex<Option<Instant>>> {
    let written_at: Arc<Mutex<Option<Instant>>> = Arc::default();
    let looked_at = Arc::clone(&written_at);
    meter
        .f64_observable_gauge("stock.sheet.last.write.seconds")
        .with_description("Time since this process last wrote to any spreadsheet")
        .with_callback(move |gauge| {
            let at = looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = *at {
                gauge.observe(at.elapsed().as_secs_f64(), &[]);
            }
        })
        .build();
    written_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_on_the_page_under_its_name_with_its_labels() {
        let metrics = Metrics::new("test").unwrap();
        metrics.projection_lag("inventory", 12, Duration::from_millis(1500));
        metrics.relay_position(77);
        metrics.relay_lag(80, 3, Duration::from_secs(2));
        metrics.policy_lag("syncs", 4, Duration::from_secs(5));
        metrics.parked_streams("inventory", 1);
        metrics.queue("sync", 6, 2, Duration::from_secs(9));
        metrics.alerts_raised("stock_out", 1);
        metrics.marketplace_request("content-api", "cards", Some(429));
        metrics.sync_ended("wildberries", "completed", Duration::from_secs(3));
        metrics.source_ended("wildberries", "orders", "degraded");
        let before = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(!before.contains("stock_sheet_last_write_seconds"), "{before}");
        metrics.sheet_written(5);
        metrics.sheet_call("POST /v4/spreadsheets/{id}:batchUpdate", Some(200));
        metrics.sheet_failed("not_shared");
        metrics.append_batch(40);
        metrics.dead_letters(2);
        metrics.cabinets_paused("payment", 3);
        metrics.billing_inbox(4, 1, Duration::from_secs(9));
        metrics.billing_differences(2);
        let duration = Duration::from_millis(20);
        metrics.http_request(HttpRequest {
            method: "GET",
            route: "/api/v1/products",
            status: 200,
            duration,
        });
        let page = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            "stock_projection_lag_events{projection=\"inventory\"} 12",
            "stock_projection_lag_seconds{projection=\"inventory\"} 1.5",
            "stock_relay_position 77",
            "stock_log_head 80",
            "stock_relay_lag_events 3",
            "stock_relay_lag_seconds 2",
            "stock_policy_lag_events{policy=\"syncs\"} 4",
            "stock_policy_lag_seconds{policy=\"syncs\"} 5",
            "stock_projection_parked_streams{projection=\"inventory\"} 1",
            "stock_queue_jobs{queue=\"sync\",state=\"waiting\"} 6",
            "stock_queue_jobs{queue=\"sync\",state=\"running\"} 2",
            "stock_queue_oldest_job_seconds{queue=\"sync\"} 9",
            "stock_marketplace_requests_total{endpoint=\"cards\",host=\"content-api\",status=\"429\"} 1",
            "stock_sync_duration_seconds_sum{marketplace=\"wildberries\",outcome=\"completed\"} 3",
            "stock_sync_sources_total{marketplace=\"wildberries\",outcome=\"degraded\",source=\"orders\"} 1",
            "stock_sheet_writes_total 1",
            "stock_sheet_write_cells_total 5",
            "stock_sheet_calls_total{endpoint=\"POST /v4/spreadsheets/{id}:batchUpdate\",status=\"200\"} 1",
            "stock_sheet_failures_total{class=\"not_shared\"} 1",
            "\nstock_sheet_last_write_seconds 0.",
            "stock_append_batch_size_sum 40",
            "stock_dlq_messages 2",
            "stock_cabinets_paused{reason=\"payment\"} 3",
            "stock_billing_events{state=\"pending\"} 4",
            "stock_billing_events{state=\"failed\"} 1",
            "stock_billing_oldest_seconds 9",
            "stock_billing_differences_total 2",
            "http_route=\"/api/v1/products\",le=\"0.025\"} 1",
            "http_server_request_duration_seconds_count{",
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
        assert!(!page.contains("otel_scope"), "{page}");
    }
    #[test]
    fn values_that_others_invent_do_not_become_series() {
        let metrics = Metrics::new("test").unwrap();
        for number in 0..3_000_u16 {
            metrics.marketplace_request(&format!("host-{number}"), "cards", Some(200 + number % 800));
            metrics.http_request(HttpRequest {
                method: &format!("WORD{number}"),
                route: "unmatched",
                status: 405,
                duration: Duration::ZERO,
            });
        }
        metrics.marketplace_request("host-0", "prices", None);
        let page = String::from_utf8(metrics.render().unwrap()).unwrap();
        let series = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(series("http_server_request_duration_seconds_count"), 1, "{page}");
        let statuses = (100..1_000).map(|status| labels::status(Some(status)));
        assert!(statuses.collect::<std::collections::BTreeSet<_>>().len() < 100);
        assert!(!page.contains("otel_metric_overflow"), "{page}");
        assert!(
            page.contains("endpoint=\"prices\",host=\"host-0\",status=\"none\""),
            "{page}"
        );
        assert!(page.contains("http_request_method=\"_OTHER\""), "{page}");
    }
}
