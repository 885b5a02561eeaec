//! Refresh tokens: one use each, and what happens on the second.

use auth::Role;
use auth::access::Principal;
use auth::sessions::{Client, EndReason, GRACE, Issued, OpenError, RotateError};
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{ANNA, BORIS, World, at, world};

const SESSION: Uuid = Uuid::from_u128(0x5E55);

async fn logged_in() -> (World, Issued) {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let issued = world.sessions.open(ANNA.0, ANNA.1, SESSION, at(0)).await.unwrap();
    (world, issued)
}

const fn anna() -> Principal {
    Principal {
        user_id: ANNA.1,
        tenant_id: ANNA.0,
        role: Role::Owner,
        session_id: SESSION,
    }
}

fn browser() -> Client {
    Client::of(b"key", "192.0.2.1".parse().unwrap(), Some(b"Browser"))
}

impl World {
    async fn rotated(&self, token: &SecretString, second: i64) -> Result<Issued, RotateError> {
        self.rotated_by(&browser(), token, second).await
    }

    async fn rotated_by(
        &self,
        client: &Client,
        token: &SecretString,
        second: i64,
    ) -> Result<Issued, RotateError> {
        self.sessions
            .rotate(token, client, at(second))
            .await
            .map(|(principal, issued)| {
                assert_eq!(principal, anna());
                issued
            })
    }
}

#[tokio::test]
async fn a_refresh_token_works_once_and_gives_the_next() {
    let (world, first) = logged_in().await;
    let second = world.rotated(&first.refresh_token, 10).await.unwrap();
    let third = world.rotated(&second.refresh_token, 20).await.unwrap();
    assert_ne!(
        second.refresh_token.expose_secret(),
        third.refresh_token.expose_secret()
    );
    assert_eq!(third.session_id, SESSION);
}

