//! Process plumbing: settings, telemetry, lifecycle, clock and ids, so that every role starts, tells about
//! itself and ends in the same way.
//!
//! What is *not* here: anything about the business. No other crate of the workspace is known to this one, and
//! no other one reads the environment, the clock or the operating system's randomness for ids.

pub mod clock;
pub mod config;
pub mod health;
pub mod ids;
pub mod lifecycle;
pub mod metrics;
pub mod metrics_server;
pub mod telemetry;
pub mod trace;

pub use clock::Clock;
pub use config::{ConfigError, Settings};
pub use health::Health;
pub use ids::Ids;
pub use lifecycle::{Lifecycle, Outcome};
pub use metrics::Metrics;
