//! What a writer is told: version and position, conflict, or the first answer again.

use std::sync::{Arc, Mutex};

use database::Role;
use event_store::{Append, AppendError, Appended, EventStore, Wake};
use events::ids::CommandId;

use crate::world::{World, command, delisted, new_event, new_id, new_stream, new_tenant, positions};

fn appended(version: i64, position: i64) -> Appended {
    Appended {
        version,
        position,
        duplicate: false,
        result: None,
    }
}

#[tokio::test]
async fn an_append_is_answered_with_its_version_and_position() {
    let world = World::new().await;
    let (tenant, stream, other) = (new_tenant(), new_stream(), new_stream());
    let first = command(tenant, stream, 0, 3);
    assert_eq!(world.store.append(first.clone()).await.unwrap(), appended(3, 3));
    let on_another = world.store.append(command(tenant, other, 0, 1)).await.unwrap();
    assert_eq!(on_another, appended(1, 4));
    let second = world.store.append(command(tenant, stream, 3, 2)).await.unwrap();
    assert_eq!(second, appended(5, 6));

    let read = world.store.read_stream(tenant, stream, 0).await.unwrap();
    assert_eq!(positions(&read), [1, 2, 3, 5, 6]);
    assert_eq!(
        read.iter().map(|event| event.version).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    for (recorded, given) in read.iter().zip(&first.events) {
        assert_eq!(recorded.event_id, given.event_id);
        assert_eq!(recorded.payload, given.event.to_json().unwrap());
        assert_eq!(recorded.metadata, first.metadata);
    }
    let tail = world.store.read_stream(tenant, stream, 4).await.unwrap();
    assert_eq!(positions(&tail), [6]);
}

#[tokio::test]
async fn the_circumstances_of_a_command_stand_on_each_of_its_events() {
    let world = World::new().await;
    let mut append = command(new_tenant(), new_stream(), 0, 2);
    append.metadata.causation_id = Some(new_id());
    append.metadata.actor = format!("user:{}", new_id());
    append.metadata.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    world.store.append(append.clone()).await.unwrap();
    let log = world.log().await;
    assert_eq!(log.len(), 2);
    for event in log {
        assert_eq!(event.metadata, append.metadata);
    }
}

#[tokio::test]
async fn a_conflict_is_answered_with_the_actual_version_and_writes_nothing() {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    world.store.append(command(tenant, stream, 0, 3)).await.unwrap();
    for wrong in [0, 2, 4] {
        let refused = command(tenant, stream, wrong, 1);
        let answer = world.store.append(refused.clone()).await;
        assert!(
            matches!(answer, Err(AppendError::Conflict { actual: 3 })),
            "{answer:?}"
        );
        let known = world
            .store
            .find_command(tenant, refused.metadata.command_id.uuid())
            .await
            .unwrap();
        assert_eq!(
            known, None,
            "a refused command must not be remembered: its next round may succeed"
        );
    }
    let answer = world.store.append(command(tenant, new_stream(), 1, 1)).await;
    assert!(
        matches!(answer, Err(AppendError::Conflict { actual: 0 })),
        "{answer:?}"
    );
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
    assert_eq!(world.reader().head().await.unwrap(), 3);
}

#[tokio::test]
async fn a_repeated_command_is_answered_like_the_first_time_also_after_a_restart() {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    let mut first = command(tenant, stream, 0, 2);
    first.result = Some("так отвечено".into());
    let told = world.store.append(first.clone()).await.unwrap();
    assert!(!told.duplicate);
    // The stream goes on, and the repetition was decided on the newer state: the first answer counts all the
    // same.
    world.store.append(command(tenant, stream, 2, 1)).await.unwrap();
    let again = Append {
        expected: 3,
        events: vec![delisted()],
        result: Some("anything else".into()),
        ..first.clone()
    };
    let first_answer = Appended {
        duplicate: true,
        ..told
    };
    assert_eq!(
        first_answer,
        Appended {
            version: 2,
            position: 2,
            duplicate: true,
            result: Some("так отвечено".into())
        }
    );
    assert_eq!(world.store.append(again.clone()).await.unwrap(), first_answer);
    assert_eq!(world.store.append(first.clone()).await.unwrap(), first_answer);

    let (restarted, _task) = EventStore::start(world.pool(Role::Gateway, 2), Wake::default());
    assert_eq!(restarted.append(first.clone()).await.unwrap(), first_answer);
    assert_eq!(restarted.append(again).await.unwrap(), first_answer);
    let found = restarted
        .find_command(tenant, first.metadata.command_id.uuid())
        .await
        .unwrap();
    assert_eq!(found, Some(first_answer));
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
}

#[tokio::test]
async fn a_command_without_events_is_remembered_and_moves_nothing() {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    world.store.append(command(tenant, stream, 0, 2)).await.unwrap();
    let mut nothing = command(tenant, stream, 2, 0);
    nothing.result = Some("waiting already".into());
    let told = world.store.append(nothing.clone()).await.unwrap();
    assert_eq!(
        told,
        Appended {
            result: Some("waiting already".into()),
            ..appended(2, 2)
        }
    );
    world.store.append(command(tenant, stream, 2, 1)).await.unwrap();
    let again = world.store.append(nothing).await.unwrap();
    assert_eq!(
        again,
        Appended {
            duplicate: true,
            ..told
        }
    );
    // Neither does one on a stream that does not exist make it exist.
    let elsewhere = world
        .store
        .append(command(tenant, new_stream(), 0, 0))
        .await
        .unwrap();
    assert_eq!(elsewhere, appended(0, 3));
    assert_eq!(positions(&world.log().await), [1, 2, 3]);
}

#[tokio::test]
async fn the_same_command_id_of_two_tenants_is_two_commands() {
    let world = World::new().await;
    let (first, mut second) = (
        command(new_tenant(), new_stream(), 0, 1),
        command(new_tenant(), new_stream(), 0, 1),
    );
    second.metadata.command_id = first.metadata.command_id;
    assert_eq!(world.store.append(first).await.unwrap(), appended(1, 1));
    assert_eq!(world.store.append(second).await.unwrap(), appended(1, 2));
}

/// Queues everything before the combiner runs, so that the batches are known. Returns the answers and batch
/// sizes.
async fn in_one_go(world: &World, appends: Vec<Append>) -> (Vec<Result<Appended, AppendError>>, Vec<usize>) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let (store, task) = EventStore::new(
        world.pool(Role::Api, 1),
        Wake::default(),
        Some(Arc::new(move |size| seen.lock().unwrap().push(size))),
    );
    let answers = {
        let mut sending = Box::pin(tokio::task::unconstrained(store.append_many(appends)));
        // The queue has room for all of them, so once asked, the sender only waits for answers.
        assert!(futures_util::poll!(&mut sending).is_pending());
        let running = tokio::spawn(task.run());
        let answers = sending.await;
        drop(store);
        running.await.unwrap();
        answers
    };
    let sizes = sizes.lock().unwrap().clone();
    (answers, sizes)
}

