//! Sellers, a simulated Stripe that sells to them, and a worker that handles what it sends. Deliveries are
//! put into the inbox by the test itself, one by one.

use std::sync::Arc;
use std::time::Duration;

use application::billing::{CardSales, Prices};
use application::{App, Context, register};
use auth::Email;
use billing::{Customer, Inbox, Received};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::{HttpClient, NoObserver};
use connectors::stripe::{
    self, Checkout, CustomerId, Event, IdempotencyKey, Metadata, NewCustomer, Options, PriceId,
    SubscriptionId,
};
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::{CommandId, TenantId, UserId};
use events::subscription::{Plan, SubscriptionStatus};
use runtime::{Clock, Ids};
use secrecy::SecretString;
use simulators::stripe::{Card, EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, StripeConfig};
use support::Database;
use vault::{MasterKeys, Vault};
use worker::billing::Deliveries;

pub(super) const PAYER: &str = "kanareika.payer@example.com";

pub(super) struct Shop {
    pub(super) stripe: simulators::Stripe,
    pub(super) client: stripe::Stripe,
    pub(super) deliveries: Deliveries,
    pub(super) api: App,
    pub(super) clock: Clock,
    pub(super) database: Database,
    ids: Ids,
}

/// Somebody who may buy.
#[derive(Debug, Clone)]
pub(super) struct Seller {
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    pub(super) customer: String,
}

/// A contract as the tables have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    user_id: UserId,
    plan: String,
    status: String,
}

pub(super) fn row(seller: &Seller, plan: Plan, status: SubscriptionStatus) -> Row {
    Row {
        user_id: seller.user_id,
        plan: plan.as_str().to_owned(),
        status: status.as_str().to_owned(),
    }
}

/// An event as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) why: String,
    pub(super) body: bool,
}

impl Shop {
    pub(super) async fn open() -> Self {
        connectors::http::install_crypto();
        let now: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().unwrap();
        let stripe = simulators::Stripe::start(StripeConfig {
            clock: simulators::Clock::manual(now),
            endpoints: vec![EndpointConfig::default()],
            ..StripeConfig::default()
        })
        .await
        .unwrap();
        stripe.hold(true);
        let template = support::template("core", |url| async move {
            database::migrate(&url.into()).await.map(drop)
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let clock = Clock::manual(now);
        let client = client(&stripe);
        let app = app(&database, Role::Worker).by_card(Some(CardSales {
            stripe: client.clone(),
            prices: prices(&[
                (Plan::Starter, PRICE_STARTER),
                (Plan::Pro, PRICE_PRO),
                (Plan::Enterprise, PRICE_ENTERPRISE),
            ]),
            return_url: "https://app.example.com/billing/done".to_owned(),
        }));
        Self {
            stripe,
            client,
            deliveries: Deliveries::new(app, clock.clone()),
            api: self::app(&database, Role::Api),
            clock,
            database,
            ids: Ids::seeded(11),
        }
    }

    /// The plans that are sold from now on.
    pub(super) fn prices(&mut self, list: &[(Plan, &str)]) {
        let card = self.deliveries.taking.app.card.as_mut().unwrap();
        card.prices = prices(list);
    }

    fn key(&self) -> IdempotencyKey {
        self.ids.next().into()
    }

    /// A person who registered and is a customer at Stripe.
    pub(super) async fn seller(&self, email: &str) -> Seller {
        let command_id = CommandId(self.ids.next());
        let context = Context {
            tenant_id: register::tenant_of(command_id),
            actor: "visitor".to_owned(),
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        };
        let person = register::Input {
            email: Email::parse(email).unwrap(),
            password: "верная лошадь батарейка".to_owned().into(),
            company_name: "ИП Соколова Анна".to_owned(),
            display_name: "Анна".to_owned(),
        };
        let registered = register::execute(&self.api, &context, person).await.unwrap();
        let (tenant_id, user_id) = (registered.tenant_id, registered.user_id);
        let new = NewCustomer {
            email: Some(PAYER),
            metadata: &metadata(tenant_id, user_id),
        };
        let made = self.client.create_customer(&self.key(), &new).await.unwrap();
        let seller = Seller {
            tenant_id,
            user_id,
            customer: made.id.as_str().to_owned(),
        };
        self.api.customers.insert(&seller.known()).await.unwrap();
        seller
    }

    /// The seller buys a plan on Stripe's page, without a trial.
    pub(super) async fn buys(&self, seller: &Seller, price: &str, card: Card) -> SubscriptionId {
        self.checks_out(seller, price, card, None).await
    }

    /// The same with days of trial.
    pub(super) async fn tries(&self, seller: &Seller, price: &str, days: u32) -> SubscriptionId {
        self.checks_out(seller, price, Card::Pays, Some(days)).await
    }

    async fn checks_out(
        &self,
        seller: &Seller,
        price: &str,
        card: Card,
        trial_days: Option<u32>,
    ) -> SubscriptionId {
        let metadata = metadata(seller.tenant_id, seller.user_id);
        let checkout = Checkout {
            customer: &CustomerId::parse(&seller.customer).unwrap(),
            price: &PriceId::parse(price).unwrap(),
            metadata: &metadata,
            reference: "a tenant",
            success_url: "https://app.example.com/billing/done",
            cancel_url: "https://app.example.com/billing/done",
            trial_days,
            trial_end: None,
            promotion_codes: false,
            expires_at: None,
        };
        let session = self.client.create_checkout(&self.key(), &checkout).await.unwrap();
        assert!(self.stripe.complete_checkout(session.id.as_str(), card));
        let session = self.client.checkout(&session.id).await.unwrap();
        session.subscription.unwrap()
    }

    pub(super) async fn cancels(&self, subscription: &SubscriptionId) {
        self.client.cancel_now(&self.key(), subscription).await.unwrap();
    }

    /// Time passes here and at Stripe.
    pub(super) fn advance(&self, by: TimeDelta) {
        self.stripe.advance(by);
        self.clock.advance(by);
    }

    /// Ids of all events, in the order in which they were made.
    pub(super) fn events(&self) -> Vec<String> {
        self.stripe.events().into_iter().map(|(id, _)| id).collect()
    }

    /// Ids of the events of one kind.
    pub(super) fn events_of(&self, kind: &str) -> Vec<String> {
        let events = self.stripe.events().into_iter();
        events.filter(|(_, of)| of == kind).map(|(id, _)| id).collect()
    }

    pub(super) async fn deliver_all(&self) {
        for event in self.events() {
            self.deliver(&event).await;
        }
    }

    pub(super) async fn deliver(&self, event: &str) {
        self.deliver_from(event, 0).await;
    }

    /// As one of the endpoints gets it.
    pub(super) async fn deliver_from(&self, event: &str, endpoint: usize) {
        let body = self.stripe.signed(event, endpoint).unwrap().body;
        self.put(&body).await;
    }

    /// The same under another id.
    pub(super) async fn deliver_as(&self, event: &str, id: &str) {
        self.deliver_changed(event, event, id).await;
    }

    /// With something in its body replaced.
    pub(super) async fn deliver_changed(&self, event: &str, old: &str, new: &str) {
        let body = self.stripe.signed(event, 0).unwrap().body;
        self.put(&body.replace(old, new)).await;
    }

    async fn put(&self, body: &str) {
        let event = Event::parse(body.as_bytes()).unwrap();
        self.store(event.id.as_str(), &event.kind, body.as_bytes()).await;
    }

    pub(super) async fn store(&self, event_id: &str, event_type: &str, body: &[u8]) {
        let customer = Event::parse(body)
            .ok()
            .and_then(|event| match stripe::subject(&event) {
                stripe::Subject::Concerns(concern) => concern.customer,
                _ => None,
            });
        let received = Received {
            event_id,
            event_type,
            api_version: None,
            customer: customer.as_ref().map(CustomerId::as_str),
            body,
        };
        let inbox = Inbox::new(self.api.store.pool().clone());
        inbox.store(&received, self.clock.now()).await.unwrap();
    }

    /// Handles what is due at this moment.
    pub(super) async fn rounds(&self) {
        while self.deliveries.round().await.unwrap() > 0 {}
    }

    /// The same, after which nothing waits.
    pub(super) async fn handled(&self) {
        self.rounds().await;
        let waiting: Vec<_> = (self.inbox().await.into_iter())
            .filter(|event| event.state == "pending" || event.state == "failed")
            .collect();
        assert!(waiting.is_empty(), "{waiting:#?}");
    }

    pub(super) async fn inbox(&self) -> Vec<Kept> {
        let admin = support::connect(&self.database.url).await;
        let sql = "SELECT event_id, state, coalesce(why, ''), body IS NOT NULL
                     FROM core.stripe_events ORDER BY received_at, event_id";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| Kept {
                id: row.get(0),
                state: row.get(1),
                why: row.get(2),
                body: row.get(3),
            })
            .collect()
    }

