//! Replicas that share a budget: on a real broker, in a place that loses answers, and with none at all.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test where they fail")]

mod alone;
mod shared;
mod world;
