//! Buyers and what they do at Stripe in some months, while a worker hears of everything at once, in order and
//! once: the truth with which the other ways of delivery are compared.

use chrono::{DateTime, TimeDelta, Utc};
use connectors::stripe::{
    Checkout, CustomerId, IdempotencyKey, Kind, Metadata, NewCustomer, PriceChange, PriceId, Proration,
    Subscription,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use runtime::Ids;
use simulators::Stripe;
use simulators::stripe::{
    Card, EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, StripeConfig, Version,
};

use super::place::{Account, Place, SECRET, Truth, client};

/// Between two looks at every buyer.
const STEP: TimeDelta = TimeDelta::days(6);
const STEPS: usize = 45;
const PRICES: [&str; 3] = [PRICE_STARTER, PRICE_PRO, PRICE_ENTERPRISE];

/// An event that counts.
pub(super) struct Event {
    pub(super) id: String,
    /// When it was heard of first.
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Buyers {
    pub(super) stripe: Stripe,
    /// In the order in which they were made.
    pub(super) events: Vec<Event>,
    /// Endpoints, each with another version; the last one gets thin events.
    pub(super) endpoints: usize,
    pub(super) accounts: Vec<Account>,
    /// A place that heard of everything at its time.
    live: Place,
    api: connectors::stripe::Stripe,
    ids: Ids,
}

impl Buyers {
    /// Some months of them.
    pub(super) async fn live() -> Self {
        connectors::http::install_crypto();
        let endpoint = |version, thin| EndpointConfig {
            version,
            thin,
            secrets: vec![SECRET.to_owned()],
            ..EndpointConfig::default()
        };
        let mut endpoints: Vec<_> = Version::ALL.map(|version| endpoint(version, false)).to_vec();
        endpoints.push(endpoint(Version::LateEndive, true));
        let begin = "2026-01-10T00:00:00Z".parse().unwrap();
        let stripe = Stripe::start(StripeConfig {
            clock: simulators::Clock::manual(begin),
            endpoints: endpoints.clone(),
            ..StripeConfig::default()
        })
        .await
        .unwrap();
        stripe.hold(true);
        let (api, ids) = (client(&stripe), Ids::seeded(5));
        let mut accounts = Place::accounts().await;
        for account in &mut accounts {
            let new = NewCustomer {
                email: None,
                metadata: &metadata(account),
            };
            let made = api.create_customer(&key(&ids), &new).await.unwrap();
            account.customer = made.id.as_str().to_owned();
        }
        let live = Place::for_accounts(&stripe, &accounts, begin).await;
        let mut buyers = Self {
            stripe,
            events: Vec::new(),
            endpoints: endpoints.len(),
            accounts,
            live,
            api,
            ids,
        };
        buyers.months().await;
        buyers
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.stripe.now()
    }

    /// When the ends are compared.
    pub(super) fn end(&self) -> DateTime<Utc> {
        self.now() + TimeDelta::days(10)
    }

    pub(super) async fn truth(&self) -> Truth {
        self.live.time_passes(self.end()).await;
        self.live.truth().await
    }

    pub(super) fn body(&self, event: &str, endpoint: usize) -> String {
        self.stripe.signed(event, endpoint).unwrap().body
    }

    async fn months(&mut self) {
        let mut dice = StdRng::seed_from_u64(77);
        for _ in 0..STEPS {
            for number in 0..self.accounts.len() {
                self.acts(number, &mut dice).await;
                self.hear().await;
            }
            self.stripe.advance(STEP);
            self.live.clock.advance(STEP);
            self.hear().await;
        }
    }

    /// Everything that counts is delivered, in order, once.
    async fn hear(&mut self) {
        let all = self.stripe.events();
        let news = all.into_iter().filter(|(_, kind)| Kind::parse(kind).is_some());
        for (event, _) in news.skip(self.events.len()).collect::<Vec<_>>() {
            // The newest version but one; the versions are compared by the other ways of delivery.
            let body = self.body(&event, 3);
            self.live.put(&body).await;
            self.live.rounds().await;
            self.events.push(Event {
                id: event,
                at: self.now(),
            });
        }
    }

    async fn acts(&self, number: usize, dice: &mut StdRng) {
        let account = &self.accounts[number];
        let customer = CustomerId::parse(&account.customer).unwrap();
        let all = self.api.subscriptions(&customer).await.unwrap();
        let over = |subscription: &&Subscription| {
            let status = subscription.status.as_ref();
            status.is_some_and(connectors::stripe::Status::is_final)
        };
        let current = all.iter().find(|subscription| !over(subscription));
        let price = PriceId::parse(PRICES[dice.random_range(0..PRICES.len())]).unwrap();
        match (current, dice.random_range(0..20)) {
            (None, 0..8) => self.buys(account, &price, all.is_empty(), dice).await,
            (Some(current), 0..3) if current.items.len() == 1 => self.changes(current, &price).await,
            (Some(current), 3) => {
                drop(self.api.cancel_now(&key(&self.ids), &current.id).await);
            }
            (Some(current), 4) => {
                drop(self.api.cancel_at_period_end(&key(&self.ids), &current.id).await);
            }
            (Some(current), 5) => drop(self.api.keep(&key(&self.ids), current).await),
            (_, 6..8) => drop(self.stripe.card(&account.customer, Some(Card::Declines))),
            (_, 8..12) => drop(self.stripe.card(&account.customer, Some(Card::Pays))),
            (_, 12) => drop(self.stripe.card(&account.customer, Some(Card::NeedsAction))),
            (_, 13) => drop(self.stripe.foreign_invoice(Some(&account.customer))),
            (_, 14) => drop(self.stripe.foreign_subscription()),
            _ => {}
        }
    }

    async fn buys(&self, account: &Account, price: &PriceId, first: bool, dice: &mut StdRng) {
        let metadata = metadata(account);
        let checkout = Checkout {
            customer: &CustomerId::parse(&account.customer).unwrap(),
            price,
            metadata: &metadata,
            reference: "a tenant",
            success_url: "https://app.example.com/billing/done",
            cancel_url: "https://app.example.com/billing/done",
            trial_days: first.then_some(14),
            trial_end: None,
            promotion_codes: false,
            expires_at: None,
        };
        let session = self
            .api
            .create_checkout(&key(&self.ids), &checkout)
            .await
            .unwrap();
        let card = match dice.random_range(0..10) {
            0 => Card::Declines,
            1 => Card::NeedsAction,
            2 | 3 => Card::PaysThenDeclines,
            _ => Card::Pays,
        };
        // One that is declined leaves the session open; it expires.
        self.stripe.complete_checkout(session.id.as_str(), card);
    }

    async fn changes(&self, current: &Subscription, price: &PriceId) {
        let change = PriceChange {
            subscription: &current.id,
            item: &current.items[0].id,
            price,
            proration: Proration::AlwaysInvoice,
            counted_from: None,
        };
        // A card may refuse the difference.
        drop(self.api.change_price(&key(&self.ids), &change).await);
    }
}

fn key(ids: &Ids) -> IdempotencyKey {
    ids.next().into()
}

fn metadata(account: &Account) -> Metadata {
    Metadata {
        tenant_id: Some(account.tenant_id.to_string()),
        user_id: Some(account.user_id.to_string()),
    }
}
