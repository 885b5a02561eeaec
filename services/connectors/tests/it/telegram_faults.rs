//! What holds when the way to Telegram breaks, when it is too much for it, and for the token in every case.

use std::error::Error as _;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::error::FailureClass;
use connectors::http::{CallObserver, CallRecord, HttpClient};
use connectors::telegram::{
    AsyncTelegramApi as _, BotToken, InvalidToken, Lane, Limits, Options, Pace, Telegram, TelegramError,
};
use secrecy::SecretString;
use simulators::telegram::TelegramLimits;
use simulators::{Effect, Fault, TelegramConfig};

use crate::telegram::{World, client, text};

const TOKEN: &str = "4242:AAcanarycanarycanarycanarycanary";

/// Everything that was told about calls.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl CallObserver for Heard {
    fn observe(&self, record: &CallRecord<'_>) {
        self.0.lock().unwrap().push(format!("{record:?}"));
    }
}

/// Where a log goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An error with everything behind it, in every form.
fn told(error: &TelegramError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

fn canary(url: &str, heard: &Arc<Heard>, deadline: Duration) -> Telegram {
    let http = HttpClient::new(Arc::clone(heard) as Arc<_>).unwrap();
    let options = Options {
        url: url.to_owned(),
        deadline,
        ..Options::default()
    };
    Telegram::new(http, BotToken::parse(SecretString::from(TOKEN)).unwrap(), options)
}

#[tokio::test]
async fn the_token_shows_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let config = TelegramConfig {
        token: TOKEN.to_owned(),
        ..TelegramConfig::default()
    };
    let simulator = simulators::Telegram::start(config).await.unwrap();
    let anna = simulator.person("Анна");
    anna.sends("/start");
    let heard = Arc::new(Heard::default());
    let telegram = canary(simulator.url(), &heard, Duration::from_millis(300));
    let mut all = format!("{telegram:?}");
    telegram.send(&text(anna.id(), "hello")).await.unwrap();
    let page = Effect::Status {
        status: 502,
        body: format!("<html>no way to /bot{TOKEN}/sendMessage</html>"),
        content_type: Some("text/html".to_owned()),
    };
    let words = format!(r#"{{"ok":false,"error_code":400,"description":"Bad Request: /bot{TOKEN}/x"}}"#);
    let refusal = Effect::Status {
        status: 400,
        body: words,
        content_type: None,
    };
    for effect in [
        page,
        refusal,
        Effect::Reset,
        Effect::HtmlPage,
        Effect::Late { millis: Some(5_000) },
    ] {
        simulator.script(Fault::on("/bot", effect).times(1));
        let error = telegram.send(&text(anna.id(), "hello")).await.unwrap_err();
        all.push_str(&told(&error));
    }
    let nowhere = canary("http://127.0.0.1:1", &heard, Duration::from_secs(5));
    all.push_str(&told(&nowhere.me().await.unwrap_err()));
    let no_address = canary("not an address", &heard, Duration::from_secs(5));
    all.push_str(&told(&no_address.me().await.unwrap_err()));
    all.push_str(&told(&no_address.get_my_star_balance().await.unwrap_err()));
    let wrong = BotToken::parse(SecretString::from("42:canary/../other")).unwrap_err();
    assert_eq!(wrong, InvalidToken);
    all.push_str(&heard.0.lock().unwrap().join("\n"));
    all.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(all.contains("POST /sendMessage"), "something was told at all");
    for part in ["canary", "4242:", "/bot4242"] {
        let at = all.find(part);
        assert!(at.is_none(), "…{}", &all[at.unwrap().saturating_sub(200)..]);
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_taken_for_anything_else() {
    let simulator = simulators::Telegram::start(TelegramConfig::default())
        .await
        .unwrap();
    let heard = Arc::new(Heard::default());
    let telegram = canary(simulator.url(), &heard, Duration::from_secs(5));
    let error = telegram.me().await.unwrap_err();
    assert!(matches!(error, TelegramError::Unauthorized { .. }), "{error}");
    assert_eq!(error.class(), FailureClass::Credential);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_may_have_arrived() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.simulator.person("Анна");
    anna.sends("/start");
    let telegram = client(&world.simulator, |options| {
        options.deadline = Duration::from_millis(300);
    });
    let faults = [
        Effect::Reset,
        Effect::CutBody,
        Effect::Truncated,
        Effect::Late { millis: Some(60_000) },
        Effect::HtmlPage,
        Effect::EmptyBody,
    ];
    for (number, effect) in faults.into_iter().enumerate() {
        world.simulator.script(Fault::on("/bot", effect.clone()).times(1));
        let error = telegram.send(&text(anna.id(), "once")).await.unwrap_err();
        assert!(
            matches!(error, TelegramError::UnknownOutcome(_)),
            "{effect:?}: {error:?}"
        );
        assert!(error.may_have_happened());
        let arrived = anna.sees().iter().filter(|seen| seen.text == "once").count();
        assert_eq!(arrived, number + 1, "{effect:?}");
    }
}

#[tokio::test]
async fn a_message_that_did_not_leave_has_not_arrived() {
    let heard = Arc::new(Heard::default());
    let telegram = canary("http://127.0.0.1:1", &heard, Duration::from_secs(5));
    let error = telegram.send(&text(1, "hello")).await.unwrap_err();
    assert!(matches!(error, TelegramError::Unreachable(_)), "{error:?}");
    assert!(!error.may_have_happened());
}

#[tokio::test]
async fn a_page_of_a_proxy_is_trouble_on_the_way_and_nothing_else() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.simulator.person("Анна");
    anna.sends("/start");
    for status in [502, 503, 403, 401] {
        let page = Effect::Status {
            status,
            body: "<html><h1>Bad Gateway</h1></html>".to_owned(),
            content_type: Some("text/html".to_owned()),
        };
        world.simulator.script(Fault::on("/bot", page).times(1));
        let error = world.telegram.send(&text(anna.id(), "hello")).await.unwrap_err();
        assert!(matches!(error, TelegramError::Unavailable { .. }), "{error:?}");
        assert_eq!(error.class(), FailureClass::Transient);
    }
}

#[tokio::test]
async fn a_message_whose_answer_has_something_new_was_sent() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.simulator.person("Анна");
    anna.sends("/start");
    let effect = Effect::RetypeField {
        name: "from".to_owned(),
        value: serde_json::json!("no user"),
    };
    world.simulator.script(Fault::on("/bot", effect));
    world.telegram.send(&text(anna.id(), "hello")).await.unwrap();
}

#[tokio::test]
async fn twelve_messages_to_three_chats_keep_strict_limits_and_their_order() {
    let world = World::start(TelegramConfig {
        limits: TelegramLimits::Strict,
        ..TelegramConfig::default()
    })
    .await;
    let people: Vec<_> = ["Анна", "Борис", "Вера"]
        .map(|name| world.simulator.person(name))
        .into();
    let pace = Pace::new(Limits::default());
    let telegram = world.telegram.paced(&pace, Lane::Notice);
    let mut tasks = tokio::task::JoinSet::new();
    for person in &people {
        person.sends("/start");
        for number in 0..4 {
            let (telegram, chat) = (telegram.clone(), person.id());
            // Each takes its place in the order of these lines: the first poll of a task pushes it.
            let mut send =
                Box::pin(async move { telegram.send(&text(chat, &number.to_string())).await.map(drop) });
            let polled = futures_poll(&mut send).await;
            assert!(polled.is_none());
            tasks.spawn(send);
        }
    }
    while let Some(sent) = tasks.join_next().await {
        sent.unwrap().unwrap();
    }
    for person in &people {
        let read: Vec<String> = person
            .sees()
            .into_iter()
            .filter(|seen| seen.from.is_none())
            .map(|seen| seen.text)
            .collect();
        assert_eq!(read, ["0", "1", "2", "3"]);
    }
    assert_eq!(world.simulator.calls().count_status("/bot", 429), 0);
}

/// Polls a future once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn after_a_429_the_chat_is_left_alone_as_long_as_it_was_told() {
    let world = World::start(TelegramConfig::default()).await;
    let (anna, boris) = (world.simulator.person("Анна"), world.simulator.person("Борис"));
    anna.sends("/start");
    boris.sends("/start");
    let pace = Pace::new(Limits::default());
    let telegram = world.telegram.paced(&pace, Lane::Answer);
    telegram.send(&text(anna.id(), "before")).await.unwrap();
    let flood = Effect::RateLimited { retry_seconds: 3 };
    let of_anna = anna.id().to_string();
    world
        .simulator
        .script(Fault::on("/bot", flood).seller(&of_anna).times(1));
    let error = telegram.send(&text(anna.id(), "refused")).await.unwrap_err();
    assert_eq!(error.class().told_delay(), Some(Duration::from_secs(3)));
    let start = std::time::Instant::now();
    telegram.send(&text(boris.id(), "meanwhile")).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "others go on");
    telegram.send(&text(anna.id(), "after")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(2_900));
    assert_eq!(world.simulator.early(), 0);
}
