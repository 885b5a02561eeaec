//! Folded states, kept beside the heads so that a sync can load thousands of products in one query. They are
//! a convenience: one that was folded by another version of the code, or has another shape, is ignored, and
//! the stream is folded from its first event.

use std::collections::{BTreeSet, HashMap};

use database::Pool;
use events::ids::TenantId;
use events::{Event, StreamType};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{EventStore, ReadError};

/// What can be folded and kept.
pub trait State: Default + Serialize + DeserializeOwned + Send {
    /// Kind of stream it is folded from.
    const STREAM: StreamType;
    /// Version of the fold's meaning: raise it whenever `evolve` gives another state for the same events.
    const FOLD_VERSION: i32;
    /// Folds one event in. Total: an event that does not concern the state leaves it as it is.
    fn evolve(&mut self, event: &Event);
    /// Name of the shape; the hash of its field names. A default state's JSON stands for it.
    #[must_use]
    fn schema_hash() -> String {
        use sha2::Digest as _;
        let shape = serde_json::to_string(&Self::default()).unwrap_or_default();
        hex::encode(
            sha2::Sha256::digest(shape.as_bytes())
                .as_slice()
                .get(..8)
                .unwrap_or_default(),
        )
    }
}

/// A state and the version of the stream it stands for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded<S> {
    /// The folded state; the default for a stream that does not exist.
    pub state: S,
    /// The stream's version; 0 for one that does not exist.
    pub version: i64,
}

/// Loads and keeps states.
#[derive(Debug, Clone)]
pub struct States {
    store: EventStore,
}

impl States {
    /// States of the streams of this store.
    #[must_use]
    pub const fn new(store: EventStore) -> Self {
        Self { store }
    }

