//! The first answer to a request.

use auth::idempotency::{Answer, Claim, RequestKey};
use events::ids::TenantId;

use super::{ANNA, BORIS, at, world};

fn request(scope: TenantId) -> RequestKey {
    RequestKey {
        scope,
        route: "POST /api/v1/cabinets".to_owned(),
        key: "k-1".to_owned(),
    }
}

fn answer() -> Answer {
    Answer {
        status: 201,
        headers: vec![("location".to_owned(), "/api/v1/cabinets/1".to_owned())],
        body: b"{\"id\":1}".to_vec(),
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_another_one_under_its_key_is_told_apart() {
    let world = world().await;
    let request = request(ANNA.0);
    let claim = async |print: &[u8], second| {
        world
            .answers
            .claim(&request, print, &[], at(second))
            .await
            .unwrap()
    };
    assert_eq!(claim(b"one", 0).await, Claim::Yours);
    assert_eq!(claim(b"one", 1).await, Claim::Running);
    assert_eq!(claim(b"two", 1).await, Claim::Mismatch);
    world.answers.finish(&request, &answer()).await.unwrap();
    assert_eq!(claim(b"one", 2).await, Claim::Answered(answer()));
    assert_eq!(claim(b"two", 2).await, Claim::Mismatch);
}

#[tokio::test]
async fn a_request_whose_process_died_is_taken_over_once() {
    let world = world().await;
    let request = request(ANNA.0);
    let claim = async |second| {
        world
            .answers
            .claim(&request, b"one", &[], at(second))
            .await
            .unwrap()
    };
    assert_eq!(claim(0).await, Claim::Yours);
    assert_eq!(claim(60).await, Claim::Running);
    assert_eq!(claim(91).await, Claim::Yours);
    assert_eq!(claim(92).await, Claim::Running);
}

#[tokio::test]
async fn a_released_claim_is_free_again_and_an_answer_is_not_released() {
    let world = world().await;
    let request = request(ANNA.0);
    assert_eq!(
        world.answers.claim(&request, b"one", &[], at(0)).await.unwrap(),
        Claim::Yours
    );
    world.answers.release(&request).await.unwrap();
    assert_eq!(
        world.answers.claim(&request, b"two", &[], at(1)).await.unwrap(),
        Claim::Yours
    );
    world.answers.finish(&request, &answer()).await.unwrap();
    world.answers.release(&request).await.unwrap();
    assert_eq!(
        world.answers.claim(&request, b"two", &[], at(2)).await.unwrap(),
        Claim::Answered(answer())
    );
}

#[tokio::test]
async fn tenants_and_anonymous_callers_may_use_the_same_key() {
    let world = world().await;
    for scope in [ANNA.0, BORIS.0, TenantId(uuid::Uuid::nil())] {
        assert_eq!(
            world
                .answers
                .claim(&request(scope), b"one", &[], at(0))
                .await
                .unwrap(),
            Claim::Yours,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn answers_older_than_a_day_are_forgotten() {
    let world = world().await;
    for (scope, second) in [(ANNA.0, 0), (BORIS.0, 3600)] {
        world
            .answers
            .claim(&request(scope), b"one", &[], at(second))
            .await
            .unwrap();
        world.answers.finish(&request(scope), &answer()).await.unwrap();
    }
    assert_eq!(world.answers.purge(at(24 * 3600 + 60)).await.unwrap(), 1);
    assert_eq!(
        world
            .answers
            .claim(&request(ANNA.0), b"two", &[], at(90_000))
            .await
            .unwrap(),
        Claim::Yours
    );
    assert_eq!(
        world
            .answers
            .claim(&request(BORIS.0), b"one", &[], at(90_000))
            .await
            .unwrap(),
        Claim::Answered(answer())
    );
}

#[tokio::test]
async fn a_change_of_keys_makes_no_request_another_one() {
    let world = world().await;
    let request = request(ANNA.0);
    let claim = async |fingerprint: &[u8], older: &[&[u8]], second| {
        world
            .answers
            .claim(&request, fingerprint, older, at(second))
            .await
            .unwrap()
    };
    assert_eq!(claim(b"old", &[], 0).await, Claim::Yours);
    assert_eq!(claim(b"new", &[b"old"], 1).await, Claim::Running);
    assert_eq!(
        claim(b"new", &[b"old"], 100).await,
        Claim::Yours,
        "its process died"
    );
    world.answers.finish(&request, &answer()).await.unwrap();
    assert_eq!(claim(b"new", &[b"old"], 101).await, Claim::Answered(answer()));
    assert_eq!(claim(b"new", &[b"other"], 102).await, Claim::Mismatch);
}
