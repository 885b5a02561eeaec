//! Events reach endpoints signed and in the endpoint's version; scripts reorder, copy, delay and lose them.

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulators::stripe::{
    Card, DeliveryState, EndpointConfig, Order, Release, Signing, Version, sign, signature_header,
};

use super::account::{Account, Inbox, seconds, text};

/// Checks a header as a receiver does: any `v1` that fits the body and the secret.
fn fits(header: &str, body: &str, secret: &str) -> bool {
    let time = header
        .split(',')
        .find_map(|part| part.strip_prefix("t="))
        .unwrap();
    let expected = format!("v1={}", sign(secret, time.parse().unwrap(), body));
    header.split(',').any(|part| part == expected)
}

#[test]
fn a_signature_is_that_of_the_published_vectors() {
    let body = json!({
        "id": "evt_vec_1", "object": "event", "api_version": "2026-09-30.endive", "created": 1_790_000_000,
    });
    // The vectors' bodies keep the order of their fields, so that they are written out here.
    let body_text = "{\n  \"id\": \"evt_vec_1\",\n  \"object\": \"event\",\n  \"api_version\": \
                     \"2026-09-30.endive\",\n  \"created\": 1790000000,\n  \"data\": {\n    \"object\": {\n      \
                     \"id\": \"cus_vec\",\n      \"object\": \"customer\",\n      \"name\": \"Тест × ООО\"\n    \
                     }\n  },\n  \"livemode\": false,\n  \"pending_webhooks\": 1,\n  \"request\": {\n    \"id\": \
                     null,\n    \"idempotency_key\": null\n  },\n  \"type\": \"research.unknown_event\"\n}";
    let parsed: Value = serde_json::from_str(body_text).unwrap();
    assert_eq!(parsed["id"], body["id"]);
    assert_eq!(
        sign("whsec_research_vector_1", 1_790_000_100, body_text),
        "2aa03c134d2300ae8158954df7e758744c9f58b428e0865ec9328a51e8a21331"
    );
    let rolled = signature_header(&["one".to_owned(), "two".to_owned()], 1, body_text);
    assert_eq!(rolled.matches("v1=").count(), 2);
    assert_eq!(rolled.matches("v0=").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_signed_and_printed_as_stripe_does() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    let endpoint = account.listen(&inbox, Version::Endive);
    account.subscribed(Card::Pays).await;
    account.sim.until_quiet().await;
    let letters = inbox.letters();
    assert_eq!(letters.len(), account.sim.events().len());
    let letter = &letters[0];
    let secret = account.sim.secret(endpoint).unwrap();
    assert!(fits(letter.header("stripe-signature"), &letter.body, &secret));
    assert!(!fits(
        letter.header("stripe-signature"),
        &format!("{} ", letter.body),
        &secret
    ));
    assert_eq!(letter.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(
        letter.header("user-agent"),
        "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    );
    assert!(letter.body.starts_with("{\n  \""));
    let event = letter.json();
    assert_eq!(event["type"], "customer.created");
    assert_eq!(event["api_version"], "2026-09-30.endive");
    assert_eq!(event["pending_webhooks"], 1);
    assert_eq!(event["created"], account.sim.now().timestamp());
    assert!(text(&event["request"], "id").starts_with("req_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_secret_signs_beside_the_old_one() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    let endpoint = account.listen(&inbox, Version::Endive);
    let secrets = ["whsec_old".to_owned(), "whsec_new".to_owned()];
    assert!(account.sim.set_secrets(endpoint, &secrets));
    account.customer().await;
    account.sim.until_quiet().await;
    let letter = inbox.letters().remove(0);
    for secret in &secrets {
        assert!(fits(letter.header("stripe-signature"), &letter.body, secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_bears_the_real_time_while_the_clock_is_moved() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    account.days(100);
    account.sim.sign_with(Signing::Real);
    account.customer().await;
    account.sim.until_quiet().await;
    let letter = inbox.letters().remove(0);
    let header = letter.header("stripe-signature");
    assert!(!header.starts_with(&format!("t={},", account.sim.now().timestamp())));
    assert_eq!(letter.json()["created"], account.sim.now().timestamp());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_its_own_places_for_the_same_facts() {
    let account = Account::open().await;
    for version in Version::ALL {
        account.sim.add_endpoint(EndpointConfig {
            version,
            ..EndpointConfig::default()
        });
    }
    let (_, id) = account.subscribed(Card::Pays).await;
    let of = |kind: &str, endpoint: usize| -> Value {
        let events = account.sim.events();
        let (event, _) = events.iter().rfind(|(_, other)| other == kind).unwrap();
        let signed = account.sim.signed(event, endpoint).unwrap();
        serde_json::from_str::<Value>(&signed.body).unwrap()["data"]["object"].clone()
    };
    let end = seconds("2026-12-01T09:00:00Z");
    for (endpoint, version) in Version::ALL.into_iter().enumerate() {
        let old = version == Version::Legacy;
        let subscription = of("customer.subscription.created", endpoint);
        let item = &subscription["items"]["data"][0];
        assert_eq!(
            subscription.get("current_period_end").is_some(),
            old,
            "{version:?}"
        );
        let place = if old { &subscription } else { item };
        assert_eq!(place["current_period_end"], end);
        assert_eq!(item.get("current_period_end").is_some(), !old);
        assert!(!item.to_string().contains("legacy_"));
        assert_eq!(
            subscription.get("billing_mode").is_some(),
            version >= Version::Clover
        );
        assert_eq!(
            subscription.get("billing_schedules").is_some(),
            version >= Version::Endive
        );
        let invoice = of("invoice.paid", endpoint);
        let parent = &invoice["parent"]["subscription_details"]["subscription"];
        assert_eq!(if old { &invoice["subscription"] } else { parent }, &json!(id));
        assert_eq!(invoice.get("parent").is_some(), !old);
        let line = &invoice["lines"]["data"][0];
        assert_eq!(line.get("subtotal").is_some(), version >= Version::Clover);
        let session = of("checkout.session.completed", endpoint);
        let mode = match version {
            Version::Legacy => Value::Null,
            Version::Basil | Version::Clover => json!("hosted"),
            _ => json!("hosted_page"),
        };
        assert_eq!(session["ui_mode"], mode);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_tells_older_versions_the_former_period_at_the_top() {
    let account = Account::open().await;
    let endpoint = account.sim.add_endpoint(EndpointConfig {
        version: Version::Legacy,
        ..EndpointConfig::default()
    });
    account.subscribed(Card::Pays).await;
    account.days(30);
    let event = text(&account.event("customer.subscription.updated").await, "id");
    let body = account.sim.signed(&event, endpoint).unwrap().body;
    let event: Value = serde_json::from_str(&body).unwrap();
    let previous = &event["data"]["previous_attributes"];
    assert_eq!(previous["current_period_end"], seconds("2026-12-01T09:00:00Z"));
    assert_eq!(
        event["data"]["object"]["current_period_end"],
        seconds("2027-01-01T09:00:00Z")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_event_names_the_object_and_its_snapshot() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.sim.add_endpoint(EndpointConfig {
        urls: vec![inbox.url.clone()],
        thin: true,
        events: vec!["customer.subscription.created".to_owned()],
        ..EndpointConfig::default()
    });
    let (_, id) = account.subscribed(Card::Pays).await;
    account.sim.until_quiet().await;
    let [letter] = inbox.letters().try_into().unwrap();
    let thin = letter.json();
    assert_eq!(thin["object"], "v2.core.event");
    assert_eq!(thin["type"], "v1.customer.subscription.created");
    assert!(thin.get("data").is_none());
    let related = &thin["related_object"];
    assert_eq!(related["id"], id.as_str());
    assert_eq!(account.get(&text(related, "url"), &[]).await["id"], id.as_str());
    let snapshot = account
        .get(&format!("/v1/events/{}", text(&thin, "snapshot_event")), &[])
        .await;
    assert_eq!(snapshot["data"]["object"]["id"], id.as_str());
    let fetched = account
        .get(&format!("/v2/core/events/{}", text(&thin, "id")), &[])
        .await;
    assert_eq!(fetched, thin);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_deliveries_go_in_the_order_and_number_that_a_script_says() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    account.sim.hold(true);
    account.subscribed(Card::Pays).await;
    account.sim.until_quiet().await;
    assert!(inbox.letters().is_empty());
    let made: Vec<String> = account.sim.events().into_iter().map(|(id, _)| id).collect();
    let first = Release {
        only: Some(vec![3, 1]),
        order: Order::Given,
        ..Release::default()
    };
    assert_eq!(account.sim.deliver_held(&first), 2);
    account.sim.until_quiet().await;
    assert_eq!(inbox.ids(), [made[3].clone(), made[1].clone()]);
    assert_eq!(account.sim.lose(&[0]), 1);
    let rest = Release {
        order: Order::Shuffled,
        copies: (1, 3),
        seed: 7,
        ..Release::default()
    };
    let sent = account.sim.deliver_held(&rest);
    account.sim.until_quiet().await;
    let ids = inbox.ids().split_off(2);
    assert_eq!(ids.len(), sent);
    assert!(sent > made.len() - 3);
    let mut sorted = ids.clone();
    sorted.sort_by_key(|id| made.iter().position(|other| other == id));
    assert_ne!(ids, sorted, "a shuffle leaves no order");
    sorted.dedup();
    let expected: Vec<String> = (0..made.len())
        .filter(|at| ![0, 1, 3].contains(at))
        .map(|at| made[at].clone())
        .collect();
    assert_eq!(sorted, expected);
    assert_eq!(account.sim.deliveries()[0].state, DeliveryState::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_deliveries_arrive_each_as_often_as_planned() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    account.sim.hold(true);
    for _ in 0..80 {
        account.sim.foreign_subscription();
    }
    account.sim.concurrency(8);
    let plan = Release {
        order: Order::Shuffled,
        copies: (1, 3),
        late_per_mille: 100,
        seed: 3,
        ..Release::default()
    };
    let planned = account.sim.deliver_held(&plan);
    assert!(planned > 1_500, "{planned}");
    account.sim.until_quiet().await;
    let on_time = inbox.letters().len();
    assert!(on_time < planned);
    account.days(3);
    account.sim.until_quiet().await;
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for id in inbox.ids() {
        *counts.entry(id).or_default() += 1;
    }
    assert_eq!(counts.values().sum::<usize>(), planned);
    assert_eq!(counts.len(), 80 * 12);
    assert!(counts.values().all(|count| (1..=3).contains(count)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_delivery_comes_when_the_clock_has_moved() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    account.sim.hold(true);
    account.customer().await;
    account.sim.deliver_held(&Release {
        late_per_mille: 1_000,
        ..Release::default()
    });
    account.sim.until_quiet().await;
    assert!(inbox.letters().is_empty());
    account.days(3);
    account.sim.until_quiet().await;
    assert_eq!(inbox.letters().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_is_sent_again_for_three_days_on_the_simulated_clock() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    inbox.answers(&[500, 302]);
    account.customer().await;
    account.sim.until_quiet().await;
    assert_eq!(inbox.letters().len(), 1);
    account.sim.advance(TimeDelta::hours(1));
    account.sim.until_quiet().await;
    let [delivery] = account.sim.deliveries().try_into().unwrap();
    let statuses: Vec<Option<u16>> = delivery.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(302), Some(200)]);
    assert_eq!(delivery.state, DeliveryState::Delivered);
    inbox.answers(&[500; 50]);
    account.customer().await;
    account.sim.until_quiet().await;
    account.days(4);
    account.sim.until_quiet().await;
    let given_up = account.sim.deliveries().remove(1);
    assert_eq!(given_up.state, DeliveryState::Failed);
    let last = given_up.attempts.last().unwrap().at;
    assert!(last <= given_up.attempts[0].at + 3 * 86_400);
    let undelivered = account.get("/v1/events", &[("delivery_success", "false")]).await;
    assert_eq!(undelivered["data"].as_array().unwrap().len(), 1);
    assert!(account.sim.resend(&given_up.event));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_addresses_of_an_endpoint_take_turns() {
    let (account, one, other) = (Account::open().await, Inbox::open().await, Inbox::open().await);
    let endpoint = account.listen(&one, Version::Endive);
    assert!(
        account
            .sim
            .set_urls(endpoint, &[one.url.clone(), other.url.clone()])
    );
    account.sim.concurrency(2);
    for _ in 0..4 {
        account.customer().await;
    }
    account.sim.until_quiet().await;
    assert_eq!((one.letters().len(), other.letters().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_also_gets_what_is_not_ours() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    account.listen(&inbox, Version::Endive);
    let customer = account.customer().await;
    account.sim.card(&customer, Some(Card::Pays));
    let subscription = account.sim.foreign_subscription();
    let invoice = account.sim.foreign_invoice(Some(&customer));
    account.sim.until_quiet().await;
    let letters = inbox.letters();
    let about = |id: &str, kind: &str| {
        letters
            .iter()
            .map(super::account::Letter::json)
            .find(|event| event["data"]["object"]["id"] == id && event["type"] == kind)
            .unwrap()["data"]["object"]
            .clone()
    };
    assert_eq!(
        about(&subscription, "customer.subscription.created")["metadata"],
        json!({})
    );
    let paid = about(&invoice, "invoice.paid");
    assert!(paid["parent"].is_null());
    assert_eq!(paid["customer"], customer.as_str());
}
