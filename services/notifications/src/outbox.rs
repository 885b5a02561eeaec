//! What a sender takes, and what became of it. A notice is marked as being sent before the call, so that one
//! whose call's end is not known is sent again and never lost.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use domain::notice::NoticeKind;
use events::ids::{ProductId, TenantId, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::fan_out::count;
use crate::preferences::{Channel, Language};
use crate::{Lease, StoreError, WriteError, inconsistent};

/// Notices in one message at the most; what is left comes with the next one.
const MOST: i64 = 10_000;

/// When what waits for a receiver is ready.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The present time.
    pub now: DateTime<Utc>,
    /// What is due within this comes along.
    pub along: TimeDelta,
    /// Nothing new must have come for the receiver for so long.
    pub quiet: TimeDelta,
    /// Unless something has been due for longer than this.
    pub longest: TimeDelta,
}

/// One notice of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: NoticeKind,
    /// What it is about.
    pub subject: String,
    /// The product it is about.
    pub product: Option<ProductId>,
    /// Ids and numbers for the text.
    pub facts: Value,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// Whether an earlier call may have sent it.
    pub is_repeated: bool,
    /// Calls before.
    pub attempts: i32,
    /// Why it is not worth sending any more.
    pub idle: Option<&'static str>,
}

/// Everything that is due for one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// The tenant.
    pub tenant: TenantId,
    /// The receiver.
    pub user: UserId,
    /// Where to; none where nothing can be sent.
    pub chat_id: Option<i64>,
    /// In which language.
    pub language: Language,
    /// IANA name of the tenant's time zone, where one is known.
    pub time_zone: Option<String>,
    /// In the order of the log.
    pub notices: Vec<Taken>,
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Notices that are not sent, whether due or not.
    pub waiting: u64,
    /// Since when the oldest that is due is due.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// The sender's tables. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    pool: Pool,
    channel: Channel,
}

impl Outbox {
    /// Tables over `pool`, whose role has to be `st_notifier`.
    #[must_use]
    pub const fn new(pool: Pool, channel: Channel) -> Self {
        Self { pool, channel }
    }

