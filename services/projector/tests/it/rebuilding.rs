//! A read model built anew while the old one is in use.

use projector::{RebuildError, rebuild};
use read_models::{Inventory, Operations, Projection};
use tokio_util::sync::CancellationToken;

use crate::world::{Told, World, stock};

#[tokio::test]
async fn a_rebuild_under_load_gives_the_same_bytes_and_the_live_projector_goes_on() {
    let world = World::new().await;
    let running = world.start();
    world.list(1, 50).await;
    let writing = async {
        let mut last = 0;
        for round in 0..40 {
            let appends = (1..=50)
                .map(|nm_id| stock(nm_id, round + 1, (nm_id + round) % 17))
                .collect();
            last = world.append(appends).await;
        }
        last
    };
    let rebuilding = async {
        let mut positions = Vec::new();
        for _ in 0..3 {
            let called_off = CancellationToken::new();
            positions.push(
                rebuild::<Inventory>(&world.url(), &world.reader, &called_off)
                    .await
                    .unwrap()
                    .position,
            );
        }
        positions
    };
    let (last, positions) = tokio::join!(writing, rebuilding);
    assert!(positions.is_sorted());
    running.reaches::<Inventory>(&world, last).await;
    let live = world.dump::<Inventory>().await;
    assert_eq!(live.0, last);
    rebuild::<Inventory>(&world.url(), &world.reader, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(world.dump::<Inventory>().await, live);
    rebuild::<Operations>(&world.url(), &world.reader, &CancellationToken::new())
        .await
        .unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_copy_of_another_version_is_rebuilt_at_the_start_and_one_of_a_newer_program_left_alone() {
    let world = World::new().await;
    let last = world.list(1, 5).await;
    let session = world.pool.get().await.unwrap();
    session
        .batch_execute(
            "UPDATE rm_inventory.projection SET schema_hash = 'of other DDL', position = 3; \
             UPDATE rm_operations.projection SET version = version + 1",
        )
        .await
        .unwrap();
    let running = world.start();
    running
        .is_told("rebuilt", |told| *told == (Inventory::NAME, Told::Rebuilt(last)))
        .await;
    running.reaches::<Inventory>(&world, last).await;
    running
        .is_told("left alone", |(name, told)| {
            *name == Operations::NAME && matches!(told, Told::Trouble(_))
        })
        .await;
    assert_eq!(
        world
            .dump::<Inventory>()
            .await
            .1
            .iter()
            .find(|table| table.table == "products")
            .unwrap()
            .rows,
        5
    );
    assert_eq!(world.dump::<Operations>().await.0, 0);
    running.end().await;
}

#[tokio::test]
async fn dropped_read_models_come_back_by_themselves() {
    let world = World::new().await;
    let last = world.list(1, 5).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    let before = world.dump::<Inventory>().await;
    world
        .pool
        .get()
        .await
        .unwrap()
        .batch_execute("DROP SCHEMA rm_inventory CASCADE")
        .await
        .unwrap();
    let last = world.stock(1, 1, 4).await;
    running
        .is_told("rebuilt", |(_, told)| matches!(told, Told::Rebuilt(_)))
        .await;
    running.reaches::<Inventory>(&world, last).await;
    assert_eq!(world.available(1).await, 4);
    assert_ne!(world.dump::<Inventory>().await, before);
    running.end().await;
}

#[tokio::test]
async fn only_one_rebuild_of_a_projection_runs_at_a_time() {
    let world = World::new().await;
    world.list(1, 500).await;
    let (url, called_off) = (world.url(), CancellationToken::new());
    let (one, other) = tokio::join!(
        rebuild::<Inventory>(&url, &world.reader, &called_off),
        rebuild::<Inventory>(&url, &world.reader, &called_off)
    );
    let outcomes = [one, other];
    assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(_) | Err(RebuildError::Busy))),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_rebuild_that_is_called_off_leaves_the_live_copy_as_it_was() {
    let world = World::new().await;
    let last = world.list(1, 5).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    let before = world.dump::<Inventory>().await;
    let called_off = CancellationToken::new();
    called_off.cancel();
    let outcome = rebuild::<Inventory>(&world.url(), &world.reader, &called_off).await;
    assert!(matches!(outcome, Err(RebuildError::CalledOff)), "{outcome:?}");
    assert_eq!(world.dump::<Inventory>().await, before);
    running.end().await;
}

#[tokio::test]
async fn a_replaced_copy_goes_once_nobody_reads_it_and_stops_nothing_until_then() {
    let world = World::new().await;
    let last = world.list(1, 5).await;
    let running = world.start();
    running.reaches::<Inventory>(&world, last).await;
    let mut reader = world.pool.get().await.unwrap();
    let question = reader.transaction().await.unwrap();
    question
        .query("SELECT FROM rm_inventory.products", &[])
        .await
        .unwrap();
    rebuild::<Inventory>(&world.url(), &world.reader, &CancellationToken::new())
        .await
        .unwrap();
    let last = world.stock(1, 1, 4).await;
    running.reaches::<Inventory>(&world, last).await;
    assert!(world.has_schema("rm_inventory_old").await);
    running.end().await;
    question.commit().await.unwrap();
    let running = world.start();
    support::eventually("the replaced copy is dropped", support::SOON, || async {
        if world.has_schema("rm_inventory_old").await {
            Err("it is still there".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    running.end().await;
}
