//! Numbers of outgoing webhooks. No label names a receiver: customers choose them.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};

use super::Metrics;

/// The instruments.
#[derive(Debug)]
pub(super) struct Webhooks {
    deliveries: Counter<u64>,
    messages: Gauge<u64>,
    oldest_seconds: Gauge<f64>,
}

impl Webhooks {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            deliveries: meter
                .u64_counter("stock.webhook.deliveries")
                .with_description("Attempts to deliver outgoing webhooks, by outcome")
                .build(),
            messages: meter
                .u64_gauge("stock.webhook.messages")
                .with_description("Outgoing webhooks that wait or are paused; every notifier tells the same")
                .build(),
            oldest_seconds: meter
                .f64_gauge("stock.webhook.oldest.seconds")
                .with_description("Age of the oldest outgoing webhook that waits; 0 without one")
                .build(),
        }
    }
}

impl Metrics {
    /// One attempt to deliver an outgoing webhook, with its outcome in one word (`delivered`, `gone`,
    /// `timeout`, …).
    pub fn webhook_attempt(&self, outcome: &'static str) {
        let labels = [KeyValue::new("outcome", outcome)];
        self.inner.webhooks.deliveries.add(1, &labels);
    }

    /// Outgoing webhooks that wait to be sent and that are paused, and the age of the oldest that waits.
    pub fn webhook_backlog(&self, waiting: u64, paused: u64, oldest: Duration) {
        for (state, messages) in [("waiting", waiting), ("paused", paused)] {
            let labels = [KeyValue::new("state", state)];
            self.inner.webhooks.messages.record(messages, &labels);
        }
        self.inner
            .webhooks
            .oldest_seconds
            .record(oldest.as_secs_f64(), &[]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::Metrics;

    #[test]
    fn every_number_of_webhooks_is_on_the_page() {
        let metrics = Metrics::new("test").unwrap();
        metrics.webhook_attempt("timeout");
        metrics.webhook_backlog(5, 2, Duration::from_millis(1500));
        let page = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            "stock_webhook_deliveries_total{outcome=\"timeout\"} 1",
            "stock_webhook_messages{state=\"waiting\"} 5",
            "stock_webhook_messages{state=\"paused\"} 2",
            "stock_webhook_oldest_seconds 1.5",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in {page}");
        }
    }
}
