//! Everything that is known about the broker, so that no other crate has to know its traps: the declared
//! topology, the grammar of headers, consumers that come back by themselves, jobs with dead letters, buckets,
//! requests and hints. The broker is a courier and never the truth: whatever is lost here is found again in
//! the store.

pub mod broker;
pub mod bucket;
pub mod condition;
pub mod dead;
pub mod events_consumer;
pub mod forget;
pub mod headers;
pub mod hints;
pub mod rpc;
pub mod topology;
pub mod users;
pub mod work;

pub use broker::{Broker, BrokerError, BrokerOptions, BrokerTls, BrokerUser, Connection};
pub use bucket::{Bucket, BucketError, Cache};
pub use condition::ConditionError;
pub use dead::{DeadLetter, DeadLetters};
pub use events_consumer::{ConsumeError, EventsConsumer};
pub use hints::Hints;
pub use topology::TopologyError;
pub use work::{Enqueued, Job, JobConsumer, Queue, QueueFigures, QueueState, WorkError, WorkQueue};

/// The broker's client, for callers that need its types.
pub use async_nats;
