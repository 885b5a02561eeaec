//! The ways to a marketplace: two reports of the same orders, and gates before both. Whichever way is open,
//! a day counts what it counted, and what a gate says is no verdict.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use events::StreamType;
use events::catalog::SyncEvent;
use events::sync::SourceOutcome;
use simulators::{Damage, Effect, Fault};
use worker::sync::End;

use crate::world::{World, seller};

const FEED: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
const PAGE: &str = "<html><head><title>403 Forbidden</title></head><body></body></html>";

fn status(status: u16, body: &str) -> Effect {
    Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    }
}

/// Orders of every article by the second of the order.
async fn orders(world: &World) -> BTreeMap<(u64, i64), usize> {
    let mut counts = BTreeMap::new();
    for truth in world.truth() {
        for known in world.product(truth.nm_id).await.state.0.orders.values() {
            *counts.entry((truth.nm_id, known.0)).or_default() += 1;
        }
    }
    counts
}

#[tokio::test]
async fn a_change_of_the_order_report_never_changes_a_count_however_ids_are_spelt() {
    let mut world = World::start(seller()).await;
    assert_eq!(world.sync(true).await, End::Done);
    let told_by_feed = orders(&world).await;
    assert!(told_by_feed.len() > 100, "{}", told_by_feed.len());
    // The feed is closed for longer than a sync waits; the older report leaves out the prefix of ids.
    world.simulator.bare_order_ids(true);
    world
        .simulator
        .script(Fault::on(FEED, Effect::RateLimited { retry_seconds: 3_600 }).times(1));
    assert_eq!(world.sync(true).await, End::Done);
    assert_eq!(orders(&world).await, told_by_feed);
    // What is ordered meanwhile is told by the older report, and the feed tells it again when it is open.
    world.later(TimeDelta::minutes(30));
    // The older report is cut at the worker's present second, in which orders were placed.
    assert!(world.clock.advance(TimeDelta::minutes(1)));
    assert_eq!(world.sync(true).await, End::Done);
    let told_by_report = orders(&world).await;
    assert!(told_by_report.len() > told_by_feed.len());
    world.restart_worker();
    let before = world.simulator.calls().count(FEED);
    assert_eq!(world.sync(true).await, End::Done);
    assert!(
        world.simulator.calls().count(FEED) > before,
        "the feed is asked again"
    );
    assert_eq!(orders(&world).await, told_by_report);
    let SyncEvent::SyncCompleted(completed) = world.last().await else {
        panic!()
    };
    let report = completed
        .sources
        .iter()
        .find(|report| report.source == "orders")
        .unwrap();
    assert_eq!(report.outcome, SourceOutcome::Complete, "{report:?}");
}

#[tokio::test]
async fn damaged_rows_cost_their_own_levels_and_the_next_whole_answer_is_the_truth() {
    let world = World::start(seller()).await;
    assert_eq!(world.sync(true).await, End::Done);
    let mut left_out = 0;
    for seed in 0..6 {
        world.simulator.damage(Damage { seed, per_mille: 20 });
        assert_eq!(world.sync(true).await, End::Done, "seed {seed}");
        // Nothing was sold, so whatever was read or kept is what there is.
        world.assert_equals_truth().await;
        let SyncEvent::SyncCompleted(completed) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        left_out += completed
            .sources
            .iter()
            .filter_map(|report| report.left_out)
            .sum::<u64>();
        for report in &completed.sources {
            let is_said = report
                .error
                .as_ref()
                .is_some_and(|error| error.contains("left out"));
            assert!(report.left_out.is_none() || is_said, "{report:?}");
        }
    }
    assert!(left_out > 5, "{left_out}");
}

#[tokio::test]
async fn the_page_of_a_gate_pauses_no_cabinet_and_the_next_sync_is_whole() {
    let world = World::start(seller()).await;
    for gate in [status(403, PAGE), status(302, "backend error"), status(498, "{}")] {
        world.simulator.script(Fault::on("/", gate.clone()));
        assert_eq!(world.sync(true).await, End::WillRetry, "{gate:?}");
        world.simulator.clear_faults();
        let stream = event_store::StreamId {
            stream: StreamType::Cabinet,
            id: world.cabinet_id.uuid(),
        };
        let events = world
            .app
            .store
            .read_stream(world.tenant_id, stream, 0)
            .await
            .unwrap();
        assert!(
            events
                .iter()
                .all(|event| event.event_type != "credential_rejected"),
            "{gate:?}"
        );
        world.later(TimeDelta::minutes(2));
        let SyncEvent::SyncFailed(failed) = world.last().await else {
            panic!()
        };
        let job = world.job(failed.sync_id);
        assert_eq!(Box::pin(world.syncs.run(&job, 2, 1)).await, End::Done);
        world.assert_equals_truth().await;
    }
}
