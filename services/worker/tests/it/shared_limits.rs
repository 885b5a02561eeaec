//! Two worker processes that talk for one seller: the marketplace, which counts, refuses neither.

use std::sync::Arc;
use std::time::Duration;

use connectors::bucket::Buckets;
use connectors::http::{HttpClient, NoObserver};
use connectors::limits::{LimitTable, Limits};
use connectors::marketplace::{Marketplace as _, MarketplaceClient};
use connectors::wildberries::{Hosts, Options};
use events::cabinet::Marketplace;
use limits::LevelPlaces;
use messaging::{Broker, BrokerOptions, Bucket, topology};
use runtime::Clock;
use simulators::wildberries::{Host, Limits as Vendor};
use simulators::{Effect, Fault, SellerConfig, Wildberries, WildberriesConfig};
use worker::Marketplaces;

/// Slow enough that sharing matters, fast enough for a test: a page of the catalogue every 30 ms.
const SPEED: f64 = 20.0;
const CARDS: &str = "/content-api/content/v2/get/cards/list";

async fn vendor() -> Wildberries {
    Wildberries::start(WildberriesConfig {
        sellers: vec![SellerConfig {
            articles: 60,
            warehouses: 3,
            ..SellerConfig::default()
        }],
        clock: simulators::Clock::system(),
        limits: Vendor::Speed(SPEED),
        ..WildberriesConfig::default()
    })
    .await
    .unwrap()
}

/// A worker process as it comes up: a link of its own, a memory of its own.
async fn worker(vendor: &Wildberries, nats: &embedded::Nats) -> (MarketplaceClient, Broker) {
    let broker = Broker::connect(BrokerOptions::new(nats.url(), "worker"))
        .await
        .unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    let places = Arc::new(LevelPlaces::new(Bucket::marketplace_limits(&broker)));
    let clock = Clock::system();
    let buckets = Buckets::shared(places, Arc::new(move || clock.now().timestamp_micros()));
    let limits = Limits::new(LimitTable::built_in().unwrap(), buckets, "here".to_owned(), SPEED);
    let host = |host| vendor.host_url(host);
    let hosts = Hosts {
        content: host(Host::Content),
        analytics: host(Host::Analytics),
        statistics: host(Host::Statistics),
        marketplace: host(Host::Marketplace),
        prices: host(Host::Prices),
        common: host(Host::Common),
    };
    let options = Options {
        card_page: 5,
        ..Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let token = vendor.personal_token(vendor.sellers()[0]);
    let client = Marketplaces::new(http, hosts, options, SPEED)
        .within(limits)
        .client(Marketplace::Wildberries, &token.into())
        .unwrap();
    (client, broker)
}

async fn catalogue(client: &MarketplaceClient) {
    let mut take = |_page| {};
    client.cards(&mut take).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_read_one_sellers_catalogue_at_once_are_never_refused() {
    let (vendor, nats) = (vendor().await, support::own_nats().await);
    let (one, link) = worker(&vendor, &nats).await;
    topology::apply(&link).await.unwrap();
    let (two, _link) = worker(&vendor, &nats).await;
    for _ in 0..3 {
        tokio::join!(catalogue(&one), catalogue(&two));
    }
    let calls = vendor.calls();
    assert!(calls.count(CARDS) >= 72, "{}", calls.count(CARDS));
    assert_eq!(calls.count_status(CARDS, 429), 0, "of {}", calls.count(CARDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_a_broker_that_are_started_again_and_again_do_not_get_a_fresh_burst() {
    let (vendor, nats) = (vendor().await, support::own_nats().await);
    let (_, link) = worker(&vendor, &nats).await;
    topology::apply(&link).await.unwrap();
    for restart in 0..4 {
        let (client, _link) = worker(&vendor, &nats).await;
        catalogue(&client).await;
        if restart == 1 {
            nats.stop().await.unwrap();
            nats.start_again().await.unwrap();
        }
    }
    let calls = vendor.calls();
    assert_eq!(calls.count_status(CARDS, 429), 0, "of {}", calls.count(CARDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_that_one_worker_was_told_is_kept_by_the_other() {
    let (vendor, nats) = (vendor().await, support::own_nats().await);
    let (one, link) = worker(&vendor, &nats).await;
    topology::apply(&link).await.unwrap();
    let (two, _link) = worker(&vendor, &nats).await;
    catalogue(&two).await;
    let refused = Effect::RateLimited { retry_seconds: 2 };
    vendor.script(Fault::on(CARDS, refused).times(1));
    let before = vendor.calls().count(CARDS);
    tokio::join!(catalogue(&one), async {
        support::eventually("one worker is refused", support::SOON, || async {
            match vendor.calls().count_status(CARDS, 429) {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        catalogue(&two).await;
    });
    let calls = vendor.calls();
    let asked: Vec<_> = calls
        .calls
        .iter()
        .skip(usize::try_from(before).unwrap())
        .collect();
    let told = asked.iter().position(|call| call.status == 429).unwrap();
    let next = asked.get(told + 1).unwrap();
    let pause = Duration::from_millis(next.at_millis - asked[told].at_millis);
    assert!(pause >= Duration::from_millis(1_900), "{pause:?}");
    assert_eq!(calls.count_status(CARDS, 429), 1);
}
