//! Levels of token buckets in the broker: the place that [`connectors::bucket`] asks for, over a bucket
//! declared in `nats/streams.toml`. Any vendor's limits can be kept this way: declare a bucket on disk that
//! lives longer than the slowest limit needs to fill, give the role its rights in `nats/users.toml`, and
//! make `Buckets::shared(Arc::new(LevelPlaces::new(bucket)), now)` of it once per process.

use bytes::Bytes;
use connectors::bucket::{PlaceError, Placed, Places};
use messaging::{Bucket, BucketError};

/// A bucket of the broker as such a place.
#[derive(Debug)]
pub struct LevelPlaces(Bucket);

impl LevelPlaces {
    /// Over a bucket.
    #[must_use]
    pub const fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }
}

impl Places for LevelPlaces {
    fn get<'a>(&'a self, key: &'a str) -> Placed<'a, Option<(Bytes, u64)>> {
        Box::pin(async move {
            let found = self.0.get(key).await.map_err(failed)?;
            Ok(found.map(|found| (found.value, found.revision)))
        })
    }

    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Placed<'a, Option<u64>> {
        Box::pin(async move { self.0.put_if(key, value, revision).await.map_err(failed) })
    }
}

fn failed(error: BucketError) -> PlaceError {
    PlaceError(Box::new(error))
}
