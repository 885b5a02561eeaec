//! Readers that follow the log by its positions lose nothing, whatever the writers do. The two ways that look
//! right and are not (following a sequence, locking and reading in one statement) are kept here as planted
//! bugs: the same checks that pass for the log must find them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use database::Role;
use event_store::{AppendError, EventStore, Wake};
use events::Recorded;
use events::ids::TenantId;
use support::{SOON, eventually};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::world::{World, command, new_id, new_stream, new_tenant, positions};

/// What a reader that came through one by one has missed, and what it saw twice or out of order.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    skipped: Vec<i64>,
    disordered: bool,
}

const FLAWLESS: Verdict = Verdict {
    skipped: vec![],
    disordered: false,
};

/// Holds what a reader saw against what there is in the end.
fn judge(seen: &[i64], all: &[i64]) -> Verdict {
    let known: BTreeSet<i64> = seen.iter().copied().collect();
    Verdict {
        skipped: all
            .iter()
            .copied()
            .filter(|number| !known.contains(number))
            .collect(),
        disordered: !seen.is_sorted_by(|one, next| one < next),
    }
}

/// Numbers as a sequence gives them, beside the log.
const NAIVE: &str = "CREATE SCHEMA scratch; \
     CREATE TABLE scratch.naive (position bigserial PRIMARY KEY); \
     GRANT USAGE ON SCHEMA scratch TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA scratch TO PUBLIC; \
     GRANT ALL ON ALL SEQUENCES IN SCHEMA scratch TO PUBLIC";

async fn take_number(client: &impl GenericClient) -> i64 {
    client
        .query_one("INSERT INTO scratch.naive DEFAULT VALUES RETURNING position", &[])
        .await
        .unwrap()
        .get(0)
}

