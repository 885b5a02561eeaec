//! A person can pay and manage the subscription in a browser; another process can do the same by controls.

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use simulators::stripe::{Card, PRICE_PRO, PRICE_STARTER};
use simulators::{Clock, Stripe, StripeConfig};

use super::account::{Account, Form, Inbox, START, text};
use crate::client::client;

/// A browser that shows where it is sent.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate may not use the product's client builder"
)]
fn browser() -> Client {
    drop(client());
    Client::builder().redirect(Policy::none()).build().unwrap()
}

struct Page {
    status: u16,
    location: String,
    html: String,
}

async fn submit(url: &str, form: Form<'_>) -> Page {
    page(browser().post(url).form(form)).await
}

async fn open(url: &str) -> Page {
    page(browser().get(url)).await
}

async fn page(request: reqwest::RequestBuilder) -> Page {
    let response = request.send().await.unwrap();
    let location = response.headers().get("location");
    Page {
        status: response.status().as_u16(),
        location: location.map_or_else(String::new, |value| value.to_str().unwrap().to_owned()),
        html: response.text().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_pays_on_the_page_and_is_sent_back() {
    let account = Account::open().await;
    let customer = account.customer().await;
    let session = account.session(&customer, PRICE_PRO, &[]).await;
    let (id, url) = (text(&session, "id"), text(&session, "url"));
    let shown = open(&url).await;
    for part in [
        "Pro",
        "$29.90",
        "ann@example.com",
        "href=\"https://app.example/no\"",
    ] {
        assert!(shown.html.contains(part), "{part}: {}", shown.html);
    }
    let pay = async |card, more: Form<'_>| {
        let mut form = vec![("email", "ann@example.com"), ("card", card)];
        form.extend_from_slice(more);
        submit(&url, &form).await
    };
    let declined = pay("declines", &[]).await;
    assert_eq!(declined.status, 200);
    assert!(declined.html.contains("declined"));
    let asked = pay("needs_action", &[]).await;
    assert!(asked.html.contains("Confirm") && asked.html.contains("$29.90"));
    assert!(
        pay("needs_action", &[("confirm", "no")])
            .await
            .html
            .contains("not confirmed")
    );
    let paid = pay("needs_action", &[("confirm", "yes")]).await;
    assert_eq!(paid.status, 303);
    assert_eq!(paid.location, format!("https://app.example/ok?session_id={id}"));
    assert!(open(&url).await.html.contains("is paid"));
    assert_eq!(
        account.event("checkout.session.completed").await["data"]["object"]["id"],
        id.as_str()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_shows_that_nothing_is_due_today() {
    let account = Account::open().await;
    let customer = account.customer().await;
    let trial = [("subscription_data[trial_period_days]", "14")];
    let session = account.session(&customer, PRICE_STARTER, &trial).await;
    let shown = open(&text(&session, "url")).await;
    assert!(
        shown
            .html
            .contains("Free until 15 November 2026, then $9.90 a month"),
        "{}",
        shown.html
    );
    assert!(shown.html.contains("<b id=\"today\">$0.00</b>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_changes_cancels_and_resumes() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    account.days(15);
    let form = [
        ("customer", customer.as_str()),
        ("return_url", "https://app.example/billing"),
    ];
    let url = text(&account.post("/v1/billing_portal/sessions", &form).await, "url");
    let shown = open(&url).await;
    for part in [
        "Starter ($9.90 a month)",
        "Change to Pro",
        "href=\"https://app.example/billing\"",
    ] {
        assert!(shown.html.contains(part), "{part}: {}", shown.html);
    }
    let preview = open(&format!("{url}?price={PRICE_PRO}")).await;
    assert!(
        preview.html.contains("<b id=\"due\">$10.00</b>"),
        "{}",
        preview.html
    );
    let act = async |action: &str, more: Form<'_>| {
        let mut form = vec![("subscription", id.as_str())];
        form.extend_from_slice(more);
        submit(&format!("{url}/{action}"), &form).await
    };
    act("card", &[("card", "declines")]).await;
    let refused = act("plan", &[("price", PRICE_PRO)]).await;
    assert!(
        refused.html.contains("Your card was declined."),
        "{}",
        refused.html
    );
    act("card", &[("card", "pays")]).await;
    assert_eq!(act("plan", &[("price", PRICE_PRO)]).await.status, 303);
    let changed = account.subscription(&id).await;
    assert_eq!(changed["items"]["data"][0]["price"]["id"], PRICE_PRO);
    act("end", &[]).await;
    assert_eq!(account.subscription(&id).await["cancel_at_period_end"], true);
    act("resume", &[]).await;
    assert!(account.subscription(&id).await["cancel_at"].is_null());
    act("cancel", &[]).await;
    assert_eq!(account.status(&id).await, "canceled");
    let (_, other) = account.subscribed(Card::Pays).await;
    submit(&format!("{url}/cancel"), &[("subscription", &other)]).await;
    assert_eq!(
        account.status(&other).await,
        "active",
        "a portal is one customer's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_opened_for_one_change_shows_its_price_and_leads_back() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    let item = text(&account.subscription(&id).await["items"]["data"][0], "id");
    let flow = "flow_data[subscription_update_confirm]";
    let [subscription, item_id, price] =
        ["[subscription]", "[items][0][id]", "[items][0][price]"].map(|part| format!("{flow}{part}"));
    let form = [
        ("customer", customer.as_str()),
        ("flow_data[type]", "subscription_update_confirm"),
        (&subscription, &id),
        (&item_id, &item),
        (&price, PRICE_PRO),
        ("flow_data[after_completion][type]", "redirect"),
        (
            "flow_data[after_completion][redirect][return_url]",
            "https://app.example/done",
        ),
    ];
    let portal = account.post("/v1/billing_portal/sessions", &form).await;
    assert_eq!(portal["flow"]["type"], "subscription_update_confirm");
    let url = text(&portal, "url");
    assert!(open(&url).await.html.contains("<b id=\"due\">$20.00</b>"));
    let changed = submit(
        &format!("{url}/plan"),
        &[("subscription", &id), ("price", PRICE_PRO)],
    )
    .await;
    assert_eq!(changed.location, "https://app.example/done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_may_set_the_end_without_the_periods_flag() {
    let account = Account::with(|config| config.settings.portal_sets_cancel_at_only = true).await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    let form = [("customer", customer.as_str())];
    let url = text(&account.post("/v1/billing_portal/sessions", &form).await, "url");
    submit(&format!("{url}/end"), &[("subscription", &id)]).await;
    let subscription = account.subscription(&id).await;
    assert_eq!(subscription["cancel_at_period_end"], false);
    assert_eq!(
        subscription["cancel_at"],
        subscription["items"]["data"][0]["current_period_end"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_wrote_is_shown_as_text() {
    let account = Account::open().await;
    account
        .post(
            "/v1/customers",
            &[("email", "<script>alert(1)</script>@example.com")],
        )
        .await;
    let shown = open(account.sim.url()).await;
    assert_eq!(shown.status, 200);
    assert!(!shown.html.contains("<script>"));
    assert!(!shown.html.contains("src=\"http") && !shown.html.contains("url(http"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_has_the_same_switches() {
    let (account, inbox) = (Account::open().await, Inbox::open().await);
    let call = async |method: Method, path: &str, body: Value| {
        let url = format!("{}/_sim/{path}", account.sim.url());
        let answer = account
            .http
            .request(method, url)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json::<Value>().await.unwrap_or(Value::Null)
    };
    let endpoint = json!({"urls": [inbox.url], "version": "2020-03-02", "secrets": ["whsec_x"]});
    assert_eq!(call(Method::POST, "endpoints", endpoint).await["endpoint"], 0);
    call(
        Method::POST,
        "deliveries",
        json!({"hold": true, "concurrency": 2}),
    )
    .await;
    let customer = account.customer().await;
    let session = text(&account.session(&customer, PRICE_PRO, &[]).await, "id");
    call(
        Method::POST,
        &format!("checkout/{session}/complete"),
        json!({"card": "pays"}),
    )
    .await;
    let card = json!({"behaviour": "declines"});
    call(Method::POST, &format!("customers/{customer}/card"), card).await;
    let settings = json!({"retryDays": [1], "afterRetries": "mark_unpaid"});
    call(Method::POST, "settings", settings).await;
    let now = call(Method::POST, "clock", json!({"to": "2026-12-03T00:00:00Z"})).await;
    assert_eq!(now["now"], "2026-12-03T00:00:00Z");
    let list = account
        .get("/v1/subscriptions", &[("customer", customer.as_str())])
        .await;
    assert_eq!(list["data"][0]["status"], "unpaid");
    let held = call(Method::GET, "deliveries", Value::Null).await["held"].clone();
    let release = json!({"order": "reversed"});
    assert_eq!(
        call(Method::POST, "deliveries/release", release).await["deliveries"],
        held
    );
    account.sim.until_quiet().await;
    let all = call(Method::GET, "deliveries", Value::Null).await;
    assert_eq!(all["quiet"], true);
    assert!(
        all["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["attempts"][0]["status"] == 200)
    );
    assert_eq!(inbox.letters()[0].json()["api_version"], "2020-03-02");
    call(Method::POST, "fail", json!({"status": 503, "shouldRetry": false})).await;
    let failed = account.send(Method::GET, "/v1/prices", &[], None).await;
    assert_eq!(
        (
            failed.status().as_u16(),
            failed.headers()["stripe-should-retry"].to_str().unwrap()
        ),
        (503, "false")
    );
    call(Method::POST, "foreign/subscription", json!({})).await;
    call(Method::POST, "foreign/invoice", json!({})).await;
    call(Method::POST, "signing", json!({"time": "real"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = || StripeConfig {
        clock: Clock::manual(START.parse().unwrap()),
        data_dir: Some(folder.path().to_owned()),
        ..StripeConfig::default()
    };
    let account = Account {
        sim: Stripe::start(config()).await.unwrap(),
        http: client(),
    };
    let (_, id) = account.subscribed(Card::Pays).await;
    account.days(40);
    let before = account.subscription(&id).await;
    account.sim.stop().await;
    let account = Account {
        sim: Stripe::start(config()).await.unwrap(),
        http: client(),
    };
    assert_eq!(account.subscription(&id).await, before);
    assert_eq!(
        account.sim.now(),
        START.parse::<chrono::DateTime<chrono::Utc>>().unwrap() + chrono::TimeDelta::days(40)
    );
}
