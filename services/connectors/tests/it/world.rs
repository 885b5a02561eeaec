//! A simulated Wildberries with one cabinet, and clients for it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::{HttpClient, NoObserver};
use connectors::marketplace::{Card, Marketplace, Period, SizeRef};
use connectors::wildberries::{Hosts, Options, Sellers, Token, Wildberries};
use simulators::wildberries::{Host, Limits, ProductTruth, Truth};
use simulators::{Clock, SellerConfig, WildberriesConfig};

/// How much faster than reality the limits run: a minute takes 6 ms, three hours a second.
const SPEED: f64 = 10_000.0;

pub(crate) struct World {
    pub(crate) simulator: simulators::Wildberries,
    pub(crate) sellers: Sellers,
    pub(crate) now: DateTime<Utc>,
}

impl World {
    pub(crate) async fn start(seller: SellerConfig) -> Self {
        let now = DateTime::parse_from_rfc3339("2026-10-15T12:00:00+03:00")
            .unwrap()
            .to_utc();
        let config = WildberriesConfig {
            sellers: vec![seller],
            clock: Clock::manual(now),
            limits: Limits::Speed(SPEED),
            ..WildberriesConfig::default()
        };
        let simulator = simulators::Wildberries::start(config).await.unwrap();
        Self {
            simulator,
            sellers: Sellers::new(SPEED),
            now,
        }
    }

    pub(crate) fn hosts(&self) -> Hosts {
        Hosts {
            content: self.simulator.host_url(Host::Content),
            analytics: self.simulator.host_url(Host::Analytics),
            statistics: self.simulator.host_url(Host::Statistics),
            marketplace: self.simulator.host_url(Host::Marketplace),
            prices: self.simulator.host_url(Host::Prices),
            common: self.simulator.host_url(Host::Common),
        }
    }

    pub(crate) fn client(&self, token: &str, options: Options) -> Wildberries {
        let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
        Wildberries::new(
            http,
            self.hosts(),
            Token::parse(token).unwrap(),
            &self.sellers,
            options,
        )
    }

    pub(crate) fn personal(&self) -> Wildberries {
        self.client(
            &self.simulator.personal_token(self.simulator.sellers()[0]),
            options(),
        )
    }

    pub(crate) fn base(&self) -> Wildberries {
        self.client(&self.simulator.base_token(self.simulator.sellers()[0]), options())
    }

    pub(crate) fn truth(&self) -> Truth {
        self.simulator.truth(self.simulator.sellers()[0], None).unwrap()
    }

    pub(crate) fn listed(&self) -> Vec<ProductTruth> {
        self.truth()
            .products
            .into_iter()
            .filter(|product| product.listed)
            .collect()
    }

    pub(crate) fn week(&self) -> Period {
        Period {
            from: self.now - TimeDelta::days(7),
            to: self.now + TimeDelta::minutes(1),
        }
    }
}

/// Quick in failing, small in paging.
pub(crate) fn options() -> Options {
    Options {
        card_page: 20,
        stock_page: 100,
        order_page: 50,
        feed_pages: 100,
        repeat_pause: Duration::from_millis(1),
        ..Options::default()
    }
}

pub(crate) async fn cards(client: &Wildberries) -> Vec<Card> {
    let mut cards = Vec::new();
    client.cards(&mut |page| cards.extend(page)).await.unwrap();
    cards
}

pub(crate) fn sizes(cards: &[Card]) -> Vec<SizeRef> {
    let of = |card: &Card| {
        let nm_id = card.nm_id;
        card.sizes
            .iter()
            .map(|size| SizeRef {
                chrt_id: size.chrt_id,
                nm_id,
            })
            .collect::<Vec<_>>()
    };
    cards.iter().flat_map(of).collect()
}
