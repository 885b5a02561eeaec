//! Which customer of Stripe's a user is, and who reads that customer at the moment.
//!
//! The row is written before anything is sold to the user. What Stripe sends about a customer without a row
//! here is therefore not ours.

use std::time::Duration;

use database::Pool;
use events::ids::{TenantId, UserId};
use uuid::Uuid;

use crate::StoreError;

/// A user of ours as Stripe's customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Customer {
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// Stripe's id, `cus_…`.
    pub customer: String,
}

/// The right to read one customer at Stripe and to record what was read. It ends by itself, so a process that
/// died keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(Uuid);

impl Lease {
    /// Names the lease; no two have the same id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }
}

/// The customers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    pool: Pool,
}

impl Customers {
    /// Over `pool`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The customer that a user is, if something was ever sold to the user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_user(&self, tenant: TenantId, user: UserId) -> Result<Option<Customer>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let find = transaction
            .prepare_cached(
                "SELECT customer FROM core.billing_customers WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&find, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map(|row| {
            Ok(Customer {
                tenant_id: tenant,
                user_id: user,
                customer: row.try_get(0)?,
            })
        })
        .transpose()
    }

    /// The user that is this customer; none for a customer that is not ours. Under the role `st_worker`: the
    /// API's role sees no rows without a tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn by_id(&self, customer: &str) -> Result<Option<Customer>, StoreError> {
        let session = self.pool.get().await?;
        let find = session
            .prepare_cached("SELECT tenant_id, user_id FROM core.billing_customers WHERE customer = $1")
            .await?;
        let row = session.query_opt(&find, &[&customer]).await?;
        row.map(|row| {
            Ok(Customer {
                tenant_id: TenantId(row.try_get(0)?),
                user_id: UserId(row.try_get(1)?),
                customer: customer.to_owned(),
            })
        })
        .transpose()
    }

    /// Remembers which customer a user is, unless that is known, and returns the customer that the user is
    /// now: of two that were made at the same time one counts, the other stays unused.
    ///
    /// # Errors
    /// [`StoreError`]; also if the customer is another user's.
    pub async fn insert(&self, customer: &Customer) -> Result<Customer, StoreError> {
        let mut session = self.pool.tenant(customer.tenant_id).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.billing_customers (tenant_id, user_id, customer) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, user_id) DO NOTHING",
            )
            .await?;
        let (tenant, user) = (customer.tenant_id.uuid(), customer.user_id.uuid());
        transaction
            .execute(&insert, &[&tenant, &user, &customer.customer])
            .await?;
        let find = transaction
            .prepare_cached(
                "SELECT customer FROM core.billing_customers WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        let row = transaction.query_one(&find, &[&tenant, &user]).await?;
        transaction.commit().await?;
        Ok(Customer {
            customer: row.try_get(0)?,
            ..customer.clone()
        })
    }

    /// Forgets that the user is this customer, for one that was deleted at Stripe. What was sold is in the
    /// log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, customer: &Customer) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(customer.tenant_id).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.billing_customers
                  WHERE tenant_id = $1 AND user_id = $2 AND customer = $3",
            )
            .await?;
        let (tenant, user) = (customer.tenant_id.uuid(), customer.user_id.uuid());
        transaction
            .execute(&delete, &[&tenant, &user, &customer.customer])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes the right to read the customer, for `duration` by the database's clock. None while another
    /// process has it, or where the user is no longer this customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take(&self, customer: &Customer, duration: Duration) -> Result<Option<Lease>, StoreError> {
        let mut session = self.pool.tenant(customer.tenant_id).await?;
        let transaction = session.begin().await?;
        let take = transaction
            .prepare_cached(
                "UPDATE core.billing_customers
                    SET busy_until = clock_timestamp() + make_interval(secs => $4),
                        busy_by = gen_random_uuid()
                  WHERE tenant_id = $1 AND user_id = $2 AND customer = $3
                    AND (busy_until IS NULL OR busy_until <= clock_timestamp())
                 RETURNING busy_by",
            )
            .await?;
        let (tenant, user) = (customer.tenant_id.uuid(), customer.user_id.uuid());
        let seconds = duration.as_secs_f64();
        let row = transaction
            .query_opt(&take, &[&tenant, &user, &customer.customer, &seconds])
            .await?;
        transaction.commit().await?;
        row.map(|row| Ok(Lease(row.try_get(0)?))).transpose()
    }

    /// Makes the right last for `duration` from now; false if it is over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(
        &self,
        customer: &Customer,
        lease: Lease,
        duration: Duration,
    ) -> Result<bool, StoreError> {
        self.set_end(
            customer,
            lease,
            "UPDATE core.billing_customers SET busy_until = clock_timestamp() + make_interval(secs => $4)
              WHERE tenant_id = $1 AND user_id = $2 AND busy_by = $3 AND busy_until > clock_timestamp()",
            duration.as_secs_f64(),
        )
        .await
    }

    /// Gives the right back; nothing if it is over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, customer: &Customer, lease: Lease) -> Result<(), StoreError> {
        self.set_end(
            customer,
            lease,
            "UPDATE core.billing_customers SET busy_until = clock_timestamp() - make_interval(secs => $4)
              WHERE tenant_id = $1 AND user_id = $2 AND busy_by = $3",
            0.0,
        )
        .await
        .map(drop)
    }

    async fn set_end(
        &self,
        customer: &Customer,
        lease: Lease,
        statement: &str,
        seconds: f64,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(customer.tenant_id).await?;
        let transaction = session.begin().await?;
        let update = transaction.prepare_cached(statement).await?;
        let (tenant, user) = (customer.tenant_id.uuid(), customer.user_id.uuid());
        let changed = transaction
            .execute(&update, &[&tenant, &user, &lease.0, &seconds])
            .await?;
        transaction.commit().await?;
        Ok(changed == 1)
    }
}
