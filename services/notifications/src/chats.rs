//! Where Telegram reaches a member. Chat ids are personal data: they are in no event, and go with the login.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use tokio_postgres::error::SqlState;

use crate::preferences::Language;
use crate::{StoreError, inconsistent};

/// A linked chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Telegram's id; negative for groups.
    pub chat_id: i64,
    /// Telegram's language, where it is one of ours.
    pub language: Option<Language>,
    /// Why Telegram does not deliver there.
    pub unreachable: Option<String>,
}

/// Why a chat was not linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It belongs to another login.
    #[error("the chat is linked to another login")]
    Taken,
    /// There is no such login.
    #[error("there is no such login")]
    NoLogin,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The chats of members. Cheap to clone.
#[derive(Clone)]
pub struct Chats {
    pool: Pool,
}

impl Chats {
    /// Chats over `pool`, whose role has to be `st_api` or `st_gateway`; `st_notifier` reads.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A member's chat.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, tenant: TenantId, user: UserId) -> Result<Option<Chat>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT chat_id, language, unreachable FROM core.telegram_chats \
                  WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map(|row| {
            let language: Option<&str> = row.try_get(1)?;
            Ok(Chat {
                chat_id: row.try_get(0)?,
                language: language
                    .map(|code| Language::parse(code).ok_or(inconsistent("telegram_chats", "language")))
                    .transpose()?,
                unreachable: row.try_get(2)?,
            })
        })
        .transpose()
    }

    /// Links a chat in place of the member's former one. It counts as reachable.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn link(
        &self,
        tenant: TenantId,
        user: UserId,
        chat_id: i64,
        language: Option<Language>,
        now: DateTime<Utc>,
    ) -> Result<(), LinkError> {
        let mut session = self.pool.tenant(tenant).await.map_err(StoreError::from)?;
        let transaction = session.begin().await.map_err(StoreError::from)?;
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO core.telegram_chats (tenant_id, user_id, chat_id, language, linked_at) \
                 VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (tenant_id, user_id) DO UPDATE SET chat_id = EXCLUDED.chat_id, \
                    language = EXCLUDED.language, linked_at = EXCLUDED.linked_at, unreachable = NULL",
            )
            .await
            .map_err(StoreError::from)?;
        let language = language.map(Language::as_str);
        let written = transaction
            .execute(
                &upsert,
                &[&tenant.uuid(), &user.uuid(), &chat_id, &language, &now],
            )
            .await;
        match written {
            Ok(_) => Ok(transaction.commit().await.map_err(StoreError::from)?),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(LinkError::Taken),
            Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => Err(LinkError::NoLogin),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    /// Unlinks a member's chat; false where none was linked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unlink(&self, tenant: TenantId, user: UserId) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached("DELETE FROM core.telegram_chats WHERE tenant_id = $1 AND user_id = $2")
            .await?;
        let gone = transaction
            .execute(&delete, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        Ok(gone > 0)
    }
}
