//! The HTTP API over a real socket, a real PostgreSQL and a simulated Google. Projections are applied by the
//! tests themselves, so that a test can look at a read model that is behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test that cannot set up its world cannot go on, and its requests are made on the spot"
)]

mod accounts;
mod administration;
mod alert_rules;
mod alerts;
mod analytics;
mod api_keys;
mod attempts;
mod authentication;
mod billing;
mod broken;
mod cabinets;
mod conventions;
mod edge;
mod erasure;
mod events;
mod exclusions;
mod fields;
mod idempotency;
mod inputs;
mod isolation;
mod log;
mod members;
mod notifications;
mod outage;
mod people;
mod permissions;
mod plan_limits;
mod plans;
mod products;
mod sheet_layout;
mod sheet_made;
mod sheets;
mod slow;
mod syncs;
mod tenants;
mod webhook;
mod webhook_endpoints;
mod world;
