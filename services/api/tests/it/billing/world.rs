//! An API that sells plans, and the simulated Stripe that takes the payments; both have one time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::Webhook;
use application::billing::take::Taking;
use application::billing::{CardSales, Customer, ObserveError, Observed, Prices, observe_customer};
use application::domain::subscription::GRACE;
use application::{App, Context, subscriptions};
use billing::{FormerCustomers, Inbox};
use chrono::TimeDelta;
use connectors::http::{HttpClient, NoObserver};
use connectors::stripe::{Options, PriceId, Stripe};
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::{CommandId, TenantId, UserId};
use events::subscription::Plan;
use reqwest::StatusCode;
use runtime::Ids;
use secrecy::SecretString;
use serde_json::{Value, json};
use simulators::stripe::{
    Card, EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, Signing, Stripe as SimulatedStripe,
    StripeConfig,
};

use vault::{MasterKeys, Vault};

use crate::world::{Answer, Seller, World, listening, world_and_state};

/// With which deliveries are signed.
const SECRET: &str = "whsec_shop";
/// Where Stripe's pages lead back to.
pub(crate) const RETURN_URL: &str = "https://app.example.com/billing";

/// Somebody who registered, and logs in again whenever the token is too old.
pub(crate) struct Buyer {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    email: String,
    seller: Mutex<Seller>,
}

