//! What Stripe refuses, and what it answers to the same request sent twice.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use simulators::stripe::{Card, Failure, PRICE_PRO, PRICE_STARTER};
use simulators::{Effect, Fault};

use super::account::{Account, START, seconds, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_needed_and_has_to_be_the_accounts() {
    let account = Account::open().await;
    let url = format!("{}/v1/prices", account.sim.url());
    let bare = account.http.get(&url).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let wrong = account
        .http
        .get(&url)
        .bearer_auth("sk_test_of_somebody_else")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().contains_key("request-id"));
    let error: Value = wrong.json().await.unwrap();
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert_eq!(
        error["error"]["message"],
        "Invalid API Key provided: sk_test_********else"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_its_version_and_an_unknown_one_is_refused() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::Pays).await;
    let url = format!("{}/v1/subscriptions/{id}", account.sim.url());
    let ask = |version: &'static str| {
        let request = account.http.get(&url).bearer_auth(account.sim.api_key());
        request.header("Stripe-Version", version).send()
    };
    let old = ask("2020-03-02").await.unwrap();
    assert_eq!(old.headers()["stripe-version"], "2020-03-02");
    let old: Value = old.json().await.unwrap();
    assert_eq!(old["current_period_end"], seconds("2026-12-01T09:00:00Z"));
    let plain = account
        .send(Method::GET, &format!("/v1/subscriptions/{id}"), &[], None)
        .await;
    assert_eq!(plain.headers()["stripe-version"], "2026-09-30.endive");
    assert_eq!(ask("2019-99-99").await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_is_named_that_is_unknown_missing_or_wrong() {
    let account = Account::open().await;
    let customer = account.customer().await;
    let base = [
        ("mode", "subscription"),
        ("customer", customer.as_str()),
        ("line_items[0][price]", PRICE_STARTER),
        ("line_items[0][quantity]", "1"),
        ("success_url", "https://app.example/ok"),
    ];
    let soon = (seconds(START) + 47 * 3_600).to_string();
    for (key, value, code, param) in [
        (
            "payment_method_types[0]",
            "card",
            json!("parameter_unknown"),
            "payment_method_types[0]",
        ),
        (
            "line_items[0][price]",
            "price_x",
            json!("resource_missing"),
            "line_items[0][price]",
        ),
        ("customer", "cus_x", json!("resource_missing"), "customer"),
        ("success_url", "", json!("parameter_missing"), "success_url"),
        ("success_url", "ok", Value::Null, "success_url"),
        (
            "line_items[0][quantity]",
            "many",
            json!("parameter_invalid_integer"),
            "line_items[0][quantity]",
        ),
        (
            "subscription_data[trial_end]",
            &soon,
            Value::Null,
            "subscription_data[trial_end]",
        ),
        (
            "subscription_data[trial_period_days]",
            "0",
            Value::Null,
            "subscription_data[trial_period_days]",
        ),
        ("expires_at", "1", Value::Null, "expires_at"),
        ("mode", "gift", Value::Null, "mode"),
    ] {
        let mut form = base.to_vec();
        form.retain(|(other, _)| *other != key);
        form.push((key, value));
        let (status, error) = account
            .refused(Method::POST, "/v1/checkout/sessions", &form)
            .await;
        assert_eq!(
            (status, &error["code"], &error["param"]),
            (400, &code, &json!(param)),
            "{error}"
        );
    }
    assert!(
        account.get("/v1/checkout/sessions", &[]).await["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_object_is_a_404_that_names_it() {
    let account = Account::open().await;
    for (path, message) in [
        ("/v1/customers/cus_x", "No such customer: 'cus_x'"),
        ("/v1/subscriptions/sub_x", "No such subscription: 'sub_x'"),
        ("/v1/checkout/sessions/cs_x", "No such checkout.session: 'cs_x'"),
        ("/v1/invoices/in_x", "No such invoice: 'in_x'"),
        ("/v1/prices/price_x", "No such price: 'price_x'"),
        ("/v1/events/evt_x", "No such event: 'evt_x'"),
        ("/v2/core/events/evt_x", "No such event: 'evt_x'"),
    ] {
        let (status, error) = account.refused(Method::GET, path, &[]).await;
        assert_eq!((status, &error["message"]), (404, &json!(message)));
        assert_eq!(error["code"], "resource_missing");
    }
    let (status, error) = account.refused(Method::GET, "/v1/nothing", &[]).await;
    assert_eq!((status, error["code"].is_null()), (404, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_answer_for_a_day() {
    let account = Account::open().await;
    let form = [("email", "ann@example.com")];
    let send = async |form, key| account.send(Method::POST, "/v1/customers", form, Some(key)).await;
    let first = send(&form, "k1").await;
    let request = first.headers()["request-id"].to_str().unwrap().to_owned();
    let first = first.text().await.unwrap();
    let again = send(&form, "k1").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.headers()["original-request"], request.as_str());
    assert_eq!(again.text().await.unwrap(), first);
    assert_eq!(account.sim.events().len(), 1);
    let other = send(&[("email", "bob@example.com")], "k1").await;
    assert_eq!(other.status(), 400);
    let error: Value = other.json().await.unwrap();
    assert_eq!(error["error"]["type"], "idempotency_error");
    let created = account.event("customer.created").await;
    assert_eq!(
        created["request"],
        json!({"id": request, "idempotency_key": "k1"})
    );
    account.sim.advance(TimeDelta::hours(25));
    assert_ne!(send(&form, "k1").await.text().await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_parameter_leaves_its_key_free_and_a_declined_card_does_not() {
    let account = Account::open().await;
    let customer = account.customer().await;
    let bad = account
        .send(Method::POST, "/v1/customers", &[("emial", "x")], Some("k1"))
        .await;
    assert_eq!(bad.status(), 400);
    let good = account
        .send(Method::POST, "/v1/customers", &[("email", "a@b.c")], Some("k1"))
        .await;
    assert_eq!(good.status(), 200);
    account.sim.card(&customer, Some(Card::Declines));
    let form = [
        ("customer", customer.as_str()),
        ("items[0][price]", PRICE_PRO),
        ("payment_behavior", "error_if_incomplete"),
    ];
    for replayed in [false, true] {
        let declined = account
            .send(Method::POST, "/v1/subscriptions", &form, Some("k2"))
            .await;
        assert_eq!(declined.status(), 402);
        assert_eq!(declined.headers().contains_key("idempotent-replayed"), replayed);
        account.sim.card(&customer, Some(Card::Pays));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_being_worked_on_is_refused() {
    let account = Account::open().await;
    account
        .sim
        .script(Fault::on("/v1/customers", Effect::Hang { millis: None }).times(1));
    let form = [("email", "ann@example.com")];
    let send = || account.send(Method::POST, "/v1/customers", &form, Some("k1"));
    let (first, ()) = tokio::join!(send(), async {
        account.sim.until_held(1).await;
        let second = send().await;
        assert_eq!(second.status(), 409);
        assert_eq!(second.headers()["stripe-should-retry"], "true");
        let error: Value = second.json().await.unwrap();
        assert_eq!(error["error"]["code"], "idempotency_key_in_use");
        account.sim.release();
    });
    assert_eq!(first.status(), 200);
    assert_eq!(send().await.headers()["idempotent-replayed"], "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_whether_to_try_again_and_may_come_after_the_work() {
    let account = Account::open().await;
    let send = || account.send(Method::POST, "/v1/customers", &[("email", "a@b.c")], Some("k1"));
    account.sim.fail(Failure {
        path: "/v1/customers".to_owned(),
        status: 429,
        should_retry: Some(true),
        ..Failure::default()
    });
    let limited = send().await;
    assert_eq!(
        (
            limited.status().as_u16(),
            limited.headers()["stripe-should-retry"].to_str().unwrap()
        ),
        (429, "true")
    );
    account.sim.fail(Failure {
        done: true,
        ..Failure::default()
    });
    let broken = send().await;
    assert_eq!(broken.status(), 500);
    assert!(!broken.headers().contains_key("stripe-should-retry"));
    let known = send().await;
    assert_eq!(known.headers()["idempotent-replayed"], "true");
    assert_eq!(account.sim.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_open_until_it_is_paid_expired_or_a_day_old() {
    let account = Account::open().await;
    let customer = account.customer().await;
    let open = account.session(&customer, PRICE_PRO, &[]).await;
    assert_eq!(open["status"], "open");
    assert!(text(&open, "url").starts_with(account.sim.url()));
    assert_eq!(open["amount_total"], 2_990);
    let path = format!("/v1/checkout/sessions/{}", text(&open, "id"));
    let expire = format!("{path}/expire");
    assert!(!account.sim.complete_checkout(&text(&open, "id"), Card::Declines));
    let expired = account.post(&expire, &[]).await;
    assert_eq!(
        (&expired["status"], &expired["url"]),
        (&json!("expired"), &Value::Null)
    );
    assert!(!account.sim.complete_checkout(&text(&open, "id"), Card::Pays));
    let second = text(&account.session(&customer, PRICE_PRO, &[]).await, "id");
    assert!(account.sim.complete_checkout(&second, Card::Pays));
    assert!(
        !account.sim.complete_checkout(&second, Card::Pays),
        "it is paid once"
    );
    let expire = format!("/v1/checkout/sessions/{second}/expire");
    assert_eq!(account.refused(Method::POST, &expire, &[]).await.0, 400);
    let third = text(&account.session(&customer, PRICE_PRO, &[]).await, "id");
    account.days(1);
    let third = account.get(&format!("/v1/checkout/sessions/{third}"), &[]).await;
    assert_eq!(third["status"], "expired");
    assert_eq!(
        account
            .kinds(0)
            .iter()
            .filter(|kind| *kind == "checkout.session.expired")
            .count(),
        2
    );
    let open = account
        .get("/v1/checkout/sessions", &[("status", "complete")])
        .await;
    assert_eq!(open["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_newest_first_in_pages_for_thirty_days() {
    let account = Account::open().await;
    for _ in 0..5 {
        account.customer().await;
        account.sim.advance(TimeDelta::seconds(10));
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let mut query = vec![
            ("limit", "2"),
            ("types[]", "customer.created"),
            ("types[]", "invoice.paid"),
        ];
        if let Some(after) = after.as_deref() {
            query.push(("starting_after", after));
        }
        let page = account.get("/v1/events", &query).await;
        let rows = page["data"].as_array().unwrap();
        seen.extend(rows.iter().map(|event| text(event, "id")));
        after = seen.last().cloned();
        if page["has_more"] == false {
            break;
        }
    }
    let mut made: Vec<String> = account.sim.events().into_iter().map(|(id, _)| id).collect();
    made.reverse();
    assert_eq!(seen, made);
    let back = account
        .get("/v1/events", &[("ending_before", &made[3]), ("limit", "2")])
        .await;
    let back: Vec<String> = back["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(event, "id"))
        .collect();
    assert_eq!(back, made[1..3]);
    let since = (seconds(START) + 30).to_string();
    let late = account.get("/v1/events", &[("created[gte]", &since)]).await;
    assert_eq!(late["data"].as_array().unwrap().len(), 2);
    for limit in ["0", "101"] {
        assert_eq!(
            account
                .refused(Method::GET, "/v1/events", &[("limit", limit)])
                .await
                .0,
            400
        );
    }
    account.days(31);
    assert!(
        account.get("/v1/events", &[]).await["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_listed_by_customer_and_status() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    account.subscribed(Card::Pays).await;
    let count = async |status: &[(&str, &str)]| {
        let mut query = vec![("customer", customer.as_str())];
        query.extend_from_slice(status);
        account.get("/v1/subscriptions", &query).await["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(&[]).await, 1);
    let (status, ended) = account
        .call(Method::DELETE, &format!("/v1/subscriptions/{id}"), &[])
        .await;
    assert_eq!((status, &ended["status"]), (200, &json!("canceled")));
    assert_eq!(
        count(&[]).await,
        0,
        "without a filter cancelled ones are left out"
    );
    assert_eq!(count(&[("status", "all")]).await, 1);
    assert_eq!(count(&[("status", "active")]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_found_by_address_and_by_metadata() {
    let account = Account::open().await;
    let form = [("email", "Ann@Example.com"), ("metadata[tenant_id]", "t-1")];
    let id = text(&account.post("/v1/customers", &form).await, "id");
    let listed = account
        .get("/v1/customers", &[("email", "Ann@Example.com")])
        .await;
    assert_eq!(listed["data"][0]["id"], id.as_str());
    let search = [("query", "email:'ann@example.com' AND metadata['tenant_id']:'t-1'")];
    assert_eq!(
        account.get("/v1/customers/search", &search).await["data"][0]["id"],
        id.as_str()
    );
    let path = format!("/v1/customers/{id}");
    let changed = account
        .post(&path, &[("metadata[tenant_id]", ""), ("metadata[b]", "2")])
        .await;
    assert_eq!(changed["metadata"], json!({"b": "2"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_given_back_once() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::Pays).await;
    let expand = [("expand[]", "latest_invoice.payments")];
    let subscription = account.get(&format!("/v1/subscriptions/{id}"), &expand).await;
    let intent = text(
        &subscription["latest_invoice"]["payments"]["data"][0]["payment"],
        "payment_intent",
    );
    let form = [("payment_intent", intent.as_str()), ("amount", "900")];
    assert_eq!(account.post("/v1/refunds", &form).await["amount"], 900);
    assert_eq!(account.refused(Method::POST, "/v1/refunds", &form).await.0, 400);
    assert_eq!(account.status(&id).await, "active", "a refund ends nothing");
}
