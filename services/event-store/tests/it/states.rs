//! A kept state is a convenience: with it or without it, whatever it holds, a load gives the fold of the
//! stream.

use domain::Decider as _;
use domain::product::Product;
use event_store::{Append, Loaded, ReadError, State, States, StreamId};
use events::ids::{EventId, TenantId};
use events::{Decoded, Event, NewEvent, StreamType};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::products::{Glimpse, glimpse, history, tell};
use crate::world::{World, command, new_id, new_stream, new_tenant};

/// A product as the store keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept(pub(crate) Product);

impl State for Kept {
    const STREAM: StreamType = StreamType::Product;
    const FOLD_VERSION: i32 = Product::FOLD_VERSION;

    fn evolve(&mut self, event: &Event) {
        if let Event::Product(event) = event {
            self.0.evolve(event);
        }
    }
}

/// The fold of everything in the stream, by no means of the code under test.
async fn full_fold(world: &World, id: Uuid) -> Loaded<Kept> {
    let mut loaded = Loaded::default();
    for recorded in world.reader().read_stream("product", id, 0, 1_000).await.unwrap() {
        let Decoded::Known(event) = recorded.decode().unwrap() else {
            continue;
        };
        let Kept(product) = &mut loaded.state;
        let Event::Product(event) = &event else {
            panic!("{event:?}")
        };
        product.evolve(event);
        loaded.version = recorded.version;
    }
    loaded
}

/// Lives the history; keeps the state where the glimpses say so. Returns the state at the end.
async fn live(world: &World, tenant: TenantId, id: Uuid, history: &[Glimpse]) -> Loaded<Kept> {
    let states = States::new(world.store.clone());
    let mut now = Loaded::<Kept>::default();
    for (glimpse, minute) in history.iter().zip(1..) {
        let happened = tell(&mut now.state.0, glimpse, minute);
        let append = Append {
            events: happened
                .into_iter()
                .map(|event| NewEvent {
                    event_id: EventId(new_id()),
                    event: event.into(),
                })
                .collect(),
            ..command(tenant, product(id), now.version, 0)
        };
        now.version = world.store.append(append).await.unwrap().version;
        if glimpse.keep && now.version > 0 {
            states.keep(tenant, &[(id, &now)]).await.unwrap();
        }
    }
    now
}

fn product(id: Uuid) -> StreamId {
    StreamId {
        stream: StreamType::Product,
        id,
    }
}

#[test]
fn a_kept_state_and_the_tail_are_the_fold_of_the_whole_stream() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let states = States::new(world.store.clone());
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&(history(), history()), |(one, other)| {
            runtime.block_on(async {
                let (tenant, ids) = (new_tenant(), [new_id(), new_id()]);
                let lived = [
                    live(&world, tenant, ids[0], &one).await,
                    live(&world, tenant, ids[1], &other).await,
                ];
                let mut many = states.load_many::<Kept>(tenant, &ids).await.unwrap();
                for (id, lived) in ids.into_iter().zip(lived) {
                    let folded = full_fold(&world, id).await;
                    prop_assert_eq!(&folded, &lived);
                    let loaded = states.load::<Kept>(tenant, id).await.unwrap();
                    prop_assert_eq!(&loaded, &folded);
                    prop_assert_eq!(many.remove(&id).unwrap_or_default(), folded);
                }
                prop_assert!(many.is_empty());
                Ok::<(), TestCaseError>(())
            })
        })
        .unwrap();
}

/// A product whose state was kept after two of its three observations.
async fn with_kept_state() -> (World, TenantId, Uuid) {
    let world = World::new().await;
    let (tenant, id) = (new_tenant(), new_id());
    let mut history = vec![glimpse("А", 5, 3), glimpse("Б", 4, 0), glimpse("Б", 9, 9)];
    history[1].keep = true;
    live(&world, tenant, id, &history).await;
    (world, tenant, id)
}

async fn load(world: &World, tenant: TenantId, id: Uuid) -> Loaded<Kept> {
    States::new(world.store.clone()).load(tenant, id).await.unwrap()
}

