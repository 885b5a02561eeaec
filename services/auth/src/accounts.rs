//! Logins and their passwords. An account is reserved first and activated once the registration's events are
//! in the log, so that no half-made login can be used.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Pool};
use events::ids::{TenantId, UserId};
use secrecy::SecretString;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;
use crate::email::Email;
use crate::password::{Match, PasswordError, Passwords};
use crate::permission::{Role, role_name, role_named};
use crate::sessions::{EndReason, end_others};

/// What the tables answer to a row of an erased tenant (`core.refuse_erased` in
/// `migrations/core/V27__no_way_back.sql`).
const ERASED: &str = "ST410";

fn is_erased(error: &StoreError) -> bool {
    let StoreError::Database(DatabaseError::Query(error)) = error else {
        return false;
    };
    error.code().is_some_and(|code| code.code() == ERASED)
}

/// Why an e-mail cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// Somebody has it.
    #[error("the e-mail address is already registered")]
    EmailTaken,
    /// The tenant that this registration or invitation made or joined was erased.
    #[error("the business was erased")]
    Erased,
    /// The password is not acceptable or could not be hashed.
    #[error("the password cannot be used")]
    Password(#[from] PasswordError),
    /// The tables cannot be used.
    #[error("the account cannot be stored")]
    Store(#[from] StoreError),
}

/// Why a login is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such address, or not its password. One answer for both.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The password is right, but the account may not be used.
    #[error("the account is deactivated")]
    Deactivated,
    /// The password is right, but the tenant may not use the service for now.
    #[error("the tenant is suspended")]
    Suspended,
    /// The password could not be compared.
    #[error("the password cannot be checked")]
    Password(#[from] PasswordError),
    /// The tables cannot be used.
    #[error("the account cannot be looked up")]
    Store(#[from] StoreError),
}

/// A login to be made.
pub struct NewAccount {
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its id; the same id again is the same registration.
    pub user_id: UserId,
    /// Its address.
    pub email: Email,
    /// Its password.
    pub password: SecretString,
    /// The person's name; may be empty.
    pub display_name: String,
    /// What it may do in its tenant.
    pub role: Role,
}

/// Whether a login may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// Its registration is not finished.
    Pending,
    /// It may.
    Active,
    /// It may not, for now.
    Deactivated,
}

impl AccountState {
    /// Its name in tables and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
        }
    }

    fn named(name: &str) -> Result<Self, StoreError> {
        [Self::Pending, Self::Active, Self::Deactivated]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(StoreError::Inconsistent {
                table: "accounts",
                column: "state",
            })
    }
}

/// Who logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Login.
    pub user_id: UserId,
    /// What it may do.
    pub role: Role,
}

