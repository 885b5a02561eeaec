//! How many cabinets rest, and why.

use application::change_schedule::{self, Wanted};
use application::{disconnect_cabinet, replace_credential};
use simulators::{Effect, Fault};
use tokio_util::sync::CancellationToken;
use worker::gauges;
use worker::paused::{self, Paused};
use worker::sync::End;

use crate::world::{World, api_app, seller};

impl World {
    async fn paused(&self) -> Paused {
        while self.policy.round().await.unwrap() > 0 {}
        paused::count(&self.policy.pool).await.unwrap()
    }

    async fn rest(&self, paused: bool) {
        let wanted = Wanted {
            interval_seconds: None,
            paused,
        };
        let api = api_app(self).await;
        change_schedule::execute(&api, &self.context(), self.cabinet_id, wanted)
            .await
            .unwrap();
    }

    async fn refuse_everything(&self, status: u16) {
        let no = Effect::Status {
            status,
            body: r#"{"title":"no","detail":"no"}"#.to_owned(),
            content_type: None,
        };
        self.simulator.script(Fault::on("/", no));
        // A balance that is asked for is believed at the second moment.
        if self.sync(true).await == End::WillRetry {
            self.tried_again().await;
        }
        self.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_cabinet_counts_for_the_reason_for_which_it_rests_and_for_none_while_it_works() {
    let world = World::start(seller()).await;
    assert_eq!(world.paused().await, Paused::default());
    world.rest(true).await;
    let by_a_person = Paused {
        person: 1,
        ..Paused::default()
    };
    assert_eq!(world.paused().await, by_a_person);
    // The refusal comes first: whoever ends the pause finds the key refused.
    world.refuse_everything(401).await;
    let refused = Paused {
        key_refused: 1,
        ..Paused::default()
    };
    assert_eq!(world.paused().await, refused);
    let secret = world.token.clone().into();
    let api = api_app(&world).await;
    replace_credential::execute(&api, &world.context(), world.cabinet_id, &secret)
        .await
        .unwrap();
    assert_eq!(world.paused().await, by_a_person);
    world.rest(false).await;
    assert_eq!(world.paused().await, Paused::default());
}

#[tokio::test]
async fn a_cabinet_that_is_to_be_paid_for_counts_as_that_until_it_is_taken_away() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    world.refuse_everything(402).await;
    let unpaid = Paused {
        payment: 1,
        ..Paused::default()
    };
    assert_eq!(world.paused().await, unpaid);
    let api = api_app(&world).await;
    disconnect_cabinet::execute(&api, &world.context(), world.cabinet_id)
        .await
        .unwrap();
    assert_eq!(world.paused().await, Paused::default());
}

#[tokio::test]
async fn the_figures_are_told_at_once_each_under_its_reason() {
    let world = World::start(seller()).await;
    world.rest(true).await;
    let counted = world.paused().await;
    let stop = CancellationToken::new();
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |paused: Paused| {
        told.lock().unwrap().push(paused.by_reason());
        stop.cancel();
    };
    gauges::watch(|| paused::count(&world.policy.pool), tell, &stop).await;
    assert_eq!(*told.lock().unwrap(), [counted.by_reason()]);
    assert_eq!(
        counted.by_reason(),
        [("key_refused", 0), ("payment", 0), ("plan", 0), ("person", 1)]
    );
}

#[tokio::test]
async fn cabinets_that_rested_before_reasons_were_noted_get_theirs_from_the_log() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    world.refuse_everything(402).await;
    let counted = world.paused().await;
    assert_eq!(counted.payment, 1);
    let admin = support::connect(world.database_url()).await;
    let migration = include_str!("../../../../migrations/core/V17__paused_cabinets.sql");
    let again = format!("BEGIN; ALTER TABLE core.cabinet_work DROP COLUMN unusable_why; {migration} COMMIT;");
    admin.batch_execute(&again).await.unwrap();
    assert_eq!(world.paused().await, counted);
}
