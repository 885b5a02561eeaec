//! What cannot be read, folded or stored stops its own stream and nothing else, and is caught up later.

use deadpool_postgres::Transaction;
use events::{DecodeError, Recorded};
use read_models::projection::{Projection, Reading, Rejected};
use read_models::{Inventory, Unparked, unpark};

use crate::determinism::eventful;
use crate::world::{Log, World, cabinet, level, tenant};

/// A log in which the product of article 1 has an unreadable event between two good ones.
fn with_poison(poison: &str) -> (Log, events::ids::ProductId) {
    let (who, place) = (tenant(1), cabinet(1));
    let mut log = Log::default();
    let sick = log.list(who, place, 1);
    let healthy = log.list(who, place, 2);
    log.stock(who, sick, vec![level("fbo:507", "Коледино", 5)], &[]);
    log.raw(who, "product", sick.uuid(), "stock_observed", 1, poison);
    log.stock(who, healthy, vec![level("fbo:507", "Коледино", 7)], &[]);
    log.stock(who, sick, vec![level("fbo:117986", "Казань", 2)], &[]);
    log.stock(who, healthy, vec![level("fbo:507", "Коледино", 8)], &[]);
    (log, sick)
}

async fn available(world: &World, nm_id: i64) -> i64 {
    let session = world.projector.get().await.unwrap();
    session
        .query_one(
            "SELECT available FROM rm_inventory.products WHERE nm_id = $1",
            &[&nm_id],
        )
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn events_of_a_newer_program_wait_and_stop_no_other_stream() {
    for (event_type, version) in [("product_photographed", 1), ("stock_observed", 99)] {
        let world = World::new().await;
        let (who, place) = (tenant(1), cabinet(1));
        let mut log = Log::default();
        let (newer, other) = (log.list(who, place, 1), log.list(who, place, 2));
        log.stock(who, newer, vec![level("fbo:507", "Коледино", 5)], &[]);
        log.raw(who, "product", newer.uuid(), event_type, version, "{}");
        log.raw(who, "parcel", uuid::Uuid::from_u128(9), "parcel_lost", 1, "{}");
        log.stock(who, newer, vec![level("fbo:507", "Коледино", 6)], &[]);
        log.stock(who, other, vec![level("fbo:507", "Коледино", 7)], &[]);
        let applied = world.fold::<Inventory>(&log.events, 100).await;
        assert_eq!((applied.folded, applied.unknown, applied.parked), (4, 2, 2));
        assert_eq!(
            available(&world, 1).await,
            5,
            "as before the event that is not known"
        );
        assert_eq!(available(&world, 2).await, 7);

        let session = world.projector.get().await.unwrap();
        let waiting = read_models::parked_as_newer::<Inventory>(&session).await.unwrap();
        assert_eq!(waiting, [("product".to_owned(), newer.uuid())]);
        drop(session);
        // What the newer program wrote becomes readable: the stream goes on where it waited.
        log.events[3].event_type = "stock_observed".to_owned();
        log.events[3].event_version = 1;
        log.events[3].payload = log.events[2].payload.clone();
        let history: Vec<Recorded> = (log.events.iter())
            .filter(|event| event.stream_id == newer.uuid())
            .cloned()
            .collect();
        let mut session = world.projector.get().await.unwrap();
        let outcome = unpark::<Inventory>(&mut session, Inventory::SCHEMA, newer.uuid(), &history).await;
        assert_eq!(outcome.unwrap(), Unparked::All(2));
        assert_eq!(available(&world, 1).await, 6);
    }
}

#[tokio::test]
async fn an_unreadable_event_parks_its_stream_in_order_and_no_other() {
    for size in [1, 100] {
        let world = World::new().await;
        let (log, sick) = with_poison(r#"{"levels":"none"}"#);
        let applied = world.fold::<Inventory>(&log.events, size).await;
        assert_eq!((applied.position, applied.parked), (7, 2));
        assert_eq!(available(&world, 1).await, 5);
        assert_eq!(available(&world, 2).await, 8);
        let api = world.pool(database::Role::Api).get().await.unwrap();
        let parked = read_models::parked::<Inventory>(&api).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!(
            (parked[0].stream_id, parked[0].first_position, parked[0].events),
            (sick.uuid(), 4, 2)
        );
        assert!(
            parked[0].reason.contains("does not have the shape"),
            "{}",
            parked[0].reason
        );
    }
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_found_in_its_batch_and_parks_its_stream() {
    // PostgreSQL's text cannot hold a NUL.
    let poison = r#"{"sync_id":"00000000-0000-0000-0000-000000000001","source":"a\u0000b",
        "as_of":"2026-10-01T00:00:00Z","levels":[]}"#;
    let mut dumps = Vec::new();
    for size in [1, 3, 100] {
        let world = World::new().await;
        let (log, _) = with_poison(poison);
        let applied = world.fold::<Inventory>(&log.events, size).await;
        assert_eq!((applied.position, applied.parked), (7, 2), "batches of {size}");
        assert_eq!(available(&world, 2).await, 8);
        dumps.push(world.dump::<Inventory>().await);
    }
    assert!(dumps.iter().all(|dump| *dump == dumps[0]), "{dumps:#?}");
}

#[tokio::test]
async fn unparking_after_a_repair_gives_what_a_rebuild_gives() {
    let (mut log, sick) = with_poison(r#"{"levels":"none"}"#);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let mut session = world.projector.get().await.unwrap();
    let stream = |log: &Log| -> Vec<Recorded> {
        log.events
            .iter()
            .filter(|event| event.stream_id == sick.uuid())
            .cloned()
            .collect()
    };
    let still = unpark::<Inventory>(&mut session, Inventory::SCHEMA, sick.uuid(), &stream(&log))
        .await
        .unwrap();
    assert!(
        matches!(
            still,
            Unparked::StillParked {
                applied: 0,
                position: 4,
                ..
            }
        ),
        "{still:?}"
    );

    // The repair: a program that reads the event. Here the event is what becomes readable.
    let mut repaired = Log::default();
    repaired.list(tenant(1), cabinet(1), 1);
    repaired.stock(
        tenant(1),
        sick,
        vec![level("fbo:masked", "Склад WB", 3)],
        &["fbo:507"],
    );
    log.events[3].payload.clone_from(&repaired.events[1].payload);
    let all = unpark::<Inventory>(&mut session, Inventory::SCHEMA, sick.uuid(), &stream(&log))
        .await
        .unwrap();
    assert_eq!(all, Unparked::All(2));
    let again = unpark::<Inventory>(&mut session, Inventory::SCHEMA, sick.uuid(), &stream(&log))
        .await
        .unwrap();
    assert_eq!(again, Unparked::NotParked);

    let anew = World::new().await;
    anew.fold::<Inventory>(&log.events, 100).await;
    assert_eq!(world.dump::<Inventory>().await, anew.dump::<Inventory>().await);
}

#[tokio::test]
async fn a_stream_caught_up_late_meets_the_others_as_if_it_had_never_been_parked() {
    // Every product's stream in turn is parked by an event that is unreadable at first.
    let clean = eventful(23, 400);
    let expected = World::new().await;
    expected.fold::<Inventory>(&clean.events, 100).await;
    let expected = expected.dump::<Inventory>().await;
    let victims: Vec<_> = clean
        .events
        .iter()
        .filter(|event| event.event_type == "stock_observed")
        .step_by(29)
        .take(4)
        .collect();
    for victim in victims {
        let mut broken = clean.events.clone();
        let index = usize::try_from(victim.position).unwrap() - 1;
        broken[index].payload = "{}".to_owned();
        let world = World::new().await;
        assert!(world.fold::<Inventory>(&broken, 30).await.parked > 0);
        let stream: Vec<Recorded> = clean
            .events
            .iter()
            .filter(|event| event.stream_id == victim.stream_id)
            .cloned()
            .collect();
        let mut session = world.projector.get().await.unwrap();
        let outcome = unpark::<Inventory>(&mut session, Inventory::SCHEMA, victim.stream_id, &stream).await;
        assert!(matches!(outcome, Ok(Unparked::All(_))), "{outcome:?}");
        assert_eq!(
            world.dump::<Inventory>().await,
            expected,
            "parked at {}",
            victim.position
        );
    }
}

/// The inventory with a fold that panics on one event, and a reading that panics on events of one actor.
struct Brittle;

impl Projection for Brittle {
    const NAME: &'static str = Inventory::NAME;
    const VERSION: i32 = Inventory::VERSION;
    const SCHEMA: &'static str = Inventory::SCHEMA;
    const DDL: &'static str = Inventory::DDL;
    type Fact = <Inventory as Projection>::Fact;
    type Rows = <Inventory as Projection>::Rows;

    fn read(event: &Recorded) -> Result<Reading<Self::Fact>, DecodeError> {
        assert!(event.metadata.actor != "brittle", "a defect of the reading");
        Inventory::read(event)
    }

    async fn load(
        rows: &mut Self::Rows,
        tx: &Transaction<'_>,
        batch: &[(&Recorded, &Self::Fact)],
    ) -> Result<(), tokio_postgres::Error> {
        Inventory::load(rows, tx, batch).await
    }

    fn fold(rows: &mut Self::Rows, event: &Recorded, fact: &Self::Fact) -> Result<(), Rejected> {
        assert!(event.position != 4, "a defect of the fold");
        Inventory::fold(rows, event, fact)
    }

    async fn store(rows: Self::Rows, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        Inventory::store(rows, tx).await
    }
}

#[tokio::test]
async fn a_panic_in_the_fold_parks_the_stream_it_happened_in() {
    let world = World::new().await;
    let (log, _) = with_poison(r#"{"levels":"none"}"#);
    let mut good = log.events;
    let readable = good[2].payload.clone();
    good[3].payload = readable;
    let applied = world.fold::<Brittle>(&good, 100).await;
    assert_eq!((applied.position, applied.parked), (7, 2));
    assert_eq!(available(&world, 1).await, 5);
    assert_eq!(available(&world, 2).await, 8);
}

#[tokio::test]
async fn a_panic_while_an_event_is_read_parks_its_stream_with_the_reason() {
    let world = World::new().await;
    let (log, _) = with_poison(r#"{"levels":"none"}"#);
    let mut events = log.events;
    events[3].metadata.actor = "brittle".to_owned();
    let applied = world.fold::<Brittle>(&events, 100).await;
    assert_eq!((applied.position, applied.parked), (7, 2));
    let session = world.projector.get().await.unwrap();
    let reason: String = session
        .query_one("SELECT reason FROM rm_inventory.parked_streams", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(reason, "reading it panicked");
}
