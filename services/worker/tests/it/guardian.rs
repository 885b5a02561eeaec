//! Keys: tried before anything depends on them, replaced without a gap, watched to their end.

use application::replace_credential;
use chrono::TimeDelta;
use events::Decoded;
use events::StreamType;
use events::cabinet::RightStatus;
use events::catalog::{CabinetEvent, Event, SyncEvent};
use simulators::wildberries::{TokenKind, scope};
use simulators::{Effect, Fault, Wildberries};
use worker::check::{self, CheckError};
use worker::maintenance;
use worker::sync::End;

use crate::world::{FORCED_AND_NOT, World, api_app, seller};

impl World {
    async fn cabinet_events(&self) -> Vec<CabinetEvent> {
        let stream = event_store::StreamId {
            stream: StreamType::Cabinet,
            id: self.cabinet_id.uuid(),
        };
        let recorded = self
            .app
            .store
            .read_stream(self.tenant_id, stream, 0)
            .await
            .unwrap();
        recorded
            .iter()
            .map(|event| match event.decode().unwrap() {
                Decoded::Known(Event::Cabinet(event)) => event,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    async fn happened(&self) -> Vec<&'static str> {
        self.cabinet_events()
            .await
            .iter()
            .map(CabinetEvent::event_type)
            .collect()
    }

    /// Another key of the same seller, which lives a hundred days.
    fn other_token(&self, scopes: u32) -> String {
        self.simulator.token(
            self.simulator.sellers()[0],
            TokenKind::Personal,
            scopes,
            self.clock.now() + TimeDelta::days(100),
        )
    }

    async fn give(&self, token: &str) {
        let secret = token.to_owned().into();
        let api = api_app(self).await;
        replace_credential::execute(&api, &self.context(), self.cabinet_id, &secret)
            .await
            .unwrap();
    }

    async fn tried(&self) -> Result<check::Checked, CheckError> {
        Box::pin(check::run(&self.syncs, &self.context(), self.cabinet_id)).await
    }

    /// Marketplaces' keys that lie in the vault; the tenant's key for raw answers lies there as well.
    async fn sealed(&self) -> i64 {
        let admin = support::connect(self.database_url()).await;
        let sql = "SELECT count(*) FROM core.credentials WHERE tenant_id = $1 AND kind = 'wildberries_token'";
        admin
            .query_one(sql, &[&self.tenant_id.uuid()])
            .await
            .unwrap()
            .get(0)
    }

    /// The next attempt of the newest sync, which failed and is tried again.
    pub(crate) async fn tried_again(&self) -> End {
        let events = self.sync_events().await.into_iter().rev();
        let mut failures = events.filter_map(|event| match event {
            SyncEvent::SyncFailed(failed) => Some(failed),
            _ => None,
        });
        let failed = failures.next().unwrap();
        self.later(TimeDelta::minutes(5));
        let job = self.job(failed.sync_id);
        Box::pin(self.syncs.run(&job, 2, i64::from(failed.attempt))).await
    }

    /// The hourly look at the keys of all cabinets.
    async fn keys_watched(&self) {
        while self.policy.round().await.unwrap() > 0 {}
        maintenance::watch_keys(&self.syncs).await.unwrap();
    }
}

fn refused(status: u16) -> Effect {
    Effect::Status {
        status,
        body: r#"{"title":"no","detail":"no"}"#.to_owned(),
        content_type: None,
    }
}

#[tokio::test]
async fn a_key_that_nobody_tried_is_tried_by_the_first_sync_and_by_no_other() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.sync_anew(forced).await;
        assert_eq!(
            world.happened().await,
            ["cabinet_connected", "credential_checked", "credential_accepted"]
        );
        let Some(CabinetEvent::CredentialChecked(checked)) = world.cabinet_events().await.into_iter().nth(1)
        else {
            panic!()
        };
        let named: Vec<_> = checked
            .rights
            .iter()
            .map(|right| (right.category.as_str(), right.status))
            .collect();
        assert_eq!(
            named,
            [
                ("content", RightStatus::Open),
                ("analytics", RightStatus::Open),
                ("marketplace", RightStatus::Open),
                ("statistics", RightStatus::Open),
            ]
        );
        assert_eq!(checked.seller_id, Some(world.simulator.sellers()[0].to_string()));
    }
}

#[tokio::test]
async fn a_right_that_is_lost_while_others_stay_stands_with_the_cabinet_and_pauses_nothing() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.simulator.script(Fault::on("/content-api", refused(403)));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        let Some(CabinetEvent::CredentialChecked(checked)) = world.cabinet_events().await.pop() else {
            panic!("{:?}", world.happened().await)
        };
        assert_eq!(checked.rights[0].status, RightStatus::Forbidden);
        assert_eq!(checked.rights[1].status, RightStatus::Open);
        world.request_anew(forced).await;
    }
}

#[tokio::test]
async fn a_new_key_is_tried_first_and_the_next_sync_uses_it() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let token = world.other_token(scope::ALL);
        world.give(&token).await;
        assert_eq!(world.sealed().await, 2);
        let before = world.cabinet_events().await.len();
        world.sync_anew(forced).await;
        assert_eq!(world.sealed().await, 1, "the replaced key is destroyed");
        assert_eq!(
            world.happened().await[before..],
            ["credential_rotated", "credential_checked", "credential_accepted"]
        );
        world.simulator.revoke(&world.token);
        assert_eq!(
            world.sync_anew(forced).await,
            End::Done,
            "the old key is not used any more"
        );
    }
}