#[tokio::test]
async fn a_kept_state_is_used_when_it_fits() {
    let (world, tenant, id) = with_kept_state().await;
    // Told apart from a full fold by a mark that no event made.
    let marked = world
        .admin()
        .await
        .execute(
            "UPDATE core.states SET state = replace(state, 'Тёплый дом', 'Отметка')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(marked, 1);
    let loaded = load(&world, tenant, id).await;
    assert_eq!(loaded.state.0.details.unwrap().brand, "Отметка");
}

#[tokio::test]
async fn a_kept_state_that_does_not_fit_is_ignored() {
    let marked = "state = replace(state, 'Тёплый дом', 'Отметка')";
    for spoil in [
        format!("{marked}, fold_version = fold_version + 1"),
        format!("{marked}, fold_version = fold_version - 1"),
        format!("{marked}, schema_hash = 'another'"),
        format!("{marked}, version = version + 100"),
        "state = '{'".to_owned(),
        "state = '{\"details\": 5}'".to_owned(),
    ] {
        let (world, tenant, id) = with_kept_state().await;
        let sql = format!("UPDATE core.states SET {spoil}");
        assert_eq!(world.admin().await.execute(&sql, &[]).await.unwrap(), 1);
        let loaded = load(&world, tenant, id).await;
        assert_eq!(loaded, full_fold(&world, id).await, "{spoil}");
        // And the next one that is kept takes its place, unless the row claims a version that is not reached
        // yet.
        let states = States::new(world.store.clone());
        states.keep(tenant, &[(id, &loaded)]).await.unwrap();
        assert_eq!(load(&world, tenant, id).await, loaded, "{spoil}");
    }
}

#[tokio::test]
async fn emptying_the_kept_states_changes_nothing() {
    let (world, tenant, id) = with_kept_state().await;
    let before = load(&world, tenant, id).await;
    world
        .owner()
        .await
        .batch_execute("TRUNCATE core.states")
        .await
        .unwrap();
    assert_eq!(load(&world, tenant, id).await, before);
}

#[tokio::test]
async fn an_older_state_never_replaces_a_newer_one() {
    let (world, tenant, id) = with_kept_state().await;
    let states = States::new(world.store.clone());
    let newest = load(&world, tenant, id).await;
    states.keep(tenant, &[(id, &newest)]).await.unwrap();
    let older = Loaded {
        state: Kept::default(),
        version: newest.version - 1,
    };
    states.keep(tenant, &[(id, &older)]).await.unwrap();
    let version: i64 = world
        .admin()
        .await
        .query_one("SELECT version FROM core.states", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(version, newest.version);
    assert_eq!(load(&world, tenant, id).await, newest);
}

#[tokio::test]
async fn a_stream_that_is_named_twice_is_folded_once() {
    let (world, tenant, id) = with_kept_state().await;
    let states = States::new(world.store.clone());
    let other = new_id();
    live(&world, tenant, other, &[glimpse("А", 1, 1)]).await;
    let ids = [id, other, id, new_id(), id];
    let loaded = states.load_many::<Counted>(tenant, &ids).await.unwrap();
    assert_eq!(loaded.len(), 2, "a stream that does not exist is absent");
    for id in [id, other] {
        let Loaded { state, version } = &loaded[&id];
        assert_eq!(state.events, *version);
    }
}

/// Counts what is folded in, so that an event that is folded twice shows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counted {
    events: i64,
}

impl State for Counted {
    const STREAM: StreamType = StreamType::Product;
    const FOLD_VERSION: i32 = 1;

    fn evolve(&mut self, _event: &Event) {
        self.events += 1;
    }
}

/// Writes an event of a type or shape that this program would not write.
async fn foreign_event(world: &World, tenant: TenantId, id: Uuid, sequence: i64, event_type: &str) {
    world
        .owner()
        .await
        .execute(
            "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                metadata, tenant_id) VALUES ('product', $1::text, $2, $3, '1', '{\"type\":\"?\"}', '{}', $4)",
            &[&id.to_string(), &sequence, &event_type, &tenant.uuid()],
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_is_decided_on_a_stream_with_an_event_of_a_newer_program() {
    let (world, tenant, id) = with_kept_state().await;
    let before = load(&world, tenant, id).await;
    foreign_event(&world, tenant, id, before.version + 1, "product_polished").await;
    let head = world.reader().head().await.unwrap();
    let answer = States::new(world.store.clone()).load::<Kept>(tenant, id).await;
    let Err(ReadError::Newer { event_type, position }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((event_type.as_str(), position), ("product_polished", head));
}

#[tokio::test]
async fn a_payload_that_should_be_readable_and_is_not_is_named() {
    let (world, tenant, id) = with_kept_state().await;
    let before = load(&world, tenant, id).await;
    foreign_event(&world, tenant, id, before.version + 1, "stock_observed").await;
    let head = world.reader().head().await.unwrap();
    let answer = States::new(world.store.clone()).load::<Kept>(tenant, id).await;
    let Err(ReadError::Inconsistent {
        column: "payload",
        position,
        value,
    }) = answer
    else {
        panic!("{answer:?}")
    };
    assert_eq!(position, head);
    assert!(value.contains("stock_observed"), "{value}");
}

#[tokio::test]
async fn a_stream_that_does_not_exist_loads_as_the_beginning() {
    let world = World::new().await;
    let loaded = load(&world, new_tenant(), new_stream().id).await;
    assert_eq!(loaded, Loaded::default());
}
