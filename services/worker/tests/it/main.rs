//! Syncs from the request to the events, on real servers and a simulated Wildberries: numbers equal the
//! marketplace's truth, a failure never becomes a zero, and nothing outstanding is ever forgotten.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end the test where they fail"
)]

mod billing;
mod doubts;
mod erasures;
mod failures;
mod guardian;
mod journeys;
mod maintenance;
mod outstanding;
mod ozon;
mod paused;
mod payloads;
mod plans;
mod rest;
mod schedule;
mod service_secret;
mod shared_limits;
mod unrecorded;
mod ways;
mod world;