    /// Receivers for whom something is ready, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ready(&self, ready: Ready, limit: i64) -> Result<Vec<(TenantId, UserId)>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, user_id FROM core.notices \
                  WHERE channel = $1 AND state IN ('waiting', 'sending') AND due_at <= $2 \
                  GROUP BY tenant_id, user_id \
                 HAVING min(due_at) <= $3 AND (max(created_at) <= $4 OR min(due_at) <= $5) \
                  ORDER BY min(due_at), user_id LIMIT $6",
            )
            .await?;
        let Ready {
            now,
            along,
            quiet,
            longest,
        } = ready;
        let rows = session
            .query(
                &select,
                &[
                    &self.channel.as_str(),
                    &(now + along),
                    &now,
                    &(now - quiet),
                    &(now - longest),
                    &limit,
                ],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((TenantId(row.try_get(0)?), UserId(row.try_get(1)?))))
            .collect()
    }

    /// What is due for a receiver.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parcel(&self, tenant: TenantId, user: UserId, ready: Ready) -> Result<Parcel, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT c.chat_id, coalesce(s.language, c.language), t.time_zone \
                   FROM core.accounts a \
                   JOIN core.telegram_chats c ON c.tenant_id = a.tenant_id AND c.user_id = a.user_id \
                   LEFT JOIN core.notification_settings s ON s.tenant_id = a.tenant_id AND s.user_id = a.user_id \
                   LEFT JOIN core.tenant_terms t ON t.tenant_id = a.tenant_id \
                  WHERE a.tenant_id = $1 AND a.user_id = $2 AND a.state = 'active' AND c.unreachable IS NULL",
            )
            .await?;
        let ids = (tenant.uuid(), user.uuid());
        let chat = session.query_opt(&select, &[&ids.0, &ids.1]).await?;
        let mut parcel = Parcel {
            tenant,
            user,
            chat_id: None,
            language: Language::default(),
            time_zone: None,
            notices: Vec::new(),
        };
        if let Some(row) = chat {
            parcel.chat_id = Some(row.try_get(0)?);
            let code: Option<&str> = row.try_get(1)?;
            parcel.language = code.and_then(Language::parse).unwrap_or_default();
            parcel.time_zone = row.try_get(2)?;
        }
        let select = session
            .prepare_cached(
                "SELECT n.notice_id, n.kind, n.subject, n.product_id, n.facts, n.happened_at, n.state, n.attempts, \
                        n.stale, EXISTS (SELECT FROM core.notification_snoozes z \
                                WHERE z.tenant_id = n.tenant_id AND z.user_id = n.user_id AND z.until > $5 \
                                  AND (z.product_id = n.product_id OR z.kind = n.kind)) \
                   FROM core.notices n \
                  WHERE n.tenant_id = $1 AND n.user_id = $2 AND n.channel = $3 \
                    AND n.state IN ('waiting', 'sending') AND n.due_at <= $4 \
                  ORDER BY n.position LIMIT $6",
            )
            .await?;
        let rows = session
            .query(
                &select,
                &[
                    &ids.0,
                    &ids.1,
                    &self.channel.as_str(),
                    &(ready.now + ready.along),
                    &ready.now,
                    &MOST,
                ],
            )
            .await?;
        for row in rows {
            let idle = match (row.try_get(8)?, row.try_get(9)?, parcel.chat_id) {
                (true, _, _) => Some("superseded"),
                (_, true, _) => Some("snoozed"),
                (_, _, None) => Some("no_chat"),
                _ => None,
            };
            parcel.notices.push(Taken {
                id: row.try_get(0)?,
                kind: NoticeKind::parse(row.try_get(1)?).ok_or(inconsistent("notices", "kind"))?,
                subject: row.try_get(2)?,
                product: row.try_get::<_, Option<Uuid>>(3)?.map(ProductId),
                facts: row.try_get(4)?,
                happened_at: row.try_get(5)?,
                is_repeated: row.try_get::<_, &str>(6)? == "sending",
                attempts: row.try_get(7)?,
                idle,
            });
        }
        Ok(parcel)
    }

    /// Marks notices as being sent. False, and nothing is marked, where one of them is not open any more.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn sending(&self, lease: &Lease, parcel: &Parcel, ids: &[Uuid]) -> Result<bool, WriteError> {
        let sql = "UPDATE core.notices SET state = 'sending', attempts = attempts + 1 \
                    WHERE tenant_id = $1 AND notice_id = ANY ($2) AND state IN ('waiting', 'sending') AND NOT stale";
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let update = transaction.prepare_cached(sql).await?;
        let marked = transaction
            .execute(&update, &[&parcel.tenant.uuid(), &ids])
            .await?;
        if marked != ids.len() as u64 {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// They are sent: in this message.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn delivered(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        ids: &[Uuid],
        message_id: i64,
        now: DateTime<Utc>,
    ) -> Result<(), WriteError> {
        let sql = "UPDATE core.notices SET state = 'delivered', message_id = $3, ended_at = $4, last_error = NULL \
                    WHERE tenant_id = $1 AND notice_id = ANY ($2)";
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let update = transaction.prepare_cached(sql).await?;
        transaction
            .execute(&update, &[&parcel.tenant.uuid(), &ids, &message_id, &now])
            .await?;
        Ok(transaction.commit().await?)
    }

    /// They are tried again at `at`. `may_have_arrived`: so they stay marked as being sent.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn later(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        ids: &[Uuid],
        at: DateTime<Utc>,
        error: &str,
        may_have_arrived: bool,
    ) -> Result<(), WriteError> {
        // One that was superseded during the call is not wanted any more.
        let sql = "UPDATE core.notices \
                      SET state = CASE WHEN $5 THEN state WHEN stale THEN 'left_out' ELSE 'waiting' END, \
                          reason = CASE WHEN stale AND NOT $5 THEN 'superseded' END, \
                          ended_at = CASE WHEN stale AND NOT $5 THEN $3::timestamptz END, \
                          due_at = $3, last_error = $4 \
                    WHERE tenant_id = $1 AND notice_id = ANY ($2) AND state = 'sending'";
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let update = transaction.prepare_cached(sql).await?;
        transaction
            .execute(
                &update,
                &[&parcel.tenant.uuid(), &ids, &at, &error, &may_have_arrived],
            )
            .await?;
        Ok(transaction.commit().await?)
    }

    /// They are not sent: `state` is `left_out` or `refused`.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn dropped(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        dropped: &[(Uuid, &'static str)],
        is_refused: bool,
        now: DateTime<Utc>,
    ) -> Result<(), WriteError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let (ids, reasons): (Vec<Uuid>, Vec<&str>) = dropped.iter().copied().unzip();
        let state = if is_refused { "refused" } else { "left_out" };
        let update = transaction
            .prepare_cached(
                "UPDATE core.notices n SET state = $4, reason = d.reason, ended_at = $5 \
                   FROM unnest($2::uuid[], $3::text[]) AS d (id, reason) \
                  WHERE n.tenant_id = $1 AND n.notice_id = d.id AND n.state IN ('waiting', 'sending')",
            )
            .await?;
        transaction
            .execute(&update, &[&parcel.tenant.uuid(), &ids, &reasons, &state, &now])
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Telegram does not deliver to the chat: it is marked, and what waits for the member is left out.
    /// Returns how many of each kind.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn unreachable(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<(NoticeKind, u64)>, WriteError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let (tenant, user) = (parcel.tenant.uuid(), parcel.user.uuid());
        // Another chat may have been linked during the call.
        let sql = "UPDATE core.telegram_chats SET unreachable = $4 \
                    WHERE tenant_id = $1 AND user_id = $2 AND chat_id = $3";
        let update = transaction.prepare_cached(sql).await?;
        let marked = transaction
            .execute(&update, &[&tenant, &user, &parcel.chat_id, &why])
            .await?;
        let mut counts = Vec::new();
        if marked > 0 {
            leave_out_all(&transaction, self.channel, tenant, user, now, &mut counts).await?;
        } else {
            let sql = "UPDATE core.notices SET state = 'waiting' \
                        WHERE tenant_id = $1 AND user_id = $2 AND channel = $3 AND state = 'sending'";
            let update = transaction.prepare_cached(sql).await?;
            transaction
                .execute(&update, &[&tenant, &user, &self.channel.as_str()])
                .await?;
        }
        transaction.commit().await?;
        Ok(counts)
    }

    /// The group has another id by now; what is being sent can be sent there.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn moved(&self, lease: &Lease, parcel: &Parcel, to_chat_id: i64) -> Result<(), WriteError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        // If the new id is linked already, the former one leads nowhere.
        let update = transaction
            .prepare_cached(
                "UPDATE core.telegram_chats c \
                    SET chat_id = CASE WHEN o.taken THEN c.chat_id ELSE $4 END, \
                        unreachable = CASE WHEN o.taken THEN 'migrated' END \
                   FROM (SELECT EXISTS (SELECT FROM core.telegram_chats t WHERE t.chat_id = $4)) AS o (taken) \
                  WHERE c.tenant_id = $1 AND c.user_id = $2 AND c.chat_id = $3",
            )
            .await?;
        let (tenant, user) = (parcel.tenant.uuid(), parcel.user.uuid());
        transaction
            .execute(&update, &[&tenant, &user, &parcel.chat_id, &to_chat_id])
            .await?;
        Ok(transaction.commit().await?)
    }

    /// What waits by this channel.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn figures(&self, now: DateTime<Utc>) -> Result<Figures, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT count(*), min(due_at) FILTER (WHERE due_at <= $2) FROM core.notices \
                  WHERE channel = $1 AND state IN ('waiting', 'sending')",
            )
            .await?;
        let row = session
            .query_one(&select, &[&self.channel.as_str(), &now])
            .await?;
        Ok(Figures {
            waiting: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default(),
            oldest_due: row.try_get(1)?,
        })
    }
}

async fn leave_out_all(
    transaction: &Transaction<'_>,
    channel: Channel,
    tenant: Uuid,
    user: Uuid,
    now: DateTime<Utc>,
    counts: &mut Vec<(NoticeKind, u64)>,
) -> Result<(), WriteError> {
    let update = transaction
        .prepare_cached(
            "UPDATE core.notices SET state = 'left_out', reason = 'unreachable', ended_at = $4 \
              WHERE tenant_id = $1 AND user_id = $2 AND channel = $3 AND state IN ('waiting', 'sending') \
              RETURNING kind",
        )
        .await?;
    for row in transaction
        .query(&update, &[&tenant, &user, &channel.as_str(), &now])
        .await?
    {
        count(counts, row.try_get(0)?);
    }
    Ok(())
}
