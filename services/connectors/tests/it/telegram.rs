//! The client of Telegram against a server with its semantics: messages, edits, buttons, files, updates by
//! polling and by webhook, and what Telegram refuses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectors::http::{HttpClient, NoObserver};
use connectors::telegram::message::{ask_for_contact, disabled, link, no_keyboard, press};
use connectors::telegram::text::{TEXT, cut, escape};
use connectors::telegram::{
    AsyncTelegramApi as _, BotToken, Forbidden, InlineKeyboardMarkup, MessageAt, NewMessage, Options,
    OtherReceiver, Place, Read, Refusal, ReplyMarkup, Telegram, TelegramError, Updates, Upload, Webhook, Why,
    read_update,
};
use secrecy::SecretString;
use serde_json::json;
use simulators::TelegramConfig;
use simulators::telegram::Person;
use simulators::telegram::kinds::{KINDS, any_update, sample};

/// The smallest thing that begins like a picture.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and pixels";
const NO_WAIT: Duration = Duration::ZERO;

pub(crate) struct World {
    pub(crate) simulator: simulators::Telegram,
    pub(crate) telegram: Telegram,
}

impl World {
    pub(crate) async fn start(config: TelegramConfig) -> Self {
        let simulator = simulators::Telegram::start(config).await.unwrap();
        let telegram = client(&simulator, |_| ());
        Self { simulator, telegram }
    }

    /// A person who has started the bot, with the updates of that confirmed.
    async fn anna(&self) -> Person {
        let anna = self.simulator.person("Анна");
        anna.sends("/start");
        let updates = self.telegram.updates(None, NO_WAIT).await.unwrap();
        self.telegram.updates(updates.next_offset, NO_WAIT).await.unwrap();
        anna
    }
}

pub(crate) fn client(simulator: &simulators::Telegram, change: impl FnOnce(&mut Options)) -> Telegram {
    let mut options = Options {
        url: simulator.url().to_owned(),
        ..Options::default()
    };
    change(&mut options);
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let token = BotToken::parse(SecretString::from(simulator.token())).unwrap();
    Telegram::new(http, token, options)
}

pub(crate) fn text<'a>(chat: i64, html: &'a str) -> NewMessage<'a> {
    NewMessage::new(Place::chat(chat), html)
}

fn keyboard(rows: Vec<Vec<connectors::telegram::InlineKeyboardButton>>) -> InlineKeyboardMarkup {
    InlineKeyboardMarkup::builder().inline_keyboard(rows).build()
}

/// What people wrote, as far as it was read.
fn texts(updates: &Updates) -> Vec<String> {
    let contents = updates
        .received
        .iter()
        .map(|received| serde_json::to_value(&received.content).unwrap());
    contents
        .map(|content| content["message"]["text"].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[tokio::test]
async fn a_message_arrives_with_its_marks_and_buttons() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let me = world.telegram.me().await.unwrap();
    assert_eq!(me.username, "stock_tracker_bot");
    let html = format!("<b>{}</b> заканчивается", escape("Футболка <S> & \"M\""));
    let mut message = text(anna.id(), &html);
    message.markup = Some(ReplyMarkup::InlineKeyboardMarkup(keyboard(vec![
        vec![press("Отложить", "snooze:7"), disabled("Идёт синхронизация")],
        vec![link("Таблица", "https://example.org/?a=1&b=2")],
    ])));
    let sent = world.telegram.send(&message).await.unwrap();
    let seen = anna.last().unwrap();
    assert_eq!((seen.id, anna.id()), (sent.at.message, sent.at.chat));
    assert_eq!(seen.text, "Футболка <S> & \"M\" заканчивается");
    let buttons: Vec<&str> = seen
        .buttons
        .iter()
        .flatten()
        .map(|button| button.text.as_str())
        .collect();
    assert_eq!(buttons, ["Отложить", "Идёт синхронизация", "Таблица"]);
    assert!(seen.buttons[0][1].disabled);
}

#[tokio::test]
async fn a_pressed_button_is_answered_once() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let buttons = keyboard(vec![vec![press("Остатки", "st:1")]]);
    let mut message = text(anna.id(), "Меню");
    message.markup = Some(ReplyMarkup::InlineKeyboardMarkup(buttons));
    world.telegram.send(&message).await.unwrap();
    let query = anna.presses("Остатки").unwrap();
    let updates = world.telegram.updates(None, NO_WAIT).await.unwrap();
    let content = serde_json::to_value(&updates.received[0].content).unwrap();
    assert_eq!(content["callback_query"]["data"], "st:1");
    world
        .telegram
        .answer_press(&query, Some("Готово"), true)
        .await
        .unwrap();
    let notice = &anna.notices()[0];
    assert_eq!((notice.text.as_str(), notice.alert), ("Готово", true));
    let again = world
        .telegram
        .answer_press(&query, None, false)
        .await
        .unwrap_err();
    assert!(
        matches!(
            again,
            TelegramError::Refused {
                refusal: Refusal::QueryTooOld,
                ..
            }
        ),
        "{again}"
    );
}

