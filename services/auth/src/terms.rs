//! What holds for a tenant as a whole: the plan that its owners' contracts give, and its clock. The tables
//! follow the log in the transaction of each append (`core.follow_terms` in
//! `migrations/core/V11__plans_and_schedule.sql`).

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use events::subscription::Plan;
use uuid::Uuid;

use crate::StoreError;

/// A tenant's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTerms {
    /// The plan; none where no owner has a contract that gives one.
    pub plan: Option<Plan>,
    /// IANA time zone of daily things.
    pub time_zone: String,
}

/// A user with a contract to which the passing of time has done something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapsed {
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// Whether it is the contract at Stripe, or that one as well.
    pub at_stripe: bool,
}

/// Zone of a tenant of which nothing is known.
pub const USUAL_TIME_ZONE: &str = "Europe/Moscow";

/// The terms of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Terms {
    pool: Pool,
}

impl Terms {
    /// Terms over `pool`, whose role has to be `st_api`, `st_gateway` or `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// What holds for a tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, tenant: TenantId) -> Result<TenantTerms, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached("SELECT plan, time_zone FROM core.tenant_terms WHERE tenant_id = $1")
            .await?;
        let row = transaction.query_opt(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        Ok(match row {
            Some(row) => TenantTerms {
                plan: plan(row.try_get(0)?)?,
                time_zone: row.try_get(1)?,
            },
            None => TenantTerms {
                plan: None,
                time_zone: USUAL_TIME_ZONE.to_owned(),
            },
        })
    }

    /// The owner whose contract gives a tenant its plan; none where no contract does. The rule is that of
    /// `core.decide_tenant_plan`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_from(&self, tenant: TenantId) -> Result<Option<UserId>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT s.user_id
                   FROM core.subscriptions s
                   JOIN core.accounts a
                     ON a.tenant_id = s.tenant_id AND a.user_id = s.user_id AND a.role = 'owner'
                  WHERE s.tenant_id = $1 AND s.status IN ('trialing', 'active', 'past_due')
                  ORDER BY array_position(ARRAY['free', 'starter', 'pro', 'enterprise'], s.plan)
                           DESC NULLS LAST, s.user_id
                  LIMIT 1",
            )
            .await?;
        let row = transaction.query_opt(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        row.map(|row| Ok(UserId(row.try_get(0)?))).transpose()
    }

    /// Users of all tenants to whose contracts the passing of time has done something, up to `limit` of them
    /// behind `after`, in the order of their ids; for the worker.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lapsed(
        &self,
        now: DateTime<Utc>,
        grace: TimeDelta,
        after: Option<&Lapsed>,
        limit: i32,
    ) -> Result<Vec<Lapsed>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, user_id, at_stripe
                   FROM core.lapsed_contracts($1, make_interval(secs => $2), $3, $4, $5)",
            )
            .await?;
        #[expect(clippy::cast_precision_loss, reason = "a few days in seconds")]
        let grace = grace.num_seconds() as f64;
        let (tenant, user) = after.map_or((Uuid::nil(), Uuid::nil()), |after| {
            (after.tenant_id.uuid(), after.user_id.uuid())
        });
        let rows = session
            .query(&select, &[&now, &grace, &tenant, &user, &limit])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Lapsed {
                    tenant_id: TenantId(row.try_get(0)?),
                    user_id: UserId(row.try_get(1)?),
                    at_stripe: row.try_get(2)?,
                })
            })
            .collect()
    }
}

/// A plan as the tables name it.
pub(crate) fn plan(name: Option<&str>) -> Result<Option<Plan>, StoreError> {
    name.map(|name| {
        Plan::parse(name).ok_or(StoreError::Inconsistent {
            table: "tenant_terms",
            column: "plan",
        })
    })
    .transpose()
}
