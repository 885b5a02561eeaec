//! Figures of the log's readers and of the queues they fill: how far each is behind, and what waits.

use opentelemetry::metrics::{Counter, Gauge, Meter};

#[derive(Debug)]
pub(super) struct Readers {
    pub(super) relay_lag_events: Gauge<u64>,
    pub(super) relay_lag_seconds: Gauge<f64>,
    pub(super) log_head: Gauge<u64>,
    pub(super) policy_lag_events: Gauge<u64>,
    pub(super) policy_lag_seconds: Gauge<f64>,
    pub(super) parked_streams: Gauge<u64>,
    pub(super) queue_jobs: Gauge<u64>,
    pub(super) queue_oldest_seconds: Gauge<f64>,
    pub(super) alerts_raised: Counter<u64>,
    pub(super) notices_ended: Counter<u64>,
    pub(super) notices_waiting: Gauge<u64>,
    pub(super) notices_oldest_seconds: Gauge<f64>,
}

impl Readers {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            relay_lag_events: meter
                .u64_gauge("stock.relay.lag.events")
                .with_description("Events that are not in the broker yet")
                .build(),
            relay_lag_seconds: meter
                .f64_gauge("stock.relay.lag.seconds")
                .with_description("Age of the oldest event that is not in the broker yet")
                .build(),
            log_head: meter
                .u64_gauge("stock.log.head")
                .with_description("Position of the last event of the log")
                .build(),
            policy_lag_events: meter
                .u64_gauge("stock.policy.lag.events")
                .with_description("Events that a policy has not taken up yet, counted up to 10,000")
                .build(),
            policy_lag_seconds: meter
                .f64_gauge("stock.policy.lag.seconds")
                .with_description("Age of the oldest event that a policy has not taken up yet")
                .build(),
            parked_streams: meter
                .u64_gauge("stock.projection.parked.streams")
                .with_description(
                    "Streams that a projection has parked, because an event of theirs cannot be applied",
                )
                .build(),
            queue_jobs: meter
                .u64_gauge("stock.queue.jobs")
                .with_description("Jobs of a queue, by state: waiting or running")
                .build(),
            queue_oldest_seconds: meter
                .f64_gauge("stock.queue.oldest.job.seconds")
                .with_description("Age of the oldest job of a queue, waiting or running; 0 for an empty one")
                .build(),
            alerts_raised: meter
                .u64_counter("stock.alerts.raised")
                .with_description("Changes of alerts that the policy has written, by kind of event")
                .build(),
            notices_ended: meter
                .u64_counter("stock.notices")
                .with_description(
                    "Notices by kind, channel and outcome: delivered, left out, refused, or repeated after an unknown end",
                )
                .build(),
            notices_waiting: meter
                .u64_gauge("stock.notices.waiting")
                .with_description("Notices that are not sent yet, whether due or not")
                .build(),
            notices_oldest_seconds: meter
                .f64_gauge("stock.notices.oldest.due.seconds")
                .with_description("How long the oldest notice that is due has been due; 0 where none is")
                .build(),
        }
    }
}
