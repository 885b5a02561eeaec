//! What the broker keeps of a tenant goes when the tenant is erased: jobs that wait, jobs that were given up,
//! entries of buckets. Events stay: they are the log's copy and tell nobody's name.

use crate::{Broker, WorkError, topology};

/// Streams and the subjects in them that name a tenant (`{t}`) or one of its cabinets (`{c}`). What names
/// neither (limits, dialogues) knows no tenant and ends by itself within a day.
const OF_TENANT: [(&str, &str); 2] = [
    (topology::WORK, "work.*.{t}.>"),
    (topology::DEAD, "dead.work.*.{t}.>"),
];
const OF_CABINET: [(&str, &str); 2] = [
    ("KV_marketplace_cache", "$KV.marketplace_cache.{c}.>"),
    ("KV_pending_reports", "$KV.pending_reports.{c}.>"),
];

/// Removes all of it; returns how many messages went. Doing it again is harmless.
///
/// # Errors
/// [`WorkError::Unavailable`] when the broker is away; some of it may be gone then.
pub async fn tenant(broker: &Broker, tenant: &str, cabinets: &[String]) -> Result<u64, WorkError> {
    let mut gone = 0;
    for (stream, subjects) in OF_TENANT {
        gone += purge(broker, stream, &subjects.replace("{t}", tenant)).await?;
    }
    for cabinet in cabinets {
        for (stream, subjects) in OF_CABINET {
            gone += purge(broker, stream, &subjects.replace("{c}", cabinet)).await?;
        }
    }
    Ok(gone)
}

async fn purge(broker: &Broker, stream: &str, subjects: &str) -> Result<u64, WorkError> {
    let unavailable = |error: Box<dyn std::error::Error + Send + Sync>| WorkError::Unavailable(error);
    let found = broker.jetstream().get_stream_no_info(stream).await;
    let found = found.map_err(|error| unavailable(error.into()))?;
    match found.purge().filter(subjects).await {
        Ok(purged) => Ok(purged.purged),
        Err(error) if is_missing(&error.to_string()) => Ok(0),
        Err(error) => Err(unavailable(error.into())),
    }
}

/// A stream that is not there keeps nothing.
fn is_missing(error: &str) -> bool {
    error.contains("stream not found")
}
