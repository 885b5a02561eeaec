//! Signing up: once per command, whoever sends it how often, and also when it was cut short.

use application::membership::{self, Membership};
use application::register::{self, Error};
use auth::Email;
use auth::accounts::ReserveError;
use auth::profiles::Subject;
use events::tenant::Role;

use crate::world::{World, new_id, registration, somebody};

const SET: [&str; 2] = ["tenant_registered", "user_registered"];

#[tokio::test]
async fn a_registration_makes_a_tenant_its_owner_and_a_login() {
    let world = World::new().await;
    let registered = world.register("anna@example.com").await.unwrap();
    assert_eq!(world.happened().await, SET);
    let (tenant, user) = (registered.tenant_id, registered.user_id);
    let membership = membership::of(&world.app, tenant, user).await.unwrap();
    assert_eq!(membership, Membership::Member(Role::Owner));
    let email = Email::parse("anna@example.com").unwrap();
    let login = world
        .app
        .accounts
        .log_in(&email, &somebody("anna@example.com").password)
        .await
        .unwrap();
    assert_eq!((login.tenant_id, login.user_id), (tenant, user));
    let names = world.app.profiles.all(tenant, Subject::Tenant).await.unwrap();
    assert_eq!(names[&tenant.uuid()], "ИП Соколова Анна");
}

#[tokio::test]
async fn registering_twice_with_one_command_id_gives_one_tenant_and_one_set_of_events() {
    let world = World::new().await;
    let context = registration(new_id());
    let first = register::execute(&world.app, &context, somebody("anna@example.com"))
        .await
        .unwrap();
    let again = register::execute(&world.app, &context, somebody("anna@example.com"))
        .await
        .unwrap();
    assert_eq!((again.tenant_id, again.user_id), (first.tenant_id, first.user_id));
    assert_eq!(
        (again.receipt.version, again.receipt.position),
        (first.receipt.version, first.receipt.position)
    );
    assert!(!first.receipt.duplicate && again.receipt.duplicate);
    assert_eq!(world.happened().await, SET);
}

#[tokio::test]
async fn registering_twice_at_once_gives_one_tenant_and_one_set_of_events() {
    let world = World::new().await;
    let context = registration(new_id());
    let other = world.app(database::Role::Gateway);
    let (one, two) = tokio::join!(
        register::execute(&world.app, &context, somebody("anna@example.com")),
        register::execute(&other, &context, somebody("anna@example.com")),
    );
    assert_eq!(one.unwrap().tenant_id, two.unwrap().tenant_id);
    assert_eq!(world.happened().await, SET);
}

#[tokio::test]
async fn a_registration_that_was_cut_short_is_finished_by_repeating_it() {
    let world = World::new().await;
    let context = registration(new_id());
    // As far as the process came: the address is reserved and the tenant is there, the user is not.
    let registered = register::execute(&world.app, &context, somebody("anna@example.com"))
        .await
        .unwrap();
    let admin = support::connect(&world.database.url).await;
    admin
        .batch_execute(
            "SET session_replication_role = replica; \
             DELETE FROM core.events WHERE event_type = 'user_registered'; \
             DELETE FROM core.heads WHERE aggregate_type = 'user'; \
             DELETE FROM core.commands WHERE aggregate_type = 'user'; \
             UPDATE core.log_head SET position = 1; \
             UPDATE core.accounts SET state = 'pending'",
        )
        .await
        .unwrap();
    let email = Email::parse("anna@example.com").unwrap();
    let password = somebody("anna@example.com").password;
    assert!(
        world.app.accounts.log_in(&email, &password).await.is_err(),
        "half a registration lets nobody in"
    );
    let again = register::execute(&world.app, &context, somebody("anna@example.com"))
        .await
        .unwrap();
    assert_eq!(again.user_id, registered.user_id);
    assert_eq!(world.happened().await, SET);
    world.app.accounts.log_in(&email, &password).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_nothing_behind() {
    let world = World::new().await;
    world.register("anna@example.com").await.unwrap();
    let answer = world.register("Anna@Example.com").await;
    assert!(
        matches!(answer, Err(Error::Reserve(ReserveError::EmailTaken))),
        "{answer:?}"
    );
    assert_eq!(world.happened().await, SET);
}

#[tokio::test]
async fn what_people_are_called_stays_out_of_the_log() {
    let world = World::new().await;
    world.register("anna@example.com").await.unwrap();
    for event in world.log().await {
        let text = format!("{event:?}").to_lowercase();
        for personal in ["anna", "example.com", "соколова", "анна", "лошадь"] {
            assert!(!text.contains(personal), "{personal}: {text}");
        }
    }
}