#[tokio::test]
async fn commands_on_one_stream_that_queue_together_are_judged_one_after_the_other() {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    let (answers, batches) = in_one_go(
        &world,
        vec![
            command(tenant, stream, 0, 1),
            command(tenant, stream, 1, 1),
            command(tenant, new_stream(), 0, 1),
            command(tenant, stream, 1, 1),
            command(tenant, stream, 2, 1),
        ],
    )
    .await;
    assert_eq!(
        batches,
        [2, 1, 1, 1],
        "one command a stream in a batch, the neighbour in the first"
    );
    let versions: Vec<Option<i64>> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|told| told.version))
        .collect();
    assert_eq!(versions, [Some(1), Some(2), Some(1), None, Some(3)]);
    assert!(
        matches!(answers[3], Err(AppendError::Conflict { actual: 2 })),
        "{answers:?}"
    );
    assert_eq!(positions(&world.log().await), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_command_that_is_sent_twice_at_once_is_executed_once() {
    let world = World::new().await;
    let append = command(new_tenant(), new_stream(), 0, 2);
    let (answers, _) = in_one_go(&world, vec![append.clone(), append.clone(), append]).await;
    let duplicates: Vec<bool> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().duplicate)
        .collect();
    assert_eq!(duplicates, [false, true, true]);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().version == 2));
    assert_eq!(positions(&world.log().await), [1, 2]);
}

#[tokio::test]
async fn a_command_that_the_database_refuses_does_not_take_its_neighbours_with_it() {
    let world = World::new().await;
    let tenant = new_tenant();
    let mut poisoned = command(tenant, new_stream(), 0, 1);
    poisoned.metadata.actor = "user:\0".into(); // no text of PostgreSQL can hold it
    let (answers, batches) = in_one_go(
        &world,
        vec![
            command(tenant, new_stream(), 0, 1),
            command(tenant, new_stream(), 0, 2),
            poisoned.clone(),
            command(tenant, new_stream(), 0, 1),
        ],
    )
    .await;
    assert_eq!(batches, [4], "they must have met in one batch");
    let versions: Vec<Option<i64>> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|told| told.version))
        .collect();
    assert_eq!(versions, [Some(1), Some(2), None, Some(1)]);
    assert!(matches!(answers[2], Err(AppendError::Refused(_))), "{answers:?}");
    assert_eq!(positions(&world.log().await), [1, 2, 3, 4]);
    poisoned.metadata.actor = "worker".into();
    let mended = world.store.append(poisoned).await.unwrap();
    assert_eq!(mended, appended(1, 5), "nothing of the refused command remained");
}

#[tokio::test]
async fn a_payload_is_stored_byte_by_byte_whatever_text_it_holds() {
    let world = World::new().await;
    let mut append = command(new_tenant(), new_stream(), 0, 0);
    let texts = [
        "\u{0}",
        "\u{1f9e6} носки \"тёплые\"\\\n",
        "\u{feff}\u{200b}",
        "'; DROP TABLE events; --",
    ];
    append.events = texts.into_iter().map(new_event).collect();
    world.store.append(append.clone()).await.unwrap();
    for (recorded, given) in world.log().await.iter().zip(&append.events) {
        assert_eq!(recorded.payload, given.event.to_json().unwrap());
        assert_eq!(
            recorded.decode().unwrap(),
            events::Decoded::Known(given.event.clone())
        );
    }
}

#[tokio::test]
async fn a_store_that_ends_answers_what_it_took() {
    let world = World::new().await;
    let tenant = new_tenant();
    let appends = (0..1_200).map(|_| command(tenant, new_stream(), 0, 1)).collect();
    let (answers, batches) = in_one_go(&world, appends).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(batches, [500, 500, 200]);
    assert_eq!(world.log().await.len(), 1_200);
}

#[tokio::test]
async fn unknown_commands_are_not_found() {
    let world = World::new().await;
    let tenant = new_tenant();
    let append = command(tenant, new_stream(), 0, 1);
    let id = append.metadata.command_id;
    world.store.append(append).await.unwrap();
    let stranger = CommandId(new_id());
    assert_eq!(
        world.store.find_command(tenant, stranger.uuid()).await.unwrap(),
        None
    );
    let found = world.store.find_command(new_tenant(), id.uuid()).await.unwrap();
    assert_eq!(found, None, "a command is its tenant's own");
}
