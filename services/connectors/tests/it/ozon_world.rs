//! A simulated Ozon with one cabinet, and clients for it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::{HttpClient, NoObserver};
use connectors::marketplace::{Card, Marketplace, Period, SizeRef};
use connectors::ozon::{Accounts, Credential, Options, Ozon};
use simulators::ozon::{OzonLimits, OzonProductTruth, OzonTruth};
use simulators::{Clock, OzonConfig, OzonSellerConfig};

/// How much faster than reality the limits run: half a second takes 50 µs.
const SPEED: f64 = 10_000.0;

pub(crate) struct World {
    pub(crate) simulator: simulators::Ozon,
    pub(crate) accounts: Accounts,
    pub(crate) now: DateTime<Utc>,
}

impl World {
    pub(crate) async fn start(seller: OzonSellerConfig) -> Self {
        Self::at_speed(seller, SPEED).await
    }

    pub(crate) async fn at_speed(seller: OzonSellerConfig, speed: f64) -> Self {
        let now = DateTime::parse_from_rfc3339("2026-10-15T12:00:00+03:00")
            .unwrap()
            .to_utc();
        let config = OzonConfig {
            sellers: vec![seller],
            clock: Clock::manual(now),
            limits: OzonLimits::Speed(speed),
            ..OzonConfig::default()
        };
        Self {
            simulator: simulators::Ozon::start(config).await.unwrap(),
            accounts: Accounts::new(speed),
            now,
        }
    }

    pub(crate) fn client_id(&self) -> u64 {
        self.simulator.sellers()[0]
    }

    pub(crate) fn client_with(&self, key: &str, options: Options) -> Ozon {
        let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
        let credential = Credential::new(&self.client_id().to_string(), key).unwrap();
        Ozon::new(
            http,
            self.simulator.base_url(),
            credential,
            &self.accounts,
            options,
        )
    }

    pub(crate) fn client(&self) -> Ozon {
        self.client_with(&self.simulator.api_key(self.client_id()), options())
    }

    /// What the simulator answers to a question, for a test that damages it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the product's client reads answers and hands none out"
    )]
    pub(crate) async fn answer(&self, path: &str, question: &serde_json::Value) -> serde_json::Value {
        let key = self.simulator.api_key(self.client_id());
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.simulator.base_url()))
            .header("Client-Id", self.client_id().to_string())
            .header("Api-Key", key)
            .body(question.to_string());
        let body = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) fn truth(&self) -> OzonTruth {
        self.simulator.truth(self.client_id(), None).unwrap()
    }

    pub(crate) fn listed(&self) -> Vec<OzonProductTruth> {
        let mut products = self.truth().products;
        products.retain(|product| !product.archived);
        products
    }

    pub(crate) fn week(&self) -> Period {
        Period {
            from: self.now - TimeDelta::days(7),
            to: self.now + TimeDelta::days(1),
        }
    }
}

/// Quick in failing, small in paging.
pub(crate) fn options() -> Options {
    Options {
        product_page: 20,
        stock_batch: 30,
        fbs_batch: 40,
        fbs_page: 7,
        posting_page: 25,
        repeat_pause: Duration::from_millis(1),
        verdict_pause: Duration::from_millis(1),
        ..Options::default()
    }
}

pub(crate) async fn cards(client: &Ozon) -> Vec<Card> {
    let mut cards = Vec::new();
    client.cards(&mut |page| cards.extend(page)).await.unwrap();
    cards
}

pub(crate) fn sizes(cards: &[Card]) -> Vec<SizeRef> {
    let of = |card: &Card| {
        let nm_id = card.nm_id;
        let size = |chrt_id| SizeRef { chrt_id, nm_id };
        card.sizes.iter().map(|row| size(row.chrt_id)).collect::<Vec<_>>()
    };
    cards.iter().flat_map(of).collect()
}