#[tokio::test]
async fn a_second_use_after_the_grace_ends_the_whole_family() {
    let (world, first) = logged_in().await;
    let second = world.rotated(&first.refresh_token, 10).await.unwrap();
    assert!(world.sessions.check(&anna(), at(10)).await.unwrap().is_some());
    assert!(matches!(
        world
            .rotated(&first.refresh_token, 10 + GRACE.num_seconds())
            .await,
        Err(RotateError::Reused { .. })
    ));
    assert!(matches!(
        world.rotated(&second.refresh_token, 21).await,
        Err(RotateError::Ended)
    ));
    assert!(world.sessions.check(&anna(), at(21)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refresh_repeated_by_the_same_client_within_the_grace_gives_the_same_token() {
    let (world, first) = logged_in().await;
    let second = world.rotated(&first.refresh_token, 10).await.unwrap();
    for late in [10, 9 + GRACE.num_seconds()] {
        let again = world.rotated(&first.refresh_token, late).await.unwrap();
        assert_eq!(
            again.refresh_token.expose_secret(),
            second.refresh_token.expose_secret()
        );
        assert_eq!(again.expires_at, second.expires_at);
    }
    let third = world.rotated(&second.refresh_token, 30).await.unwrap();
    assert_eq!(third.session_id, SESSION, "the session goes on");
}

#[tokio::test]
async fn another_client_s_second_use_ends_the_family_also_within_the_grace() {
    let elsewhere = [
        Client::of(b"key", "192.0.2.2".parse().unwrap(), Some(b"Browser")),
        Client::of(b"key", "192.0.2.1".parse().unwrap(), Some(b"Curl")),
        Client::of(b"key", "192.0.2.1".parse().unwrap(), None),
    ];
    for client in elsewhere {
        let (world, first) = logged_in().await;
        let second = world.rotated(&first.refresh_token, 10).await.unwrap();
        assert!(matches!(
            world.rotated_by(&client, &first.refresh_token, 11).await,
            Err(RotateError::Reused { .. })
        ));
        assert!(matches!(
            world.rotated(&second.refresh_token, 12).await,
            Err(RotateError::Ended)
        ));
    }
}

#[tokio::test]
async fn a_token_whose_successor_was_used_is_not_answered_again() {
    let (world, first) = logged_in().await;
    let second = world.rotated(&first.refresh_token, 10).await.unwrap();
    let third = world.rotated(&second.refresh_token, 11).await.unwrap();
    assert!(matches!(
        world.rotated(&first.refresh_token, 12).await,
        Err(RotateError::Reused { .. })
    ));
    assert!(matches!(
        world.rotated(&third.refresh_token, 13).await,
        Err(RotateError::Ended)
    ));
}

#[tokio::test]
async fn the_grace_opens_nothing_that_was_closed_meanwhile() {
    let (world, first) = logged_in().await;
    world.rotated(&first.refresh_token, 10).await.unwrap();
    world
        .sessions
        .revoke_family(ANNA.0, SESSION, EndReason::Logout, at(11))
        .await
        .unwrap();
    assert!(matches!(
        world.rotated(&first.refresh_token, 12).await,
        Err(RotateError::Ended)
    ));
    let (world, first) = logged_in().await;
    world.rotated(&first.refresh_token, 10).await.unwrap();
    world.deactivate(ANNA.1).await;
    assert!(matches!(
        world.rotated(&first.refresh_token, 12).await,
        Err(RotateError::Inactive)
    ));
}

#[tokio::test]
async fn two_refreshes_at_once_get_one_token_and_the_session_goes_on() {
    let (world, first) = logged_in().await;
    let (one, two) = tokio::join!(
        world.rotated(&first.refresh_token, 10),
        world.rotated(&first.refresh_token, 10)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(
        one.refresh_token.expose_secret(),
        two.refresh_token.expose_secret()
    );
    assert!(world.rotated(&one.refresh_token, 40).await.is_ok());
}

#[tokio::test]
async fn tokens_and_sessions_end_by_themselves() {
    let (world, mut token) = logged_in().await;
    let day = 24 * 3600;
    let mut second = 0;
    while at(second) + TimeDelta::days(13) < at(60 * day) {
        second += 13 * day;
        token = world.rotated(&token.refresh_token, second).await.unwrap();
    }
    assert!(matches!(
        world.rotated(&token.refresh_token, 60 * day).await,
        Err(RotateError::Ended)
    ));
    let fresh = world
        .sessions
        .open(ANNA.0, ANNA.1, Uuid::from_u128(9), at(0))
        .await
        .unwrap();
    assert!(matches!(
        world
            .sessions
            .rotate(&fresh.refresh_token, &browser(), at(14 * day))
            .await,
        Err(RotateError::Ended)
    ));
}

#[tokio::test]
async fn what_was_never_issued_is_unknown_also_with_another_tenants_id_in_it() {
    let (world, issued) = logged_in().await;
    let invented = [
        "",
        "x",
        "AAAA",
        &"A".repeat(64),
        &issued.refresh_token.expose_secret()[1..],
    ];
    for token in invented {
        let refused = world
            .sessions
            .rotate(&token.into(), &browser(), at(1))
            .await
            .err()
            .unwrap();
        assert!(matches!(refused, RotateError::Unknown), "{token}: {refused}");
    }
    assert!(
        world.rotated(&issued.refresh_token, 2).await.is_ok(),
        "guessing ends nobody's session"
    );
}

#[tokio::test]
async fn logging_out_ends_one_session_and_shows_it() {
    let (world, issued) = logged_in().await;
    let other = Uuid::from_u128(0x07E5);
    world.sessions.open(ANNA.0, ANNA.1, other, at(5)).await.unwrap();
    let listed = world
        .sessions
        .list(ANNA.0, ANNA.1, None, 10, at(6))
        .await
        .unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|session| session.session_id)
            .collect::<Vec<_>>(),
        [other, SESSION]
    );
    world
        .sessions
        .revoke_family(ANNA.0, SESSION, EndReason::Logout, at(7))
        .await
        .unwrap();
    assert!(matches!(
        world.rotated(&issued.refresh_token, 8).await,
        Err(RotateError::Ended)
    ));
    assert_eq!(
        world
            .sessions
            .list(ANNA.0, ANNA.1, None, 10, at(8))
            .await
            .unwrap()
            .len(),
        1
    );
    world
        .sessions
        .end_all(ANNA.0, ANNA.1, Some(other), EndReason::Password, at(9))
        .await
        .unwrap();
    assert_eq!(
        world
            .sessions
            .list(ANNA.0, ANNA.1, None, 10, at(9))
            .await
            .unwrap()
            .len(),
        1
    );
    world
        .sessions
        .end_all(ANNA.0, ANNA.1, None, EndReason::Password, at(9))
        .await
        .unwrap();
    assert!(
        world
            .sessions
            .list(ANNA.0, ANNA.1, None, 10, at(9))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_deactivated_account_is_out_within_a_second_and_cannot_refresh() {
    let (world, issued) = logged_in().await;
    assert!(world.sessions.check(&anna(), at(1)).await.unwrap().is_some());
    world.deactivate(ANNA.1).await;
    assert!(world.sessions.check(&anna(), at(2)).await.unwrap().is_none());
    assert!(matches!(
        world.rotated(&issued.refresh_token, 3).await,
        Err(RotateError::Inactive)
    ));
}

#[tokio::test]
async fn a_session_does_not_vouch_for_another_tenant_or_user() {
    let (world, _issued) = logged_in().await;
    assert!(world.sessions.check(&anna(), at(1)).await.unwrap().is_some());
    for lie in [
        Principal {
            tenant_id: BORIS.0,
            ..anna()
        },
        Principal {
            user_id: BORIS.1,
            ..anna()
        },
    ] {
        assert!(
            world.sessions.check(&lie, at(1)).await.unwrap().is_none(),
            "{lie:?}"
        );
    }
    let demoted = Principal {
        role: Role::Viewer,
        ..anna()
    };
    assert_eq!(
        world
            .sessions
            .check(&demoted, at(5))
            .await
            .unwrap()
            .unwrap()
            .principal
            .role,
        Role::Owner,
        "the role is the account's of today, not the token's"
    );
}

#[tokio::test]
async fn the_table_holds_no_token_that_could_be_used() {
    let (world, issued) = logged_in().await;
    let next = world.rotated(&issued.refresh_token, 1).await.unwrap();
    let client = support::connect(&world.database.url).await;
    let dump: String = client
        .query_one("SELECT string_agg(t::text, ' ') FROM core.refresh_tokens t", &[])
        .await
        .unwrap()
        .get(0);
    for issued in [issued, next] {
        let token = issued.refresh_token.expose_secret();
        assert!(!dump.contains(token), "the token itself is stored");
    }
}

#[tokio::test]
async fn a_login_that_meets_a_deactivation_leaves_no_session() {
    let world = world().await;
    world.registered(ANNA, "anna@shop.ru").await;
    let mut client = support::connect(&world.database.url).await;
    let closing = client.transaction().await.unwrap();
    closing
        .batch_execute("UPDATE core.accounts SET state = 'deactivated'")
        .await
        .unwrap();
    let sessions = world.sessions.clone();
    let login = tokio::spawn(async move { sessions.open(ANNA.0, ANNA.1, SESSION, at(0)).await });
    support::eventually("the login waits", support::SOON, || async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = closing.query_one(waiting, &[]).await.unwrap().get(0);
        if waiting > 0 {
            Ok(())
        } else {
            Err("it does not wait".to_owned())
        }
    })
    .await;
    closing.commit().await.unwrap();
    assert!(matches!(login.await.unwrap(), Err(OpenError::Closed)));
}

#[tokio::test]
async fn sessions_and_tokens_that_are_over_are_removed_and_no_other() {
    let (world, mut issued) = logged_in().await;
    world.registered(BORIS, "boris@shop.ru").await;
    let left = Uuid::from_u128(0x5E56);
    world.sessions.open(BORIS.0, BORIS.1, left, at(0)).await.unwrap();
    let day = TimeDelta::days(1).num_seconds();
    for refreshed in 1..20 {
        issued = world
            .rotated(&issued.refresh_token, refreshed * day)
            .await
            .unwrap();
    }
    let rows = async |table: &str| -> i64 {
        let owner = support::connect(&world.database.url).await;
        let sql = format!("SELECT count(*) FROM core.{table}");
        owner.query_one(&sql, &[]).await.unwrap().get(0)
    };
    assert_eq!((rows("sessions").await, rows("refresh_tokens").await), (2, 21));
    // Tokens live for fourteen days, and one day more is nothing.
    world.answers.purge(at(20 * day)).await.unwrap();
    assert_eq!((rows("sessions").await, rows("refresh_tokens").await), (1, 15));
    let next = world.rotated(&issued.refresh_token, 20 * day).await.unwrap();
    assert_eq!(next.session_id, SESSION);
    world.answers.purge(at(60 * day)).await.unwrap();
    assert_eq!((rows("sessions").await, rows("refresh_tokens").await), (0, 0));
}
