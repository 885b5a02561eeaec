//! Registration and login.

use auth::Email;
use auth::accounts::{AccountState, LoginError, ReserveError};

use super::{ANNA, BORIS, at, new_account, world};

#[tokio::test]
async fn an_account_logs_in_with_its_password_in_any_spelling_of_its_address() {
    let world = world().await;
    world.registered(ANNA, "Anna@Shop.ru").await;
    let login = world
        .accounts
        .log_in(&Email::parse("anna@shop.RU").unwrap(), &"correct horse".into())
        .await
        .unwrap();
    assert_eq!((login.tenant_id, login.user_id), ANNA);
    let account = world.accounts.get(ANNA.0, ANNA.1).await.unwrap().unwrap();
    assert_eq!(
        (account.email.address(), account.display_name.as_str()),
        ("Anna@Shop.ru", "Анна")
    );
    assert_eq!(account.state, AccountState::Active);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    for (address, password) in [
        ("anna@shop.ru", "wrong horse"),
        ("nobody@shop.ru", "correct horse"),
    ] {
        let refused = world
            .accounts
            .log_in(&Email::parse(address).unwrap(), &password.into())
            .await
            .err()
            .unwrap();
        assert!(
            matches!(refused, LoginError::WrongCredentials),
            "{address}: {refused}"
        );
    }
}

#[tokio::test]
async fn an_account_that_is_not_activated_or_deactivated_does_not_log_in() {
    let world = world().await;
    let email = Email::parse("anna@shop.ru").unwrap();
    world
        .accounts
        .reserve(&new_account(ANNA, "anna@shop.ru"), at(0))
        .await
        .unwrap();
    let pending = world
        .accounts
        .log_in(&email, &"correct horse".into())
        .await
        .err()
        .unwrap();
    assert!(matches!(pending, LoginError::WrongCredentials), "{pending}");
    world.accounts.activate(ANNA.0, ANNA.1).await.unwrap();
    world.deactivate(ANNA.1).await;
    let closed = world
        .accounts
        .log_in(&email, &"correct horse".into())
        .await
        .err()
        .unwrap();
    assert!(matches!(closed, LoginError::Deactivated), "{closed}");
    let wrong = world
        .accounts
        .log_in(&email, &"wrong horse".into())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(wrong, LoginError::WrongCredentials),
        "only the owner learns of it: {wrong}"
    );
    world.accounts.activate(ANNA.0, ANNA.1).await.unwrap();
    let still = world
        .accounts
        .log_in(&email, &"correct horse".into())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(still, LoginError::Deactivated),
        "activating is for registrations only: {still}"
    );
}

#[tokio::test]
async fn an_address_belongs_to_one_account_over_all_tenants() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let taken = world
        .accounts
        .reserve(&new_account(BORIS, "ANNA@shop.ru"), at(1))
        .await
        .err()
        .unwrap();
    assert!(matches!(taken, ReserveError::EmailTaken), "{taken}");
}

#[tokio::test]
async fn a_registration_can_be_repeated_and_a_dead_one_frees_its_address_after_ten_minutes() {
    let world = world().await;
    let anna = new_account(ANNA, "anna@shop.ru");
    world.accounts.reserve(&anna, at(0)).await.unwrap();
    world.accounts.reserve(&anna, at(1)).await.unwrap();
    let other = new_account(BORIS, "anna@shop.ru");
    assert!(matches!(
        world.accounts.reserve(&other, at(500)).await,
        Err(ReserveError::EmailTaken)
    ));
    world.accounts.reserve(&other, at(602)).await.unwrap();
    world.accounts.activate(BORIS.0, BORIS.1).await.unwrap();
    assert!(world.accounts.get(ANNA.0, ANNA.1).await.unwrap().is_none());
    world.accounts.reserve(&other, at(603)).await.unwrap();
    let account = world.accounts.get(BORIS.0, BORIS.1).await.unwrap().unwrap();
    assert_eq!(
        account.state,
        AccountState::Active,
        "repeating an old registration changes nothing"
    );
}

#[tokio::test]
async fn one_tenant_does_not_see_another_ones_account() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    assert!(world.accounts.get(BORIS.0, ANNA.1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_login_costs_one_hash_whether_or_not_there_is_such_an_account() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let cost = async |email: &str, password: &str| {
        let before = world.accounts.hashes_computed();
        let email = Email::parse(email).unwrap();
        drop(world.accounts.log_in(&email, &password.into()).await);
        world.accounts.hashes_computed() - before
    };
    assert_eq!(cost("anna@shop.ru", "correct horse").await, 1);
    assert_eq!(cost("anna@shop.ru", "wrong horse").await, 1);
    assert_eq!(cost("nobody@shop.ru", "wrong horse").await, 1);
    world.deactivate(ANNA.1).await;
    assert_eq!(cost("anna@shop.ru", "correct horse").await, 1);
    assert_eq!(cost("anna@shop.ru", "wrong horse").await, 1);
}

#[tokio::test]
async fn a_login_replaces_a_hash_of_less_work() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let params = argon2::Params::new(8_192, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let weak = argon2::PasswordHasher::hash_password(&weak, b"correct horse")
        .unwrap()
        .to_string();
    let client = support::connect(&world.database.url).await;
    client
        .execute("UPDATE core.accounts SET password_phc = $1", &[&weak])
        .await
        .unwrap();
    let stored = async || -> String {
        client
            .query_one("SELECT password_phc FROM core.accounts", &[])
            .await
            .unwrap()
            .get(0)
    };
    let email = Email::parse("anna@shop.ru").unwrap();
    assert!(
        world
            .accounts
            .log_in(&email, &"wrong horse".into())
            .await
            .is_err()
    );
    assert_eq!(stored().await, weak, "only the right password is hashed anew");
    for _ in 0..2 {
        world
            .accounts
            .log_in(&email, &"correct horse".into())
            .await
            .unwrap();
        assert!(stored().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}

#[tokio::test]
async fn a_login_that_was_never_opened_is_forgotten_after_four_days_and_an_open_one_is_not() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let pending = new_account(BORIS, "boris@shop.ru");
    world.accounts.reserve(&pending, at(0)).await.unwrap();
    let addresses = async || -> Vec<String> {
        let client = support::connect(&world.database.url).await;
        let rows = client
            .query("SELECT email FROM core.accounts ORDER BY email", &[])
            .await;
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let days = 4 * 24 * 3600;
    world.answers.purge(at(days)).await.unwrap();
    assert_eq!(addresses().await, ["anna@shop.ru", "boris@shop.ru"]);
    world.answers.purge(at(days + 1)).await.unwrap();
    assert_eq!(addresses().await, ["anna@shop.ru"]);
}
