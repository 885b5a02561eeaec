//! What a sync does when the marketplace fails: numbers stay, the reason is told, the next attempt waits as
//! told.

use std::time::Duration;

use application::decide_held::{self, Decision};
use chrono::TimeDelta;
use events::StreamType;
use events::catalog::SyncEvent;
use simulators::{Effect, Fault};
use worker::sync::End;

use crate::world::{FORCED_AND_NOT, World, seller};

const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";

fn broken(body: &str) -> Effect {
    Effect::Status {
        status: 500,
        body: body.to_owned(),
        content_type: None,
    }
}

#[tokio::test]
async fn a_failed_source_keeps_its_last_numbers_and_the_sync_says_which_one_failed_and_why() {
    for forced in FORCED_AND_NOT {
        let quantity = || "quantity".to_owned();
        for (effect, named) in [
            (broken("{}"), "500"),
            (Effect::CutBody, "connection"),
            (Effect::HtmlPage, "HTML instead of JSON"),
            (
                Effect::ContentType {
                    value: "text/csv".into(),
                },
                "content type `text/csv`",
            ),
            (
                Effect::RenameField {
                    from: quantity(),
                    to: "qty".into(),
                },
                "field `data.items[].quantity` is missing",
            ),
            (
                Effect::RemoveField { name: quantity() },
                "field `data.items[].quantity` is missing",
            ),
            (
                Effect::RetypeField {
                    name: quantity(),
                    value: serde_json::json!("many"),
                },
                "field `data.items[].quantity` has another type or value: a whole number expected, a text seen",
            ),
        ] {
            let world = World::start(seller()).await;
            world.sync_anew(forced).await;
            let before: Vec<i64> = stock(&world).await;
            world.later(TimeDelta::minutes(10));
            world.simulator.script(Fault::on(STOCK, effect.clone()));
            assert_eq!(world.sync_anew(forced).await, End::Done, "{effect:?}");

            assert_eq!(stock(&world).await, before, "{effect:?}");
            let SyncEvent::SyncCompleted(completed) = world.last().await else {
                panic!("{effect:?}")
            };
            let report = completed
                .sources
                .iter()
                .find(|report| report.source == "stock_fbo")
                .unwrap();
            assert_ne!(
                report.outcome,
                events::sync::SourceOutcome::Complete,
                "{effect:?}"
            );
            let error = report.error.clone().unwrap_or_default();
            assert!(error.contains(named), "{effect:?}: {error}");
            world.simulator.clear_faults();
            world.sync_anew(forced).await;
            world.assert_equals_truth().await;
        }
    }
}

/// The catalogue breaks off after its first page, so only some articles are asked for.
#[tokio::test]
async fn half_a_catalogue_empties_no_warehouse_of_the_seller() {
    for forced in FORCED_AND_NOT {
        let many = simulators::SellerConfig {
            articles: 150,
            ..seller()
        };
        // Such a token has to ask for its own stock size by size.
        let world = World::with_token(many, simulators::Wildberries::base_token).await;
        world.sync_anew(forced).await;
        world.assert_equals_truth().await;
        let cards = Fault::on("/content-api/content/v2/get/cards/list", broken("{}"));
        world.simulator.script(cards.after(1));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        assert_eq!(world.outcomes().await["cards"], "failed");
        assert_eq!(world.outcomes().await["stock_fbs"], "partial");
        world.assert_equals_truth().await;
    }
}

/// Orders name their warehouse, stock tells its id: an order is the same one with or without the stock.
#[tokio::test]
async fn orders_stay_at_their_warehouse_while_the_stock_is_not_told() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let before = world.product_events().await;
        world.simulator.script(Fault::on(STOCK, broken("{}")));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        assert_eq!(world.outcomes().await["stock_fbo"], "failed");
        assert_eq!(world.product_events().await, before);
    }
}

async fn stock(world: &World) -> Vec<i64> {
    let mut known = Vec::new();
    for truth in world.truth() {
        let product = world.product(truth.nm_id).await.state.0;
        let fbo = product.levels.iter().filter(|(key, _)| key.starts_with("fbo:"));
        known.push(fbo.map(|(_, known)| known.level.available).sum());
    }
    known
}

