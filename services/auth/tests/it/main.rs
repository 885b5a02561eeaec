//! Accounts, sessions and answers against a real PostgreSQL, under the API's own role.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world cannot go on"
)]

mod accounts;
mod attempts;
mod codes;
mod comparisons;
mod idempotency;
mod profiles;
mod sessions;

use auth::accounts::NewAccount;
use auth::{
    Accounts, Attempts, Email, IdempotencyKeys, Invitations, PasswordResets, Profiles, Role, Sessions,
};
use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use uuid::Uuid;

const ANNA: (TenantId, UserId) = (TenantId(Uuid::from_u128(0xA)), UserId(Uuid::from_u128(0xA1)));
const BORIS: (TenantId, UserId) = (TenantId(Uuid::from_u128(0xB)), UserId(Uuid::from_u128(0xB1)));

struct World {
    database: support::Database,
    accounts: Accounts,
    sessions: Sessions,
    answers: IdempotencyKeys,
    profiles: Profiles,
    attempts: Attempts,
    invitations: Invitations,
    resets: PasswordResets,
}

async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let pool = Pool::open(&database.url.clone().into(), database::Role::Api, 8).unwrap();
    World {
        database,
        accounts: Accounts::new(pool.clone()),
        sessions: Sessions::new(pool.clone()),
        answers: IdempotencyKeys::new(pool.clone()),
        profiles: Profiles::new(pool.clone()),
        attempts: Attempts::new(pool.clone()),
        invitations: Invitations::new(pool.clone()),
        resets: PasswordResets::new(pool),
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn new_account(who: (TenantId, UserId), email: &str) -> NewAccount {
    NewAccount {
        tenant_id: who.0,
        user_id: who.1,
        email: Email::parse(email).unwrap(),
        password: "correct horse".into(),
        display_name: "Анна".to_owned(),
        role: Role::Owner,
    }
}

impl World {
    async fn registered(&self, who: (TenantId, UserId), email: &str) {
        self.accounts
            .reserve(&new_account(who, email), at(0))
            .await
            .unwrap();
        self.accounts.activate(who.0, who.1).await.unwrap();
    }

    /// What the log's word does to an account.
    async fn deactivate(&self, user: UserId) {
        support::connect(&self.database.url)
            .await
            .execute(
                "UPDATE core.accounts SET state = 'deactivated' WHERE user_id = $1",
                &[&user.uuid()],
            )
            .await
            .unwrap();
    }
}
