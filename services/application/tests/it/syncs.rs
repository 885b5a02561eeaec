//! One sync of a cabinet at a time, and only the attempt that counts is heard.

use application::request_sync::{self, Error, Requested};
use application::sync_attempt::{self, End};
use application::{Context, ExecuteError, disconnect_cabinet, judge_credential};
use database::Role;
use domain::sync::SyncRefusal;
use events::ids::{CabinetId, SyncId};
use events::sync::{SyncCompleted, SyncFailed, Trigger};

use crate::world::{World, at, context, new_id};

async fn request(world: &World, context: &Context, cabinet: CabinetId) -> Requested {
    request_sync::execute(&world.app, context, cabinet, Trigger::Manual, false)
        .await
        .unwrap()
}

fn completed(sync_id: SyncId, attempt: u32) -> End {
    End::Completed(SyncCompleted {
        sync_id,
        attempt,
        completed_at: at(9),
        sources: vec![],
        products_seen: 0,
        products_changed: 0,
    })
}

fn failed(sync_id: SyncId, attempt: u32, again: bool) -> End {
    End::Failed(SyncFailed {
        sync_id,
        attempt,
        failed_at: at(9),
        class: "unavailable".into(),
        detail: "503".into(),
        retry_at: again.then(|| at(10)),
        sources: vec![],
    })
}

#[tokio::test]
async fn a_second_request_is_given_the_sync_that_waits() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let (first, second) = (context(tenant), context(tenant));
    let begun = request(&world, &first, cabinet).await;
    assert!(!begun.was_waiting);
    let waiting = request(&world, &second, cabinet).await;
    assert_eq!(waiting.sync_id, begun.sync_id);
    assert!(waiting.was_waiting);
    assert_eq!(
        (waiting.receipt.version, waiting.receipt.position),
        (begun.receipt.version, begun.receipt.position),
        "whoever waits for that position sees the sync"
    );
    assert_eq!(world.happened().await[3..], ["sync_requested"]);

    // When that sync is over, both commands are still answered with it, and a third begins another one.
    let worker = world.app(Role::Worker);
    let attempt = sync_attempt::start(&worker, &context(tenant), cabinet, begun.sync_id)
        .await
        .unwrap();
    sync_attempt::end(
        &worker,
        &context(tenant),
        cabinet,
        completed(begun.sync_id, attempt.attempt),
    )
    .await
    .unwrap();
    for (again, was_waiting) in [(&first, false), (&second, true)] {
        let told = request(&world, again, cabinet).await;
        assert_eq!((told.sync_id, told.was_waiting), (begun.sync_id, was_waiting));
        assert!(told.receipt.duplicate);
    }
    let third = request(&world, &context(tenant), cabinet).await;
    assert!(third.sync_id != begun.sync_id && !third.was_waiting);
}

#[tokio::test]
async fn requests_that_race_are_given_one_sync() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let elsewhere = world.app(Role::Gateway);
    let mut racing = Vec::new();
    for number in 0..8 {
        let app = if number % 2 == 0 {
            world.app.clone()
        } else {
            elsewhere.clone()
        };
        racing.push(tokio::spawn(async move {
            request_sync::execute(&app, &context(tenant), cabinet, Trigger::Schedule, false)
                .await
                .unwrap()
        }));
    }
    let mut syncs = Vec::new();
    let mut begun = 0;
    for racer in racing {
        let told = racer.await.unwrap();
        begun += usize::from(!told.was_waiting);
        syncs.push(told.sync_id);
    }
    syncs.dedup();
    assert_eq!((syncs.len(), begun), (1, 1));
    assert_eq!(world.happened().await[3..], ["sync_requested"]);
}

#[tokio::test]
async fn a_repeated_start_is_told_the_attempt_it_began_and_not_the_one_that_took_over() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let sync_id = request(&world, &context(tenant), cabinet).await.sync_id;
    let (first, second) = (context(tenant), context(tenant));
    let mut begun = Vec::new();
    for start in [&first, &second, &first] {
        begun.push(
            sync_attempt::start(&worker, start, cabinet, sync_id)
                .await
                .unwrap()
                .attempt,
        );
    }
    assert_eq!(begun, [1, 2, 1]);
}

