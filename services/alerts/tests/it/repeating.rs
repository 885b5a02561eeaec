//! The same log always has the same alerts: whatever was killed on the way, whoever judges again, and from
//! wherever.

use std::time::Duration;

use alerts::Options;
use events::cabinet::{CabinetDisconnected, CabinetReconnected, WarehouseExcluded, WarehouseIncluded};
use events::catalog::{AlertEvent, CabinetEvent};
use events::sync::SourceOutcome;
use uuid::Uuid;

use crate::world::{CABINET, World, credential, order, product};

/// Takes away all that the policy remembers.
const FORGET: &str =
    "DELETE FROM core.alert_cabinets; UPDATE core.alert_policy SET position = 0, quiet_until = 0";
/// As another version of the program would find it.
const OTHER_VERSION: &str = "UPDATE core.alert_policy SET fold_version = 4711";
const PRODUCTS: u64 = 6;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX constants; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn units(&mut self) -> i64 {
        [0, 1, 4, 9, 30, 200][usize::try_from(self.roll(6)).unwrap()]
    }
}

/// One more thing that happens to a shop.
async fn happens(world: &mut World, dice: &mut Dice, step: i64) {
    let day = step / 12;
    let nm_id = i64::try_from(1 + dice.roll(PRODUCTS)).unwrap();
    let key = ["fbo:1", "fbo:2", "fbs:1"][usize::try_from(dice.roll(3)).unwrap()];
    match dice.roll(24) {
        0..=8 => {
            let source = if key == "fbs:1" { "stock_fbs" } else { "stock_fbo" };
            world.stock_of(nm_id, source, &[(key, dice.units())], &[]).await;
        }
        9..=12 => {
            let mut line = order(&format!("{nm_id}.{}", dice.roll(30)), day, key);
            line.quantity = i64::try_from(dice.roll(4)).unwrap();
            line.cancelled = dice.roll(3) == 0;
            world.ordered(nm_id, vec![line]).await;
        }
        13 => {
            world
                .rule(1 + dice.units(), dice.roll(2) == 0, dice.roll(5) > 0)
                .await;
        }
        14 => {
            let warehouse = key.to_owned();
            let told = match dice.roll(2) {
                0 => CabinetEvent::from(WarehouseIncluded { warehouse }),
                _ => CabinetEvent::from(WarehouseExcluded {
                    warehouse,
                    reason: "stuck".to_owned(),
                }),
            };
            world.push(CABINET.uuid(), told).await;
        }
        15 => {
            world
                .push(CABINET.uuid(), CabinetEvent::from(CabinetDisconnected {}))
                .await;
            let again = CabinetReconnected {
                credential: credential(),
            };
            world.push(CABINET.uuid(), CabinetEvent::from(again)).await;
        }
        16 => {
            let masked = ("fbo:masked", dice.units());
            world.stock_of(nm_id, "stock_fbo", &[masked], &[key]).await;
        }
        17 => {
            let source = ["stock_fbo", "stock_fbs", "orders"][usize::try_from(dice.roll(3)).unwrap()];
            world.sync_with(day, &[(source, SourceOutcome::Failed)]).await;
        }
        _ => {
            world.sync(day).await;
        }
    }
}

async fn shop() -> World {
    let mut world = World::new().await;
    for nm_id in 1..=i64::try_from(PRODUCTS).unwrap() {
        world.list(nm_id).await;
    }
    world
}

/// A shop in which this much has happened before anybody looks.
async fn history(seed: u64, steps: i64) -> World {
    let (mut world, mut dice) = (shop().await, Dice(seed));
    for step in 0..steps {
        happens(&mut world, &mut dice, step).await;
    }
    world
}