#[tokio::test]
async fn a_new_key_that_is_no_good_leaves_the_old_one_in_use_and_says_so() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        let token = world.other_token(scope::ALL);
        world.simulator.revoke(&token);
        world.give(&token).await;
        let tried = world.tried().await.unwrap();
        assert_eq!(tried.check.refused.as_deref(), Some("unauthorized"));
        assert!(!tried.check.in_use);
        assert_eq!(world.happened().await.last(), Some(&"credential_offer_refused"));
        assert_eq!(world.sealed().await, 1, "the refused key is destroyed");
        assert_eq!(world.sync_anew(forced).await, End::Done);
        world.assert_equals_truth().await;
    }
}

#[tokio::test]
async fn a_new_key_that_cannot_be_tried_now_waits_and_the_old_one_goes_on() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.give(&world.other_token(scope::ALL)).await;
        // Neither the probe for the seller nor one of the pings answers.
        let probes = Fault::on("", refused(503)).containing("/ping");
        world.simulator.script(Fault::on("/common-api", refused(503)));
        world.simulator.script(probes);
        assert!(matches!(world.tried().await, Err(CheckError::NoAnswer(_))));
        assert_eq!(world.sync_anew(forced).await, End::Done);
        assert_eq!(world.happened().await.last(), Some(&"credential_offered"));
        world.simulator.clear_faults();
        world.keys_watched().await;
        assert!(world.happened().await.contains(&"credential_rotated"));
    }
}

#[tokio::test]
async fn payment_that_is_asked_for_is_a_state_of_the_cabinet_and_ends_with_a_trial_that_succeeds() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.simulator.script(Fault::on("/", refused(402)));
        assert_eq!(
            world.sync_anew(forced).await,
            End::WillRetry,
            "once is not enough"
        );
        let end = world.tried_again().await;
        assert!(
            matches!(&end, End::GivenUp { reason } if reason.starts_with("payment_required")),
            "{end:?}"
        );
        let SyncEvent::SyncFailed(failed) = world.last().await else {
            panic!()
        };
        assert_eq!(failed.retry_at, None);
        let Some(CabinetEvent::CredentialRejected(rejected)) = world.cabinet_events().await.pop() else {
            panic!("{:?}", world.happened().await)
        };
        assert_eq!(rejected.reason, "payment_required");
        while world.policy.round().await.unwrap() > 0 {}
        assert_eq!(world.due().await, 0, "nothing is asked while it is not paid");
        world.simulator.clear_faults();
        let tried = world.tried().await.unwrap();
        assert_eq!(tried.check.refused, None);
        world.later(TimeDelta::hours(1));
        while world.policy.round().await.unwrap() > 0 {}
        assert_eq!(world.due().await, 1, "it goes on by itself");
    }
}

#[tokio::test]
async fn payment_that_is_asked_for_at_one_moment_only_pauses_nothing() {
    for forced in FORCED_AND_NOT {
        let world = World::start(seller()).await;
        world.sync_anew(forced).await;
        world.simulator.script(Fault::on("/", refused(402)));
        assert_eq!(world.sync_anew(forced).await, End::WillRetry);
        // Another trouble in between: the balance was not asked about twice in a row.
        world.simulator.clear_faults();
        world.simulator.script(Fault::on("/", refused(503)));
        assert_eq!(world.tried_again().await, End::WillRetry);
        world.simulator.clear_faults();
        world.simulator.script(Fault::on("/", refused(402)));
        assert_eq!(world.tried_again().await, End::WillRetry);
        world.simulator.clear_faults();
        assert_eq!(world.tried_again().await, End::Done);
        let happened = world.happened().await;
        assert!(!happened.contains(&"credential_rejected"), "{happened:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_key_is_announced_once_per_step_also_after_a_long_silence() {
    let ends_in = |days: i64| {
        move |simulator: &Wildberries, seller| {
            let now: chrono::DateTime<chrono::Utc> = "2026-10-15T09:00:00Z".parse().unwrap();
            simulator.token(
                seller,
                TokenKind::Personal,
                scope::ALL,
                now + TimeDelta::days(days),
            )
        }
    };
    let announced = async |world: &World| {
        let days = |event: &CabinetEvent| match event {
            CabinetEvent::CredentialExpiring(expiring) => Some(expiring.days_left),
            _ => None,
        };
        let events = world.cabinet_events().await;
        events.iter().filter_map(days).collect::<Vec<_>>()
    };
    let world = World::with_token(seller(), ends_in(20)).await;
    world.keys_watched().await;
    assert!(announced(&world).await.is_empty());
    for (days, expected) in [(6, &[14][..]), (1, &[14]), (10, &[14, 3]), (2, &[14, 3, 1])] {
        assert!(world.clock.advance(TimeDelta::days(days)));
        world.keys_watched().await;
        world.keys_watched().await;
        assert_eq!(announced(&world).await, expected);
    }
    assert!(world.clock.advance(TimeDelta::days(2)));
    world.keys_watched().await;
    let Some(CabinetEvent::CredentialRejected(rejected)) = world.cabinet_events().await.pop() else {
        panic!("{:?}", world.happened().await)
    };
    assert_eq!(rejected.reason, "expired");

    let silent = World::with_token(seller(), ends_in(20)).await;
    assert!(silent.clock.advance(TimeDelta::hours(20 * 24 - 5)));
    silent.keys_watched().await;
    assert_eq!(announced(&silent).await, [1]);
}
