//! Keeps what the marketplaces sent, for audits: compressed and sealed while it arrives, in parts, so that no
//! answer is ever held as a whole. What could be a buyer's was left out before it got here
//! ([`connectors::payload`]). An answer that cannot be kept (too large, the database too slow) is given up
//! and told in the log; no sync fails or waits for it.

use std::io::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::payload::{PayloadSink, PayloadWriter};
use database::{DatabaseError, Pool};
use events::ids::{CabinetId, SyncId, TenantId};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use runtime::Clock;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;
use vault::{PayloadKey, SealError, Vault, VaultError};

use crate::SyncJob;

/// Table of the parts; they are sealed for it.
pub const PARTS: &str = "sync_payload_parts";
/// Compressed bytes in one part.
const PART: usize = 64 * 1024;
/// Parts that may wait for the database: half a megabyte per source that is being read.
const WAITING: usize = 8;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct PayloadLimits {
    /// Days after which an answer goes.
    pub days: u32,
    /// Most sealed bytes of one cabinet; a single answer may have half of it.
    pub of_cabinet: u64,
    /// Most sealed bytes of all cabinets.
    pub of_all: u64,
}

/// Where raw answers go; cheap to clone.
#[derive(Clone)]
pub struct Payloads {
    /// Acts as the worker.
    pub pool: Pool,
    /// Holds the tenants' keys.
    pub vault: Vault,
    /// How much.
    pub limits: PayloadLimits,
    /// Now.
    pub clock: Clock,
}