/// The alert streams as they are stored.
async fn streams(world: &World) -> Vec<(Uuid, i64, Uuid, String)> {
    let log = world.log().await;
    let alerts = log.into_iter().filter(|event| event.stream == "alert");
    let mut rows: Vec<_> = alerts
        .map(|event| {
            (
                event.stream_id,
                event.version,
                event.event_id.uuid(),
                event.payload,
            )
        })
        .collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn judging_everything_again_from_nothing_adds_nothing() {
    let world = history(7, 300).await;
    world.alerts().await;
    let before = streams(&world).await;
    assert!(before.len() > 20, "{}", before.len());
    let head = world.reader.head().await.unwrap();
    world.run(FORGET).await;
    world.alerts().await;
    assert_eq!(streams(&world).await, before);
    assert_eq!(world.reader.head().await.unwrap(), head);
}

#[tokio::test]
async fn what_is_in_memory_and_how_much_is_read_at_a_time_makes_no_difference() {
    let (one, other) = (history(11, 300).await, history(11, 300).await);
    one.alerts().await;
    let running = other.start(alerts::AlertPolicy {
        options: Options {
            page: 7,
            keep_after: 1,
            // Every cabinet is dropped from memory whenever it was kept.
            most_products: 0,
            ..other.policy().options
        },
        ..other.policy()
    });
    other.is_caught_up().await;
    running.end().await;
    let alerts = facts(&one).await;
    assert!(!alerts.is_empty());
    assert_eq!(facts(&other).await, alerts);
}

#[tokio::test]
async fn another_version_folds_anew_and_raises_nothing_that_was_judged() {
    let (mut world, mut dice) = (shop().await, Dice(5));
    for step in 0..200 {
        happens(&mut world, &mut dice, step).await;
    }
    world.alerts().await;
    let before = streams(&world).await;
    // What another version had judged differently stays as it was told.
    world.run(OTHER_VERSION).await;
    world.alerts().await;
    assert_eq!(streams(&world).await, before);
    for step in 200..400 {
        happens(&mut world, &mut dice, step).await;
    }
    world.alerts().await;
    let after = streams(&world).await;
    assert!(after.len() > before.len());
    world.run(FORGET).await;
    world.alerts().await;
    assert_eq!(streams(&world).await, after, "as if there had been one version");
}

/// Alerts without the positions, which depend on who else was appending.
async fn facts(world: &World) -> Vec<(Uuid, Vec<String>)> {
    let alerts = world.alerts_in_log().await;
    let one = |alert: &AlertEvent| {
        let mut value = serde_json::to_value(alert).unwrap();
        for pointer in ["/seen/position", "/position"] {
            if let Some(position) = value.pointer_mut(pointer) {
                *position = 0.into();
            }
        }
        // By the log's own clock where no sync was the cause.
        for pointer in ["/seen/at", "/at", "/since", "/lost"] {
            if let Some(at) = value.pointer_mut(pointer) {
                *at = serde_json::Value::Null;
            }
        }
        value.to_string()
    };
    alerts
        .iter()
        .map(|(id, alerts)| (*id, alerts.iter().map(one).collect()))
        .collect()
}

#[tokio::test]
async fn a_policy_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let mut world = shop().await;
        let mut kills = Dice(1_000 + seed);
        let mut running = world.start(world.policy());
        for step in 0..150 {
            happens(&mut world, &mut dice, step).await;
            if kills.roll(6) == 0 {
                // Some way into whatever it is doing.
                let soon = Duration::from_micros(kills.roll(20_000));
                drop(tokio::time::timeout(soon, &mut running.task).await);
                running.task.abort();
                running = world.start(world.policy());
            }
        }
        world.is_caught_up().await;
        running.end().await;
        let (killed, stored) = (facts(&world).await, streams(&world).await);
        let undisturbed = history(seed, 150).await;
        undisturbed.alerts().await;
        assert_eq!(killed, facts(&undisturbed).await, "seed {seed}");
        world.run(FORGET).await;
        world.alerts().await;
        assert_eq!(streams(&world).await, stored, "seed {seed}: again from nothing");
    }
}

#[tokio::test]
async fn of_two_policies_one_works_and_the_other_takes_over() {
    let mut world = shop().await;
    let one = world.start(world.policy());
    // It is the active one, because it was there alone.
    world.is_caught_up().await;
    let other = world.start(world.policy());
    world.stock(1, &[("fbo:1", 3)]).await;
    world.orders(1, 0, 7).await;
    world.sync(0).await;
    world.is_caught_up().await;
    one.end().await;
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync(0).await;
    world.is_caught_up().await;
    other.end().await;
    let told = world.alerts_in_log().await.remove(&product(1)).unwrap();
    assert_eq!(
        told.iter().map(crate::world::words).collect::<Vec<_>>(),
        ["low", "out"]
    );
    assert_eq!(world.number("SELECT epoch FROM core.alert_policy").await, 2);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_its_product_and_nobody_else() {
    let mut world = shop().await;
    for nm_id in [1, 2] {
        world.stock(nm_id, &[("fbo:1", 100)]).await;
        world.orders(nm_id, 0, 7).await;
    }
    world.sync(0).await;
    world.stock(1, &[("fbo:1", 50)]).await;
    let last = world.reader.head().await.unwrap();
    for nm_id in [1, 2] {
        world.stock(nm_id, &[("fbo:1", 0)]).await;
    }
    world.sync(0).await;
    world
        .run(&format!(
            "ALTER TABLE core.events DISABLE TRIGGER USER; \
             UPDATE core.events SET payload = '{{\"type\": \"stock_observed\"}}' WHERE position = {last}"
        ))
        .await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.into_keys().collect::<Vec<_>>(), [product(2)]);
}

#[tokio::test]
async fn states_that_cannot_be_read_are_folded_anew() {
    let mut world = shop().await;
    world.stock(1, &[("fbo:1", 3)]).await;
    world.orders(1, 0, 7).await;
    world.sync(0).await;
    world.alerts().await;
    world.run("UPDATE core.alert_cabinets SET state = 'x'").await;
    world.stock(1, &[("fbo:1", 0)]).await;
    world.sync(0).await;
    assert_eq!(world.told().await, ["low", "out"]);
}
