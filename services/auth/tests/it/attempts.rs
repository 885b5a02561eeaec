//! Failures are counted per login and address, never per login alone.

use std::net::IpAddr;

use auth::attempts::{Attempted, PER_ADDRESS, PER_LOGIN, PER_STRANGER, Verdict};
use chrono::TimeDelta;

use crate::{World, at, world};

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

impl World {
    async fn attempt(&self, what: Attempted<'_>, from: &str, second: i64) -> Verdict {
        let from: IpAddr = from.parse().unwrap();
        self.attempts.begin(b"key", what, from, at(second)).await.unwrap()
    }

    async fn fails(&self, login: &str, from: &str, second: i64) -> bool {
        matches!(
            self.attempt(Attempted::Password(login), from, second).await,
            Verdict::Go(_)
        )
    }
}

#[tokio::test]
async fn the_attempt_after_the_last_one_waits_and_another_address_does_not() {
    let world = world().await;
    for second in 0..i64::from(PER_LOGIN) {
        assert!(world.fails("anna", HERE, second).await, "{second}");
    }
    let Verdict::Wait(wait) = world.attempt(Attempted::Password("anna"), HERE, 10).await else {
        panic!("one attempt too many was let through");
    };
    assert!(
        wait > TimeDelta::zero() && wait <= TimeDelta::minutes(30),
        "{wait}"
    );
    assert!(
        world.fails("anna", ELSEWHERE, 10).await,
        "nobody is locked out from elsewhere"
    );
    assert!(
        world.fails("boris", HERE, 10).await,
        "nor is anybody else from here"
    );
    let after = 10 + wait.num_seconds() + 1;
    assert!(world.fails("anna", HERE, after).await, "who waits may try again");
    assert!(!world.fails("anna", HERE, after).await, "but not at full speed");
}

#[tokio::test]
async fn a_success_begins_the_login_s_window_anew_and_is_no_failure_of_the_address() {
    let world = world().await;
    for _ in 0..PER_ADDRESS {
        let Verdict::Go(attempt) = world.attempt(Attempted::Password("anna"), HERE, 0).await else {
            panic!("a success was counted");
        };
        attempt.succeeded().await.unwrap();
    }
    for _ in 1..PER_LOGIN {
        assert!(world.fails("anna", HERE, 1).await);
    }
    let Verdict::Go(attempt) = world.attempt(Attempted::Password("anna"), HERE, 1).await else {
        panic!("one too few");
    };
    attempt.succeeded().await.unwrap();
    assert!(world.fails("anna", HERE, 1).await);
}

#[tokio::test]
async fn an_address_that_tries_many_logins_waits_for_all_of_them() {
    let world = world().await;
    for login in 0..PER_ADDRESS {
        assert!(world.fails(&format!("login {login}"), HERE, 0).await);
    }
    assert!(!world.fails("anna", HERE, 0).await);
    assert!(world.fails("anna", ELSEWHERE, 0).await);
    assert!(world.fails("anna", HERE, 3600).await);
}

#[tokio::test]
async fn of_many_attempts_at_once_no_more_pass_than_one_by_one() {
    let world = world().await;
    let attempts = (0..3 * PER_STRANGER).map(|_| {
        let attempts = world.attempts.clone();
        tokio::spawn(async move {
            let from: IpAddr = HERE.parse().unwrap();
            attempts
                .begin(b"key", Attempted::Unnamed, from, at(0))
                .await
                .unwrap()
        })
    });
    let mut passed = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        passed += i32::from(matches!(attempt.await.unwrap(), Verdict::Go(_)));
    }
    assert_eq!(passed, PER_STRANGER);
}

#[tokio::test]
async fn the_table_names_nobody_and_forgets() {
    let world = world().await;
    assert!(world.fails("anna@shop.ru", HERE, 0).await);
    let client = support::connect(&world.database.url).await;
    let rows = async || -> (i64, String) {
        let row = client
            .query_one(
                "SELECT count(*), coalesce(string_agg(a::text, ' '), '') FROM core.attempts a",
                &[],
            )
            .await
            .unwrap();
        (row.get(0), row.get(1))
    };
    let (count, dump) = rows().await;
    assert_eq!(count, 2);
    assert!(!dump.contains("anna") && !dump.contains(HERE), "{dump}");
    assert!(world.fails("boris", ELSEWHERE, 2 * 3600).await);
    assert_eq!(rows().await.0, 2, "outdated rows are gone");
}
