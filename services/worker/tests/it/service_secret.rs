//! A base key that is sent together with the service's secret has the limits of a full one, and the reports.

use std::time::Duration;

use connectors::wildberries::Options;
use events::catalog::SyncEvent;
use events::sync::SourceReport;
use simulators::Wildberries;

use crate::world::{World, marketplaces_with, seller};

const SECRET: &str = "secret-of-tests";
const OLDER_ORDERS: &str = "/statistics-api/api/v1/supplier/orders";
const REMAINS: &str = "/seller-analytics-api/api/v1/warehouse_remains";

impl World {
    /// A worker that waits for no limit but that of cards, all of which are those of reality.
    async fn with_base_key(secret: Option<&str>) -> Self {
        let mut world = Self::with_token(seller(), Wildberries::base_token).await;
        world.simulator.know_service(SECRET);
        let options = Options {
            patience: Duration::from_secs(3),
            service_secret: secret.map(|secret| secret.to_owned().into()),
            ..Options::default()
        };
        world.syncs.marketplaces = marketplaces_with(&world.simulator, options, 1.0);
        world
    }

    async fn told(&self, source: &str) -> SourceReport {
        self.sync(true).await;
        // Word that another source degraded may follow.
        let completed = self
            .sync_events()
            .await
            .into_iter()
            .rev()
            .find_map(|event| match event {
                SyncEvent::SyncCompleted(completed) => Some(completed),
                _ => None,
            });
        let mut sources = completed.unwrap().sources.into_iter();
        sources.find(|report| report.source == source).unwrap()
    }

    /// The feed, then the older report as often as it may be asked, and then both are used up: after how many
    /// answers, and for how many seconds?
    async fn orders_rest_for(&self) -> (u64, u64) {
        let mut answers = 0;
        let error = loop {
            if let Some(error) = self.told("orders").await.error {
                break error;
            }
            answers += 1;
        };
        let seconds = error
            .split_once("next request in ")
            .and_then(|(_, rest)| rest.split_once(" s"))
            .and_then(|(seconds, _)| seconds.parse().ok());
        (answers, seconds.unwrap_or_else(|| panic!("{error}")))
    }
}

#[tokio::test]
async fn with_the_services_secret_a_base_key_is_asked_as_often_as_a_full_one() {
    let world = World::with_base_key(Some(SECRET)).await;
    let (_answers, rest) = world.orders_rest_for().await;
    assert!((1..=60).contains(&rest), "{rest}");
    // A burst of ten of the older report, of which one stays in reserve. A short page is asked behind.
    let asked = world.simulator.calls().count(OLDER_ORDERS);
    assert!(asked >= 9, "{asked}");
    assert_eq!(
        world.simulator.calls().count(REMAINS),
        0,
        "the report of full keys"
    );
}

#[tokio::test]
async fn without_it_a_base_key_is_asked_once_in_three_hours() {
    let world = World::with_base_key(None).await;
    let (answers, rest) = world.orders_rest_for().await;
    assert!((10_000..=10_800).contains(&rest), "{rest}");
    assert_eq!(answers, 2, "one of the feed and one of the older report");
    assert!(world.simulator.calls().count(REMAINS) > 0);
}