#[tokio::test]
async fn when_nothing_answers_the_sync_is_tried_again_after_the_delay_the_marketplace_told() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world
            .simulator
            .script(Fault::on("/", Effect::RateLimited { retry_seconds: 120 }));
        assert_eq!(world.sync_anew(forced).await, End::WillRetry);
        let SyncEvent::SyncFailed(failed) = world.last().await else {
            panic!()
        };
        assert_eq!(failed.class, "rate_limited");
        let wait = failed.retry_at.unwrap() - failed.failed_at;
        assert!(wait >= TimeDelta::seconds(110), "waits only {wait}");
    }
}

#[tokio::test]
async fn a_sync_that_keeps_failing_is_given_up_with_the_reason() {
    for forced in FORCED_AND_NOT {
        let mut world = World::start(seller()).await;
        world.syncs.limits.attempts = 2;
        world.simulator.script(Fault::on("/", broken("{}")));
        let sync_id = world.request_anew(forced).await;
        let job = world.job(sync_id);
        assert_eq!(Box::pin(world.syncs.run(&job, 1, 1)).await, End::WillRetry);
        let end = Box::pin(world.syncs.run(&job, 2, 1)).await;
        let End::GivenUp { reason } = end else {
            panic!("{end:?}")
        };
        assert!(reason.starts_with("unavailable"), "{reason}");
        let SyncEvent::SyncFailed(failed) = world.last().await else {
            panic!()
        };
        assert_eq!(failed.retry_at, None);
        assert_ne!(
            world.request_anew(forced).await,
            sync_id,
            "the next one may begin"
        );
    }
}

#[tokio::test]
async fn a_refused_credential_is_told_to_the_cabinet_and_not_tried_again() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.simulator.revoke(&world.token);
        let end = world.sync_anew(forced).await;
        assert!(
            matches!(&end, End::GivenUp { reason } if reason.starts_with("unauthorized")),
            "{end:?}"
        );
        let again = application::request_sync::execute(
            &world.app,
            &world.context(),
            world.cabinet_id,
            events::sync::Trigger::Manual,
            false,
        )
        .await;
        assert!(
            matches!(
                again,
                Err(application::request_sync::Error::CredentialRejected { .. })
            ),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_in_which_everything_is_gone_is_held_back_until_nothing_contradicted_it_for_hours() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let before = stock(&world).await;
        for truth in world.truth() {
            for warehouse in truth.stock.keys() {
                world
                    .simulator
                    .set_stock(world.simulator.sellers()[0], truth.nm_id, warehouse, 0);
            }
        }
        world.sync_anew(forced).await;
        let SyncEvent::SyncQuarantined(quarantined) = world.last().await else {
            panic!()
        };
        assert_eq!(quarantined.reason, "all_stock_gone");
        let sources: Vec<_> = quarantined.sources.iter().map(|report| &report.source).collect();
        assert_eq!(sources, ["cards", "stock_fbo", "stock_fbs", "orders", "prices"]);
        assert_eq!(stock(&world).await, before);
        assert!(held(&world).await > 0);
        world.sync_anew(forced).await;
        assert!(
            matches!(world.last().await, SyncEvent::SyncQuarantined(_)),
            "saying it twice proves nothing"
        );
        assert_eq!(stock(&world).await, before);
        assert!(world.clock.advance(TimeDelta::hours(6)));
        world.sync_anew(forced).await;
        assert!(matches!(world.last().await, SyncEvent::SyncCompleted(_)));
        assert!(stock(&world).await.iter().all(|available| *available == 0));
        assert_eq!(held(&world).await, 0, "what is believed is held no longer");
    }
}

/// Parts of results that are held back.
async fn held(world: &World) -> i64 {
    let admin = support::connect(world.database_url()).await;
    let row = admin.query_one("SELECT count(*) FROM core.sync_holds", &[]).await;
    row.unwrap().get(0)
}

impl World {
    /// An answer in which everything is gone; returns the sync that is held back.
    pub(crate) async fn quarantined(&self, forced: bool) -> events::ids::SyncId {
        for truth in self.truth() {
            for warehouse in truth.stock.keys() {
                self.simulator
                    .set_stock(self.simulator.sellers()[0], truth.nm_id, warehouse, 0);
            }
        }
        self.sync_anew(forced).await;
        let SyncEvent::SyncQuarantined(quarantined) = self.last().await else {
            panic!()
        };
        quarantined.sync_id
    }