/// An account, for its owner's eyes.
#[derive(Clone)]
pub struct Account {
    /// Login.
    pub user_id: UserId,
    /// Address.
    pub email: Email,
    /// The person's name; may be empty.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may be used.
    pub state: AccountState,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The new password is not acceptable or could not be hashed.
    #[error("the password cannot be used")]
    Password(#[from] PasswordError),
    /// The tables cannot be used.
    #[error("the password cannot be stored")]
    Store(#[from] StoreError),
}

/// The accounts of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pool: Pool,
    passwords: Passwords,
}

impl Accounts {
    /// Accounts over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            passwords: Passwords::default(),
        }
    }

    /// Holds the address for a registration that is under way. Repeating it with the same ids succeeds again.
    ///
    /// # Errors
    /// [`ReserveError`].
    pub async fn reserve(&self, account: &NewAccount, now: DateTime<Utc>) -> Result<(), ReserveError> {
        let hash = self.passwords.hash(&account.password).await?;
        match self.insert(account, &hash, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReserveError::EmailTaken),
            Err(error) if is_erased(&error) => Err(ReserveError::Erased),
            Err(error) => Err(error.into()),
        }
    }

    async fn insert(&self, account: &NewAccount, hash: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let reserve = session
            .prepare_cached("SELECT core.reserve_account($1, $2, $3, $4, $5, $6, $7, $8)")
            .await?;
        let row = session
            .query_one(
                &reserve,
                &[
                    &account.tenant_id.uuid(),
                    &account.user_id.uuid(),
                    &account.email.address(),
                    &account.email.key(),
                    &hash,
                    &account.display_name,
                    &role_name(account.role),
                    &now,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Opens a reserved account for use. An account that is in use already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn activate(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        self.change(
            tenant,
            user,
            "UPDATE core.accounts SET state = 'active'
              WHERE tenant_id = $1 AND user_id = $2 AND state = 'pending'",
        )
        .await
    }

    async fn change(&self, tenant: TenantId, user: UserId, statement: &str) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction.prepare_cached(statement).await?;
        transaction
            .execute(&update, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The account with this address and password. Takes as long for an unknown address as for a wrong
    /// password. A hash of less work than one of today is replaced.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn log_in(&self, email: &Email, password: &SecretString) -> Result<Login, LoginError> {
        let found = self.find(email).await?;
        let stored = found.as_ref().map(|(_, hash, _)| hash.clone());
        let matched = self.passwords.matches(stored, password).await?;
        let (login, hash) = match found {
            Some((login, hash, AccountState::Active)) if matched.is_right() => (login, hash),
            Some((_, _, AccountState::Deactivated)) if matched.is_right() => {
                return Err(LoginError::Deactivated);
            }
            _ => return Err(LoginError::WrongCredentials),
        };
        if self.is_suspended(login.tenant_id, login.user_id).await? {
            return Err(LoginError::Suspended);
        }
        if matched == Match::Outdated {
            let anew = self.passwords.hash_anew(password).await?;
            self.replace_hash(login, &hash, &anew).await?;
        }
        Ok(login)
    }

    /// Whether this is the password of a user who is logged in already.
    ///
    /// # Errors
    /// [`LoginError::WrongCredentials`] when it is not; else as in [`Accounts::log_in`].
    pub async fn confirm(
        &self,
        tenant: TenantId,
        user: UserId,
        password: &SecretString,
    ) -> Result<(), LoginError> {
        let stored = self.hash_of(tenant, user).await?;
        if self.passwords.matches(stored, password).await?.is_right() {
            Ok(())
        } else {
            Err(LoginError::WrongCredentials)
        }
    }

    async fn hash_of(&self, tenant: TenantId, user: UserId) -> Result<Option<String>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT password_phc FROM core.accounts
                  WHERE tenant_id = $1 AND user_id = $2 AND state = 'active'",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// A platform administrator is never kept out by a suspension: somebody has to end it.
    async fn is_suspended(&self, tenant: TenantId, user: UserId) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT NOT a.admin FROM core.accounts a JOIN core.suspensions u ON u.tenant_id = a.tenant_id
                  WHERE a.tenant_id = $1 AND a.user_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// Stores a better hash, unless the password was changed meanwhile.
    async fn replace_hash(&self, login: Login, old: &str, new: &str) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(login.tenant_id).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.accounts SET password_phc = $4
                  WHERE tenant_id = $1 AND user_id = $2 AND password_phc = $3",
            )
            .await?;
        transaction
            .execute(
                &update,
                &[&login.tenant_id.uuid(), &login.user_id.uuid(), &old, &new],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores a new password and ends every session of the user but `keep`, both or neither.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: &SecretString,
        keep: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), ChangeError> {
        let hash = self.passwords.hash(password).await?;
        self.store_password(tenant, user, &hash, keep, now).await?;
        Ok(())
    }

    async fn store_password(
        &self,
        tenant: TenantId,
        user: UserId,
        hash: &str,
        keep: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.accounts SET password_phc = $3 WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        transaction
            .execute(&update, &[&tenant.uuid(), &user.uuid(), &hash])
            .await?;
        end_others(&transaction, tenant, user, keep, EndReason::Password, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether a login is a platform administrator's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_administrator(&self, tenant: TenantId, user: UserId) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached("SELECT admin FROM core.accounts WHERE tenant_id = $1 AND user_id = $2")
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// How many password hashes were computed so far; the time of a login is theirs.
    #[must_use]
    pub fn hashes_computed(&self) -> u64 {
        self.passwords.computed()
    }

    /// Whose login has this address, for whoever runs the installation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn with_address(&self, email: &Email) -> Result<Option<Login>, StoreError> {
        Ok(self.find(email).await?.map(|(login, _, _)| login))
    }

    async fn find(&self, email: &Email) -> Result<Option<(Login, String, AccountState)>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT tenant_id, user_id, password_phc, role, state FROM core.find_login($1)")
            .await?;
        let Some(row) = session.query_opt(&select, &[&email.key()]).await? else {
            return Ok(None);
        };
        let login = Login {
            tenant_id: TenantId(row.try_get(0)?),
            user_id: UserId(row.try_get(1)?),
            role: role(row.try_get(3)?)?,
        };
        Ok(Some((
            login,
            row.try_get(2)?,
            AccountState::named(row.try_get(4)?)?,
        )))
    }

    /// One account of a tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, tenant: TenantId, user: UserId) -> Result<Option<Account>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT user_id, email, display_name, role, state, created_at
                   FROM core.accounts WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.as_ref().map(account).transpose()
    }

    /// The accounts of a tenant, the oldest first. People of one business are few.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Account>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT user_id, email, display_name, role, state, created_at
                   FROM core.accounts WHERE tenant_id = $1 AND state <> 'pending'
                  ORDER BY created_at, user_id",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        rows.iter().map(account).collect()
    }
}

fn account(row: &Row) -> Result<Account, StoreError> {
    let address: &str = row.try_get(1)?;
    let email = Email::parse(address).map_err(|source| StoreError::malformed("accounts", "email", source))?;
    Ok(Account {
        user_id: UserId(row.try_get(0)?),
        email,
        display_name: row.try_get(2)?,
        role: role(row.try_get(3)?)?,
        state: AccountState::named(row.try_get(4)?)?,
        created_at: row.try_get(5)?,
    })
}

fn role(name: &str) -> Result<Role, StoreError> {
    role_named(name).ok_or(StoreError::Inconsistent {
        table: "accounts",
        column: "role",
    })
}
