//! What an implausible sync saw, kept until a later one is believed or a person decides: article by article
//! as it would have been recorded, compressed and sealed with the tenant's key for bulky data. A release
//! records exactly this.

use std::io::{Read as _, Write as _};

use application::domain::product::Observation;
use database::{DatabaseError, Pool};
use events::ids::{CabinetId, SyncId, TenantId};
use events::sync::SourceReport;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{PayloadKey, SealError};

use super::compose::Holding;
use super::plausible::Beliefs;

const TABLE: &str = "sync_holds";
/// Most bytes that a part is unpacked to: many times what a chunk of articles at a hundred warehouses needs.
const MOST: u64 = 256 * 1024 * 1024;

/// Why a result could not be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The table failed.
    #[error("the held result's table cannot be used")]
    Database(#[from] DatabaseError),
    /// A part could not be sealed or opened.
    #[error("a part of the held result is not sealed as it should be")]
    Seal(#[from] SealError),
    /// A part cannot be packed, unpacked or read; another program wrote it.
    #[error("a part of the held result cannot be read")]
    Content(#[source] std::io::Error),
    /// It is not there any more.
    #[error("part {part} of the held result is not there")]
    Missing {
        /// Which.
        part: i32,
    },
}

impl From<tokio_postgres::Error> for HoldError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What is held, in short.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Parts with articles; they are numbered from 1.
    pub parts: i32,
    /// Articles in them.
    pub articles: u64,
    /// How the sources of which something is held came out.
    pub reports: Vec<SourceReport>,
    /// What would be believed if it were true. A program of before did not keep it.
    #[serde(default)]
    pub seen: Beliefs,
    /// The sources of which something is held, with the warehouses where it is not all.
    #[serde(default)]
    pub scopes: Holding,
}

/// The held results of one cabinet.
pub struct Holds {
    /// Acts as the worker.
    pub pool: Pool,
    /// Whose.
    pub tenant_id: TenantId,
    /// Which cabinet.
    pub cabinet_id: CabinetId,
}

impl Holds {
    /// Keeps one part of what `sync_id` saw; part 0 is its [`Summary`] and comes last.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn put(
        &self,
        key: &PayloadKey,
        sync_id: SyncId,
        part: i32,
        content: &(impl Serialize + Sync),
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), HoldError> {
        let sealed = key.seal(TABLE, sync_id.uuid(), part, &pack(content)?)?;
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        // The same attempt may come this way twice; it saw the same.
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.sync_holds (tenant_id, cabinet_id, sync_id, part, sealed, held_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .await?;
        let (tenant, cabinet, sync) = (self.tenant_id.uuid(), self.cabinet_id.uuid(), sync_id.uuid());
        transaction
            .execute(&insert, &[&tenant, &cabinet, &sync, &part, &sealed, &at])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What is held of `sync_id`.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn summary(&self, key: &PayloadKey, sync_id: SyncId) -> Result<Summary, HoldError> {
        self.part(key, sync_id, 0).await
    }

    /// One part of the articles.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn observations(
        &self,
        key: &PayloadKey,
        sync_id: SyncId,
        part: i32,
    ) -> Result<Vec<Observation>, HoldError> {
        self.part(key, sync_id, part).await
    }

    async fn part<T: DeserializeOwned>(
        &self,
        key: &PayloadKey,
        sync_id: SyncId,
        part: i32,
    ) -> Result<T, HoldError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT sealed FROM core.sync_holds WHERE tenant_id = $1 AND sync_id = $2 AND part = $3",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&self.tenant_id.uuid(), &sync_id.uuid(), &part])
            .await?
            .ok_or(HoldError::Missing { part })?;
        let sealed: Vec<u8> = row.try_get(0)?;
        transaction.commit().await?;
        unpack(&key.open(TABLE, sync_id.uuid(), part, &sealed)?)
    }

    /// Destroys what is held of a sync: another attempt of it saw something else.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn destroy(&self, sync_id: SyncId) -> Result<(), HoldError> {
        self.delete(Delete::These, &[sync_id.uuid()]).await
    }

    /// Destroys what is held of all syncs of the cabinet but these.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn keep_only(&self, syncs: &[SyncId]) -> Result<(), HoldError> {
        let syncs: Vec<Uuid> = syncs.iter().map(|sync| sync.uuid()).collect();
        self.delete(Delete::AllBut, &syncs).await
    }

    async fn delete(&self, what: Delete, syncs: &[Uuid]) -> Result<(), HoldError> {
        let mut session = self.pool.tenant(self.tenant_id).await?;
        let transaction = session.begin().await?;
        let sql = match what {
            Delete::These => {
                "DELETE FROM core.sync_holds \
                  WHERE tenant_id = $1 AND cabinet_id = $2 AND sync_id = ANY($3)"
            }
            Delete::AllBut => {
                "DELETE FROM core.sync_holds \
                  WHERE tenant_id = $1 AND cabinet_id = $2 AND sync_id <> ALL($3)"
            }
        };
        let delete = transaction.prepare_cached(sql).await?;
        transaction
            .execute(
                &delete,
                &[&self.tenant_id.uuid(), &self.cabinet_id.uuid(), &syncs],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn pack(content: &impl Serialize) -> Result<Vec<u8>, HoldError> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut packed, content).map_err(|error| HoldError::Content(error.into()))?;
    packed.flush().map_err(HoldError::Content)?;
    packed.finish().map_err(HoldError::Content)
}

fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, HoldError> {
    let reader = std::io::BufReader::new(DeflateDecoder::new(packed).take(MOST));
    serde_json::from_reader(reader).map_err(|error| HoldError::Content(error.into()))
}

/// Which held results of a cabinet to destroy.
#[derive(Debug, Clone, Copy)]
enum Delete {
    /// Those of the given syncs.
    These,
    /// Those of every other sync.
    AllBut,
}