    async fn decide(&self, sync_id: events::ids::SyncId, decision: Decision) {
        decide_held::execute(&self.app, &self.context(), self.cabinet_id, sync_id, decision)
            .await
            .unwrap();
        while self.policy.round().await.unwrap() > 0 {}
    }
}

#[tokio::test]
async fn what_a_person_releases_is_recorded_exactly_as_it_was_seen() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let sync_id = world.quarantined(forced).await;
        // The marketplace has changed its mind since; what is released is what was seen.
        for truth in world.truth() {
            for warehouse in truth.stock.keys() {
                let seller = world.simulator.sellers()[0];
                world.simulator.set_stock(seller, truth.nm_id, warehouse, 9);
            }
        }
        let asked = world.simulator.calls().total;
        world.decide(sync_id, Decision::Release).await;
        let job = world.queued().await.unwrap();
        assert_eq!(job.sync_id, sync_id);
        assert_eq!(Box::pin(world.syncs.run(&job, 7, 1)).await, End::Done);
        assert_eq!(world.simulator.calls().total, asked, "nothing was asked again");
        let SyncEvent::SyncCompleted(completed) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        assert_eq!((completed.sync_id, completed.attempt), (sync_id, 2));
        assert!(completed.products_changed > 0);
        assert!(stock(&world).await.iter().all(|available| *available == 0));
        assert_eq!(held(&world).await, 0);
        world.sync_anew(forced).await;
        assert!(
            matches!(world.last().await, SyncEvent::SyncCompleted(_)),
            "what was released is what the next answer is compared with"
        );
    }
}

#[tokio::test]
async fn what_a_person_discards_is_destroyed_and_does_not_count_as_a_first_doubt() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let before = stock(&world).await;
        let sync_id = world.quarantined(forced).await;
        world.decide(sync_id, Decision::Discard).await;
        assert_eq!(held(&world).await, 0);
        assert!(world.queued().await.is_none());
        world.sync_anew(forced).await;
        assert!(
            matches!(world.last().await, SyncEvent::SyncQuarantined(_)),
            "the same again is doubted again"
        );
        assert_eq!(stock(&world).await, before);
    }
}

#[tokio::test]
async fn a_sync_that_does_not_see_the_stock_leaves_the_doubt_for_the_next_one_that_does() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.quarantined(forced).await;
        let name = "quantity".into();
        world
            .simulator
            .script(Fault::on(STOCK, Effect::RemoveField { name }));
        world.sync_anew(forced).await;
        assert!(matches!(world.last().await, SyncEvent::SyncCompleted(_)));
        assert!(stock(&world).await.iter().any(|available| *available > 0));
        assert!(held(&world).await > 0, "what was not seen is held still");
        world.simulator.clear_faults();
        world.sync_anew(forced).await;
        assert!(matches!(world.last().await, SyncEvent::SyncQuarantined(_)));
        assert!(world.clock.advance(TimeDelta::hours(6)));
        world.sync_anew(forced).await;
        assert!(matches!(world.last().await, SyncEvent::SyncCompleted(_)));
        assert!(stock(&world).await.iter().all(|available| *available == 0));
    }
}

#[tokio::test]
async fn a_held_result_cannot_be_read_in_the_database() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.quarantined(forced).await;
        let admin = support::connect(world.database_url()).await;
        let rows = admin
            .query("SELECT sealed FROM core.sync_holds", &[])
            .await
            .unwrap();
        let vendor_code = world.truth()[0].vendor_code.clone();
        for row in rows {
            let sealed: Vec<u8> = row.get(0);
            assert!(!String::from_utf8_lossy(&sealed).contains(&vendor_code));
            assert!(!String::from_utf8_lossy(&sealed).contains("nm_id"));
        }
    }
}

#[tokio::test]
async fn masked_warehouses_are_no_jump() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.simulator.mask(true);
        world.sync_anew(forced).await;
        assert!(
            matches!(world.last().await, SyncEvent::SyncCompleted(_)),
            "{:?}",
            world.last().await
        );
    }
}

