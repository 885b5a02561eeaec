//! Key-value buckets, every one declared in `nats/streams.toml`. What they hold is worth nothing tomorrow: a
//! caller that meets an error goes on as if the key were not there.

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::{Broker, TopologyError, topology};

/// A bucket could not be used this time.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The broker is away or refused.
    #[error("the bucket `{bucket}` cannot be used at the moment")]
    Unavailable {
        /// Its name.
        bucket: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bucket is not as declared and could not be made so.
    #[error("the bucket `{bucket}` is not as declared")]
    Topology {
        /// Its name.
        bucket: &'static str,
        /// What differs.
        #[source]
        source: TopologyError,
    },
}

/// A value and the revision that a guarded write has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The bytes.
    pub value: Bytes,
    /// Grows with every write to the bucket.
    pub revision: u64,
}

/// One bucket. Keys consist of letters, digits and `-/_=.`.
#[derive(Debug)]
pub struct Bucket {
    broker: Broker,
    name: &'static str,
    store: OnceCell<Store>,
}

impl Bucket {
    /// Conversation states of the bot; entries live for a day.
    #[must_use]
    pub fn dialogues(broker: &Broker) -> Self {
        Self::new(broker, "dialogues")
    }

    /// Background reports of marketplaces, asked for and not yet fetched; entries live for an hour.
    #[must_use]
    pub fn pending_reports(broker: &Broker) -> Self {
        Self::new(broker, "pending_reports")
    }

    /// Counters of the API limits; entries live for an hour.
    #[must_use]
    pub fn limits(broker: &Broker) -> Self {
        Self::new(broker, "limits")
    }

    /// Levels of the token buckets by which workers keep the marketplaces' limits; entries live for a day.
    #[must_use]
    pub fn marketplace_limits(broker: &Broker) -> Self {
        Self::new(broker, "marketplace_limits")
    }

    fn new(broker: &Broker, name: &'static str) -> Self {
        Self {
            broker: broker.clone(),
            name,
            store: OnceCell::new(),
        }
    }

    /// The newest value of a key.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away.
    pub async fn get(&self, key: &str) -> Result<Option<Value>, BucketError> {
        use async_nats::jetstream::kv::Operation;
        let entry = match self.store().await?.entry(key).await {
            Ok(entry) => entry,
            Err(error) => return Err(self.lost(error).await),
        };
        Ok(entry
            .filter(|entry| entry.operation == Operation::Put)
            .map(|entry| Value {
                value: entry.value,
                revision: entry.revision,
            }))
    }

    /// Writes a value, whatever is there.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, BucketError> {
        match self.store().await?.put(key, value.clone()).await {
            Ok(revision) => Ok(revision),
            // The bucket may have vanished with the broker's disk: declare it again, once.
            Err(error) => {
                tracing::debug!(%error, bucket = self.name, "write failed");
                self.declare().await?;
                self.store()
                    .await?
                    .put(key, value)
                    .await
                    .map_err(|error| self.unavailable(error))
            }
        }
    }

    /// Writes a value only if the key is at `revision`, or absent for `None`. `None` when it is not.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away.
    pub async fn put_if(
        &self,
        key: &str,
        value: Bytes,
        revision: Option<u64>,
    ) -> Result<Option<u64>, BucketError> {
        let store = self.store().await?;
        match revision {
            Some(revision) => match store.update(key, value, revision).await {
                Ok(revision) => Ok(Some(revision)),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
                Err(error) => Err(self.lost(error).await),
            },
            None => match store.create(key, value).await {
                Ok(revision) => Ok(Some(revision)),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
                Err(error) => Err(self.lost(error).await),
            },
        }
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.store()
            .await?
            .delete(key)
            .await
            .map_err(|error| self.unavailable(error))
    }

    async fn store(&self) -> Result<&Store, BucketError> {
        self.store
            .get_or_try_init(|| async {
                let store = match self.broker.jetstream().get_key_value(self.name).await {
                    Ok(store) => store,
                    Err(error) => {
                        tracing::debug!(%error, bucket = self.name, "bucket is declared again");
                        self.declare().await?;
                        let found = self.broker.jetstream().get_key_value(self.name).await;
                        found.map_err(|error| self.unavailable(error))?
                    }
                };
                Ok(store)
            })
            .await
    }

    async fn declare(&self) -> Result<(), BucketError> {
        let applied = topology::restore(&self.broker, &[&format!("KV_{}", self.name)]).await;
        applied.map(drop).map_err(|source| BucketError::Topology {
            bucket: self.name,
            source,
        })
    }

    /// A bucket in memory is gone after the broker's restart: it is declared again, and the next call finds
    /// it.
    async fn lost(&self, source: impl std::error::Error + Send + Sync + 'static) -> BucketError {
        match self.declare().await {
            Ok(()) => self.unavailable(source),
            Err(error) => error,
        }
    }

    fn unavailable(&self, source: impl std::error::Error + Send + Sync + 'static) -> BucketError {
        BucketError::Unavailable {
            bucket: self.name,
            source: Box::new(source),
        }
    }
}

/// Answers of the marketplaces, each kept for five minutes (bucket `marketplace_cache`).
#[derive(Debug)]
pub struct Cache {
    bucket: Bucket,
}

impl Cache {
    /// Over a link.
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            bucket: Bucket::new(broker, "marketplace_cache"),
        }
    }

    /// The answer kept under a key, if it is younger than five minutes.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away; ask the marketplace then.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BucketError> {
        Ok(self.bucket.get(key).await?.map(|found| found.value))
    }

    /// Keeps an answer. It must hold no buyer's data.
    ///
    /// # Errors
    /// [`BucketError`] when the broker is away; go on without.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<(), BucketError> {
        self.bucket.put(key, value).await.map(drop)
    }
}