    /// The state of one stream, folded from the kept state and the tail.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn load<S: State>(&self, tenant: TenantId, id: Uuid) -> Result<Loaded<S>, ReadError> {
        let mut loaded = self.load_many(tenant, &[id]).await?;
        Ok(loaded.remove(&id).unwrap_or_else(|| Loaded {
            state: S::default(),
            version: 0,
        }))
    }

    /// The states of many streams: one query for heads and kept states, one for the tails that are missing.
    /// Streams that do not exist are absent from the answer.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn load_many<S: State>(
        &self,
        tenant: TenantId,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Loaded<S>>, ReadError> {
        let (mut loaded, behind) = self.kept::<S>(tenant, ids).await?;
        if behind.is_empty() {
            return Ok(loaded);
        }
        for recorded in self.store.read_tails(tenant, S::STREAM, &behind).await? {
            let entry = loaded.entry(recorded.stream_id).or_insert_with(|| Loaded {
                state: S::default(),
                version: 0,
            });
            entry.version = recorded.version;
            match recorded.decode() {
                Ok(events::Decoded::Known(event)) => entry.state.evolve(&event),
                // A decision on a state without it could contradict it.
                Ok(events::Decoded::Unknown) => {
                    return Err(ReadError::Newer {
                        event_type: recorded.event_type,
                        position: recorded.position,
                    });
                }
                Err(error) => {
                    return Err(ReadError::Inconsistent {
                        column: "payload",
                        position: recorded.position,
                        value: error.to_string(),
                    });
                }
            }
        }
        Ok(loaded)
    }

    /// The kept states that may be used, and from which version each stream's tail is missing.
    async fn kept<S: State>(
        &self,
        tenant: TenantId,
        ids: &[Uuid],
    ) -> Result<(HashMap<Uuid, Loaded<S>>, Vec<(Uuid, i64)>), ReadError> {
        // A stream that is named twice must not be folded twice.
        let unique: BTreeSet<&Uuid> = ids.iter().collect();
        let unique: Vec<Uuid> = unique.into_iter().copied().collect();
        let mut session = self.store.pool().tenant(tenant).await?;
        let transaction = session.begin().await?;
        // The limits keep the sub-queries from becoming joins, which a plan made on small tables answers by
        // reading every stream of the kind.
        let statement = transaction
            .prepare_cached(
                "SELECT t.id, h.version, s.version, s.state FROM unnest($2::uuid[]) AS t(id) \
                 JOIN LATERAL (SELECT version FROM core.heads \
                        WHERE aggregate_type = $1 AND aggregate_id = t.id LIMIT 1) AS h ON true \
                 LEFT JOIN LATERAL (SELECT version, state FROM core.states \
                        WHERE aggregate_type = $1 AND aggregate_id = t.id \
                          AND fold_version = $3 AND schema_hash = $4 LIMIT 1) AS s ON true",
            )
            .await?;
        let rows = transaction
            .query(
                &statement,
                &[&S::STREAM.as_str(), &unique, &S::FOLD_VERSION, &S::schema_hash()],
            )
            .await?;
        transaction.commit().await?;
        let mut loaded = HashMap::with_capacity(rows.len());
        let mut behind = Vec::new();
        for row in rows {
            let id: Uuid = row.get(0);
            let head: i64 = row.get(1);
            let kept = row
                .get::<_, Option<i64>>(2)
                .zip(row.get::<_, Option<&str>>(3))
                .and_then(|(version, state)| {
                    Some(Loaded {
                        state: serde_json::from_str::<S>(state).ok()?,
                        version,
                    })
                });
            let usable = kept.filter(|kept| kept.version <= head);
            let from = usable.as_ref().map_or(0, |kept| kept.version);
            if from < head {
                behind.push((id, from));
            }
            if let Some(kept) = usable {
                loaded.insert(id, kept);
            }
        }
        Ok((loaded, behind))
    }

    /// Keeps states. Older ones never replace newer ones; a failure costs time later, nothing else.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn keep<S: State>(
        &self,
        tenant: TenantId,
        states: &[(Uuid, &Loaded<S>)],
    ) -> Result<(), ReadError> {
        if states.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = states.iter().map(|(id, _)| *id).collect();
        let versions: Vec<i64> = states.iter().map(|(_, loaded)| loaded.version).collect();
        let mut texts = Vec::with_capacity(states.len());
        for (id, loaded) in states {
            texts.push(
                serde_json::to_string(&loaded.state).map_err(|error| ReadError::Inconsistent {
                    column: "state",
                    position: 0,
                    value: format!("{id}: {error}"),
                })?,
            );
        }
        self.write(
            tenant,
            S::STREAM,
            S::FOLD_VERSION,
            &S::schema_hash(),
            (&ids, &versions, &texts),
        )
        .await
    }

    async fn write(
        &self,
        tenant: TenantId,
        stream: StreamType,
        fold_version: i32,
        schema_hash: &str,
        (ids, versions, texts): (&[Uuid], &[i64], &[String]),
    ) -> Result<(), ReadError> {
        let mut session = self.pool().tenant(tenant).await?;
        let transaction = session.begin().await?;
        let statement = transaction
            .prepare_cached(
                "INSERT INTO core.states AS s (aggregate_type, aggregate_id, tenant_id, version, fold_version, \
                        schema_hash, state) \
                 SELECT $1, t.id, $2, t.version, $3, $4, t.state \
                   FROM unnest($5::uuid[], $6::bigint[], $7::text[]) AS t(id, version, state) \
                 ON CONFLICT (aggregate_id, aggregate_type) DO UPDATE SET version = EXCLUDED.version, \
                        fold_version = EXCLUDED.fold_version, schema_hash = EXCLUDED.schema_hash, \
                        state = EXCLUDED.state \
                  WHERE s.version < EXCLUDED.version OR s.fold_version <> EXCLUDED.fold_version \
                     OR s.schema_hash <> EXCLUDED.schema_hash",
            )
            .await?;
        transaction
            .execute(
                &statement,
                &[
                    &stream.as_str(),
                    &tenant.uuid(),
                    &fold_version,
                    &schema_hash,
                    &ids,
                    &versions,
                    &texts,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    const fn pool(&self) -> &Pool {
        self.store.pool()
    }
}