#[tokio::test]
async fn a_message_is_edited_and_deleted_and_doing_it_again_is_no_error() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let at = world.telegram.send(&text(anna.id(), "0 %")).await.unwrap().at;
    let buttons = keyboard(vec![vec![press("Стоп", "stop")]]);
    for _ in 0..2 {
        world.telegram.edit(at, "50 %", Some(&buttons)).await.unwrap();
    }
    let seen = anna.last().unwrap();
    assert_eq!(
        (seen.text.as_str(), seen.edited, seen.buttons.len()),
        ("50 %", true, 1)
    );
    for _ in 0..2 {
        world.telegram.edit_buttons(at, None).await.unwrap();
    }
    assert!(anna.last().unwrap().buttons.is_empty());
    for _ in 0..2 {
        world.telegram.delete(at).await.unwrap();
    }
    assert!(anna.last().is_none());
    let gone = world.telegram.edit(at, "100 %", None).await.unwrap_err();
    assert!(
        matches!(
            gone,
            TelegramError::Refused {
                refusal: Refusal::MessageGone,
                ..
            }
        ),
        "{gone}"
    );
}

#[tokio::test]
async fn a_message_with_a_key_in_it_is_deleted_from_the_persons_chat() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let message = anna.sends("eyJhbGciOiJFUzI1NiJ9.secret.key");
    let at = MessageAt {
        chat: anna.id(),
        message,
    };
    world.telegram.delete(at).await.unwrap();
    assert!(anna.sees().iter().all(|seen| seen.id != message));
    let group = world.simulator.group("Склад", &[&anna]);
    let at = MessageAt {
        chat: group.id(),
        message: group.hears(&anna, "a key"),
    };
    let fixed = world.telegram.delete(at).await.unwrap_err();
    assert!(
        matches!(
            fixed,
            TelegramError::Refused {
                refusal: Refusal::MessageFixed,
                ..
            }
        ),
        "{fixed}"
    );
}

#[tokio::test]
async fn files_are_sent_from_memory() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let sheet: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let mut upload = Upload {
        place: Place::chat(anna.id()),
        file_name: "Остатки \"ноябрь\".xlsx",
        content: Bytes::from(sheet.clone()),
        caption: Some("<i>5 товаров</i>"),
        markup: None,
    };
    world.telegram.send_document(&upload).await.unwrap();
    let seen = anna.last().unwrap();
    let file = seen.file.unwrap();
    assert_eq!(
        (seen.text.as_str(), file.size, file.photo),
        ("5 товаров", 70_000, false)
    );
    assert_eq!(file.name, "Остатки %22ноябрь%22.xlsx", "as browsers escape it");
    assert_eq!(anna.file(&file.id).unwrap(), sheet);
    upload.file_name = "chart.png";
    let refused = world.telegram.send_photo(&upload).await.unwrap_err();
    assert!(
        matches!(
            refused,
            TelegramError::Refused {
                refusal: Refusal::File,
                ..
            }
        ),
        "{refused}"
    );
    upload.content = Bytes::from_static(PICTURE);
    upload.markup = Some(ReplyMarkup::InlineKeyboardMarkup(keyboard(vec![vec![press(
        "28 дней",
        "p:28",
    )]])));
    world.telegram.send_photo(&upload).await.unwrap();
    let seen = anna.last().unwrap();
    assert!(seen.file.unwrap().photo);
    assert_eq!(seen.buttons[0][0].data.as_deref(), Some("p:28"));
}

#[tokio::test]
async fn a_phone_number_is_asked_for_with_a_keyboard_that_goes_away() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let mut message = text(anna.id(), "Телефон?");
    message.markup = Some(ask_for_contact("📞 Отправить номер телефона"));
    world.telegram.send(&message).await.unwrap();
    assert_eq!(anna.keyboard(), ["📞 Отправить номер телефона"]);
    anna.sends_own_contact();
    anna.sends_other_contact();
    let updates = world.telegram.updates(None, NO_WAIT).await.unwrap();
    let owners: Vec<_> = updates
        .received
        .iter()
        .map(|received| serde_json::to_value(&received.content).unwrap())
        .map(|content| content["message"]["contact"]["user_id"].as_i64())
        .collect();
    assert_eq!(owners, [Some(anna.id()), None]);
    message.markup = Some(no_keyboard());
    world.telegram.send(&message).await.unwrap();
    assert!(anna.keyboard().is_empty());
}

