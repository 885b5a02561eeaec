//! What must exist in JetStream, read from `nats/streams.toml`. Whatever is missing is created; whatever
//! differs is an error that names the field, because a stream changed by hand loses messages silently.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use serde::Deserialize;

use crate::Broker;

/// The stream with every event.
pub const EVENTS: &str = "EVENTS";
/// The stream with the jobs.
pub const WORK: &str = "WORK";
/// The stream with the jobs that were given up.
pub const DEAD: &str = "DEAD";

const DECLARED: &str = include_str!("../../../nats/streams.toml");

/// JetStream is not as declared, or could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The declaration itself is broken.
    #[error("nats/streams.toml cannot be read")]
    Declaration(#[source] toml::de::Error),
    /// Something that is declared is not there.
    #[error("`{name}` does not exist")]
    Missing {
        /// Stream or `stream/consumer`.
        name: String,
    },
    /// Something is there, but different.
    #[error("`{name}` differs from its declaration in `{field}`: declared {declared}, found {found}")]
    Drift {
        /// Stream or `stream/consumer`.
        name: String,
        /// Which field.
        field: &'static str,
        /// Declared value.
        declared: String,
        /// Value found.
        found: String,
    },
    /// It is there, but no server that holds it is up.
    #[error("`{name}` exists, but no server that holds it answers")]
    Offline {
        /// Name of the stream.
        name: String,
    },
    /// The broker did not answer or refused.
    #[error("the broker could not be asked about `{name}`")]
    Broker {
        /// Stream or `stream/consumer`.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    stream: Vec<DeclaredStream>,
    consumer: Vec<DeclaredConsumer>,
    bucket: Vec<DeclaredBucket>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredStream {
    name: String,
    description: String,
    subjects: Vec<String>,
    retention: RetentionPolicy,
    storage: StorageType,
    discard: DiscardPolicy,
    discard_new_per_subject: bool,
    max_messages: i64,
    max_messages_per_subject: i64,
    max_bytes: i64,
    max_age_seconds: u64,
    max_message_bytes: i32,
    duplicate_window_seconds: u64,
    allow_direct: bool,
    deny_delete: bool,
    replicas: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclaredConsumer {
    pub(crate) stream: String,
    pub(crate) durable: String,
    pub(crate) filter: String,
    ack_wait_seconds: u64,
    max_ack_pending: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredBucket {
    name: String,
    description: String,
    storage: StorageType,
    ttl_seconds: u64,
}

/// What was done by [`apply`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// What had to be created: streams (buckets as `KV_<name>`) and `stream/consumer`.
    pub created: Vec<String>,
    /// Streams that are kept by another number of servers now.
    pub scaled: Vec<String>,
}

/// What happens to things that are not as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Missing ones are created, numbers of replicas are changed; for the tool.
    Apply,
    /// Missing ones are created; how many servers keep a stream is the tool's business.
    Restore,
    /// Nothing is changed.
    Verify,
}

/// Called with the number of things that are done, of how many, and the name of the next.
pub type Progress<'a> = &'a (dyn Fn(usize, usize, &str) + Sync);

/// Creates what is missing, brings every stream to the installation's number of replicas, then verifies
/// everything.
///
/// # Errors
/// [`TopologyError::Drift`] when something else differs; nothing else that exists is changed.
pub async fn apply(broker: &Broker) -> Result<Applied, TopologyError> {
    apply_with(broker, &|_, _, _| {}).await
}

/// As [`apply`], telling how far it is.
///
/// # Errors
/// As [`apply`].
pub async fn apply_with(broker: &Broker, progress: Progress<'_>) -> Result<Applied, TopologyError> {
    walk(broker, Mode::Apply, progress).await
}

/// Creates whatever is missing; for the one role that makes everything. Numbers of replicas stay as they are.
///
/// # Errors
/// As [`apply`].
pub async fn restore_all(broker: &Broker) -> Result<Applied, TopologyError> {
    walk(broker, Mode::Restore, &|_, _, _| {}).await
}

/// Verifies everything and creates nothing.
///
/// # Errors
/// [`TopologyError::Missing`] or [`TopologyError::Drift`] for the first difference.
pub async fn verify(broker: &Broker) -> Result<(), TopologyError> {
    walk(broker, Mode::Verify, &|_, _, _| {}).await.map(|_| ())
}

/// The declared configuration of one stream (a bucket under `KV_<name>`).
///
/// # Errors
/// [`TopologyError::Missing`] when no such stream is declared.
pub fn declared_stream(name: &str) -> Result<Config, TopologyError> {
    streams(&parse()?, None)
        .into_iter()
        .find(|stream| stream.name == name)
        .ok_or_else(|| TopologyError::Missing {
            name: name.to_owned(),
        })
}

/// Creates what is missing of some declared streams and their consumers, and looks at nothing else: for roles
/// that may not see the rest.
///
/// # Errors
/// As [`apply`].
pub async fn restore(broker: &Broker, wanted: &[&str]) -> Result<Applied, TopologyError> {
    let declared = parse()?;
    let mut applied = Applied::default();
    for config in streams(&declared, broker.replicas()) {
        if wanted.contains(&config.name.as_str()) {
            // Boxed: this is a rare end of many calls' ways, and would make each of them large.
            Box::pin(stream(broker.jetstream(), config, Mode::Restore, &mut applied)).await?;
        }
    }
    for declared in &declared.consumer {
        if wanted.contains(&declared.stream.as_str()) {
            Box::pin(consumer(
                broker.jetstream(),
                declared,
                Mode::Restore,
                &mut applied,
            ))
            .await?;
        }
    }
    Ok(applied)
}

/// The sequence of the last message of a stream; for users that may look at it.
///
/// # Errors
/// [`TopologyError::Broker`], also when there is no such stream.
pub async fn last_sequence(broker: &Broker, name: &str) -> Result<u64, TopologyError> {
    let found = broker.jetstream().get_stream(name).await;
    let found = found.map_err(|error| refused(name, error))?;
    Ok(found.cached_info().state.last_sequence)
}

/// What is declared, by name.
pub(crate) struct Names {
    /// Streams; buckets as `KV_<name>`.
    pub(crate) streams: Vec<String>,
    /// Consumers.
    pub(crate) consumers: Vec<DeclaredConsumer>,
}

/// The names of everything that is declared.
pub(crate) fn names() -> Result<Names, TopologyError> {
    let declared = parse()?;
    Ok(Names {
        streams: streams(&declared, None)
            .into_iter()
            .map(|stream| stream.name)
            .collect(),
        consumers: declared.consumer,
    })
}

async fn walk(broker: &Broker, mode: Mode, progress: Progress<'_>) -> Result<Applied, TopologyError> {
    let declared = parse()?;
    let streams = streams(&declared, broker.replicas());
    let all = streams.len() + declared.consumer.len();
    let mut applied = Applied::default();
    for (done, config) in streams.into_iter().enumerate() {
        progress(done, all, &config.name);
        Box::pin(stream(broker.jetstream(), config, mode, &mut applied)).await?;
    }
    for (done, declared) in (all - declared.consumer.len()..).zip(&declared.consumer) {
        progress(done, all, &format!("{}/{}", declared.stream, declared.durable));
        Box::pin(consumer(broker.jetstream(), declared, mode, &mut applied)).await?;
    }
    progress(all, all, "");
    Ok(applied)
}

fn parse() -> Result<Declared, TopologyError> {
    toml::from_str(DECLARED).map_err(TopologyError::Declaration)
}

fn streams(declared: &Declared, replicas: Option<usize>) -> Vec<Config> {
    let mut streams: Vec<Config> = declared
        .stream
        .iter()
        .map(stream_config)
        .chain(declared.bucket.iter().map(bucket_config))
        .collect();
    if let Some(replicas) = replicas {
        for stream in &mut streams {
            stream.num_replicas = replicas;
        }
    }
    streams
}

fn stream_config(declared: &DeclaredStream) -> Config {
    Config {
        name: declared.name.clone(),
        description: Some(declared.description.clone()),
        subjects: declared.subjects.clone(),
        retention: declared.retention,
        storage: declared.storage,
        discard: declared.discard,
        discard_new_per_subject: declared.discard_new_per_subject,
        max_messages: declared.max_messages,
        max_messages_per_subject: declared.max_messages_per_subject,
        max_bytes: declared.max_bytes,
        max_age: Duration::from_secs(declared.max_age_seconds),
        max_message_size: declared.max_message_bytes,
        duplicate_window: Duration::from_secs(declared.duplicate_window_seconds),
        allow_direct: declared.allow_direct,
        deny_delete: declared.deny_delete,
        num_replicas: declared.replicas,
        ..Config::default()
    }
}

/// A bucket is a stream of a certain shape; the client makes the same one (`kv_to_stream_config` in
/// async-nats).
fn bucket_config(declared: &DeclaredBucket) -> Config {
    let ttl = Duration::from_secs(declared.ttl_seconds);
    Config {
        name: format!("KV_{}", declared.name),
        description: Some(declared.description.clone()),
        subjects: vec![format!("$KV.{}.>", declared.name)],
        storage: declared.storage,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_messages_per_subject: 1,
        max_bytes: -1,
        max_age: ttl,
        max_message_size: -1,
        duplicate_window: ttl.min(Duration::from_secs(120)),
        allow_rollup: true,
        allow_direct: true,
        deny_delete: true,
        num_replicas: 1,
        ..Config::default()
    }
}

async fn stream(
    jetstream: &jetstream::Context,
    config: Config,
    mode: Mode,
    applied: &mut Applied,
) -> Result<(), TopologyError> {
    let name = config.name.clone();
    match jetstream.get_stream(&name).await {
        Ok(found) => return as_declared(jetstream, config, &found.cached_info().config, mode, applied).await,
        Err(error) if is_without_holder(&error.kind()) => return Err(TopologyError::Offline { name }),
        Err(error) if !is_missing_stream(&error.kind()) => {
            return Err(offline_or(jetstream, &config, refused(&name, error)).await);
        }
        Err(_) => {}
    }
    // In a cluster a stream whose only holder is down may be answered for as if there was none, and a
    // second one of its name would be empty.
    if is_listed(jetstream, &config).await {
        // Or another process made it between the two questions.
        return match jetstream.get_stream(&name).await {
            Ok(found) => as_declared(jetstream, config, &found.cached_info().config, mode, applied).await,
            Err(_) => Err(TopologyError::Offline { name }),
        };
    }
    if mode == Mode::Verify {
        return Err(TopologyError::Missing { name });
    }
    match jetstream.create_stream(config.clone()).await {
        Ok(_) => {
            tracing::info!(stream = %name, "stream created");
            applied.created.push(name);
            Ok(())
        }
        // Somebody else was faster; theirs has to be right, though.
        Err(error) if is_name_taken(&error.kind()) => {
            let found = jetstream
                .get_stream(&name)
                .await
                .map_err(|error| refused(&name, error))?;
            same_stream(&config, &found.cached_info().config)
        }
        Err(error) => Err(offline_or(jetstream, &config, refused(&name, error)).await),
    }
}

/// Compares what is there. How many servers keep it is changed by the tool and not looked at by roles.
async fn as_declared(
    jetstream: &jetstream::Context,
    declared: Config,
    found: &Config,
    mode: Mode,
    applied: &mut Applied,
) -> Result<(), TopologyError> {
    let mut expected = declared;
    let wanted = expected.num_replicas;
    if mode != Mode::Verify {
        expected.num_replicas = found.num_replicas;
    }
    same_stream(&expected, found)?;
    if mode != Mode::Apply || wanted == found.num_replicas {
        return Ok(());
    }
    let scaled = Config {
        num_replicas: wanted,
        ..found.clone()
    };
    let name = scaled.name.clone();
    let changed = jetstream.update_stream(scaled).await;
    changed.map_err(|error| refused(&name, error))?;
    tracing::info!(stream = %name, replicas = wanted, "number of replicas changed");
    applied.scaled.push(name);
    Ok(())
}

/// What a failure means: that the stream has no holder, where the cluster knows it by name.
async fn offline_or(
    jetstream: &jetstream::Context,
    config: &Config,
    failure: TopologyError,
) -> TopologyError {
    if is_listed(jetstream, config).await {
        return TopologyError::Offline {
            name: config.name.clone(),
        };
    }
    failure
}

/// Whether the cluster knows the stream by name. `false` where it cannot be asked.
async fn is_listed(jetstream: &jetstream::Context, config: &Config) -> bool {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        streams: Option<Vec<String>>,
    }
    // The subjects of two streams never overlap, so the answer is one name and needs no second page.
    let about = serde_json::json!({ "subject": config.subjects.first() });
    let listed = jetstream.request::<_, _, Listed>("STREAM.NAMES", &about).await;
    match listed {
        Ok(listed) => listed.streams.unwrap_or_default().contains(&config.name),
        Err(error) => {
            tracing::debug!(%error, stream = %config.name, "names of streams cannot be listed");
            false
        }
    }
}

fn is_without_holder(kind: &GetStreamErrorKind) -> bool {
    let codes = [ErrorCode::STREAM_OFFLINE, ErrorCode::STREAM_OFFLINE_REASON];
    matches!(kind, GetStreamErrorKind::JetStream(error) if codes.contains(&error.error_code()))
}

async fn consumer(
    jetstream: &jetstream::Context,
    declared: &DeclaredConsumer,
    mode: Mode,
    applied: &mut Applied,
) -> Result<(), TopologyError> {
    let name = format!("{}/{}", declared.stream, declared.durable);
    let stream = jetstream
        .get_stream_no_info(&declared.stream)
        .await
        .map_err(|error| refused(&name, error))?;
    let wanted = consumer_config(declared);
    match stream.consumer_info(&declared.durable).await {
        Ok(found) => return same_consumer(&name, &wanted, &found.config),
        Err(error) if error.kind() != async_nats::jetstream::context::ConsumerInfoErrorKind::NotFound => {
            return Err(refused(&name, error));
        }
        Err(_) if mode == Mode::Verify => return Err(TopologyError::Missing { name }),
        Err(_) => {}
    }
    let created = stream.create_consumer(wanted).await;
    match created {
        Ok(_) => {
            applied.created.push(name);
            Ok(())
        }
        Err(error) => Err(refused(&name, error)),
    }
}

fn consumer_config(declared: &DeclaredConsumer) -> consumer::pull::Config {
    consumer::pull::Config {
        durable_name: Some(declared.durable.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(declared.ack_wait_seconds),
        max_deliver: -1,
        filter_subject: declared.filter.clone(),
        max_ack_pending: declared.max_ack_pending,
        ..consumer::pull::Config::default()
    }
}

/// One field of two configurations, as text.
type Field = (&'static str, String, String);

fn field(name: &'static str, declared: &impl std::fmt::Debug, found: &impl std::fmt::Debug) -> Field {
    (name, format!("{declared:?}"), format!("{found:?}"))
}

fn first_difference(name: &str, fields: impl IntoIterator<Item = Field>) -> Result<(), TopologyError> {
    let different = fields.into_iter().find(|(_, declared, found)| declared != found);
    different.map_or(Ok(()), |(field, declared, found)| {
        Err(TopologyError::Drift {
            name: name.to_owned(),
            field,
            declared,
            found,
        })
    })
}

fn same_stream(declared: &Config, found: &Config) -> Result<(), TopologyError> {
    // Not compared: the first sequence, which the relay chooses when it rebuilds the stream.
    let fields = [
        field("subjects", &declared.subjects, &found.subjects),
        field("retention", &declared.retention, &found.retention),
        field("storage", &declared.storage, &found.storage),
        field("discard", &declared.discard, &found.discard),
        field(
            "discard_new_per_subject",
            &declared.discard_new_per_subject,
            &found.discard_new_per_subject,
        ),
        field("max_messages", &declared.max_messages, &found.max_messages),
        field(
            "max_messages_per_subject",
            &declared.max_messages_per_subject,
            &found.max_messages_per_subject,
        ),
        field("max_bytes", &declared.max_bytes, &found.max_bytes),
        field("max_age", &declared.max_age, &found.max_age),
        field(
            "max_message_bytes",
            &declared.max_message_size,
            &found.max_message_size,
        ),
        field(
            "duplicate_window",
            &declared.duplicate_window,
            &found.duplicate_window,
        ),
        field("allow_direct", &declared.allow_direct, &found.allow_direct),
        field("allow_rollup", &declared.allow_rollup, &found.allow_rollup),
        field("deny_delete", &declared.deny_delete, &found.deny_delete),
        field("deny_purge", &declared.deny_purge, &found.deny_purge),
        field("replicas", &declared.num_replicas, &found.num_replicas),
    ];
    first_difference(&declared.name, fields)
}

fn same_consumer(
    name: &str,
    declared: &consumer::pull::Config,
    found: &consumer::Config,
) -> Result<(), TopologyError> {
    let fields = [
        field("filter", &declared.filter_subject, &found.filter_subject),
        field("ack_policy", &declared.ack_policy, &found.ack_policy),
        field("ack_wait", &declared.ack_wait, &found.ack_wait),
        field("max_deliver", &declared.max_deliver, &found.max_deliver),
        field(
            "max_ack_pending",
            &declared.max_ack_pending,
            &found.max_ack_pending,
        ),
    ];
    first_difference(name, fields)
}

fn is_missing_stream(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_name_taken(kind: &CreateStreamErrorKind) -> bool {
    let CreateStreamErrorKind::JetStream(error) = kind else {
        return false;
    };
    error.error_code() == ErrorCode::STREAM_NAME_EXIST
}

fn refused(name: &str, source: impl std::error::Error + Send + Sync + 'static) -> TopologyError {
    TopologyError::Broker {
        name: name.to_owned(),
        source: Box::new(source),
    }
}
