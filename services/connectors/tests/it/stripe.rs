//! The client of Stripe against a server with its semantics: checkout, portal, subscriptions, invoices,
//! events, and the faults of the way there.

mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::error::FailureClass;
use connectors::http::{HttpClient, NoObserver};
use connectors::stripe::{
    Checkout, Customer, Event, EventId, Form, IdempotencyKey, Kind, Metadata, NewCustomer, Options, Portal,
    PortalFlow, PriceId, SessionStatus, Status, Stripe, StripeError, Subject, Subscription, SubscriptionId,
    subject, verify,
};
use secrecy::SecretString;
use simulators::Clock;
use simulators::stripe::{Card, EndpointConfig, Failure, PRICE_PRO, PRICE_STARTER, Signing, StripeConfig};

const SUCCESS: &str = "https://app.example.com/billing/done?session_id={CHECKOUT_SESSION_ID}";

struct World {
    simulator: simulators::Stripe,
    stripe: Stripe,
    ours: Metadata,
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

fn price(id: &str) -> PriceId {
    PriceId::parse(id).unwrap()
}

fn start_of_time() -> DateTime<Utc> {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

impl World {
    async fn start() -> Self {
        let config = StripeConfig {
            clock: Clock::manual(start_of_time()),
            signing: Signing::Simulated,
            endpoints: vec![EndpointConfig::default()],
            ..StripeConfig::default()
        };
        let simulator = simulators::Stripe::start(config).await.unwrap();
        let stripe = client(&simulator, simulator.api_key(), |_| ());
        let ours = Metadata {
            tenant_id: Some("0198f3a2-7c11-7e00-8a00-00000000aa01".to_owned()),
            user_id: Some("0198f3a2-7c11-7e00-8a00-00000000bb02".to_owned()),
        };
        Self {
            simulator,
            stripe,
            ours,
        }
    }

    async fn customer(&self) -> Customer {
        let new = NewCustomer {
            email: Some("canary.payer@example.com"),
            metadata: &self.ours,
        };
        self.stripe.create_customer(&key("customer"), &new).await.unwrap()
    }

    fn checkout<'a>(&'a self, customer: &'a Customer, price: &'a PriceId) -> Checkout<'a> {
        Checkout {
            customer: &customer.id,
            price,
            metadata: &self.ours,
            reference: "0198f3a2-7c11-7e00-8a00-00000000aa01",
            success_url: SUCCESS,
            cancel_url: "https://app.example.com/billing/done",
            trial_days: None,
            trial_end: None,
            promotion_codes: true,
            expires_at: None,
        }
    }

    /// A customer who has paid for this plan.
    async fn paid(&self, plan: &str) -> Subscription {
        let customer = self.customer().await;
        let price = price(plan);
        let checkout = self.checkout(&customer, &price);
        let session = self
            .stripe
            .create_checkout(&key("checkout"), &checkout)
            .await
            .unwrap();
        assert!(self.simulator.complete_checkout(session.id.as_str(), Card::Pays));
        let session = self.stripe.checkout(&session.id).await.unwrap();
        self.stripe
            .subscription(&session.subscription.unwrap())
            .await
            .unwrap()
    }
}

fn client(simulator: &simulators::Stripe, api_key: &str, change: impl FnOnce(&mut Options)) -> Stripe {
    let mut options = Options {
        url: simulator.url().to_owned(),
        pause: Duration::from_millis(1),
        ..Options::default()
    };
    change(&mut options);
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    Stripe::new(http, SecretString::from(api_key), options)
}

#[tokio::test]
async fn a_checkout_leads_from_a_page_to_a_subscription() {
    let world = World::start().await;
    let customer = world.customer().await;
    assert_eq!(customer.metadata, world.ours);
    assert_eq!(world.stripe.customer(&customer.id).await.unwrap(), customer);
    let pro = price(PRICE_PRO);
    let checkout = Checkout {
        trial_days: Some(14),
        trial_end: None,
        ..world.checkout(&customer, &pro)
    };
    let session = world
        .stripe
        .create_checkout(&key("command-1"), &checkout)
        .await
        .unwrap();
    assert_eq!(session.status, Some(SessionStatus::Open));
    assert!(
        session
            .url
            .as_ref()
            .unwrap()
            .as_str()
            .starts_with(world.simulator.url())
    );
    assert!(world.simulator.complete_checkout(session.id.as_str(), Card::Pays));
    let session = world.stripe.checkout(&session.id).await.unwrap();
    assert_eq!(session.status, Some(SessionStatus::Complete));
    assert_eq!(session.metadata, world.ours);
    assert_eq!(session.client_reference_id.as_deref(), Some(checkout.reference));
    assert!(session.url.is_none());
    let subscription = world
        .stripe
        .subscription(&session.subscription.unwrap())
        .await
        .unwrap();
    assert_eq!(subscription.status, Some(Status::Trialing));
    assert_eq!(
        subscription.trial_end,
        Some(start_of_time() + TimeDelta::days(14))
    );
    assert_eq!(subscription.price(), Some(&pro));
    assert_eq!(subscription.customer.as_ref(), Some(&customer.id));
    assert_eq!(
        subscription.metadata, world.ours,
        "written on the subscription as well"
    );
}