pub(crate) struct Shop {
    pub(crate) api: World,
    pub(crate) app: App,
    pub(crate) stripe: SimulatedStripe,
    taking: Taking,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let (world, mut state) = world_and_state().await;
        let config = StripeConfig {
            clock: simulators::Clock::manual(world.now()),
            signing: Signing::Simulated,
            ..StripeConfig::default()
        };
        let stripe = SimulatedStripe::start(config).await.unwrap();
        let plans = limits::Table::built_in().unwrap().plans().unwrap();
        let url = SecretString::from(world.database_url());
        state.app = state
            .app
            .clone()
            .selling(plans.clone())
            .by_card(Some(card_sales(&stripe)));
        state.webhook = Some(Webhook {
            inbox: Inbox::new(Pool::open(&url, Role::Api, 2).unwrap()),
            secrets: vec![SecretString::from(SECRET)],
            tolerance: Duration::from_secs(300),
        });
        let pool = Pool::open(&url, Role::Worker, 2).unwrap();
        let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
        let masters = MasterKeys::parse(&MasterKeys::generate().unwrap()).ok().unwrap();
        let worker = App::new(store, Vault::new(pool.clone(), masters))
            .selling(plans)
            .by_card(Some(card_sales(&stripe)));
        let shop = Self {
            app: state.app.clone(),
            api: listening((world, state)),
            taking: Taking {
                app: worker,
                inbox: Inbox::new(pool.clone()),
                former: FormerCustomers::new(pool),
            },
            stripe,
        };
        shop.stripe.add_endpoint(EndpointConfig {
            urls: vec![format!("{}/api/v1/billing/webhook", shop.api.base)],
            secrets: vec![SECRET.to_owned()],
            ..EndpointConfig::default()
        });
        shop
    }

    /// Time passes; what Stripe sent meanwhile is taken up, and what is over ends.
    pub(crate) async fn pass(&self, by: TimeDelta) {
        self.advance(by);
        self.arrived().await;
        self.end_contracts().await;
    }

    /// Everything that Stripe has sent so far is in the log.
    pub(crate) async fn arrived(&self) {
        self.stripe.until_quiet().await;
        let now = self.api.now();
        loop {
            let claimed = self
                .taking
                .inbox
                .claim(now, now + TimeDelta::minutes(1), 100)
                .await
                .unwrap();
            if claimed.is_empty() {
                return;
            }
            for taken in self.taking.take(&claimed, now).await {
                let end = taken.outcome.unwrap();
                let customer = taken.customer.as_deref();
                self.taking
                    .inbox
                    .finish(&taken.event_id, customer, &end, now)
                    .await
                    .unwrap();
            }
        }
    }

    /// What the worker does every few minutes.
    async fn end_contracts(&self) {
        let app = &self.taking.app;
        let lapsed = app.terms.lapsed(self.api.now(), GRACE, None, 100).await.unwrap();
        for one in lapsed {
            let context = self.context(one.tenant_id);
            subscriptions::pass(app, &context, one.user_id).await.unwrap();
        }
    }

    fn context(&self, tenant_id: TenantId) -> Context {
        Context {
            tenant_id,
            actor: "worker".to_owned(),
            command_id: CommandId(Ids::system().next()),
            correlation_id: Ids::system().next(),
            causation_id: None,
            traceparent: None,
            now: self.api.now(),
        }
    }

    /// The plan that the seller's business has.
    pub(crate) async fn plan(&self, buyer: &Buyer) -> String {
        self.api.project_operations().await;
        let seller = self.seller(buyer).await;
        let shown = self.api.get(&seller, "/api/v1/tenants/me").send().await;
        shown.is(StatusCode::OK).body["plan"].as_str().unwrap().to_owned()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.api.clock.advance(by);
        self.stripe.advance(by);
    }

    pub(crate) async fn registered(&self, email: &str) -> Buyer {
        let seller = self.api.registered(email).await;
        self.buyer(email, seller)
    }

    pub(crate) async fn administrator(&self) -> Buyer {
        let seller = self.api.administrator("root@platform.ru").await;
        self.buyer("root@platform.ru", seller)
    }

    pub(crate) fn buyer(&self, email: &str, seller: Seller) -> Buyer {
        Buyer {
            tenant: seller.tenant,
            user: UserId(self.api.user(&seller)),
            email: email.to_owned(),
            seller: Mutex::new(seller),
        }
    }

    /// The buyer with a token that is accepted.
    pub(crate) async fn seller(&self, buyer: &Buyer) -> Seller {
        let seller = buyer.seller.lock().unwrap().clone();
        if self.api.tokens.verify(&seller.access, self.api.now()).is_ok() {
            return seller;
        }
        let seller = self.api.logged_in(&buyer.email).await;
        *buyer.seller.lock().unwrap() = seller.clone();
        seller
    }

    pub(crate) async fn post(&self, buyer: &Buyer, path: &str, body: Value) -> Answer {
        self.api
            .post(
                &self.seller(buyer).await,
                &format!("/api/v1/billing/{path}"),
                &body,
            )
            .await
    }

    /// The contract as the API shows it.
    pub(crate) async fn subscription(&self, buyer: &Buyer) -> Value {
        let shown = self
            .api
            .get(&self.seller(buyer).await, "/api/v1/billing/subscription")
            .send()
            .await;
        shown.is(StatusCode::OK);
        shown.body
    }

    /// Plan, state and basis as the API shows them.
    pub(crate) async fn stands(&self, buyer: &Buyer) -> String {
        stands(&self.subscription(buyer).await)
    }

    /// The session of a checkout that was opened for a plan.
    pub(crate) async fn checkout(&self, buyer: &Buyer, plan: &str) -> String {
        let opened = self.post(buyer, "checkout-session", json!({"plan": plan})).await;
        opened.is(StatusCode::CREATED).body["session_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Buys a plan and has Stripe's news of it arrive.
    pub(crate) async fn bought(&self, buyer: &Buyer, plan: &str) {
        let session = self.checkout(buyer, plan).await;
        assert!(self.stripe.complete_checkout(&session, Card::Pays));
        self.news(buyer).await;
    }

    /// Something came from Stripe about the seller's customer.
    pub(crate) async fn news(&self, buyer: &Buyer) {
        self.read(buyer).await.unwrap();
    }

    pub(crate) async fn read(&self, buyer: &Buyer) -> Result<Observed, ObserveError> {
        let customer = self.customer(buyer).await;
        observe_customer(&self.app, &self.context(buyer.tenant), &customer).await
    }

    pub(crate) async fn customer(&self, buyer: &Buyer) -> Customer {
        self.app
            .customers
            .of_user(buyer.tenant, buyer.user)
            .await
            .unwrap()
            .unwrap()
    }

    /// The seller's card behaves like this from now on.
    pub(crate) async fn card(&self, buyer: &Buyer, card: Card) {
        let customer = self.customer(buyer).await.customer;
        assert!(self.stripe.card(&customer, Some(card)));
    }

    /// What happened to the seller's subscription, in order.
    pub(crate) async fn happened(&self, buyer: &Buyer) -> Vec<String> {
        let user = buyer.user.uuid();
        let events = self.api.events().await.into_iter();
        events
            .filter(|event| event.stream_id == user)
            .map(|event| event.event_type)
            .filter(|kind| {
                ["subscription", "payment", "trial"]
                    .iter()
                    .any(|word| kind.starts_with(word))
            })
            .collect()
    }
}

pub(crate) fn stands(view: &Value) -> String {
    if view.is_null() {
        return "none".to_owned();
    }
    let word = |name: &str| view[name].as_str().unwrap().to_owned();
    format!("{} {} {}", word("plan_name"), word("status"), word("basis"))
}

fn card_sales(stripe: &SimulatedStripe) -> CardSales {
    let options = Options {
        url: stripe.url().to_owned(),
        attempts: 1,
        ..Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let price = |id: &str| PriceId::parse(id).unwrap();
    CardSales {
        stripe: Stripe::new(http, SecretString::from(stripe.api_key()), options),
        prices: Prices::new([
            (Plan::Starter, price(PRICE_STARTER)),
            (Plan::Pro, price(PRICE_PRO)),
            (Plan::Enterprise, price(PRICE_ENTERPRISE)),
        ]),
        return_url: RETURN_URL.to_owned(),
    }
}
