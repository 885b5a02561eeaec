//! What is kept of Stripe's words.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};

use super::{StripeError, failure, retry_after};
use crate::error::FailureClass;
use crate::http::Reply;

const KEY: &str = "sk_test_secret";

fn of(status: u16, body: &str) -> StripeError {
    let mut headers = HeaderMap::new();
    headers.insert("request-id", HeaderValue::from_static("req_1"));
    let reply = Reply {
        status,
        headers,
        body: body.to_owned().into(),
    };
    failure("POST x", &reply, KEY)
}

#[test]
fn all_that_helps_is_kept() {
    let error = of(
        402,
        r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds",
           "param":"items[0][price]","message":"Your card has insufficient funds.","charge":"ch_1"}}"#,
    );
    assert_eq!(
        error.to_string(),
        "POST x: Stripe refuses: status 402, type card_error, code card_declined, decline code insufficient_funds, \
         parameter items[0][price], request req_1: Your card has insufficient funds."
    );
    assert_eq!(error.class(), FailureClass::Refused);
}

#[test]
fn no_address_no_card_and_no_key_is_kept() {
    let error = of(
        400,
        r#"{"error":{"type":"invalid_request_error","param":"email a@example.com",
           "message":"Invalid email anna.k@example.com for 4242 4242 4242 4242 with sk_test_secret"}}"#,
    );
    let text = format!("{error} {error:?}");
    for canary in ["anna", "example.com", "4242", "sk_test_secret"] {
        assert!(!text.contains(canary), "{text}");
    }
    assert!(
        text.contains("Invalid email <address> for <number> with <key>"),
        "{text}"
    );
}

#[test]
fn the_status_and_the_words_make_the_class() {
    let words = r#"{"error":{"type":"invalid_request_error"}}"#;
    for (status, body, class) in [
        (400, words, FailureClass::Refused),
        (404, words, FailureClass::Refused),
        (401, words, FailureClass::Credential),
        (403, words, FailureClass::Credential),
        (409, words, FailureClass::Transient),
        (424, words, FailureClass::Transient),
        (429, words, FailureClass::Transient),
        (500, words, FailureClass::Transient),
        (503, "<html>", FailureClass::Transient),
        (400, "", FailureClass::Transient),
        (403, r#"{"error":null}"#, FailureClass::Transient),
        (404, r#"{"error":"no"}"#, FailureClass::Transient),
    ] {
        assert_eq!(of(status, body).class(), class, "{status} {body}");
    }
}

#[test]
fn a_wait_in_seconds_is_believed_up_to_an_hour() {
    let wait = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(value));
        retry_after(&headers)
    };
    assert_eq!(wait("7"), Some(Duration::from_secs(7)));
    assert_eq!(wait("999999"), Some(Duration::from_secs(3600)));
    for odd in ["-1", "soon", "", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        assert_eq!(wait(odd), None);
    }
    assert_eq!(retry_after(&HeaderMap::new()), None);
}
