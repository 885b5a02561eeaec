//! Writes what a page of the log means for receivers, together with the position that is read.

use chrono::{DateTime, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use domain::notice::NoticeKind;
use events::ids::{ProductId, TenantId, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::preferences::Channel;
use crate::{Lease, StoreError, WriteError};

/// A notice for one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNotice {
    /// Made from the event, the receiver and the channel.
    pub id: Uuid,
    /// The tenant.
    pub tenant: TenantId,
    /// The receiver.
    pub user: UserId,
    /// By which way.
    pub channel: Channel,
    /// What kind.
    pub kind: NoticeKind,
    /// What it is about.
    pub subject: String,
    /// The product it is about, if it is about one.
    pub product: Option<ProductId>,
    /// Position of the event.
    pub position: i64,
    /// Ids and numbers for the text.
    pub facts: Value,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// When it is due.
    pub due_at: DateTime<Utc>,
    /// Why it is not sent, if it is not.
    pub left_out: Option<&'static str>,
    /// Kinds that this notice ends: it is left out where they were left out for the receiver. Empty: it
    /// stands for itself.
    pub ends: &'static [NoticeKind],
}

/// Notices that are not worth sending any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// The tenant.
    pub tenant: TenantId,
    /// Their subject.
    pub subject: String,
    /// Whether `subject` is only the beginning.
    pub is_prefix: bool,
    /// Their kinds.
    pub kinds: &'static [NoticeKind],
    /// They are of events before this position.
    pub before: i64,
}

/// Consecutive events of which no two are about the same subject: first what they outdate, then what they
/// add.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// What is not sent any more.
    pub outdated: Vec<Outdated>,
    /// What is to be sent.
    pub notices: Vec<NewNotice>,
}

/// What a page of the log means.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Position before it.
    pub after: i64,
    /// Position of its last event.
    pub last: i64,
    /// Its runs, in order.
    pub runs: Vec<Run>,
    /// Tenants that live by another clock now.
    pub other_clock: Vec<TenantId>,
}

/// The fan-out's tables. Cheap to clone.
#[derive(Clone)]
pub struct FanOut {
    pub(crate) pool: Pool,
}

impl FanOut {
    /// Tables over `pool`, whose role has to be `st_notifier`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Position of the last event that is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn position(&self) -> Result<i64, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT position FROM core.notice_work WHERE work = 'fan_out'")
            .await?;
        Ok(session.query_one(&select, &[]).await?.try_get(0)?)
    }

    /// Destroys notices that ended before a moment, the oldest first; returns how many went, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, before: DateTime<Utc>, limit: i32) -> Result<i64, StoreError> {
        let session = self.pool.get().await?;
        let purge = session
            .prepare_cached("SELECT core.purge_notices($1, $2)")
            .await?;
        Ok(session.query_one(&purge, &[&before, &limit]).await?.try_get(0)?)
    }

    /// Writes a page; returns the notices that were left out by their kinds.
    ///
    /// # Errors
    /// [`WriteError::Fenced`] also if the page was written before.
    pub async fn write(
        &self,
        lease: &Lease,
        page: &Page,
        now: DateTime<Utc>,
    ) -> Result<Vec<(NoticeKind, u64)>, WriteError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        if lease.check(&transaction).await? != page.after {
            return Err(WriteError::Fenced);
        }
        let mut left_out = Vec::new();
        for run in &page.runs {
            leave_out(&transaction, &run.outdated, now, &mut left_out).await?;
            add(&transaction, &run.notices, now, &mut left_out).await?;
        }
        if !page.other_clock.is_empty() {
            let tenants: Vec<Uuid> = page.other_clock.iter().map(|tenant| tenant.uuid()).collect();
            let sql = "UPDATE core.notification_settings SET replan = true WHERE tenant_id = ANY ($1)";
            let update = transaction.prepare_cached(sql).await?;
            transaction.execute(&update, &[&tenants]).await?;
        }
        let sql = "UPDATE core.notice_work SET position = $2 WHERE work = $1";
        let update = transaction.prepare_cached(sql).await?;
        transaction.execute(&update, &[&lease.name(), &page.last]).await?;
        transaction.commit().await?;
        Ok(left_out)
    }
}

