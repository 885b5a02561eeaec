//! Thousands of products at once: what is known already is not written again, and one product that others
//! write at the same time holds up nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use application::record_observations::{self, Recorded, Refused};
use application::{App, Context};
use database::Role;
use domain::product::{Card, Observation, ProductRefusal, Scope, StockSeen};
use event_store::{EventStore, Wake};
use events::cabinet::Marketplace;
use events::ids::{CabinetId, CommandId, ProductId, SyncId, TenantId};
use events::product::{Details, Fulfilment, StockLevel};
use support::{SOON, eventually};

use crate::world::{World, at, context, new_id};

/// What a sync sees of an article: its card and two warehouses.
pub(crate) fn observation(cabinet_id: CabinetId, nm_id: i64, available: i64) -> Observation {
    let level = |warehouse: &str, name: &str, available| StockLevel {
        warehouse: warehouse.into(),
        name: name.into(),
        fulfilment: Fulfilment::Fbo,
        available,
        in_way_to_client: 1,
        in_way_from_client: 0,
        buckets: std::collections::BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    };
    let levels = vec![
        level("fbo:507", "Коледино", available),
        level("fbo:117986", "Казань", nm_id % 7),
    ];
    let visible: BTreeSet<String> = levels.iter().map(|level| level.warehouse.clone()).collect();
    Observation {
        sync_id: SyncId(uuid::Uuid::from_u128(7)),
        cabinet_id,
        marketplace: Marketplace::Wildberries,
        nm_id,
        card: Card::Seen(Details {
            vendor_code: format!("НС-{nm_id}"),
            ..Details::default()
        }),
        price: None,
        stock: vec![StockSeen {
            source: "stock_fbo".into(),
            fulfilment: Fulfilment::Fbo,
            as_of: at(0),
            complete: true,
            levels,
            unassigned_in_way: None,
            turnover: None,
            visible: Arc::new(visible),
            unread: BTreeSet::new(),
            scope: Scope::All,
        }],
        orders: vec![],
        orders_source: "orders".into(),
        at: at(0),
    }
}

pub(crate) fn observations(cabinet: CabinetId, count: i64, available: i64) -> Vec<Observation> {
    (1..=count)
        .map(|nm_id| observation(cabinet, nm_id, available))
        .collect()
}

/// In chunks, as the worker does it.
pub(crate) async fn record(app: &App, context: &Context, observations: &[Observation]) -> Recorded {
    let mut recorded = Recorded::default();
    for (chunk, number) in observations.chunks(record_observations::CHUNK).zip(0..) {
        let part = context.part(&format!("observe:{number}"));
        recorded.add(
            record_observations::execute(app, &part, chunk.to_vec())
                .await
                .unwrap(),
        );
    }
    recorded
}

fn product(cabinet: CabinetId, nm_id: i64) -> uuid::Uuid {
    ProductId::of(cabinet, nm_id).uuid()
}

#[tokio::test]
async fn a_thousand_products_are_recorded_once_and_the_same_again_writes_nothing() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let seen = observations(cabinet, 1_000, 5);
    let first = record(&worker, &context(tenant), &seen).await;
    assert_eq!(
        first,
        Recorded {
            changed: 1_000,
            events: 2_000,
            position: 2_003,
            ..Recorded::default()
        }
    );
    assert_eq!(world.log().await.len(), 2_003);
    // Another sync that sees the same; once with the kept states and once without them.
    for _ in 0..2 {
        let again = record(&worker, &context(tenant), &seen).await;
        assert_eq!(again, Recorded::default());
        support::connect(&world.database.url)
            .await
            .batch_execute("TRUNCATE core.states")
            .await
            .unwrap();
    }
    assert_eq!(world.log().await.len(), 2_003);
}

#[tokio::test]
async fn only_what_differs_is_recorded() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let mut seen = observations(cabinet, 20, 5);
    record(&worker, &context(tenant), &seen).await;
    seen[3] = observation(cabinet, 4, 6);
    let recorded = record(&worker, &context(tenant), &seen).await;
    assert_eq!((recorded.changed, recorded.events), (1, 1));
    let newest = world.log().await.pop().unwrap();
    assert_eq!(newest.stream_id, product(cabinet, 4));
    assert!(newest.payload.contains("Коледино") && !newest.payload.contains("Казань"));
}

#[tokio::test]
async fn a_level_that_makes_no_sense_is_named_and_holds_up_no_other() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let mut seen = observations(cabinet, 3, 5);
    seen[1] = observation(cabinet, 2, -1);
    let recorded = record(&world.app(Role::Worker), &context(tenant), &seen).await;
    // The article is listed all the same, and its other level is recorded.
    assert_eq!((recorded.changed, recorded.events), (3, 6));
    let refusal = ProductRefusal::NegativeCount {
        warehouse: "fbo:507".into(),
        source_name: "stock_fbo".into(),
    };
    assert_eq!(recorded.refused, [Refused { nm_id: 2, refusal }]);
}

