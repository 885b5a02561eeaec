//! What Stripe delivers, one event of each kind in each version, and what is read of it.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use connectors::stripe::{
    Concern, CustomerId, Event, EventError, Foreign, Form, InvoiceId, Kind, Metadata, ObjectError, SessionId,
    SessionStatus, Status, Subject, SubscriptionId, subject,
};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};

/// From the oldest that an account may still have to the newest that is known.
const VERSIONS: [&str; 5] = [
    "2020-03-02",
    "2025-05-28.basil",
    "2025-11-17.clover",
    "2026-09-30.endive",
    "2026-10-28.endive",
];

const TENANT: &str = "0198f3a2-7c11-7e00-8a00-00000000aa01";
const USER: &str = "0198f3a2-7c11-7e00-8a00-00000000bb02";

fn data(folder: &str, kind: Kind) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/stripe/events", folder]
        .iter()
        .collect();
    std::fs::read(path.join(format!("{}.json", kind.as_str()))).unwrap()
}

fn event(folder: &str, kind: Kind) -> Event {
    Event::parse(&data(folder, kind)).unwrap()
}

/// The event with its object changed.
fn changed(version: &str, kind: Kind, change: impl FnOnce(&mut Value)) -> Event {
    let mut event: Value = serde_json::from_slice(&data(version, kind)).unwrap();
    change(&mut event["data"]["object"]);
    Event::parse(event.to_string().as_bytes()).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn concern(event: &Event) -> Concern {
    match subject(event) {
        Subject::Concerns(concern) => concern,
        other => panic!("{event:?}: {other:?}"),
    }
}

/// Subscription, customer, session and invoice as text.
fn named(concern: &Concern) -> [Option<&str>; 4] {
    [
        concern.subscription.as_ref().map(SubscriptionId::as_str),
        concern.customer.as_ref().map(CustomerId::as_str),
        concern.session.as_ref().map(SessionId::as_str),
        concern.invoice.as_ref().map(InvoiceId::as_str),
    ]
}

#[test]
fn every_kind_in_every_version_names_what_it_concerns() {
    let (subscription, customer) = (Some("sub_1TracK3rPlanPro"), Some("cus_Trackerpayer1"));
    let (session, invoice) = (Some("cs_test_a1TrackerSession"), Some("in_1TrackerInvoice"));
    let ours = Metadata {
        tenant_id: Some(TENANT.to_owned()),
        user_id: Some(USER.to_owned()),
    };
    for version in VERSIONS {
        for kind in Kind::ALL.iter().copied() {
            let event = event(version, kind);
            assert_eq!(event.form, Form::Snapshot);
            assert_eq!(event.api_version.as_deref(), Some(version));
            assert_eq!(event.livemode, Some(false));
            let concern = concern(&event);
            assert_eq!(concern.kind, kind);
            let expected = match kind {
                Kind::CheckoutCompleted => [subscription, customer, session, None],
                Kind::CheckoutExpired => [None, customer, session, None],
                Kind::InvoiceUpcoming => [subscription, customer, None, None],
                Kind::InvoicePaid
                | Kind::InvoicePaymentFailed
                | Kind::InvoicePaymentActionRequired
                | Kind::InvoiceFinalized => [subscription, customer, None, invoice],
                Kind::CustomerDeleted => [None, customer, None, None],
                _ => [subscription, customer, None, None],
            };
            assert_eq!(named(&concern), expected, "{version} {kind:?}");
            // A deleted customer may come as its id alone; invoices of 2020 do not repeat the metadata.
            let bare = (version == "2025-05-28.basil" && kind == Kind::CustomerDeleted)
                || (version == "2020-03-02" && kind.as_str().starts_with("invoice."));
            if !bare {
                assert_eq!(concern.metadata, ours, "{version} {kind:?}");
            }
        }
    }
}

#[test]
fn a_thin_event_names_the_same_objects_and_its_snapshot() {
    for kind in Kind::ALL.iter().copied() {
        let thin = event("thin", kind);
        assert_eq!(thin.form, Form::Thin);
        assert_eq!(thin.kind, kind.as_str(), "without v1.");
        assert!(thin.snapshot_event.is_some() && thin.created.is_some());
        assert_eq!(thin.subscription(), Err(ObjectError::Absent));
        let concern = concern(&thin);
        assert_eq!(concern.kind, kind);
        let object = match kind {
            Kind::CheckoutCompleted | Kind::CheckoutExpired => {
                concern.session.as_ref().map(SessionId::as_str)
            }
            Kind::CustomerDeleted => concern.customer.as_ref().map(CustomerId::as_str),
            Kind::InvoiceUpcoming => concern.subscription.as_ref().map(SubscriptionId::as_str),
            kind if kind.as_str().starts_with("invoice.") => concern.invoice.as_ref().map(InvoiceId::as_str),
            _ => concern.subscription.as_ref().map(SubscriptionId::as_str),
        };
        let snapshot = self::concern(&event("2026-09-30.endive", kind));
        let whole = named(&snapshot);
        assert!(
            whole.contains(&object) && object.is_some(),
            "{kind:?}: {object:?}"
        );
    }
}

#[test]
fn a_subscription_says_the_same_in_every_version() {
    for version in VERSIONS {
        let read = |kind| event(version, kind).subscription().unwrap();
        let created = read(Kind::SubscriptionCreated);
        assert_eq!(created.status, Some(Status::Active));
        assert_eq!(
            created.period_end(),
            Some(at("2026-12-01T00:00:00Z")),
            "{version}"
        );
        assert_eq!(created.ends_at(), None);
        assert_eq!(created.price().unwrap().as_str(), "price_TrackerPro");
        assert_eq!(created.latest_invoice.unwrap().as_str(), "in_1TrackerInvoice");
        let ending = read(Kind::SubscriptionUpdated);
        assert_eq!(ending.ends_at(), Some(at("2026-12-01T00:00:00Z")), "{version}");
        let trial = read(Kind::TrialWillEnd);
        assert_eq!(trial.status, Some(Status::Trialing));
        assert_eq!(trial.trial_end, Some(at("2026-12-01T00:00:00Z")));
        assert_eq!(read(Kind::SubscriptionPaused).status, Some(Status::Paused));
        let ended = read(Kind::SubscriptionDeleted);
        assert!(ended.status.unwrap().is_final() && ended.ended_at.is_some());
    }
}

#[test]
fn an_invoice_says_the_same_in_every_version() {
    for version in VERSIONS {
        let failed = event(version, Kind::InvoicePaymentFailed).invoice().unwrap();
        assert_eq!(failed.subscription().unwrap().as_str(), "sub_1TracK3rPlanPro");
        assert_eq!(
            (failed.amount_due, failed.amount_remaining),
            (Some(2990), Some(2990))
        );
        assert_eq!(failed.attempt_count, Some(1));
        assert_eq!(failed.next_payment_attempt, Some(at("2026-12-04T00:00:00Z")));
        let [line] = failed.lines.as_slice() else {
            panic!("{version}: one line expected");
        };
        assert_eq!(line.price().unwrap().as_str(), "price_TrackerPro", "{version}");
        assert_eq!(line.subscription().unwrap().as_str(), "sub_1TracK3rPlanPro");
        assert!(!line.is_proration());
        let upcoming = event(version, Kind::InvoiceUpcoming).invoice().unwrap();
        assert_eq!(upcoming.id, None);
        assert_eq!(upcoming.subscription(), failed.subscription());
    }
}

#[test]
fn a_checkout_session_says_what_its_version_knows() {
    for version in VERSIONS {
        let done = event(version, Kind::CheckoutCompleted)
            .checkout_session()
            .unwrap();
        assert_eq!(done.mode.as_deref(), Some("subscription"));
        assert_eq!(done.client_reference_id.as_deref(), Some(TENANT));
        let status = (version != "2020-03-02").then_some(SessionStatus::Complete);
        assert_eq!(done.status, status, "{version}");
    }
}

#[test]
fn a_customer_that_was_deleted_is_one_with_an_id() {
    for version in VERSIONS {
        let customer = event(version, Kind::CustomerDeleted).customer().unwrap();
        assert_eq!(customer.id.as_str(), "cus_Trackerpayer1");
        assert_eq!(customer.deleted, version == "2025-05-28.basil");
    }
}

#[test]
fn a_reference_may_be_the_whole_object() {
    let event = changed("2026-09-30.endive", Kind::SubscriptionUpdated, |object| {
        object["customer"] =
            json!({"id": "cus_Whole", "object": "customer", "email": "canary.payer@example.com"});
        object["latest_invoice"] = json!({"id": "in_Whole", "object": "invoice"});
    });
    let subscription = event.subscription().unwrap();
    assert_eq!(subscription.customer.unwrap().as_str(), "cus_Whole");
    assert_eq!(subscription.latest_invoice.unwrap().as_str(), "in_Whole");
    assert_eq!(concern(&event).customer.unwrap().as_str(), "cus_Whole");
}

#[test]
fn a_word_that_is_not_known_is_kept_and_is_not_the_end() {
    let event = changed("2026-10-28.endive", Kind::SubscriptionUpdated, |object| {
        object["status"] = json!("hibernating");
    });
    let status = event.subscription().unwrap().status.unwrap();
    assert_eq!(status, Status::Other("hibernating".to_owned()));
    assert_eq!(status.as_str(), "hibernating");
    assert!(!status.is_final());
}

#[test]
fn the_latest_of_several_periods_counts() {
    let event = changed("2026-10-28.endive", Kind::SubscriptionCreated, |object| {
        let mut more = object["items"]["data"][0].clone();
        more["id"] = json!("si_More");
        more["current_period_end"] = json!(1_798_761_600);
        object["items"]["data"].as_array_mut().unwrap().push(more);
    });
    let subscription = event.subscription().unwrap();
    assert_eq!(subscription.period_end(), Some(at("2027-01-01T00:00:00Z")));
    assert_eq!(subscription.price(), None, "which of two is not known");
}

#[test]
fn a_field_written_otherwise_is_named_and_the_ids_are_still_there() {
    let event = changed("2026-10-28.endive", Kind::SubscriptionUpdated, |object| {
        object["cancel_at"] = json!({"timestamp": 1_796_083_200, "zone": "canary"});
        object["items"] = json!("later");
    });
    let error = event.subscription().unwrap_err().to_string();
    assert!(
        error.contains("data.object.cancel_at") || error.contains("data.object.items"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
    let concern = concern(&event);
    assert_eq!(concern.subscription.unwrap().as_str(), "sub_1TracK3rPlanPro");
    assert_eq!(concern.customer.unwrap().as_str(), "cus_Trackerpayer1");
    assert_eq!(concern.metadata.tenant_id.as_deref(), Some(TENANT));
}

#[test]
fn an_invoice_names_its_subscription_in_a_line_alone() {
    let event = changed("2026-09-30.endive", Kind::InvoicePaid, |object| {
        object["parent"] = Value::Null;
    });
    assert_eq!(
        concern(&event).subscription.unwrap().as_str(),
        "sub_1TracK3rPlanPro"
    );
    let event = changed("2020-03-02", Kind::InvoicePaid, |object| {
        object["subscription"] = Value::Null;
    });
    assert_eq!(
        concern(&event).subscription.unwrap().as_str(),
        "sub_1TracK3rPlanPro"
    );
}

#[test]
fn an_invoice_whose_subscription_stands_elsewhere_can_still_be_asked_for() {
    let event = changed("2026-10-28.endive", Kind::InvoicePaid, |object| {
        object["parent"] = json!({"subscription_details": "elsewhere"});
        object["lines"] = json!("elsewhere");
    });
    let concern = concern(&event);
    assert_eq!(concern.subscription, None);
    assert_eq!(concern.invoice.unwrap().as_str(), "in_1TrackerInvoice");
    assert_eq!(concern.customer.unwrap().as_str(), "cus_Trackerpayer1");
}

#[test]
fn an_object_is_not_read_as_another_one() {
    let invoice = event("2026-09-30.endive", Kind::InvoicePaid);
    let error = invoice.subscription().unwrap_err();
    assert_eq!(
        error,
        ObjectError::Other {
            expected: "subscription"
        }
    );
    assert!(invoice.invoice().is_ok() && invoice.checkout_session().is_err() && invoice.customer().is_err());
}

#[test]
fn what_is_certainly_not_ours_is_said() {
    for version in VERSIONS {
        let invoice = changed(version, Kind::InvoicePaid, |object| {
            for field in ["parent", "subscription"] {
                object[field] = Value::Null;
            }
            object["lines"]["data"] = json!([]);
            object["billing_reason"] = json!("manual");
        });
        assert_eq!(
            subject(&invoice),
            Subject::NotOurs(Foreign::OtherInvoice),
            "{version}"
        );
        let checkout = changed(version, Kind::CheckoutCompleted, |object| {
            object["mode"] = json!("payment");
            object["customer"] = Value::Null;
        });
        assert_eq!(
            subject(&checkout),
            Subject::NotOurs(Foreign::OtherCheckout),
            "{version}"
        );
    }
    let mut connected: Value = serde_json::from_slice(&data("2026-09-30.endive", Kind::InvoicePaid)).unwrap();
    connected["account"] = json!("acct_Other");
    let connected = Event::parse(connected.to_string().as_bytes()).unwrap();
    assert_eq!(subject(&connected), Subject::NotOurs(Foreign::OtherAccount));
}

#[test]
fn a_kind_that_is_not_known_is_read_and_passed_over() {
    for kind in [
        "customer.subscription.hibernated",
        "v1.invoice.burnt",
        "radar.x",
        "v2.core.account[x].y",
    ] {
        let body = json!({"id": "evt_1", "type": kind, "data": {"object": {"id": "sub_1"}}});
        let event = Event::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(subject(&event), Subject::Unknown, "{kind}");
    }
}

#[test]
fn a_known_kind_that_names_no_object_is_unclear_and_no_error() {
    for data in [
        json!(null),
        json!(7),
        json!({}),
        json!({"object": null}),
        json!({"object": []}),
        json!({"object": {}}),
        json!({"object": {"id": "sub_1/../customers"}}),
        json!({"object": {"id": 5, "customer": {"id": 5}}}),
    ] {
        let body = json!({"id": "evt_1", "type": "customer.subscription.updated", "data": data});
        let event = Event::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            subject(&event),
            Subject::Unclear(Kind::SubscriptionUpdated),
            "{body}"
        );
    }
}

#[test]
fn what_is_no_event_is_refused_by_the_name_of_the_field() {
    let refused = |body: &str| Event::parse(body.as_bytes()).unwrap_err();
    for body in [
        "",
        " ",
        "null",
        "[]",
        "\"evt\"",
        "{",
        "{\"id\":\"evt_1\",\"id\":\"evt_2\"}",
        "<html>",
        "[\"evt\"]",
    ] {
        assert!(matches!(refused(body), EventError::NotAnObject { .. }), "{body}");
    }
    for body in ["{}", r#"{"type":"a"}"#, r#"{"id":null,"type":"a"}"#] {
        assert_eq!(refused(body), EventError::Missing { field: "id" });
    }
    assert_eq!(
        refused(r#"{"id":"evt_1"}"#),
        EventError::Missing { field: "type" }
    );
    for (body, named) in [
        (r#"{"id":7,"type":"a"}"#, "id"),
        (r#"{"id":"","type":"a"}"#, "id"),
        (r#"{"id":"evt 1","type":"a"}"#, "id"),
        (r#"{"id":"evt_1","type":""}"#, "type"),
        (r#"{"id":"evt_1","type":["a"]}"#, "type"),
        (r#"{"id":"evt_1","type":"a\u0007"}"#, "type"),
    ] {
        assert!(
            matches!(refused(body), EventError::Invalid { field, .. } if field == named),
            "{body}: {:?}",
            refused(body)
        );
    }
}

#[test]
fn nothing_of_who_pays_can_be_printed() {
    for folder in VERSIONS.into_iter().chain(["thin"]) {
        for kind in Kind::ALL.iter().copied() {
            let event = event(folder, kind);
            let all = format!(
                "{event:?} {:?} {:?} {:?} {:?} {:?}",
                subject(&event),
                event.subscription(),
                event.invoice(),
                event.checkout_session(),
                event.customer()
            );
            // The address of an invoice opens it, so it is kept for the customer and not printed.
            for canary in ["anary", "@example", "+7000000"] {
                assert!(!all.contains(canary), "{folder} {kind:?}: {canary} in {all}");
            }
        }
    }
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(evt|sub|cus|in|cs|price)_[a-zA-Z0-9]{1,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let fields = "id|object|type|customer|subscription|status|items|data|lines|parent|metadata|mode|\
                      subscription_details|current_period_end|cancel_at|deleted|tenant_id|.{0,6}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(fields, inner, 0..10)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_kind() -> impl Strategy<Value = String> {
    let known = prop::sample::select(Kind::ALL).prop_map(|kind| kind.as_str().to_owned());
    prop_oneof![known, "[a-z][a-z0-9_.]{0,30}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_json_with_an_id_and_a_type_is_read(
        kind in any_kind(),
        version in prop_oneof![Just("event"), Just("v2.core.event")],
        data in any_json(),
        object in any_json(),
        rest in any_json(),
    ) {
        let data = if data.is_object() { json!({"object": object, "previous_attributes": data}) } else { data };
        let body = json!({
            "id": "evt_1", "type": kind, "object": version, "data": data,
            "created": rest, "livemode": rest, "api_version": rest, "account": null,
            "related_object": rest, "snapshot_event": rest, "request": rest,
        });
        let event = Event::parse(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(event.id.as_str(), "evt_1");
        let _subject = subject(&event);
        for error in [event.subscription().err(), event.invoice().err(), event.customer().err()] {
            let named = error.as_ref().is_none_or(|error| !error.to_string().is_empty());
            prop_assert!(named);
        }
    }

    #[test]
    fn any_json_is_read_or_refused_by_name(body in any_json()) {
        match Event::parse(body.to_string().as_bytes()) {
            Ok(event) => drop(subject(&event)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Event::parse(&body).is_err());
    }
}