/// What is being sent at this moment cannot be taken back, but is not sent again.
async fn leave_out(
    transaction: &Transaction<'_>,
    outdated: &[Outdated],
    now: DateTime<Utc>,
    counts: &mut Vec<(NoticeKind, u64)>,
) -> Result<(), WriteError> {
    for is_prefix in [false, true] {
        let chosen: Vec<&Outdated> = outdated.iter().filter(|one| one.is_prefix == is_prefix).collect();
        if chosen.is_empty() {
            continue;
        }
        let tenants: Vec<Uuid> = chosen.iter().map(|one| one.tenant.uuid()).collect();
        let subjects: Vec<&str> = chosen.iter().map(|one| one.subject.as_str()).collect();
        let kinds: Vec<String> = chosen.iter().map(|one| names(one.kinds)).collect();
        let before: Vec<i64> = chosen.iter().map(|one| one.before).collect();
        let about = if is_prefix {
            "starts_with(n.subject, o.subject)"
        } else {
            "n.subject = o.subject"
        };
        let sql = format!(
            "UPDATE core.notices n \
                SET stale = n.state = 'sending', \
                    state = CASE n.state WHEN 'sending' THEN 'sending' ELSE 'left_out' END, \
                    reason = CASE n.state WHEN 'sending' THEN NULL ELSE 'superseded' END, \
                    ended_at = CASE n.state WHEN 'sending' THEN NULL ELSE $4::timestamptz END \
               FROM unnest($1::uuid[], $2::text[], $3::text[], $5::bigint[]) AS o (tenant, subject, kinds, before) \
              WHERE n.tenant_id = o.tenant AND {about} AND n.state IN ('waiting', 'sending') \
                AND n.position < o.before AND n.kind = ANY (string_to_array(o.kinds, ',')) \
              RETURNING n.kind, n.state"
        );
        let update = transaction.prepare_cached(&sql).await?;
        for row in transaction
            .query(&update, &[&tenants, &subjects, &kinds, &now, &before])
            .await?
        {
            if row.try_get::<_, &str>(1)? == "left_out" {
                count(counts, row.try_get(0)?);
            }
        }
    }
    Ok(())
}

async fn add(
    transaction: &Transaction<'_>,
    notices: &[NewNotice],
    now: DateTime<Utc>,
    counts: &mut Vec<(NoticeKind, u64)>,
) -> Result<(), WriteError> {
    if notices.is_empty() {
        return Ok(());
    }
    let (mut ids, mut tenants, mut users, mut products) = (vec![], vec![], vec![], vec![]);
    let (mut channels, mut kinds, mut subjects, mut facts) = (vec![], vec![], vec![], vec![]);
    let (mut positions, mut happened, mut due, mut reasons, mut ends) =
        (vec![], vec![], vec![], vec![], vec![]);
    for notice in notices {
        ids.push(notice.id);
        tenants.push(notice.tenant.uuid());
        users.push(notice.user.uuid());
        products.push(notice.product.map(ProductId::uuid));
        channels.push(notice.channel.as_str());
        kinds.push(notice.kind.as_str());
        subjects.push(notice.subject.as_str());
        facts.push(&notice.facts);
        positions.push(notice.position);
        happened.push(notice.happened_at);
        due.push(notice.due_at);
        reasons.push(notice.left_out);
        ends.push(names(notice.ends));
    }
    // What ends something is left out where the last that the receiver was sent of it is not a beginning.
    let insert = transaction
        .prepare_cached(
            "WITH new AS ( \
                 SELECT n.*, coalesce(n.left_out, CASE WHEN n.ends <> '' AND EXISTS ( \
                            SELECT FROM core.notices o \
                             WHERE o.tenant_id = n.tenant AND o.user_id = n.receiver AND o.subject = n.subject \
                               AND o.channel = n.channel AND o.kind = ANY (string_to_array(n.ends, ','))) \
                        AND coalesce(( \
                            SELECT o.kind FROM core.notices o \
                             WHERE o.tenant_id = n.tenant AND o.user_id = n.receiver AND o.subject = n.subject \
                               AND o.channel = n.channel AND o.state IN ('waiting', 'sending', 'delivered') \
                               AND (o.kind = n.kind OR o.kind = ANY (string_to_array(n.ends, ','))) \
                             ORDER BY o.position DESC LIMIT 1), n.kind) = n.kind \
                        THEN 'nothing_to_end' END) AS why \
                   FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], \
                               $7::text[], $8::jsonb[], $9::bigint[], $10::timestamptz[], $11::timestamptz[], \
                               $12::text[], $13::text[]) \
                     AS n (id, tenant, receiver, product, channel, kind, subject, facts, position, happened_at, \
                           due_at, left_out, ends)) \
             INSERT INTO core.notices (tenant_id, notice_id, user_id, channel, kind, subject, product_id, position, \
                    facts, happened_at, created_at, due_at, state, reason, ended_at) \
             SELECT tenant, id, receiver, channel, kind, subject, product, position, facts, happened_at, $14::timestamptz, due_at, \
                    CASE WHEN why IS NULL THEN 'waiting' ELSE 'left_out' END, why, \
                    CASE WHEN why IS NOT NULL THEN $14::timestamptz END \
               FROM new ON CONFLICT DO NOTHING RETURNING kind, state",
        )
        .await?;
    let rows = transaction
        .query(
            &insert,
            &[
                &ids, &tenants, &users, &products, &channels, &kinds, &subjects, &facts, &positions,
                &happened, &due, &reasons, &ends, &now,
            ],
        )
        .await?;
    for row in rows {
        if row.try_get::<_, &str>(1)? == "left_out" {
            count(counts, row.try_get(0)?);
        }
    }
    Ok(())
}

fn names(kinds: &[NoticeKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    names.join(",")
}

pub(crate) fn count(counts: &mut Vec<(NoticeKind, u64)>, kind: &str) {
    let Some(kind) = NoticeKind::parse(kind) else {
        return;
    };
    match counts.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, number)) => *number += 1,
        None => counts.push((kind, 1)),
    }
}