#[tokio::test]
async fn a_source_that_fails_three_times_after_it_worked_has_degraded_until_it_works_again() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.simulator.script(Fault::on(
            STOCK,
            Effect::RemoveField {
                name: "quantity".into(),
            },
        ));
        for _ in 0..2 {
            world.sync_anew(forced).await;
            assert!(matches!(world.last().await, SyncEvent::SyncCompleted(_)));
        }
        world.sync_anew(forced).await;
        let SyncEvent::SourceDegraded(degraded) = world.last().await else {
            panic!("{:?}", world.last().await)
        };
        assert_eq!((degraded.source.as_str(), degraded.failures), ("stock_fbo", 3));
        assert!(degraded.error.unwrap().contains("data.items[].quantity"));
        world.simulator.clear_faults();
        world.sync_anew(forced).await;
        assert!(matches!(world.last().await, SyncEvent::SourceRecovered(_)));
    }
}

#[tokio::test]
async fn a_hanging_marketplace_costs_no_more_than_the_soft_limit() {
    for forced in FORCED_AND_NOT {
        let mut world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.syncs.limits.soft = Duration::from_millis(700);
        world
            .simulator
            .script(Fault::on(STOCK, Effect::Hang { millis: None }));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        let SyncEvent::SyncCompleted(completed) = world.last().await else {
            panic!()
        };
        let report = completed
            .sources
            .iter()
            .find(|report| report.source == "stock_fbo")
            .unwrap();
        assert!(
            report.error.as_deref().unwrap().starts_with("timeout"),
            "{report:?}"
        );
        world.simulator.release();
    }
}

#[tokio::test]
async fn the_credential_stands_in_no_event() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let secret = world.token.split('.').nth(1).unwrap().to_owned();
        for (stream, id) in [
            (StreamType::Cabinet, world.cabinet_id.uuid()),
            (StreamType::Sync, world.cabinet_id.uuid()),
        ] {
            let stream = event_store::StreamId { stream, id };
            for event in world
                .app
                .store
                .read_stream(world.tenant_id, stream, 0)
                .await
                .unwrap()
            {
                assert!(!event.payload.contains(&secret), "{}", event.event_type);
            }
        }
    }
}

#[tokio::test]
async fn a_storm_of_429_puts_a_sync_back_as_often_as_it_takes_and_is_no_failed_attempt() {
    for forced in FORCED_AND_NOT {
        let mut world = World::start(seller()).await;
        world.syncs.limits.attempts = 2;
        let storm = Effect::RateLimited { retry_seconds: 120 };
        world.simulator.script(Fault::on("/", storm));
        let sync_id = world.request(forced).await;
        let job = world.job(sync_id);
        for delivery in 1..=5 {
            // What the marketplace told is longer than anybody waits inside a sync.
            let end = Box::pin(world.syncs.run(&job, 1, delivery)).await;
            assert_eq!(end, End::WillRetry, "delivery {delivery}");
            let SyncEvent::SyncFailed(failed) = world.last().await else {
                panic!("not put back")
            };
            assert_eq!(failed.class, "rate_limited");
            let wait = failed.retry_at.unwrap() - failed.failed_at;
            assert!(wait >= TimeDelta::seconds(100), "{wait}");
        }
        world.simulator.clear_faults();
        // A worker that was started anew; the delays that this one was told are over.
        world.restart_worker();
        assert_eq!(Box::pin(world.syncs.run(&job, 1, 6)).await, End::Done);
        world.assert_equals_truth().await;
    }
}

#[tokio::test]
async fn a_balance_that_is_used_up_and_a_key_that_may_not_are_states_of_the_cabinet_and_not_retried() {
    for forced in FORCED_AND_NOT {
        for status in [402, 403, 401] {
            let world = World::start(seller()).await;
            let refused = Effect::Status {
                status,
                body: r#"{"title":"refused","detail":"refused"}"#.to_owned(),
                content_type: Some("application/problem+json".to_owned()),
            };
            world.simulator.script(Fault::on("/", refused));
            let end = world.sync_anew(forced).await;
            assert!(matches!(end, End::GivenUp { .. }), "{status}: {end:?}");
            let calls = world.simulator.calls().total;
            while world.policy.round().await.unwrap() > 0 {}
            assert!(world.clock.advance(TimeDelta::hours(3)));
            world.policy.round().await.unwrap();
            assert_eq!(world.queued().await, None, "{status}");
            assert_eq!(world.simulator.calls().total, calls, "{status}");
        }
    }
}
