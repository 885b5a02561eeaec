//! Who does which work. A lease keeps a second process from working in vain; its epoch is checked by every
//! write, so that one that was replaced without noticing changes nothing. Leases go by the database's clock.

use std::time::Duration;

use database::Pool;
use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::{StoreError, WriteError};

/// Work that one process at a time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Turns events into notices.
    FanOut,
    /// Sends by Telegram.
    Telegram,
}

impl Work {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FanOut => "fan_out",
            Self::Telegram => "telegram",
        }
    }
}

/// The right to do some work for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    work: Work,
    epoch: i64,
}

impl Lease {
    /// Takes the work if no other process has it, for `lasting` from now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take(
        pool: &Pool,
        work: Work,
        holder: Uuid,
        lasting: Duration,
    ) -> Result<Option<Self>, StoreError> {
        let session = pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.notice_work SET epoch = epoch + 1, holder = $2, \
                        held_until = clock_timestamp() + make_interval(secs => $3) \
                  WHERE work = $1 AND (holder IS NULL OR held_until < clock_timestamp()) RETURNING epoch",
            )
            .await?;
        let row = session
            .query_opt(&update, &[&work.as_str(), &holder, &lasting.as_secs_f64()])
            .await?;
        row.map(|row| {
            Ok(Self {
                work,
                epoch: row.try_get(0)?,
            })
        })
        .transpose()
    }

    /// Keeps the work for `lasting` from now.
    ///
    /// # Errors
    /// [`WriteError::Fenced`] if another process has it.
    pub async fn renew(&self, pool: &Pool, lasting: Duration) -> Result<(), WriteError> {
        let session = pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.notice_work SET held_until = clock_timestamp() + make_interval(secs => $3) \
                  WHERE work = $1 AND epoch = $2",
            )
            .await?;
        let values = (self.work.as_str(), self.epoch, lasting.as_secs_f64());
        match session
            .execute(&update, &[&values.0, &values.1, &values.2])
            .await?
        {
            0 => Err(WriteError::Fenced),
            _ => Ok(()),
        }
    }

    /// Gives the work up, so that another process need not wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(self, pool: &Pool) -> Result<(), StoreError> {
        let session = pool.get().await?;
        let sql = "UPDATE core.notice_work SET holder = NULL WHERE work = $1 AND epoch = $2";
        let update = session.prepare_cached(sql).await?;
        session
            .execute(&update, &[&self.work.as_str(), &self.epoch])
            .await?;
        Ok(())
    }

    /// Fails unless the lease is still the last one; until the transaction's end no other can be given.
    pub(crate) async fn check(&self, transaction: &Transaction<'_>) -> Result<i64, WriteError> {
        let sql = "SELECT position FROM core.notice_work WHERE work = $1 AND epoch = $2 FOR UPDATE";
        let select = transaction.prepare_cached(sql).await?;
        let row = transaction
            .query_opt(&select, &[&self.work.as_str(), &self.epoch])
            .await?;
        Ok(row.ok_or(WriteError::Fenced)?.try_get(0)?)
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.work.as_str()
    }
}
