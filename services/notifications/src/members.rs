//! Members who can be reached, with what they chose.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::notice::NoticeKind;
use events::ids::{TenantId, UserId};
use events::tenant::Role;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::preferences::{Channel, Preferences};
use crate::settings::preferences;
use crate::snoozes::{Snoozed, snoozed};
use crate::{FanOut, Lease, StoreError, WriteError, inconsistent};

/// A member whom a channel reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The tenant.
    pub tenant: TenantId,
    /// The login.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
    /// What the member chose.
    pub preferences: Preferences,
    /// IANA name of the tenant's time zone, where one is known.
    pub time_zone: Option<String>,
    /// What is snoozed, and until when.
    pub snoozes: Vec<(Snoozed, DateTime<Utc>)>,
}

/// A notice whose time has to be found again, because what its receiver chose, or the tenant's clock,
/// changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplanned {
    /// Its id.
    pub id: Uuid,
    /// Its channel.
    pub channel: Channel,
    /// Its kind.
    pub kind: NoticeKind,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What becomes of an [`Unplanned`] notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It is due then.
    Due(DateTime<Utc>),
    /// Its receiver does not want it any more.
    LeaveOut,
}

const RECEIVERS: &str = "SELECT a.tenant_id, a.user_id, a.role, t.time_zone, s.choices, s.language, s.quiet_from, \
            s.quiet_until, s.digest_hour, s.version \
       FROM core.accounts a LEFT JOIN core.tenant_terms t ON t.tenant_id = a.tenant_id";

impl FanOut {
    /// Active members of these tenants whom Telegram reaches.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receivers(
        &self,
        tenants: &[TenantId],
        now: DateTime<Utc>,
    ) -> Result<HashMap<TenantId, Vec<Receiver>>, StoreError> {
        let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.uuid()).collect();
        let session = self.pool.get().await?;
        let sql = format!(
            "{RECEIVERS} LEFT JOIN core.notification_settings s \
                    ON s.tenant_id = a.tenant_id AND s.user_id = a.user_id \
                  JOIN core.telegram_chats c ON c.tenant_id = a.tenant_id AND c.user_id = a.user_id \
              WHERE a.tenant_id = ANY ($1) AND a.state = 'active' AND c.unreachable IS NULL \
              ORDER BY a.tenant_id, a.user_id"
        );
        let select = session.prepare_cached(&sql).await?;
        let mut found: HashMap<TenantId, Vec<Receiver>> = HashMap::new();
        for row in session.query(&select, &[&ids]).await? {
            let receiver = receiver(&row)?;
            found.entry(receiver.tenant).or_default().push(receiver);
        }
        let select = session
            .prepare_cached(
                "SELECT tenant_id, user_id, product_id, kind, until FROM core.notification_snoozes \
                  WHERE tenant_id = ANY ($1) AND until > $2",
            )
            .await?;
        for row in session.query(&select, &[&ids, &now]).await? {
            let (tenant, user) = (TenantId(row.try_get(0)?), UserId(row.try_get(1)?));
            let what = snoozed(row.try_get(2)?, row.try_get(3)?)?;
            let receivers = found.entry(tenant).or_default();
            if let Some(receiver) = receivers.iter_mut().find(|receiver| receiver.user == user) {
                receiver.snoozes.push((what, row.try_get(4)?));
            }
        }
        Ok(found)
    }

    /// Members whose choices changed, with the version of what they chose.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn to_replan(&self, limit: i64) -> Result<Vec<(Receiver, i32)>, StoreError> {
        let session = self.pool.get().await?;
        let sql = format!(
            "{RECEIVERS} JOIN core.notification_settings s ON s.tenant_id = a.tenant_id AND s.user_id = a.user_id \
              WHERE s.replan ORDER BY a.tenant_id, a.user_id LIMIT $1"
        );
        let select = session.prepare_cached(&sql).await?;
        let rows = session.query(&select, &[&limit]).await?;
        rows.iter()
            .map(|row| Ok((receiver(row)?, row.try_get(9)?)))
            .collect()
    }

    /// What waits for a member.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_for(&self, receiver: &Receiver) -> Result<Vec<Unplanned>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT notice_id, channel, kind, created_at FROM core.notices \
                  WHERE tenant_id = $1 AND user_id = $2 AND state = 'waiting'",
            )
            .await?;
        let ids = (receiver.tenant.uuid(), receiver.user.uuid());
        let rows = session.query(&select, &[&ids.0, &ids.1]).await?;
        rows.iter()
            .map(|row| {
                Ok(Unplanned {
                    id: row.try_get(0)?,
                    channel: Channel::parse(row.try_get(1)?).ok_or(inconsistent("notices", "channel"))?,
                    kind: NoticeKind::parse(row.try_get(2)?).ok_or(inconsistent("notices", "kind"))?,
                    created_at: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Writes the plans of a member's notices. The member is planned again if the choices have changed since
    /// `version`.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn replanned(
        &self,
        lease: &Lease,
        receiver: &Receiver,
        version: i32,
        plans: &[(Uuid, Plan)],
        now: DateTime<Utc>,
    ) -> Result<(), WriteError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        lease.check(&transaction).await?;
        let ids: Vec<Uuid> = plans.iter().map(|(id, _)| *id).collect();
        let due: Vec<Option<DateTime<Utc>>> = plans
            .iter()
            .map(|(_, plan)| match plan {
                Plan::Due(at) => Some(*at),
                Plan::LeaveOut => None,
            })
            .collect();
        let (tenant, user) = (receiver.tenant.uuid(), receiver.user.uuid());
        let update = transaction
            .prepare_cached(
                "UPDATE core.notices n \
                    SET due_at = coalesce(p.due_at, n.due_at), \
                        state = CASE WHEN p.due_at IS NULL THEN 'left_out' ELSE n.state END, \
                        reason = CASE WHEN p.due_at IS NULL THEN 'unwanted' END, \
                        ended_at = CASE WHEN p.due_at IS NULL THEN $4::timestamptz END \
                   FROM unnest($2::uuid[], $3::timestamptz[]) AS p (id, due_at) \
                  WHERE n.tenant_id = $1 AND n.notice_id = p.id AND n.state = 'waiting'",
            )
            .await?;
        transaction.execute(&update, &[&tenant, &ids, &due, &now]).await?;
        let sql = "UPDATE core.notification_settings SET replan = false \
                    WHERE tenant_id = $1 AND user_id = $2 AND version = $3";
        let update = transaction.prepare_cached(sql).await?;
        transaction.execute(&update, &[&tenant, &user, &version]).await?;
        Ok(transaction.commit().await?)
    }
}

/// Reads the columns of [`RECEIVERS`].
fn receiver(row: &Row) -> Result<Receiver, StoreError> {
    let role = match row.try_get(2)? {
        "owner" => Role::Owner,
        "admin" => Role::Admin,
        "member" => Role::Member,
        "viewer" => Role::Viewer,
        _ => return Err(inconsistent("accounts", "role")),
    };
    let chose = row.try_get::<_, Option<serde_json::Value>>(4)?.is_some();
    Ok(Receiver {
        tenant: TenantId(row.try_get(0)?),
        user: UserId(row.try_get(1)?),
        role,
        preferences: if chose {
            preferences(row, 4)?
        } else {
            Preferences::default()
        },
        time_zone: row.try_get(3)?,
        snoozes: Vec::new(),
    })
}