/// Why an answer is not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the tables of raw answers cannot be used")]
    Database(#[from] DatabaseError),
    #[error("the tenant's key for raw answers cannot be used")]
    Key(#[from] VaultError),
    #[error("a part could not be sealed")]
    Seal(#[from] SealError),
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
}

impl From<tokio_postgres::Error> for KeepError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Destroys answers that are too old or too many.
///
/// # Errors
/// [`DatabaseError`].
pub async fn purge(pool: &Pool, limits: &PayloadLimits, now: DateTime<Utc>) -> Result<(), DatabaseError> {
    let before = now - TimeDelta::days(i64::from(limits.days));
    let bytes = |most: u64| i64::try_from(most).unwrap_or(i64::MAX);
    let session = pool.get().await?;
    let statement = session
        .prepare_cached("SELECT purged, purged_bytes, kept, kept_bytes FROM core.purge_payloads($1, $2, $3)")
        .await?;
    let (of_cabinet, of_all) = (bytes(limits.of_cabinet), bytes(limits.of_all));
    let row = session
        .query_one(&statement, &[&before, &of_cabinet, &of_all])
        .await?;
    tracing::info!(
        payloads.purged = row.try_get::<_, i64>(0)?,
        payloads.purged_bytes = row.try_get::<_, i64>(1)?,
        payloads.kept = row.try_get::<_, i64>(2)?,
        payloads.kept_bytes = row.try_get::<_, i64>(3)?,
        "old raw answers destroyed"
    );
    Ok(())
}

impl Payloads {
    /// Keeps the answers of one attempt.
    #[must_use]
    pub fn of(&self, job: &SyncJob, attempt: u32) -> Arc<dyn PayloadSink> {
        Arc::new(Attempt {
            payloads: self.clone(),
            tenant_id: job.tenant_id,
            cabinet_id: job.cabinet_id,
            sync_id: job.sync_id,
            attempt,
        })
    }
}

#[derive(Clone)]
struct Attempt {
    payloads: Payloads,
    tenant_id: TenantId,
    cabinet_id: CabinetId,
    sync_id: SyncId,
    attempt: u32,
}

impl PayloadSink for Attempt {
    fn open(&self, source: &'static str) -> Option<Box<dyn PayloadWriter>> {
        let (sender, receiver) = channel(WAITING);
        let keeping = Keeping {
            payload_id: Uuid::new_v5(
                &self.sync_id.uuid(),
                format!("{source}:{}", self.attempt).as_bytes(),
            ),
            attempt: self.clone(),
            source,
        };
        tokio::spawn(async move {
            if let Err(error) = keeping.keep(receiver).await {
                tracing::warn!(error = ?error, source, "a raw answer is not kept");
                keeping.forget().await;
            }
        });
        Some(Box::new(Writer {
            encoder: Some(DeflateEncoder::new(Vec::with_capacity(PART), Compression::fast())),
            sender,
            kept_bytes: 0,
        }))
    }
}

/// What the side that reads hands to the side that stores.
enum Message {
    Part(Vec<u8>),
    End {
        sha256: String,
        raw_bytes: u64,
        kept_bytes: u64,
    },
}

struct Writer {
    /// None once the answer was given up.
    encoder: Option<DeflateEncoder<Vec<u8>>>,
    sender: Sender<Message>,
    kept_bytes: u64,
}

impl Writer {
    fn send(&mut self, message: Message) {
        // A full queue is a database that is slower than the marketplace; the sync does not wait for it.
        if self.sender.try_send(message).is_err() {
            self.encoder = None;
        }
    }
}

impl PayloadWriter for Writer {
    fn write(&mut self, piece: &[u8]) {
        let Some(encoder) = &mut self.encoder else { return };
        if encoder.write_all(piece).is_err() {
            self.encoder = None;
            return;
        }
        self.kept_bytes += piece.len() as u64;
        if encoder.get_ref().len() >= PART {
            let part = std::mem::replace(encoder.get_mut(), Vec::with_capacity(PART));
            self.send(Message::Part(part));
        }
    }

    fn finish(mut self: Box<Self>, sha256: &str, raw_bytes: u64) {
        let Some(Ok(rest)) = self.encoder.take().map(DeflateEncoder::finish) else {
            return;
        };
        let end = Message::End {
            sha256: sha256.to_owned(),
            raw_bytes,
            kept_bytes: self.kept_bytes,
        };
        if self.sender.try_send(Message::Part(rest)).is_ok() {
            // Without its end the answer is forgotten, so nothing half is ever kept.
            drop(self.sender.try_send(end));
        }
    }
}

struct Keeping {
    attempt: Attempt,
    payload_id: Uuid,
    source: &'static str,
}

impl Keeping {
    async fn keep(&self, mut receiver: Receiver<Message>) -> Result<(), KeepError> {
        let (mut part, mut sealed_bytes) = (0, 0_u64);
        let mut key: Option<PayloadKey> = None;
        let most = self.attempt.payloads.limits.of_cabinet / 2;
        while let Some(message) = receiver.recv().await {
            match message {
                Message::Part(plain) => {
                    let key = match &key {
                        Some(key) => key,
                        None => key.insert(self.key().await?),
                    };
                    let sealed = key.seal(PARTS, self.payload_id, part, &plain)?;
                    sealed_bytes += sealed.len() as u64;
                    if sealed_bytes > most {
                        return Err(KeepError::TooLarge(most));
                    }
                    self.put(part, &sealed).await?;
                    part += 1;
                }
                Message::End {
                    sha256,
                    raw_bytes,
                    kept_bytes,
                } => {
                    let sizes = [raw_bytes, kept_bytes, sealed_bytes]
                        .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
                    return self.finish(&sha256, sizes, part).await;
                }
            }
        }
        // The source failed, or the answer was given up.
        self.forget().await;
        Ok(())
    }

    async fn key(&self) -> Result<PayloadKey, VaultError> {
        self.attempt
            .payloads
            .vault
            .payload_key(self.attempt.tenant_id)
            .await
    }

    async fn put(&self, part: i32, sealed: &[u8]) -> Result<(), KeepError> {
        let mut session = self.attempt.payloads.pool.tenant(self.attempt.tenant_id).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.sync_payload_parts (tenant_id, payload_id, part, sealed) \
                 VALUES ($1, $2, $3, $4)",
            )
            .await?;
        let tenant = self.attempt.tenant_id.uuid();
        transaction
            .execute(&insert, &[&tenant, &self.payload_id, &part, &sealed])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// An answer that is the very same as one that is kept is kept once, and seen again.
    async fn finish(&self, sha256: &str, sizes: [i64; 3], parts: i32) -> Result<(), KeepError> {
        let now = self.attempt.payloads.clock.now();
        let (tenant, cabinet) = (self.attempt.tenant_id.uuid(), self.attempt.cabinet_id.uuid());
        let mut session = self.attempt.payloads.pool.tenant(self.attempt.tenant_id).await?;
        let transaction = session.begin().await?;
        let again = transaction
            .prepare_cached(
                "UPDATE core.sync_payloads SET seen_at = $5 \
                  WHERE tenant_id = $1 AND cabinet_id = $2 AND source = $3 AND sha256 = $4",
            )
            .await?;
        let seen = transaction
            .execute(&again, &[&tenant, &cabinet, &self.source, &sha256, &now])
            .await?;
        if seen > 0 {
            transaction.commit().await?;
            self.forget().await;
            return Ok(());
        }
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.sync_payloads (tenant_id, payload_id, cabinet_id, sync_id, source, sha256, \
                    raw_bytes, kept_bytes, sealed_bytes, parts, fetched_at, seen_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
            )
            .await?;
        transaction
            .execute(
                &insert,
                &[
                    &tenant,
                    &self.payload_id,
                    &cabinet,
                    &self.attempt.sync_id.uuid(),
                    &self.source,
                    &sha256,
                    &sizes[0],
                    &sizes[1],
                    &sizes[2],
                    &parts,
                    &now,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes the parts back; those of a worker that died are purged with time.
    async fn forget(&self) {
        let forgotten = async {
            let mut session = self.attempt.payloads.pool.tenant(self.attempt.tenant_id).await?;
            let transaction = session.begin().await?;
            let delete = transaction
                .prepare_cached(
                    "DELETE FROM core.sync_payload_parts WHERE tenant_id = $1 AND payload_id = $2",
                )
                .await?;
            let tenant = self.attempt.tenant_id.uuid();
            transaction.execute(&delete, &[&tenant, &self.payload_id]).await?;
            transaction.commit().await?;
            Ok::<(), KeepError>(())
        };
        if let Err(error) = forgotten.await {
            tracing::debug!(error = ?error, "parts of a raw answer are purged later");
        }
    }
}
