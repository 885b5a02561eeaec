//! Answers that are too strange to be believed: what is doubtful is held back, and nothing beside it. They
//! come from a simulated marketplace that answers an empty list, null or nothing at all, complete to look at.

use application::decide_held::{self, Decision};
use chrono::TimeDelta;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{DoubtState, SourceReport};
use simulators::{Effect, Fault, SellerConfig, Wildberries};
use worker::sync::End;

use crate::world::{FORCED_AND_NOT, World, seller};

const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
const OWN_STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/seller-warehouses";
const OWN_WAREHOUSES: &str = "/marketplace-api/api/v3/warehouses";
const OWN_STOCKS: &str = "/marketplace-api/api/v3/stocks";
const CARDS: &str = "/content-api/content/v2/get/cards/list";

fn answer(status: u16, body: &str) -> Effect {
    Effect::Status {
        status,
        body: body.to_owned(),
        content_type: Some("application/json".to_owned()),
    }
}

impl World {
    /// Units for sale over all articles, at the marketplace and in the seller's own warehouses.
    async fn units(&self) -> (i64, i64) {
        let (mut fbo, mut fbs) = (0, 0);
        for truth in self.truth() {
            for (key, known) in &self.product(truth.nm_id).await.state.0.levels {
                let sum = if key.starts_with("fbs:") {
                    &mut fbs
                } else {
                    &mut fbo
                };
                *sum += known.level.available;
            }
        }
        (fbo, fbs)
    }

    /// The newest sync, which held something back: its id and the report of one source.
    async fn held_of(&self, source: &str) -> (SyncId, SourceReport) {
        let SyncEvent::SyncQuarantined(quarantined) = self.last().await else {
            panic!("{:?}", self.last().await)
        };
        let mut reports = quarantined.sources.into_iter();
        (
            quarantined.sync_id,
            reports.find(|report| report.source == source).unwrap(),
        )
    }

    /// Sells some units of the first article at the marketplace, unseen until the next sync.
    fn change_stock_at_the_marketplace(&self) {
        let truth = self
            .truth()
            .into_iter()
            .find(|truth| truth.listed && !truth.stock.is_empty());
        let truth = truth.unwrap();
        let warehouse = truth.stock.keys().next().unwrap();
        let seller = self.simulator.sellers()[0];
        assert!(self.simulator.set_stock(seller, truth.nm_id, warehouse, 77));
    }

    async fn release(&self, sync_id: SyncId) {
        let context = self.context();
        decide_held::execute(&self.app, &context, self.cabinet_id, sync_id, Decision::Release)
            .await
            .unwrap();
        let job = self.job(sync_id);
        assert_eq!(Box::pin(self.syncs.run(&job, 9, 1)).await, End::Done);
    }
}

#[tokio::test]
async fn own_warehouses_that_are_empty_for_one_call_keep_their_units_and_the_rest_is_recorded() {
    for (path, effect) in [
        (OWN_WAREHOUSES, answer(200, "[]")),
        (OWN_WAREHOUSES, answer(200, "null")),
        (OWN_WAREHOUSES, answer(204, "")),
    ] {
        for forced in FORCED_AND_NOT {
            // Such a token asks its own warehouses one by one.
            let world = World::with_token(seller(), Wildberries::base_token).await;
            world.sync_anew(forced).await;
            let (_, own) = world.units().await;
            assert!(own > 0);
            world.simulator.script(Fault::on(path, effect.clone()));
            world.change_stock_at_the_marketplace();
            assert_eq!(world.sync_anew(forced).await, End::Done);
            let (_, report) = world.held_of("stock_fbs").await;
            let doubt = &report.doubts[0];
            assert_eq!(
                (doubt.state, doubt.rule.as_str()),
                (DoubtState::Held, "all_stock_gone")
            );
            assert_eq!((doubt.before, doubt.now), (own, 0));
            world.assert_equals_truth().await;
            world.simulator.clear_faults();
            assert_eq!(world.sync_anew(forced).await, End::Done);
            assert_eq!(world.outcomes().await["stock_fbs"], "complete");
            world.assert_equals_truth().await;
        }
    }
}

