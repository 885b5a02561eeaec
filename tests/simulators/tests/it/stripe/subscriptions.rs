//! Subscriptions go through the states that Stripe documents, with its events.

use chrono::TimeDelta;
use reqwest::Method;
use simulators::stripe::{AfterRetries, Card, PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, Settings};

use super::account::{Account, START, seconds, text};

const HOUR: i64 = 3_600;

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_checkout_makes_an_active_subscription() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    let subscription = account.subscription(&id).await;
    assert_eq!(subscription["status"], "active");
    assert_eq!(subscription["customer"], customer.as_str());
    assert_eq!(subscription["metadata"]["tenant_id"], "tenant-1");
    let item = &subscription["items"]["data"][0];
    assert_eq!(item["price"]["id"], PRICE_STARTER);
    assert_eq!(item["current_period_end"], seconds("2026-12-01T09:00:00Z"));
    assert!(subscription.get("current_period_end").is_none());
    let invoice = text(&subscription, "latest_invoice");
    let invoice = account.get(&format!("/v1/invoices/{invoice}"), &[]).await;
    assert_eq!(invoice["amount_paid"], 990);
    assert_eq!(
        invoice["parent"]["subscription_details"]["subscription"],
        id.as_str()
    );
    assert_eq!(
        account.kinds(0),
        [
            "customer.created",
            "payment_method.attached",
            "customer.updated",
            "customer.subscription.created",
            "invoice.created",
            "invoice.finalized",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid",
            "customer.subscription.updated",
            "checkout.session.completed",
        ]
    );
    let updated = account.event("customer.subscription.updated").await;
    assert_eq!(
        updated["data"]["previous_attributes"],
        serde_json::json!({"status": "incomplete"})
    );
    let session = account.event("checkout.session.completed").await;
    assert_eq!(session["data"]["object"]["payment_status"], "paid");
    assert_eq!(session["data"]["object"]["client_reference_id"], "tenant-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_reminded_of_three_days_before_and_then_paid() {
    let account = Account::open().await;
    let trial = [("subscription_data[trial_period_days]", "14")];
    let (_, id) = account.subscribed_with(Card::Pays, &trial).await;
    let subscription = account.subscription(&id).await;
    assert_eq!(subscription["status"], "trialing");
    assert_eq!(subscription["trial_end"], seconds("2026-11-15T09:00:00Z"));
    let session = account.event("checkout.session.completed").await;
    assert_eq!(session["data"]["object"]["payment_status"], "no_payment_required");
    let before = account.sim.events().len();
    account.days(11);
    let kinds = account.kinds(before);
    assert_eq!(
        kinds,
        ["invoice.upcoming", "customer.subscription.trial_will_end"]
    );
    let upcoming = account.event("invoice.upcoming").await;
    assert!(upcoming["data"]["object"].get("id").is_none());
    assert_eq!(upcoming["data"]["object"]["amount_due"], 990);
    account.days(3);
    assert_eq!(account.status(&id).await, "active");
    account.sim.advance(TimeDelta::seconds(HOUR));
    let paid = account.event("invoice.paid").await;
    assert_eq!(paid["data"]["object"]["billing_reason"], "subscription_cycle");
    assert_eq!(paid["data"]["object"]["amount_paid"], 990);
    let item = &account.subscription(&id).await["items"]["data"][0];
    assert_eq!(item["current_period_end"], seconds("2026-12-15T09:00:00Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_shorter_than_three_days_is_reminded_of_at_once() {
    let account = Account::open().await;
    let trial = [("subscription_data[trial_period_days]", "2")];
    account.subscribed_with(Card::Pays, &trial).await;
    account.event("customer.subscription.trial_will_end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_can_be_ended_early_and_is_paid_then() {
    let account = Account::open().await;
    let trial = [("subscription_data[trial_period_days]", "14")];
    let (_, id) = account.subscribed_with(Card::Pays, &trial).await;
    account.days(1);
    let now = account.sim.now().timestamp();
    let path = format!("/v1/subscriptions/{id}");
    let active = account.post(&path, &[("trial_end", "now")]).await;
    assert_eq!(
        (&active["status"], &active["trial_end"]),
        (&"active".into(), &now.into())
    );
    assert_eq!(active["items"]["data"][0]["current_period_start"], now);
    assert_eq!(
        account.event("invoice.paid").await["data"]["object"]["amount_paid"],
        990
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_without_a_card_ends_as_its_settings_say() {
    for (behaviour, status, kind) in [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.paused"),
        ("create_invoice", "past_due", "invoice.payment_failed"),
    ] {
        let account = Account::open().await;
        let trial = [
            ("subscription_data[trial_period_days]", "14"),
            ("payment_method_collection", "if_required"),
            (
                "subscription_data[trial_settings][end_behavior][missing_payment_method]",
                behaviour,
            ),
        ];
        let (customer, id) = account.subscribed_with(Card::Pays, &trial).await;
        account.sim.card(&customer, None);
        account
            .sim
            .advance(TimeDelta::days(14) + TimeDelta::seconds(HOUR));
        assert_eq!(account.status(&id).await, status);
        account.event(kind).await;
        if status == "paused" {
            account.sim.card(&customer, Some(Card::Pays));
            let resumed = account.post(&format!("/v1/subscriptions/{id}/resume"), &[]).await;
            assert_eq!(resumed["status"], "active");
            account.event("customer.subscription.resumed").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_renewal_is_tried_again_after_3_5_and_7_days_and_then_ends() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::PaysThenDeclines).await;
    account
        .sim
        .advance(TimeDelta::days(30) + TimeDelta::seconds(HOUR));
    assert_eq!(account.status(&id).await, "past_due");
    let next = async || {
        let failed = account.event("invoice.payment_failed").await["data"]["object"].clone();
        (
            failed["attempt_count"].clone(),
            failed["next_payment_attempt"].as_i64(),
        )
    };
    let mut due = seconds("2026-12-01T10:00:00Z");
    for (attempt, days) in [(1, 3), (2, 5), (3, 7)] {
        due += days * 86_400;
        assert_eq!(next().await, (attempt.into(), Some(due)));
        account.days(days);
    }
    assert_eq!(next().await, (4.into(), None));
    let ended = account.subscription(&id).await;
    assert_eq!(ended["status"], "canceled");
    assert_eq!(ended["cancellation_details"]["reason"], "payment_failed");
    let customer = account.get(&format!("/v1/customers/{customer}"), &[]).await;
    assert_eq!(customer["delinquent"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_subscription_is_active_again_when_its_newest_invoice_is_paid() {
    let settings = Settings {
        after_retries: AfterRetries::MarkUnpaid,
        ..Settings::default()
    };
    let account = Account::with(|config| config.settings = settings).await;
    let (customer, id) = account.subscribed(Card::PaysThenDeclines).await;
    account.days(46);
    assert_eq!(account.status(&id).await, "unpaid");
    let invoice = text(&account.subscription(&id).await, "latest_invoice");
    let pay = format!("/v1/invoices/{invoice}/pay");
    let (status, error) = account.refused(Method::POST, &pay, &[]).await;
    assert_eq!((status, &error["code"]), (402, &"card_declined".into()));
    account.sim.card(&customer, Some(Card::Pays));
    assert_eq!(account.post(&pay, &[]).await["status"], "paid");
    assert_eq!(account.status(&id).await, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_needs_confirmation_says_so_at_the_renewal() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::NeedsAction).await;
    assert_eq!(account.status(&id).await, "active");
    account.days(31);
    account.event("invoice.payment_action_required").await;
    assert_eq!(account.status(&id).await, "past_due");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_invoice_can_be_paid_for_23_hours() {
    let account = Account::open().await;
    let customer = account.customer().await;
    account.sim.card(&customer, Some(Card::Declines));
    let form = [("customer", customer.as_str()), ("items[0][price]", PRICE_PRO)];
    let mut made = Vec::new();
    for _ in 0..2 {
        let subscription = account.post("/v1/subscriptions", &form).await;
        assert_eq!(subscription["status"], "incomplete");
        made.push(subscription);
    }
    account.sim.card(&customer, Some(Card::Pays));
    account.sim.advance(TimeDelta::hours(22));
    let invoice = text(&made[0], "latest_invoice");
    account.post(&format!("/v1/invoices/{invoice}/pay"), &[]).await;
    account.sim.advance(TimeDelta::hours(1));
    assert_eq!(account.status(&text(&made[0], "id")).await, "active");
    assert_eq!(account.status(&text(&made[1], "id")).await, "incomplete_expired");
    account.event("invoice.voided").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_in_the_middle_costs_what_its_preview_says() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::Pays).await;
    account.days(15);
    let item = text(&account.subscription(&id).await["items"]["data"][0], "id");
    let preview = account
        .post(
            "/v1/invoices/create_preview",
            &[
                ("subscription", &id),
                ("subscription_details[items][0][id]", &item),
                ("subscription_details[items][0][price]", PRICE_PRO),
                ("subscription_details[proration_behavior]", "always_invoice"),
            ],
        )
        .await;
    let lines = preview["lines"]["data"].as_array().unwrap();
    let amounts: Vec<i64> = lines
        .iter()
        .map(|line| line["amount"].as_i64().unwrap())
        .collect();
    assert_eq!(amounts, [-495, 1_495]);
    assert_eq!(preview["amount_due"], 1_000);
    assert!(text(&preview, "id").starts_with("upcoming_in_"));
    assert_eq!(
        account.subscription(&id).await["items"]["data"][0]["price"]["id"],
        PRICE_STARTER
    );
    let path = format!("/v1/subscriptions/{id}");
    let changed = account
        .post(
            &path,
            &[
                ("items[0][id]", &item),
                ("items[0][price]", PRICE_PRO),
                ("proration_behavior", "always_invoice"),
            ],
        )
        .await;
    assert_eq!(changed["items"]["data"][0]["price"]["id"], PRICE_PRO);
    let paid = account.event("invoice.paid").await["data"]["object"].clone();
    assert_eq!(paid["billing_reason"], "subscription_update");
    assert_eq!(paid["amount_paid"], 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_gives_credit_to_the_next_invoice() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::Pays).await;
    let path = format!("/v1/subscriptions/{id}");
    let item = text(&account.subscription(&id).await["items"]["data"][0], "id");
    let to = |price| {
        [
            ("items[0][id]", item.clone()),
            ("items[0][price]", String::from(price)),
        ]
    };
    let up: Vec<(&str, String)> = to(PRICE_ENTERPRISE).into();
    let up: Vec<(&str, &str)> = up.iter().map(|(key, value)| (*key, value.as_str())).collect();
    account.post(&path, &up).await;
    account.days(15);
    let down: Vec<(&str, String)> = to(PRICE_STARTER).into();
    let down: Vec<(&str, &str)> = down.iter().map(|(key, value)| (*key, value.as_str())).collect();
    account.post(&path, &down).await;
    account
        .sim
        .advance(TimeDelta::days(15) + TimeDelta::seconds(HOUR));
    let paid = account.event("invoice.paid").await["data"]["object"].clone();
    // -990 + 9990 at the start, -4995 + 495 in the middle, and the new month.
    assert_eq!(paid["total"], 9_000 - 4_500 + 990);
    assert_eq!(paid["lines"]["data"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_at_the_periods_end_can_be_taken_back_until_then() {
    let account = Account::open().await;
    let (_, id) = account.subscribed(Card::Pays).await;
    let path = format!("/v1/subscriptions/{id}");
    let end = seconds("2026-12-01T09:00:00Z");
    let cancelled = account.post(&path, &[("cancel_at_period_end", "true")]).await;
    assert_eq!(cancelled["cancel_at"], end);
    assert_eq!(cancelled["canceled_at"], seconds(START));
    let kept = account.post(&path, &[("cancel_at_period_end", "false")]).await;
    assert!(kept["cancel_at"].is_null() && kept["canceled_at"].is_null());
    account.post(&path, &[("cancel_at_period_end", "true")]).await;
    account.days(30);
    let ended = account.subscription(&id).await;
    assert_eq!(ended["status"], "canceled");
    assert_eq!(ended["ended_at"], end);
    let (status, _) = account.refused(Method::DELETE, &path, &[]).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_paid_is_refused_waits_or_leaves_a_debt() {
    for (behaviour, status, price) in [
        ("pending_if_incomplete", "active", PRICE_STARTER),
        ("allow_incomplete", "past_due", PRICE_PRO),
    ] {
        let account = Account::open().await;
        let (_, id) = account.subscribed(Card::PaysThenDeclines).await;
        let item = text(&account.subscription(&id).await["items"]["data"][0], "id");
        let path = format!("/v1/subscriptions/{id}");
        let change = |behaviour| {
            [
                ("items[0][id]", item.as_str()),
                ("items[0][price]", PRICE_PRO),
                ("proration_behavior", "always_invoice"),
                ("payment_behavior", behaviour),
            ]
        };
        let (refused, error) = account
            .refused(Method::POST, &path, &change("error_if_incomplete"))
            .await;
        assert_eq!((refused, &error["type"]), (402, &"card_error".into()));
        let changed = account.post(&path, &change(behaviour)).await;
        assert_eq!(changed["status"], status, "{behaviour}");
        assert_eq!(changed["items"]["data"][0]["price"]["id"], price);
        assert_eq!(changed["pending_update"].is_object(), status == "active");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_customer_ends_the_subscription() {
    let account = Account::open().await;
    let (customer, id) = account.subscribed(Card::Pays).await;
    let path = format!("/v1/customers/{customer}");
    let (status, deleted) = account.call(Method::DELETE, &path, &[]).await;
    assert_eq!((status, &deleted["deleted"]), (200, &true.into()));
    assert_eq!(account.status(&id).await, "canceled");
    account.event("customer.deleted").await;
    assert_eq!(account.get(&path, &[]).await["deleted"], true);
}