#[tokio::test]
async fn a_long_text_arrives_whole_in_several_messages() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let lines: Vec<String> = (0..400)
        .map(|number| format!("{number:>4} {} <&> 📦", "артикул ".repeat(number % 7)))
        .collect();
    let html = format!("<pre>{}</pre>", escape(&lines.join("\n")));
    let whole = world.telegram.send(&text(anna.id(), &html)).await.unwrap_err();
    assert!(
        matches!(
            whole,
            TelegramError::Refused {
                refusal: Refusal::TooLong,
                ..
            }
        ),
        "{whole}"
    );
    for part in cut(&html, TEXT) {
        world.telegram.send(&text(anna.id(), &part)).await.unwrap();
    }
    let read: Vec<String> = anna
        .sees()
        .into_iter()
        .filter(|seen| seen.from.is_none())
        .map(|seen| seen.text)
        .collect();
    assert!(read.len() > 2);
    let read: Vec<String> = read
        .join("\n")
        .lines()
        .map(|line| line.trim().to_owned())
        .collect();
    let wanted: Vec<String> = lines.iter().map(|line| line.trim().to_owned()).collect();
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn what_telegram_refuses_says_what_to_do() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let stranger = world.simulator.person("Борис");
    let forbidden = async |chat| match world.telegram.send(&text(chat, "hello")).await {
        Err(TelegramError::Forbidden { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(forbidden(stranger.id()).await, Forbidden::NotStarted);
    anna.blocks();
    assert_eq!(forbidden(anna.id()).await, Forbidden::Blocked);
    anna.unblocks();
    world
        .telegram
        .send(&text(anna.id(), "hello again"))
        .await
        .unwrap();
    let group = world.simulator.supergroup("Склад", &[&anna]);
    group.silences_bot();
    assert_eq!(forbidden(group.id()).await, Forbidden::NoRights);
    group.removes_bot();
    assert_eq!(forbidden(group.id()).await, Forbidden::Kicked);
    anna.leaves_telegram();
    assert_eq!(forbidden(anna.id()).await, Forbidden::Deactivated);
    let nobody = world.telegram.send(&text(42, "hello")).await.unwrap_err();
    assert!(
        matches!(nobody, TelegramError::ChatNotFound { .. }) && nobody.stops_sending(),
        "{nobody}"
    );
    let empty = world
        .telegram
        .send(&text(anna.id(), "<b> </b>"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            empty,
            TelegramError::Refused {
                refusal: Refusal::Empty,
                ..
            }
        ),
        "{empty}"
    );
    let broken = world
        .telegram
        .send(&text(anna.id(), "<b>5 < 7</b>"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            broken,
            TelegramError::Refused {
                refusal: Refusal::Entities,
                ..
            }
        ),
        "{broken}"
    );
}

#[tokio::test]
async fn a_group_that_becomes_a_supergroup_is_followed() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna().await;
    let group = world.simulator.group("Склад", &[&anna]);
    world.telegram.send(&text(group.id(), "before")).await.unwrap();
    let supergroup = group.becomes_supergroup().unwrap();
    let error = world.telegram.send(&text(group.id(), "after")).await.unwrap_err();
    let TelegramError::Migrated { to_chat_id, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(to_chat_id, supergroup.id());
    let topic = supergroup.topic("Заканчивается").unwrap();
    let mut message = text(to_chat_id, "after");
    message.place.topic = Some(topic);
    world.telegram.send(&message).await.unwrap();
    assert_eq!(supergroup.sees().pop().unwrap().topic, Some(topic));
    supergroup.closes_topic(topic);
    let closed = world.telegram.send(&message).await.unwrap_err();
    assert!(
        matches!(
            closed,
            TelegramError::Refused {
                refusal: Refusal::Topic,
                ..
            }
        ),
        "{closed}"
    );
    message.place.topic = Some(99);
    let missing = world.telegram.send(&message).await.unwrap_err();
    assert!(
        matches!(
            missing,
            TelegramError::Refused {
                refusal: Refusal::Topic,
                ..
            }
        ),
        "{missing}"
    );
}

#[tokio::test]
async fn updates_come_once_they_are_confirmed_and_unknown_ones_stop_nothing() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.simulator.person("Анна");
    anna.sends("one");
    world.simulator.update(json!({"telepathy": {"thought": 1}}));
    world.simulator.update(json!({"message": {"message_id": "text"}}));
    anna.sends("two");
    let first = world.telegram.updates(None, NO_WAIT).await.unwrap();
    assert_eq!(texts(&first), ["one", "two"]);
    let why: Vec<Why> = first.skipped.iter().map(|skipped| skipped.why).collect();
    assert_eq!(why, [Why::UnknownKind, Why::Unreadable]);
    let again = world.telegram.updates(None, NO_WAIT).await.unwrap();
    assert_eq!(texts(&again), ["one", "two"], "not confirmed yet");
    let none = world.telegram.updates(first.next_offset, NO_WAIT).await.unwrap();
    assert_eq!((none.received.len(), none.next_offset), (0, None));
    world.simulator.next_update_id(7);
    anna.sends("after a quiet week");
    let later = world.telegram.updates(None, NO_WAIT).await.unwrap();
    assert_eq!(
        (texts(&later), later.next_offset),
        (vec!["after a quiet week".to_owned()], Some(8))
    );
}

#[tokio::test]
async fn a_poll_waits_for_what_comes() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.simulator.person("Анна");
    let telegram = world.telegram.clone();
    let poll = tokio::spawn(async move { telegram.updates(None, Duration::from_secs(30)).await });
    anna.sends("hello");
    let updates = poll.await.unwrap().unwrap();
    assert_eq!(texts(&updates), ["hello"]);
}