/// One event in somebody else's name, in a transaction that holds the log's lock already.
const INTERFERE: &str = "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
     payload, metadata) VALUES ('product', $1::text, $2, 'product_delisted', '1', \
     '{\"type\":\"product_delisted\",\"sync_id\":\"00000000-0000-0000-0000-000000000007\"}', \
     json_build_object('tenant_id', $3::text))";

/// Records while another writer is about to append to one product: it has the lock when the recording comes
/// to append, and writes before it lets go.
async fn record_against_a_writer(
    world: &World,
    context: &Context,
    seen: &[Observation],
    (tenant, rival, sequence): (TenantId, uuid::Uuid, i64),
) -> (Recorded, Vec<usize>) {
    let mut writer = support::connect(&world.database.url).await;
    let transaction = writer.transaction().await.unwrap();
    transaction
        .batch_execute("SELECT FROM core.log_head FOR UPDATE")
        .await
        .unwrap();

    // A store of its own, which tells the sizes of its batches.
    let sizes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&sizes);
    let worker = world.app(Role::Worker);
    let (store, task) = EventStore::new(
        worker.store.pool().clone(),
        Wake::default(),
        Some(Arc::new(move |size| told.lock().unwrap().push(size))),
    );
    tokio::spawn(task.run());
    let app = App::new(store, worker.vault.clone());
    let (part, seen) = (context.clone(), seen.to_vec());
    let recording = tokio::spawn(async move { record_observations::execute(&app, &part, seen).await });

    let admin = support::connect(&world.database.url).await;
    eventually("the recording waits for the log", SOON, async || {
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
    transaction
        .execute(INTERFERE, &[&rival.to_string(), &sequence, &tenant.to_string()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let recorded = recording.await.unwrap().unwrap();
    let sizes = sizes.lock().unwrap().clone();
    (recorded, sizes)
}

#[tokio::test]
async fn a_product_that_somebody_else_writes_is_decided_again_and_no_other() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    record(
        &world.app(Role::Worker),
        &context(tenant),
        &observations(cabinet, 50, 5),
    )
    .await;
    let rival = product(cabinet, 17);
    let seen = observations(cabinet, 50, 6);
    let (recorded, batches) =
        record_against_a_writer(&world, &context(tenant), &seen, (tenant, rival, 3)).await;
    assert_eq!(
        batches.iter().sum::<usize>(),
        51,
        "one product twice: {batches:?}"
    );
    assert_eq!(
        batches.last(),
        Some(&1),
        "the second time it was alone: {batches:?}"
    );
    assert_eq!(recorded.changed, 50);
    // Decided on what the other one wrote: it had delisted the article, which the catalogue shows again.
    let history: Vec<String> = world
        .log()
        .await
        .into_iter()
        .filter(|event| event.stream_id == rival)
        .map(|event| event.event_type)
        .collect();
    assert_eq!(
        history,
        [
            "product_listed",
            "stock_observed",
            "product_delisted",
            "product_relisted",
            "stock_observed"
        ]
    );
    assert_eq!(recorded.events, 51);
    // And nothing is missing: the same again writes nothing.
    let again = record(&world.app(Role::Worker), &context(tenant), &seen).await;
    assert_eq!(again, Recorded::default());
}

#[tokio::test]
async fn a_chunk_that_is_repeated_after_its_answer_was_lost_adds_nothing() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let worker = world.app(Role::Worker);
    let context = context(tenant);
    let seen = observations(cabinet, 30, 5);
    record(&worker, &context, &seen[..20]).await; // as far as the first worker came
    let recorded = record(&worker, &context, &seen).await;
    assert_eq!((recorded.changed, recorded.events), (10, 20));
    assert_eq!(record(&worker, &context, &seen).await, Recorded::default());
    assert_eq!(world.log().await.len(), 3 + 60);
}

#[tokio::test]
async fn two_workers_that_record_the_same_at_once_write_it_once() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let (one, other) = (world.app(Role::Worker), world.app(Role::Worker));
    let seen = observations(cabinet, 200, 5);
    let (first, second) = (context(tenant), context(tenant));
    let (first, second) = tokio::join!(record(&one, &first, &seen), record(&other, &second, &seen));
    assert_eq!(first.changed + second.changed, 200);
    assert_eq!(first.events + second.events, 400);
    assert_eq!(world.log().await.len(), 3 + 400);
}

#[tokio::test]
async fn what_is_recorded_names_the_sync_that_saw_it() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let sync = new_id();
    let context = Context {
        actor: "worker".into(),
        command_id: CommandId::derived(sync, "attempt:1:observe:0"),
        correlation_id: sync,
        ..context(tenant)
    };
    record_observations::execute(&world.app(Role::Worker), &context, observations(cabinet, 2, 5))
        .await
        .unwrap();
    let log = world.log().await;
    for event in &log[3..] {
        assert_eq!(event.metadata.actor, "worker");
        assert_eq!(event.metadata.correlation_id, sync);
        assert_eq!(event.metadata.causation_id, Some(context.command_id.uuid()));
    }
    let ids: BTreeSet<_> = log.iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), log.len(), "every event has an id of its own");
}
