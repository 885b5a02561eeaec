//! What Telegram's answers mean, by their words and without them.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::{Forbidden, OtherReceiver, Refusal, TelegramError, failure};
use crate::error::FailureClass;
use crate::http::Reply;

const TOKEN: &str = "123456:AAcanarycanarycanarycanarycanarycan";

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
    }
}

fn of(status: u16, description: &str) -> TelegramError {
    let body = serde_json::json!({"ok": false, "error_code": status, "description": description});
    failure("POST /sendMessage", &reply(status, &body.to_string()), TOKEN)
}

#[test]
fn a_pause_of_days_is_read_as_it_is_told() {
    let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 86400",
        "parameters":{"retry_after":86400}}"#;
    let error = failure("POST /sendMessage", &reply(429, body), TOKEN);
    let day = Duration::from_secs(86_400);
    assert_eq!(error.class(), FailureClass::Wait { delay: day });
    assert!(!error.may_have_happened());
}

#[test]
fn a_pause_is_found_in_the_header_and_in_the_words_too() {
    let mut page = reply(429, "<html>slow down</html>");
    page.headers.insert(RETRY_AFTER, HeaderValue::from_static("17"));
    let told = failure("POST /sendMessage", &page, TOKEN).class().told_delay();
    assert_eq!(told, Some(Duration::from_secs(17)));
    let told = of(429, "Too Many Requests: retry after 9").class().told_delay();
    assert_eq!(told, Some(Duration::from_secs(9)));
    let told = of(429, "Too Many Requests").class().told_delay();
    assert_eq!(told, Some(Duration::from_secs(5)));
}

#[test]
fn the_reasons_behind_403_are_told_apart() {
    for (words, expected) in [
        ("Forbidden: bot was blocked by the user", Forbidden::Blocked),
        ("Forbidden: user is deactivated", Forbidden::Deactivated),
        ("Forbidden: bot was kicked from the group chat", Forbidden::Kicked),
        (
            "Forbidden: bot was kicked from the supergroup chat",
            Forbidden::Kicked,
        ),
        (
            "Forbidden: bot is not a member of the channel chat",
            Forbidden::NotMember,
        ),
        (
            "Forbidden: bot can't initiate conversation with a user",
            Forbidden::NotStarted,
        ),
        ("Forbidden: the group chat was deleted", Forbidden::Deleted),
        ("Forbidden: something new", Forbidden::Other),
    ] {
        let error = of(403, words);
        assert!(error.stops_sending(), "{words}");
        assert!(
            matches!(error, TelegramError::Forbidden { why, .. } if why == expected),
            "{words}: {error:?}"
        );
    }
    let error = of(
        400,
        "Bad Request: not enough rights to send text messages to the chat",
    );
    assert!(
        matches!(
            error,
            TelegramError::Forbidden {
                why: Forbidden::NoRights,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn what_is_wrong_with_a_request_is_known_by_its_kind() {
    for (words, expected) in [
        (
            "Bad Request: can't parse entities: Unexpected end tag at byte offset 3",
            Refusal::Entities,
        ),
        ("Bad Request: message is too long", Refusal::TooLong),
        ("Bad Request: message caption is too long", Refusal::TooLong),
        ("Bad Request: message text is empty", Refusal::Empty),
        ("Bad Request: BUTTON_DATA_INVALID", Refusal::Button),
        (
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
            Refusal::QueryTooOld,
        ),
        ("Bad Request: message thread not found", Refusal::Topic),
        ("Bad Request: TOPIC_CLOSED", Refusal::Topic),
        ("Bad Request: message to edit not found", Refusal::MessageGone),
        (
            "Bad Request: message to be replied not found",
            Refusal::MessageGone,
        ),
        (
            "Bad Request: message can't be deleted for everyone",
            Refusal::MessageFixed,
        ),
        (
            "Bad Request: wrong file identifier/HTTP URL specified",
            Refusal::File,
        ),
        ("Bad Request: something new", Refusal::Other),
    ] {
        let error = of(400, words);
        assert!(
            matches!(error, TelegramError::Refused { refusal, .. } if refusal == expected),
            "{words}: {error:?}"
        );
    }
    assert!(matches!(
        of(404, "Not Found: method not found"),
        TelegramError::Refused {
            refusal: Refusal::Method,
            ..
        }
    ));
    assert!(matches!(
        of(400, "Bad Request: chat not found"),
        TelegramError::ChatNotFound { .. }
    ));
}

#[test]
fn a_group_that_became_a_supergroup_names_its_new_id() {
    let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a
        supergroup chat","parameters":{"migrate_to_chat_id":-1001234567890}}"#;
    let error = failure("POST /sendMessage", &reply(400, &body.replace('\n', " ")), TOKEN);
    assert!(
        matches!(
            error,
            TelegramError::Migrated {
                to_chat_id: -1_001_234_567_890,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn whoever_else_receives_the_updates_is_named() {
    let poller = of(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    );
    assert!(matches!(
        poller,
        TelegramError::Conflict {
            other: OtherReceiver::Poller,
            ..
        }
    ));
    let webhook = of(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first",
    );
    assert!(matches!(
        webhook,
        TelegramError::Conflict {
            other: OtherReceiver::Webhook,
            ..
        }
    ));
}

#[test]
fn a_page_of_a_gate_says_nothing_about_token_or_chat() {
    for status in [401, 403, 404, 502, 503] {
        let mut page = reply(status, "<html><h1>502 Bad Gateway</h1></html>");
        page.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let error = failure("POST /sendMessage", &page, TOKEN);
        assert!(
            matches!(error, TelegramError::Unavailable { status: seen, .. } if seen == status),
            "{error:?}"
        );
        assert!(error.may_have_happened());
    }
    assert!(matches!(
        of(401, "Unauthorized"),
        TelegramError::Unauthorized { .. }
    ));
    assert!(matches!(of(404, "Not Found"), TelegramError::Unauthorized { .. }));
}

#[test]
fn neither_the_token_nor_what_a_person_wrote_is_kept() {
    let words = format!(
        "Bad Request: can't parse entities: Unsupported start tag \"Анна\" at byte offset 7; see \
         /bot{TOKEN}/x or anna@example.com"
    );
    let text = of(400, &words).to_string();
    assert!(
        text.contains("Unsupported start tag … at byte offset 7"),
        "{text}"
    );
    assert!(
        !text.contains("canary") && !text.contains("Анна") && !text.contains("anna@"),
        "{text}"
    );
}