#[tokio::test]
async fn an_empty_list_of_cards_takes_no_article_away_from_a_very_small_seller() {
    let small = || SellerConfig {
        articles: 3,
        warehouses: 2,
        ..seller()
    };
    for forced in FORCED_AND_NOT {
        let world = World::start(small()).await;
        world.sync_anew(forced).await;
        let empty = answer(200, r#"{"cards":[],"cursor":{"total":0}}"#);
        world.simulator.script(Fault::on(CARDS, empty));
        world.change_stock_at_the_marketplace();
        for later in [0, 7] {
            assert!(world.clock.advance(TimeDelta::hours(later)));
            assert_eq!(world.sync_anew(forced).await, End::Done);
            let (_, report) = world.held_of("cards").await;
            let doubt = &report.doubts[0];
            assert_eq!(doubt.rule, "catalogue_empty");
            assert!(doubt.contradicted, "prices and stock still name them");
            world.assert_equals_truth().await;
        }
    }
}

#[tokio::test]
async fn stock_that_is_gone_while_orders_come_waits_for_a_person() {
    let empty = answer(200, r#"{"data":{"items":[]}}"#);
    for (forced, effect) in FORCED_AND_NOT.into_iter().zip([empty, Effect::EmptyBody]) {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let (before, _) = world.units().await;
        world.simulator.script(Fault::on(STOCK, effect));
        for _ in 0..4 {
            assert_eq!(world.sync_anew(forced).await, End::Done);
            let (_, report) = world.held_of("stock_fbo").await;
            assert_eq!(report.doubts[0].rule, "all_stock_gone");
            assert_eq!(world.units().await.0, before);
            world.later(TimeDelta::hours(4));
        }
        let (_, report) = world.held_of("stock_fbo").await;
        assert!(report.doubts[0].contradicted, "{report:?}");
        world.simulator.clear_faults();
        assert_eq!(world.sync_anew(forced).await, End::Done);
        world.assert_equals_truth().await;
    }
}

#[tokio::test]
async fn the_end_of_the_last_own_unit_arrives_though_the_account_answers_without_a_byte() {
    let quiet = || SellerConfig {
        orders_per_day: 0,
        ..seller()
    };
    for forced in FORCED_AND_NOT {
        let world = World::start(quiet()).await;
        world.sync_anew(forced).await;
        let (fbo, own) = world.units().await;
        assert!(own > 0);
        world.simulator.script(Fault::on(OWN_STOCK, Effect::EmptyBody));
        for hours in [0, 2, 3] {
            assert!(world.clock.advance(TimeDelta::hours(hours)));
            world.sync_anew(forced).await;
            world.held_of("stock_fbs").await;
            assert_eq!(world.units().await, (fbo, own));
        }
        assert!(world.clock.advance(TimeDelta::hours(1)));
        world.sync_anew(forced).await;
        let SyncEvent::SyncCompleted(completed) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        let mut reports = completed.sources.iter();
        let report = reports.find(|report| report.source == "stock_fbs").unwrap();
        assert_eq!(report.doubts[0].state, DoubtState::Taken, "{report:?}");
        assert!(report.error.as_ref().unwrap().contains("taken as true"));
        assert_eq!(world.units().await, (fbo, 0));
    }
}

#[tokio::test]
async fn own_warehouses_that_answer_null_are_doubted_and_in_the_end_believed() {
    let quiet = || SellerConfig {
        orders_per_day: 0,
        ..seller()
    };
    for forced in FORCED_AND_NOT {
        let world = World::with_token(quiet(), Wildberries::base_token).await;
        world.sync_anew(forced).await;
        let (fbo, own) = world.units().await;
        assert!(own > 0);
        let null = answer(200, r#"{"stocks":null}"#);
        world.simulator.script(Fault::on(OWN_STOCKS, null));
        for hours in [0, 5] {
            assert!(world.clock.advance(TimeDelta::hours(hours)));
            assert_eq!(world.sync_anew(forced).await, End::Done);
            let (_, report) = world.held_of("stock_fbs").await;
            assert_eq!(report.doubts[0].rule, "all_stock_gone", "{report:?}");
            assert_eq!(world.units().await, (fbo, own));
        }
        assert!(world.clock.advance(TimeDelta::hours(1)));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        let SyncEvent::SyncCompleted(completed) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        let mut reports = completed.sources.iter();
        let report = reports.find(|report| report.source == "stock_fbs").unwrap();
        assert_eq!(report.doubts[0].state, DoubtState::Taken, "{report:?}");
        assert_eq!(world.units().await, (fbo, 0));
    }
}

#[tokio::test]
async fn one_own_warehouse_that_answers_null_keeps_its_units_and_the_others_are_recorded() {
    let world = World::with_token(seller(), Wildberries::base_token).await;
    world.sync_anew(true).await;
    let (_, own) = world.units().await;
    let null = answer(200, r#"{"stocks":null}"#);
    world.simulator.script(Fault::on(OWN_STOCKS, null).times(1));
    world.change_stock_at_the_marketplace();
    assert_eq!(world.sync_anew(true).await, End::Done);
    let (_, report) = world.held_of("stock_fbs").await;
    let [doubt] = report.doubts.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (doubt.rule.as_str(), doubt.warehouses.len()),
        ("warehouse_empty", 1)
    );
    assert_eq!(world.units().await.1, own);
    world.assert_equals_truth().await;
}

#[tokio::test]
async fn a_release_records_what_is_held_and_takes_back_nothing_that_a_later_sync_saw() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let empty = answer(200, r#"{"data":{"items":[]}}"#);
        world.simulator.script(Fault::on(OWN_STOCK, empty));
        world.sync_anew(forced).await;
        let (sync_id, _) = world.held_of("stock_fbs").await;
        // A later sync does not see the own warehouses, and what is held stays; it sees the marketplace's.
        world.simulator.clear_faults();
        world.simulator.script(Fault::on(OWN_STOCK, answer(500, "{}")));
        world.change_stock_at_the_marketplace();
        world.sync_anew(forced).await;
        assert_eq!(world.outcomes().await["stock_fbs"], "failed");
        let (fbo, _) = world.units().await;
        world.release(sync_id).await;
        assert_eq!(world.units().await, (fbo, 0));
        world.simulator.clear_faults();
        world.sync_anew(forced).await;
        world.assert_equals_truth().await;
    }
}