#[tokio::test]
async fn a_worker_that_was_superseded_cannot_end_the_sync() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let sync_id = request(&world, &context(tenant), cabinet).await.sync_id;
    let slept = sync_attempt::start(&worker, &context(tenant), cabinet, sync_id)
        .await
        .unwrap();
    let took_over = sync_attempt::start(&worker, &context(tenant), cabinet, sync_id)
        .await
        .unwrap();
    assert_eq!((slept.attempt, took_over.attempt), (1, 2));
    let before = world.log().await;
    for end in [
        completed(sync_id, 1),
        failed(sync_id, 1, true),
        failed(sync_id, 1, false),
    ] {
        let answer = sync_attempt::end(&worker, &context(tenant), cabinet, end).await;
        assert!(
            matches!(
                answer,
                Err(ExecuteError::Refused(SyncRefusal::Superseded { current: 2 }))
            ),
            "{answer:?}"
        );
    }
    assert_eq!(world.log().await, before);
    sync_attempt::end(&worker, &context(tenant), cabinet, completed(sync_id, 2))
        .await
        .unwrap();
    let late = sync_attempt::end(&worker, &context(tenant), cabinet, completed(sync_id, 1)).await;
    assert!(
        matches!(late, Err(ExecuteError::Refused(SyncRefusal::NotOutstanding))),
        "{late:?}"
    );
    let over = sync_attempt::start(&worker, &context(tenant), cabinet, sync_id).await;
    assert!(
        matches!(over, Err(ExecuteError::Refused(SyncRefusal::NotOutstanding))),
        "{over:?}"
    );
}

#[tokio::test]
async fn a_failed_attempt_is_still_the_sync_that_waits_until_it_is_given_up() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let sync_id = request(&world, &context(tenant), cabinet).await.sync_id;
    for (attempt, again) in [(1, true), (2, false)] {
        let started = sync_attempt::start(&worker, &context(tenant), cabinet, sync_id)
            .await
            .unwrap();
        assert_eq!(started.attempt, attempt);
        assert!(request(&world, &context(tenant), cabinet).await.was_waiting);
        sync_attempt::end(
            &worker,
            &context(tenant),
            cabinet,
            failed(sync_id, attempt, again),
        )
        .await
        .unwrap();
    }
    assert!(!request(&world, &context(tenant), cabinet).await.was_waiting);
}

#[tokio::test]
async fn a_cabinet_that_cannot_be_synced_says_why() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let ask = async |context: Context, cabinet| {
        request_sync::execute(&world.app, &context, cabinet, Trigger::Manual, false).await
    };
    let nowhere = ask(context(tenant), CabinetId(new_id())).await;
    assert!(matches!(nowhere, Err(Error::NoCabinet)), "{nowhere:?}");
    let sync_id = request(&world, &context(tenant), cabinet).await.sync_id;
    let attempt = sync_attempt::start(&worker, &context(tenant), cabinet, sync_id)
        .await
        .unwrap();
    let key = attempt.credential.unwrap().credential_id;
    let verdict = judge_credential::Verdict::Rejected("unauthorized".into());
    judge_credential::execute(&worker, &context(tenant), cabinet, key, verdict)
        .await
        .unwrap();
    let rejected = ask(context(tenant), cabinet).await;
    assert!(
        matches!(&rejected, Err(Error::CredentialRejected { reason }) if reason == "unauthorized"),
        "{rejected:?}"
    );
    disconnect_cabinet::execute(&world.app, &context(tenant), cabinet)
        .await
        .unwrap();
    let gone = ask(context(tenant), cabinet).await;
    assert!(matches!(gone, Err(Error::NoCabinet)), "{gone:?}");
}
