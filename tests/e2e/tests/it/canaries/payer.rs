//! Somebody pays by card: what Stripe is told and sends is looked for like everything else.

use serde_json::json;
use simulators::Stripe;
use simulators::stripe::{Card, EndpointConfig, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, StripeConfig};
use support::{SOON, connect, eventually};

use super::Journey;
use crate::checks;
use crate::seller::text;
use crate::world::World;

const API_KEY: &str = "sk_test_KanareikaStripe7q3f9b2";
const WEBHOOK_SECRET: &str = "whsec_KanareikaWebhook4d8e1";
/// What Stripe shows of a card, in its events too.
const CARD: &str = "4242424242424242";

/// A simulated Stripe, known to the processes that are started from now on.
pub(super) async fn stripe(world: &mut World) -> Stripe {
    let config = StripeConfig {
        api_key: API_KEY.to_owned(),
        ..StripeConfig::default()
    };
    let stripe = Stripe::start(config).await.unwrap();
    let url = stripe.url().to_owned();
    for (name, value) in [
        ("ST_STRIPE_URL", url.as_str()),
        ("ST_STRIPE_API_KEY", API_KEY),
        ("ST_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("ST_STRIPE_PRICE_STARTER", PRICE_STARTER),
        ("ST_STRIPE_PRICE_PRO", PRICE_PRO),
        ("ST_STRIPE_PRICE_ENTERPRISE", PRICE_ENTERPRISE),
    ] {
        world.set(name, value);
    }
    stripe
}

pub(super) fn deliver_to(stripe: &Stripe, address: &str) {
    stripe.add_endpoint(EndpointConfig {
        urls: vec![format!("{address}/api/v1/billing/webhook")],
        secrets: vec![WEBHOOK_SECRET.to_owned()],
        ..EndpointConfig::default()
    });
}

impl Journey {
    /// A plan is bought, and what Stripe sends about it is handled.
    pub(super) async fn pays(&mut self) {
        self.planted.plant("Stripe's API key", API_KEY);
        self.planted.plant("Stripe's webhook secret", WEBHOOK_SECRET);
        self.planted.plant("card", CARD);
        let body = json!({"plan": "pro"});
        let checkout = self.done(self.post("/billing/checkout-session", &body)).await;
        let session = text(&checkout, "session_id");
        assert!(self.stripe.complete_checkout(session, Card::Pays));
        self.stripe.until_quiet().await;
        let kept = "SELECT count(*) FROM core.stripe_events WHERE state = 'done'";
        let waiting = "SELECT count(*) FROM core.stripe_events WHERE state <> 'done' AND state <> 'ignored'";
        let world = &self.world;
        eventually("what Stripe sent to be handled", SOON, || async {
            let client = connect(&world.database()).await;
            match (
                checks::count(&client, kept).await?,
                checks::count(&client, waiting).await?,
            ) {
                (0, _) => Err("nothing arrived".to_owned()),
                (_, 0) => Ok(()),
                (_, waiting) => Err(format!("{waiting} events wait")),
            }
        })
        .await;
    }

    /// Whoever is erased is deleted at Stripe, and what Stripe says about that leaves nothing.
    pub(super) async fn gone_at_stripe(&self) {
        let left = "SELECT (SELECT count(*) FROM core.billing_leaving)
                         + (SELECT count(*) FROM core.billing_customers)
                         + (SELECT count(*) FROM core.stripe_events WHERE body IS NOT NULL)";
        let (world, stripe) = (&self.world, &self.stripe);
        eventually("Stripe to have forgotten who paid", SOON, || async {
            stripe.until_quiet().await;
            let client = connect(&world.database()).await;
            match checks::count(&client, left).await? {
                0 => Ok(()),
                left => Err(format!("{left} rows are left")),
            }
        })
        .await;
    }
}