async fn numbers_after(client: &Client, last: i64) -> Vec<i64> {
    let rows = client
        .query(
            "SELECT position FROM scratch.naive WHERE position > $1 ORDER BY position",
            &[&last],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// One command of `count` events through the append function itself, in the caller's transaction.
async fn append_raw(
    client: &impl GenericClient,
    tenant: TenantId,
    stream: Uuid,
    count: i32,
) -> (String, i64) {
    let row = client
        .query_one(
            "SELECT status, last_position FROM core.append_events( \
                 ARRAY[$1::uuid], ARRAY[gen_random_uuid()], ARRAY['product'], ARRAY[$2::uuid], ARRAY[0::bigint], \
                 ARRAY[$3::int], ARRAY[gen_random_uuid()], ARRAY[NULL::uuid], ARRAY['raw'], ARRAY['{}'], \
                 ARRAY[NULL::text], array_fill(1, ARRAY[$3]), ARRAY(SELECT generate_series(1, $3)), \
                 ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $3)), \
                 array_fill('product_delisted'::text, ARRAY[$3]), array_fill('1'::text, ARRAY[$3]), \
                 array_fill('{}'::text, ARRAY[$3]))",
            &[&tenant.uuid(), &stream, &count],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

/// One event through the numbering trigger, as `postgres-es` writes it. The session must act as the owner.
async fn insert_compat(client: &impl GenericClient, tenant: TenantId, stream: Uuid) -> i64 {
    client
        .query_one(
            "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                metadata) VALUES ('product', $1::text, 1, 'product_delisted', '1', '{}', \
                json_build_object('tenant_id', $2::text)) RETURNING position",
            &[&stream.to_string(), &tenant.to_string()],
        )
        .await
        .unwrap()
        .get(0)
}

/// Pseudo-random numbers that need no dependency; the seed is the writer's number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const WRITERS: u64 = 16;
const ROUNDS: u64 = 25;

/// A writer that holds its transactions open for random times and gives some of them up.
async fn transacting_writer(mut client: Client, seed: u64, tenant: TenantId, committed: Arc<AtomicI64>) {
    let mut dice = Dice(seed);
    for _ in 0..ROUNDS {
        let transaction = client.transaction().await.unwrap();
        take_number(&transaction).await;
        pause(&transaction, &mut dice).await;
        let count = i32::try_from(dice.roll(3) + 1).unwrap();
        if dice.roll(2) == 0 {
            assert_eq!(append_raw(&transaction, tenant, new_id(), count).await.0, "ok");
        } else {
            for _ in 0..count {
                insert_compat(&transaction, tenant, new_id()).await;
            }
        }
        pause(&transaction, &mut dice).await;
        if dice.roll(4) == 0 {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            committed.fetch_add(i64::from(count), Ordering::SeqCst);
        }
    }
}

async fn pause(client: &impl GenericClient, dice: &mut Dice) {
    let seconds = if dice.roll(3) == 0 {
        0.0
    } else {
        f64::from(u32::try_from(dice.roll(8)).unwrap()) / 1_000.0
    };
    client.execute("SELECT pg_sleep($1)", &[&seconds]).await.unwrap();
}

/// A writer that goes through the combiner, several commands at a time, some of them on the wrong version.
async fn storing_writer(store: EventStore, seed: u64, tenant: TenantId, committed: Arc<AtomicI64>) {
    let mut dice = Dice(seed);
    for _ in 0..ROUNDS {
        let appends = (0..=dice.roll(4))
            .map(|_| {
                let expected = i64::from(dice.roll(5) == 0);
                command(tenant, new_stream(), expected, 2)
            })
            .collect();
        for answer in store.append_many(appends).await {
            match answer {
                Ok(_) => drop(committed.fetch_add(2, Ordering::SeqCst)),
                Err(AppendError::Conflict { actual: 0 }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// Follows the log until the writers are done and nothing is left; every page is held against the last
/// position.
async fn follow_the_log(world: &World, writing: Arc<AtomicUsize>, progress: Arc<AtomicI64>) -> Vec<Recorded> {
    let reader = world.reader();
    let mut seen: Vec<Recorded> = Vec::new();
    loop {
        let done = writing.load(Ordering::SeqCst) == 0;
        let last = progress.load(Ordering::SeqCst);
        let page = reader.read_after(last, 100).await.unwrap();
        for (event, expected) in page.iter().zip(last + 1..) {
            assert_eq!(event.position, expected);
        }
        if page.is_empty() && done {
            return seen;
        }
        progress.fetch_add(i64::try_from(page.len()).unwrap(), Ordering::SeqCst);
        seen.extend(page);
        tokio::task::yield_now().await;
    }
}

/// The planted bug: follows a sequence the way one would follow positions.
async fn follow_the_sequence(
    client: Client,
    writing: Arc<AtomicUsize>,
    progress: Arc<AtomicI64>,
) -> Vec<i64> {
    let mut seen = Vec::new();
    loop {
        let done = writing.load(Ordering::SeqCst) == 0;
        let page = numbers_after(&client, progress.load(Ordering::SeqCst)).await;
        if let Some(last) = page.last() {
            progress.store(*last, Ordering::SeqCst);
        } else if done {
            return seen;
        }
        seen.extend(page);
    }
}

/// A transaction that is open for two seconds at least, and longer if the readers need it to get past the
/// number that it took at its beginning. What it writes through the numbering trigger comes last, and so does
/// the lock.
async fn long_transaction(
    mut client: Client,
    tenant: TenantId,
    naive_progress: Arc<AtomicI64>,
) -> (i64, i64) {
    let transaction = client.transaction().await.unwrap();
    let number = take_number(&transaction).await;
    transaction.execute("SELECT pg_sleep(2)", &[]).await.unwrap();
    eventually("a later number is read", SOON, async || {
        let progress = naive_progress.load(Ordering::SeqCst);
        if progress > number {
            Ok(())
        } else {
            Err(format!("read up to {progress}, wanted beyond {number}"))
        }
    })
    .await;
    let position = insert_compat(&transaction, tenant, new_id()).await;
    transaction.commit().await.unwrap();
    (number, position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_are_dense_for_every_reader_while_sixteen_writers_race() {
    let world = World::new().await;
    world.admin().await.batch_execute(NAIVE).await.unwrap();
    let tenant = new_tenant();
    let committed = Arc::new(AtomicI64::new(0));
    let writing = Arc::new(AtomicUsize::new(1));
    let (progress, naive_progress) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));

    // Somebody looked at the log before and never ended the transaction.
    let idle = world.owner().await;
    idle.batch_execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM core.events; SELECT txid_current()",
    )
    .await
    .unwrap();

    let long = tokio::spawn(long_transaction(
        world.owner().await,
        tenant,
        Arc::clone(&naive_progress),
    ));
    let mut writers = Vec::new();
    for seed in 0..WRITERS {
        let committed = Arc::clone(&committed);
        writers.push(if seed % 4 == 0 {
            let (store, _task) = EventStore::start(world.pool(Role::Worker, 1), Wake::default());
            tokio::spawn(storing_writer(store, seed, tenant, committed))
        } else {
            tokio::spawn(transacting_writer(world.owner().await, seed, tenant, committed))
        });
    }
    let all_written = async {
        for writer in writers {
            writer.await.unwrap();
        }
        let ends = long.await.unwrap();
        committed.fetch_add(1, Ordering::SeqCst);
        writing.store(0, Ordering::SeqCst);
        ends
    };
    let naive_reader = world.admin().await;
    let ((number, position), seen, naively_seen) = tokio::join!(
        all_written,
        follow_the_log(&world, Arc::clone(&writing), progress),
        follow_the_sequence(naive_reader, Arc::clone(&writing), naive_progress),
    );

    let log = world.log().await;
    let everything: Vec<i64> = (1..=committed.load(Ordering::SeqCst)).collect();
    assert_eq!(
        positions(&log),
        everything,
        "what was committed is in, once, and no more"
    );
    assert_eq!(world.reader().head().await.unwrap(), everything.len() as i64);
    assert_eq!(judge(&positions(&seen), &everything), FLAWLESS);
    assert!(
        seen == log,
        "what was read on the way is what stands there in the end"
    );
    assert!(everything.contains(&position));

    let all_numbers = numbers_after(&world.admin().await, 0).await;
    let verdict = judge(&naively_seen, &all_numbers);
    assert!(
        verdict.skipped.contains(&number),
        "the check did not find the planted bug: {verdict:?}"
    );

    let seen_by_idle: i64 = idle
        .query_one("SELECT count(*) FROM core.events", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(seen_by_idle, 0, "its snapshot was open all the time");
}

#[tokio::test]
async fn a_reader_of_a_sequence_skips_what_commits_late_and_the_check_says_so() {
    let world = World::new().await;
    world.admin().await.batch_execute(NAIVE).await.unwrap();
    let (mut slow, quick, reader) = (world.admin().await, world.admin().await, world.admin().await);
    let transaction = slow.transaction().await.unwrap();
    let first = take_number(&transaction).await;
    let second = take_number(&quick).await;
    let mut seen = numbers_after(&reader, 0).await;
    transaction.commit().await.unwrap();
    seen.extend(numbers_after(&reader, second).await);
    let all = numbers_after(&reader, 0).await;
    assert_eq!((first, second), (1, 2));
    assert_eq!(
        judge(&seen, &all),
        Verdict {
            skipped: vec![1],
            disordered: false
        }
    );
}

#[tokio::test]
async fn the_same_late_commit_is_not_skipped_in_the_log() {
    let world = World::new().await;
    let tenant = new_tenant();
    let reader = world.reader();
    let mut slow = world.acting_as("st_worker").await;
    let transaction = slow.transaction().await.unwrap();
    // It looked at the log and has a transaction id, but no position yet: the quick one goes first, in both
    // orders.
    transaction
        .batch_execute("SELECT FROM core.log_head; SELECT txid_current()")
        .await
        .unwrap();
    world
        .store
        .append(command(tenant, new_stream(), 0, 1))
        .await
        .unwrap();
    let mut seen = positions(&reader.read_after(0, 10).await.unwrap());
    assert_eq!(
        append_raw(&transaction, tenant, new_id(), 1).await,
        ("ok".into(), 2)
    );
    seen.extend(positions(&reader.read_after(1, 10).await.unwrap()));
    transaction.commit().await.unwrap();
    seen.extend(positions(&reader.read_after(1, 10).await.unwrap()));
    assert_eq!(judge(&seen, &[1, 2]), FLAWLESS);
}

/// Waits until somebody on this database waits for a lock.
async fn somebody_waits(world: &World) {
    let admin = world.admin().await;
    eventually("a session that waits for a lock", SOON, async || {
        let waiting: i64 = admin
            .query_one(
                "SELECT count(*) FROM pg_stat_activity \
                  WHERE datname = current_database() AND wait_event_type = 'Lock'",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        if waiting > 0 {
            Ok(())
        } else {
            Err("nobody waits".to_owned())
        }
    })
    .await;
}

/// Appends from a scratch log; the lock is taken in the statement that reads where the log ends.
const ONE_STATEMENT: &str = "CREATE SCHEMA scratch; \
     CREATE TABLE scratch.log (position bigint); \
     CREATE TABLE scratch.lock (id int); INSERT INTO scratch.lock VALUES (1); \
     CREATE FUNCTION scratch.append() RETURNS bigint LANGUAGE plpgsql AS $$ \
     DECLARE given bigint; \
     BEGIN \
         WITH locked AS MATERIALIZED (SELECT id FROM scratch.lock FOR UPDATE) \
         INSERT INTO scratch.log \
         SELECT coalesce((SELECT max(position) FROM scratch.log), 0) + 1 FROM locked \
         RETURNING position INTO given; \
         RETURN given; \
     END $$";

#[tokio::test]
async fn locking_and_reading_in_one_statement_gives_a_position_twice() {
    let world = World::new().await;
    world.admin().await.batch_execute(ONE_STATEMENT).await.unwrap();
    let (mut first, second) = (world.admin().await, world.admin().await);
    let next = "SELECT scratch.append()";
    let transaction = first.transaction().await.unwrap();
    let given: i64 = transaction.query_one(next, &[]).await.unwrap().get(0);
    let waiting = tokio::spawn(async move { second.query_one(next, &[]).await.unwrap().get::<_, i64>(0) });
    somebody_waits(&world).await;
    transaction.commit().await.unwrap();
    assert_eq!(
        (given, waiting.await.unwrap()),
        (1, 1),
        "the planted bug is to hand out position 1 twice"
    );
}

#[tokio::test]
async fn our_append_function_gives_each_position_once_however_long_it_waited() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (mut first, second, stream) = (
        world.acting_as("st_api").await,
        world.acting_as("st_api").await,
        new_id(),
    );
    let transaction = first.transaction().await.unwrap();
    let given = append_raw(&transaction, tenant, stream, 2).await;
    let waiting = tokio::spawn(async move { append_raw(&second, tenant, new_id(), 1).await });
    somebody_waits(&world).await;
    transaction.commit().await.unwrap();
    assert_eq!(given, ("ok".into(), 2));
    assert_eq!(waiting.await.unwrap(), ("ok".into(), 3));
}

#[tokio::test]
async fn a_writer_that_waited_sees_the_version_that_was_written_meanwhile() {
    let world = World::new().await;
    let (tenant, stream) = (new_tenant(), new_stream());
    let mut first = world.acting_as("st_api").await;
    let transaction = first.transaction().await.unwrap();
    append_raw(&transaction, tenant, stream.id, 2).await;
    let store = world.store.clone();
    let waiting = tokio::spawn(async move { store.append(command(tenant, stream, 0, 1)).await });
    somebody_waits(&world).await;
    transaction.commit().await.unwrap();
    let answer = waiting.await.unwrap();
    assert!(
        matches!(answer, Err(AppendError::Conflict { actual: 2 })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_numbering_trigger_gives_each_position_once_however_long_it_waited() {
    let world = World::new().await;
    let tenant = new_tenant();
    let (mut first, second) = (world.owner().await, world.owner().await);
    let transaction = first.transaction().await.unwrap();
    let given = insert_compat(&transaction, tenant, new_id()).await;
    let waiting = tokio::spawn(async move { insert_compat(&second, tenant, new_id()).await });
    somebody_waits(&world).await;
    transaction.commit().await.unwrap();
    assert_eq!((given, waiting.await.unwrap()), (1, 2));
}
