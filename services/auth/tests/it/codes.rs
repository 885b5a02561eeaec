//! One-time codes: once, for a while, for one login or address.

use auth::Email;
use auth::invitations::{self, NewInvitation};
use auth::{Role, resets};
use events::ids::{CommandId, TenantId};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::{ANNA, World, at, world};

const COMMAND: CommandId = CommandId(Uuid::from_u128(0xC1));
const OTHER: CommandId = CommandId(Uuid::from_u128(0xC2));

impl World {
    async fn invited(&self, email: Option<&str>) -> invitations::IssuedCode {
        let invitation = NewInvitation {
            invitation_id: Uuid::from_u128(0x11),
            invited_by: ANNA.1,
            role: Role::Member,
            email: email.map(|email| Email::parse(email).unwrap()),
        };
        self.invitations
            .issue(ANNA.0, &invitation, at(0))
            .await
            .unwrap()
            .unwrap()
    }
}

fn boris() -> Email {
    Email::parse("Boris@shop.ru").unwrap()
}

#[tokio::test]
async fn a_reset_code_works_once_and_for_ten_minutes() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let claim = async |code, command, second| world.resets.claim(code, command, at(second)).await.unwrap();
    let first = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap();
    let code = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap();
    assert_eq!(claim(&first.code, COMMAND, 1).await, None, "replaced by the next");
    assert_eq!(claim(&code.code, COMMAND, 599).await, Some(ANNA.1));
    assert_eq!(
        claim(&code.code, COMMAND, 700).await,
        Some(ANNA.1),
        "the same command again"
    );
    assert_eq!(claim(&code.code, OTHER, 599).await, None, "another command");
    let day = 24 * 3600;
    assert_eq!(claim(&code.code, COMMAND, day - 1).await, Some(ANNA.1));
    assert_eq!(
        claim(&code.code, COMMAND, day).await,
        None,
        "the first answer may be forgotten by now, and another password would not be noticed"
    );
    let rows = async || -> i64 {
        let client = support::connect(&world.database.url).await;
        let rows = client
            .query_one("SELECT count(*) FROM core.password_resets", &[])
            .await;
        rows.unwrap().get(0)
    };
    world.answers.purge(at(day)).await.unwrap();
    assert_eq!(rows().await, 1);
    world.answers.purge(at(day + 1)).await.unwrap();
    assert_eq!(rows().await, 0, "and the code goes");
    let late = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap();
    assert_eq!(late.expires_at, at(0) + resets::LIFETIME);
    assert_eq!(claim(&late.code, COMMAND, 600).await, None, "too late");
    let closed = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap();
    world.deactivate(ANNA.1).await;
    assert_eq!(
        claim(&closed.code, COMMAND, 1).await,
        None,
        "the login may not be used"
    );
}

#[tokio::test]
async fn of_many_uses_of_one_code_at_once_one_succeeds() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let code = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap();
    let uses: Vec<_> = (0..16)
        .map(|number| {
            let (resets, code) = (world.resets.clone(), code.code.clone());
            tokio::spawn(async move {
                resets
                    .claim(&code, CommandId(Uuid::from_u128(number)), at(1))
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut taken = 0;
    for used in uses {
        taken += i32::from(used.await.unwrap().is_some());
    }
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn an_invitation_is_used_by_one_command_until_it_ends_or_is_taken_back() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let claim = async |code, command, second| {
        world
            .invitations
            .claim(code, &boris(), command, at(second))
            .await
            .unwrap()
            .map(|invitation| invitation.role)
    };
    let lost = world.invited(None).await;
    let issued = world.invited(None).await;
    assert_eq!(
        claim(&lost.code, COMMAND, 1).await,
        None,
        "its second code replaced it"
    );
    assert_eq!(world.invitations.list(ANNA.0, at(1)).await.unwrap().len(), 1);
    let end = invitations::LIFETIME.num_seconds();
    assert_eq!(claim(&issued.code, COMMAND, end).await, None, "too late");
    assert_eq!(claim(&issued.code, COMMAND, end - 1).await, Some(Role::Member));
    assert_eq!(claim(&issued.code, OTHER, end - 1).await, None, "once");
    assert!(world.invitations.list(ANNA.0, at(1)).await.unwrap().is_empty());
    let id = Uuid::from_u128(0x11);
    assert!(
        !world.invitations.withdraw(ANNA.0, id).await.unwrap(),
        "it is used already"
    );
    world.invitations.release(ANNA.0, id, COMMAND).await.unwrap();
    assert!(world.invitations.withdraw(ANNA.0, id).await.unwrap());
    assert_eq!(claim(&issued.code, COMMAND, 2).await, None, "taken back");
}

#[tokio::test]
async fn an_invitation_for_an_address_is_for_nobody_else() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let issued = world.invited(Some("bORIS@shop.ru")).await;
    let stranger = Email::parse("thief@shop.ru").unwrap();
    let claim = async |email: &Email| {
        world
            .invitations
            .claim(&issued.code, email, COMMAND, at(1))
            .await
            .unwrap()
    };
    assert!(claim(&stranger).await.is_none());
    assert!(claim(&boris()).await.is_some());
}

#[tokio::test]
async fn a_code_is_no_other_kind_of_code_and_the_tables_hold_none() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let invitation = world.invited(None).await.code;
    let reset = world.resets.issue(ANNA.0, ANNA.1, at(0)).await.unwrap().code;
    assert!(
        world
            .resets
            .claim(&invitation, COMMAND, at(1))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        world
            .invitations
            .claim(&reset, &boris(), COMMAND, at(1))
            .await
            .unwrap()
            .is_none()
    );
    let elsewhere = format!("{}{}", resets::PREFIX, "A".repeat(64));
    assert_eq!(
        auth::PasswordResets::tenant_of(&elsewhere.clone().into()),
        Some(TenantId(Uuid::nil()))
    );
    assert!(
        world
            .resets
            .claim(&elsewhere.into(), COMMAND, at(1))
            .await
            .unwrap()
            .is_none()
    );
    let client = support::connect(&world.database.url).await;
    let dump: String = client
        .query_one(
            "SELECT string_agg(t, ' ') FROM (SELECT i::text FROM core.invitations i
             UNION ALL SELECT r::text FROM core.password_resets r) AS all_rows(t)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    for secret in [&invitation, &reset] {
        assert!(!dump.contains(secret.expose_secret()), "a code is stored");
    }
}
