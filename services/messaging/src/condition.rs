//! Whether the broker can do what it is there for. A server that is connected may be too old, run without
//! JetStream, or have no room left; none of that is seen on the link, and a publisher learns it one message
//! at a time.

use async_nats::jetstream::context::{AccountErrorKind, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};

use crate::Broker;

/// The oldest server that has everything that is used here: direct batches of `allow_direct` streams and
/// consumers that keep their place, both since 2.12.
pub const OLDEST: (u32, u32) = (2, 12);
/// Where the room is tried: in a bucket on disk whose values nobody misses, under a key that no answer has.
const PROBE: &str = "$KV.marketplace_cache.probe";
/// The server's codes for "no room": for the account, the server, its disk, its memory, the stream.
const FULL: [ErrorCode; 5] = [
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::MEMORY_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED,
];

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the broker cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// The server's version is below [`OLDEST`].
    #[error("nats-server {found} is too old, {}.{} is the oldest that will do", OLDEST.0, OLDEST.1)]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The server, or the account that is used on it, has no JetStream.
    #[error("nats-server runs without JetStream")]
    NoJetStream,
    /// A limit of JetStream or the disk is reached: nothing more is stored.
    #[error("JetStream is full")]
    Full(#[source] Cause),
    /// The bucket that is written to for a try does not exist.
    #[error("`KV_marketplace_cache` does not exist")]
    Missing,
    /// It did not answer, or refused for another reason.
    #[error("JetStream stores nothing at the moment")]
    Unavailable(#[source] Cause),
}

/// Refuses a server that is too old. Versions that are no numbers are those of developers and are taken.
///
/// # Errors
/// [`ConditionError::TooOld`].
pub fn new_enough(version: &str) -> Result<(), ConditionError> {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return Ok(());
    };
    if (major, minor) < OLDEST {
        let found = version.to_owned();
        return Err(ConditionError::TooOld { found });
    }
    Ok(())
}

/// Asks whether there is a JetStream. For the user `admin`, which alone may ask about the account.
///
/// # Errors
/// [`ConditionError::NoJetStream`], or [`ConditionError::Unavailable`] when the server does not answer.
pub async fn has_jetstream(broker: &Broker) -> Result<(), ConditionError> {
    let Err(error) = broker.jetstream().query_account().await else {
        return Ok(());
    };
    let without = match error.kind() {
        AccountErrorKind::JetStream(said) => matches!(
            said.error_code(),
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
        ),
        AccountErrorKind::JetStreamUnavailable => true,
        _ => false,
    };
    Err(if without {
        ConditionError::NoJetStream
    } else {
        ConditionError::Unavailable(Box::new(error))
    })
}

/// Writes a byte to JetStream's disk. For users that may use the bucket `marketplace_cache`.
///
/// # Errors
/// [`ConditionError::Full`], [`ConditionError::Missing`] or [`ConditionError::Unavailable`].
pub async fn takes_messages(broker: &Broker) -> Result<(), ConditionError> {
    let sent = broker.jetstream().publish(PROBE, "1".into()).await;
    let acknowledged = match sent {
        Ok(acknowledgement) => acknowledgement.await,
        Err(error) => Err(error),
    };
    match acknowledged {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => Err(ConditionError::Missing),
        Err(error) if is_full(&error) => Err(ConditionError::Full(Box::new(error))),
        Err(error) => Err(ConditionError::Unavailable(Box::new(error))),
    }
}

/// Whether there is a "no room" of JetStream's among the causes.
#[must_use]
pub fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(<dyn std::error::Error>::downcast_ref::<jetstream::Error>)
        .any(|said| FULL.contains(&said.error_code()))
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for taken in ["2.12.0", "2.15.1", "2.15.2-RC.1", "3.0.0", "devel", ""] {
            assert!(new_enough(taken).is_ok(), "{taken}");
        }
        for refused in ["2.9.25", "2.11.10", "1.4.1"] {
            assert!(new_enough(refused).is_err(), "{refused}");
        }
    }
}
