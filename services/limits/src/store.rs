//! Where counts are shared: a guarded write that loses nothing. A trait, so that tests can put a faulty or a
//! slow place in.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use messaging::{Bucket, BucketError};

/// The shared counts cannot be used at the moment.
#[derive(Debug, thiserror::Error)]
#[error("the shared counts cannot be used at the moment")]
pub struct StoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a look or a write gives, in time.
pub type Shared<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place that several replicas share.
pub trait Store: Send + Sync {
    /// A key's value and the revision that a write has to name; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> Shared<'a, Option<(Bytes, u64)>>;

    /// Writes only if the key is at that revision, absent for `None`. The new revision, or `None` when
    /// somebody else was faster.
    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Shared<'a, Option<u64>>;
}

impl Store for Bucket {
    fn get<'a>(&'a self, key: &'a str) -> Shared<'a, Option<(Bytes, u64)>> {
        Box::pin(async move {
            let found = self.get(key).await.map_err(failed)?;
            Ok(found.map(|found| (found.value, found.revision)))
        })
    }

    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Shared<'a, Option<u64>> {
        Box::pin(async move { self.put_if(key, value, revision).await.map_err(failed) })
    }
}

fn failed(error: BucketError) -> StoreError {
    StoreError(Box::new(error))
}