    pub(super) async fn contracts(&self) -> Vec<Row> {
        let admin = support::connect(&self.database.url).await;
        let sql = "SELECT user_id, plan, status FROM core.subscriptions ORDER BY user_id, slot";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| Row {
                user_id: UserId(row.get(0)),
                plan: row.get(1),
                status: row.get(2),
            })
            .collect()
    }

    pub(super) async fn plan(&self, seller: &Seller) -> Option<String> {
        let admin = support::connect(&self.database.url).await;
        let sql = "SELECT plan FROM core.tenant_terms WHERE tenant_id = $1";
        let row = admin.query_one(sql, &[&seller.tenant_id.uuid()]).await.unwrap();
        row.get(0)
    }

    /// Kinds of the events of the seller's subscription.
    pub(super) async fn happened(&self, seller: &Seller) -> Vec<String> {
        let admin = support::connect(&self.database.url).await;
        let sql = "SELECT event_type FROM core.events
                    WHERE aggregate_type = 'subscription' AND aggregate_id = $1 ORDER BY position";
        let rows = admin.query(sql, &[&seller.user_id.to_string()]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Seller {
    fn known(&self) -> Customer {
        Customer {
            tenant_id: self.tenant_id,
            user_id: self.user_id,
            customer: self.customer.clone(),
        }
    }
}

fn client(simulator: &simulators::Stripe) -> stripe::Stripe {
    let options = Options {
        url: simulator.url().to_owned(),
        pause: Duration::from_millis(1),
        ..Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    stripe::Stripe::new(http, SecretString::from(simulator.api_key()), options)
}

fn prices(list: &[(Plan, &str)]) -> Prices {
    Prices::new(
        list.iter()
            .map(|(plan, price)| (*plan, PriceId::parse(price).unwrap())),
    )
}

fn metadata(tenant: TenantId, user: UserId) -> Metadata {
    Metadata {
        tenant_id: Some(tenant.to_string()),
        user_id: Some(user.to_string()),
    }
}

pub(super) fn app(database: &Database, role: Role) -> App {
    let pool = Pool::open(&database.url.clone().into(), role, 6).unwrap();
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let keys = MasterKeys::parse(&MasterKeys::generate().unwrap()).unwrap();
    App::new(store, Vault::new(pool, keys))
}
