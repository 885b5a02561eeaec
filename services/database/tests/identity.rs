//! A connection acts as its role, whatever lies between it and the server, or it is not used.
#![expect(clippy::unwrap_used, reason = "helpers of tests end the test where they fail")]

use database::{DatabaseError, IdentityError, Pool, Role};
use secrecy::SecretString;
use support::{Own, Pooler, Pooling, Postgres};

/// A server with the roles of the program.
async fn server() -> Own<Postgres> {
    let server = support::own_postgres().await;
    database::migrate(&server.url("postgres").into()).await.unwrap();
    server
}

async fn through(pooling: Pooling, server: &Postgres) -> SecretString {
    let pooler = Pooler::before(server.port(), pooling).await;
    pooler.url(&server.url("postgres"), server.port()).into()
}

async fn refusal(server: &Own<Postgres>, sql: &str) -> DatabaseError {
    let admin = support::connect(&server.url("postgres")).await;
    admin.batch_execute(sql).await.unwrap();
    let pool = Pool::open(&server.url("postgres").into(), Role::Api, 1).unwrap();
    pool.get().await.unwrap_err()
}

#[tokio::test]
async fn through_a_session_pooler_each_connection_acts_as_its_role_and_sees_one_tenant() {
    let server = server().await;
    let url = through(Pooling::Session, &server).await;
    database::prove(&url, Role::Api).await.unwrap();
    let pool = Pool::open(&url, Role::Api, 2).unwrap();
    let (one, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    for session in [&one, &other] {
        let asked = "SELECT current_user::text, current_setting('search_path')";
        let row = session.query_one(asked, &[]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), ("st_api", "core"));
    }
    let leader = database::connect(&url, Some(Role::Relay)).await.unwrap();
    let row = leader.query_one("SELECT current_user::text", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "st_relay");
}

#[tokio::test]
async fn a_pooler_that_shares_connections_by_transaction_is_refused_with_the_reason() {
    let server = server().await;
    let url = through(Pooling::Transaction, &server).await;
    let error = database::prove(&url, Role::Api).await.unwrap_err();
    assert!(
        matches!(error, DatabaseError::Identity(IdentityError::Shared)),
        "{error}"
    );
    for word in ["transaction", "session pooling", "direct connection"] {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[tokio::test]
async fn a_role_that_became_a_superuser_is_refused() {
    let error = refusal(&server().await, "ALTER ROLE st_api SUPERUSER").await;
    assert!(
        error.to_string().contains("`st_api` (it is a superuser)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_role_that_passes_row_security_is_refused() {
    let error = refusal(&server().await, "ALTER ROLE st_api BYPASSRLS").await;
    assert!(
        error.to_string().contains("`st_api` (it has BYPASSRLS)"),
        "{error}"
    );
}