#[tokio::test]
async fn two_pollers_notice_each_other() {
    let world = World::start(TelegramConfig::default()).await;
    let telegram = world.telegram.clone();
    let first = tokio::spawn(async move { telegram.updates(None, Duration::from_secs(30)).await });
    let second = world.telegram.clone();
    let second = tokio::spawn(async move {
        loop {
            // One of the two is told of the other, whichever came first.
            if let Err(error) = second.updates(None, Duration::from_secs(1)).await {
                return error;
            }
        }
    });
    let error = tokio::select! {
        first = first => first.unwrap().unwrap_err(),
        second = second => second.unwrap(),
    };
    assert!(
        matches!(
            error,
            TelegramError::Conflict {
                other: OtherReceiver::Poller,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn with_a_webhook_nothing_is_polled() {
    let world = World::start(TelegramConfig::default()).await;
    let secret = SecretString::from("s3cret");
    let webhook = Webhook {
        url: "http://127.0.0.1:9/telegram",
        secret: &secret,
        max_connections: 5,
        drop_pending: true,
    };
    world.telegram.set_webhook(&webhook).await.unwrap();
    let error = world.telegram.updates(None, NO_WAIT).await.unwrap_err();
    assert!(
        matches!(
            error,
            TelegramError::Conflict {
                other: OtherReceiver::Webhook,
                ..
            }
        ),
        "{error}"
    );
    let info = world.telegram.get_webhook_info().await.unwrap().result;
    assert_eq!((info.url.as_str(), info.max_connections), (webhook.url, Some(5)));
    world.telegram.delete_webhook(false).await.unwrap();
    world.telegram.updates(None, NO_WAIT).await.unwrap();
    let bad = SecretString::from("not allowed!");
    let error = world
        .telegram
        .set_webhook(&Webhook {
            secret: &bad,
            ..webhook
        })
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            TelegramError::Refused {
                refusal: Refusal::Webhook,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn every_kind_of_update_is_read() {
    for (number, kind) in KINDS.into_iter().enumerate() {
        let update = json!({"update_id": number, kind: sample(kind, 5_000_000_001)});
        match read_update(update.to_string().as_bytes()) {
            Read::Update(received) => {
                assert_eq!((received.id, received.left_out), (number as i64, 0), "{kind}");
            }
            Read::Skipped(skipped) => panic!("{skipped:?}"),
        }
    }
}

#[tokio::test]
async fn of_two_thousand_updates_of_all_kinds_each_is_read_or_counted() {
    let world = World::start(TelegramConfig::default()).await;
    for seed in 0..2_000 {
        world.simulator.update(any_update(seed, 5_000_000_001));
    }
    let (mut offset, mut received, mut unknown, mut unreadable) = (None, 0, 0, 0);
    loop {
        let updates = world.telegram.updates(offset, NO_WAIT).await.unwrap();
        if updates.next_offset.is_none() {
            break;
        }
        offset = updates.next_offset;
        received += updates.received.len();
        unknown += updates
            .skipped
            .iter()
            .filter(|skipped| skipped.why == Why::UnknownKind)
            .count();
        unreadable += updates
            .skipped
            .iter()
            .filter(|skipped| skipped.why == Why::Unreadable)
            .count();
    }
    assert_eq!(received + unknown + unreadable, 2_000);
    assert!(
        received > 1_500 && unknown > 100 && unreadable > 10,
        "{received} {unknown} {unreadable}"
    );
    assert_eq!(world.simulator.pending(), 0);
}