#[tokio::test]
async fn the_same_command_makes_one_session_and_another_price_under_its_key_is_refused() {
    let world = World::start().await;
    let customer = world.customer().await;
    let (pro, starter) = (price(PRICE_PRO), price(PRICE_STARTER));
    let checkout = world.checkout(&customer, &pro);
    let first = world
        .stripe
        .create_checkout(&key("command-1"), &checkout)
        .await
        .unwrap();
    let second = world
        .stripe
        .create_checkout(&key("command-1"), &checkout)
        .await
        .unwrap();
    assert_eq!(first, second);
    let third = world
        .stripe
        .create_checkout(&key("command-2"), &checkout)
        .await
        .unwrap();
    assert_ne!(first.id, third.id);
    let other = world.checkout(&customer, &starter);
    let error = world
        .stripe
        .create_checkout(&key("command-1"), &other)
        .await
        .unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.kind.as_deref(), Some("idempotency_error"), "{error}");
    assert_eq!(error.class(), FailureClass::Refused);
}

#[tokio::test]
async fn a_session_that_is_ended_cannot_be_paid_and_is_not_ended_twice() {
    let world = World::start().await;
    let customer = world.customer().await;
    let pro = price(PRICE_PRO);
    let expires_at = Some(start_of_time() + TimeDelta::minutes(45));
    let checkout = Checkout {
        expires_at,
        ..world.checkout(&customer, &pro)
    };
    let session = world.stripe.create_checkout(&key("a"), &checkout).await.unwrap();
    assert_eq!(session.expires_at, expires_at);
    let ended = world
        .stripe
        .expire_checkout(&key("b"), &session.id)
        .await
        .unwrap();
    assert_eq!(ended.status, Some(SessionStatus::Expired));
    assert!(!world.simulator.complete_checkout(session.id.as_str(), Card::Pays));
    let error = world
        .stripe
        .expire_checkout(&key("c"), &session.id)
        .await
        .unwrap_err();
    assert!(matches!(error, StripeError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn the_portal_opens_with_what_was_asked_for() {
    let world = World::start().await;
    let subscription = world.paid(PRICE_PRO).await;
    let customer = subscription.customer.unwrap();
    let flows = [
        None,
        Some(PortalFlow::PaymentMethod),
        Some(PortalFlow::ChangePlan(&subscription.id)),
        Some(PortalFlow::Cancel(&subscription.id)),
    ];
    for (number, flow) in flows.into_iter().enumerate() {
        let portal = Portal {
            customer: &customer,
            return_url: "https://app.example.com/billing/done",
            flow,
        };
        let session = world
            .stripe
            .create_portal(&key(&format!("p{number}")), &portal)
            .await
            .unwrap();
        assert!(
            session.url.as_str().starts_with(world.simulator.url()),
            "{flow:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_price_is_refused_by_its_parameter() {
    let world = World::start().await;
    let customer = world.customer().await;
    let unknown = price("price_Unknown");
    let checkout = world.checkout(&customer, &unknown);
    let error = world
        .stripe
        .create_checkout(&key("a"), &checkout)
        .await
        .unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.param.as_deref(), Some("line_items[0][price]"));
    assert_eq!(refusal.code.as_deref(), Some("resource_missing"));
    assert!(refusal.request_id.as_ref().unwrap().starts_with("req_"));
    assert!(error.is_missing());
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    let world = World::start().await;
    let stripe = client(&world.simulator, "sk_test_canarycanarycanary", |_| ());
    let subscription = SubscriptionId::parse("sub_1").unwrap();
    let error = stripe.subscription(&subscription).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Credential);
    let text = format!("{error} {error:?} {stripe:?}");
    assert!(!text.contains("canarycanarycanary"), "{text}");
}

#[tokio::test]
async fn events_are_listed_page_by_page_and_are_those_that_were_delivered() {
    let world = World::start().await;
    for number in 0..30 {
        let customer = world.customer().await;
        let pro = price(PRICE_PRO);
        let checkout = world.checkout(&customer, &pro);
        let session = world
            .stripe
            .create_checkout(&key(&format!("c{number}")), &checkout)
            .await
            .unwrap();
        assert!(world.simulator.complete_checkout(session.id.as_str(), Card::Pays));
    }
    let mut listed: Vec<(EventId, Event)> = Vec::new();
    let (mut after, mut pages) = (None, 0);
    loop {
        let page = world
            .stripe
            .events(start_of_time(), after.as_ref())
            .await
            .unwrap();
        pages += 1;
        listed.extend(
            page.events
                .into_iter()
                .map(|listed| (listed.event.id.clone(), listed.event)),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert!(pages > 1);
    let happened = world.simulator.events();
    let counted: Vec<&str> = happened
        .iter()
        .rev()
        .filter(|(_, kind)| Kind::parse(kind).is_some())
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(
        listed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        counted
    );
    assert!(
        listed
            .iter()
            .all(|(_, event)| matches!(subject(event), Subject::Concerns(_)))
    );
    let later = start_of_time() + TimeDelta::seconds(1);
    assert!(world.stripe.events(later, None).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_delivery_is_believed_and_its_thin_form_leads_to_the_same_object() {
    let world = World::start().await;
    let thin = world.simulator.add_endpoint(EndpointConfig {
        thin: true,
        ..EndpointConfig::default()
    });
    let subscription = world.paid(PRICE_PRO).await;
    let happened = world.simulator.events();
    let (id, _) = happened
        .iter()
        .find(|(_, kind)| kind == "customer.subscription.created")
        .unwrap();
    let mut concerned = Vec::new();
    for endpoint in [0, thin] {
        let secret: SecretString = world.simulator.secret(endpoint).unwrap().into();
        let signed = world.simulator.signed(id, endpoint).unwrap();
        let (body, now) = (signed.body.as_bytes(), world.simulator.now());
        verify(&signed.signature, body, &[secret], now, Duration::from_secs(300)).unwrap();
        let event = Event::parse(body).unwrap();
        let Subject::Concerns(concern) = subject(&event) else {
            panic!("{event:?}");
        };
        concerned.push(concern.subscription);
        let asked = match event.form {
            Form::Thin => world.stripe.thin_event(&event.id).await.unwrap(),
            Form::Snapshot => world.stripe.event(&event.id).await.unwrap(),
        };
        assert_eq!(asked.event.id, event.id);
        if event.form == Form::Thin {
            assert_eq!(event.snapshot_event.unwrap().as_str(), id);
        }
    }
    assert_eq!(concerned, [Some(subscription.id.clone()), Some(subscription.id)]);
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_and_the_work_is_done_once() {
    let world = World::start().await;
    let customer = world.customer().await;
    let pro = price(PRICE_PRO);
    for (number, (status, done)) in [(429, false), (500, false), (503, true), (409, false)]
        .into_iter()
        .enumerate()
    {
        world.simulator.fail(Failure {
            path: "/v1/checkout".to_owned(),
            status,
            done,
            times: 2,
            ..Failure::default()
        });
        let command = key(&format!("c{number}"));
        let checkout = world.checkout(&customer, &pro);
        let session = world.stripe.create_checkout(&command, &checkout).await.unwrap();
        let again = world.stripe.create_checkout(&command, &checkout).await.unwrap();
        assert_eq!(session.id, again.id, "{status}");
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_reported_after_three_attempts() {
    let world = World::start().await;
    world.simulator.fail(Failure {
        status: 500,
        times: 3,
        ..Failure::default()
    });
    let subscription = SubscriptionId::parse("sub_Unknown").unwrap();
    let error = world.stripe.subscription(&subscription).await.unwrap_err();
    assert!(matches!(error, StripeError::Busy { .. }), "{error}");
    assert_eq!(error.class(), FailureClass::Transient);
    let error = world.stripe.subscription(&subscription).await.unwrap_err();
    assert!(error.is_missing(), "the three failures were used up: {error}");
}

#[tokio::test]
async fn stripe_decides_whether_the_same_request_may_be_sent_again() {
    let world = World::start().await;
    let unknown = SubscriptionId::parse("sub_Unknown").unwrap();
    world.simulator.fail(Failure {
        status: 500,
        should_retry: Some(false),
        ..Failure::default()
    });
    let error = world.stripe.subscription(&unknown).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().status, 500, "not tried again");
    world.simulator.fail(Failure {
        status: 400,
        should_retry: Some(true),
        ..Failure::default()
    });
    let error = world.stripe.subscription(&unknown).await.unwrap_err();
    assert!(error.is_missing(), "tried again: {error}");
}
