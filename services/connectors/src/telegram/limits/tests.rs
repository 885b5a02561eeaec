//! The limits hold at the receiver, however long calls take; told pauses are kept, and every chat gets on.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Lane, Limits, Next, Turns};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn all<T>(_: &T) -> bool {
    true
}

/// One message of a generated day.
#[derive(Debug, Clone)]
struct Message {
    pushed: Duration,
    chat: i64,
    lane: Lane,
    /// How long its call takes.
    takes: Duration,
    /// When Telegram gets it, in thousandths of the call.
    arrives: u32,
    /// What a 429 tells, if that is the answer.
    refused: Option<Duration>,
}

/// What became of it.
#[derive(Debug, Clone)]
struct Sent {
    number: usize,
    chat: i64,
    start: Duration,
    arrival: Duration,
    end: Duration,
    refused: Option<Duration>,
}

/// Plays the messages as a sender would: it asks for the next one whenever something has happened.
fn play(messages: &[Message]) -> Vec<Sent> {
    let mut turns = Turns::new(Limits::default());
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|&number| messages[number].pushed);
    let mut order = order.into_iter().peekable();
    let (mut sent, mut running): (Vec<Sent>, Vec<Sent>) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    loop {
        while let Some(number) = order.next_if(|&number| messages[number].pushed <= now) {
            turns.push(messages[number].chat, messages[number].lane, number, now);
        }
        while let Some(at) = running.iter().position(|one| one.end <= now) {
            let one = running.swap_remove(at);
            if let Some(told) = one.refused {
                turns.refused(one.chat, told, now);
            }
            turns.ended(one.chat, now);
            sent.push(one);
        }
        let next = match turns.next(now, all) {
            Next::Go { chat, item } => {
                let message = &messages[item];
                assert_eq!(chat, message.chat);
                running.push(Sent {
                    number: item,
                    chat,
                    start: now,
                    arrival: now + message.takes * message.arrives / 1000,
                    end: now + message.takes,
                    refused: message.refused,
                });
                continue;
            }
            Next::At(at) => {
                assert!(at > now, "asked again without a reason");
                Some(at)
            }
            Next::Idle => None,
        };
        let pushed = order.peek().map(|&number| messages[number].pushed);
        let ends = running.iter().map(|one| one.end).min();
        match [next, pushed, ends].into_iter().flatten().min() {
            Some(at) => now = at,
            None => return sent,
        }
    }
}

/// Most arrivals in any span of this length.
fn most_within(arrivals: &[Duration], span: Duration) -> usize {
    let mut arrivals = arrivals.to_vec();
    arrivals.sort();
    (0..arrivals.len())
        .map(|from| {
            arrivals[from..]
                .iter()
                .take_while(|at| **at < arrivals[from] + span)
                .count()
        })
        .max()
        .unwrap_or(0)
}

fn message(refusals: bool) -> impl Strategy<Value = Message> {
    let chat = prop_oneof![3 => 1i64..40, 2 => -3i64..0];
    let told = if refusals {
        prop_oneof![9 => Just(None), 1 => (1u64..40).prop_map(Some)].boxed()
    } else {
        Just(None).boxed()
    };
    let call = (0u64..1500, 0u32..=1000);
    (0u64..20_000, chat, any::<bool>(), call, told).prop_map(
        |(pushed, chat, answer, (takes, arrives), told)| Message {
            pushed: millis(pushed),
            chat,
            lane: if answer { Lane::Answer } else { Lane::Notice },
            takes: millis(takes),
            arrives,
            refused: told.map(Duration::from_secs),
        },
    )
}

/// One of many messages to many chats that come at the same time; calls take up to 0.8 s.
fn in_a_crowd() -> impl Strategy<Value = Message> {
    (0u64..300, 1i64..1000, 0u64..800, 0u32..=1000).prop_map(|(pushed, chat, takes, arrives)| Message {
        pushed: millis(pushed),
        chat,
        lane: Lane::Notice,
        takes: millis(takes),
        arrives,
        refused: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_limits_hold_at_telegram_however_long_calls_take(
        messages in prop::collection::vec(message(false), 1..300)
    ) {
        let sent = play(&messages);
        prop_assert_eq!(sent.len(), messages.len(), "each is sent once");
        let arrivals: Vec<Duration> = sent.iter().map(|one| one.arrival).collect();
        prop_assert!(most_within(&arrivals, millis(1000)) <= 30);
        let mut chats: BTreeMap<i64, Vec<&Sent>> = BTreeMap::new();
        for one in &sent {
            chats.entry(one.chat).or_default().push(one);
        }
        for (chat, mut sent) in chats {
            let arrivals: Vec<Duration> = sent.iter().map(|one| one.arrival).collect();
            prop_assert!(most_within(&arrivals, millis(1000)) <= 1, "chat {}", chat);
            if chat < 0 {
                prop_assert!(most_within(&arrivals, millis(60_000)) <= 20, "group {}", chat);
            }
            sent.sort_by_key(|one| one.start);
            let asked: Vec<(Duration, usize)> =
                sent.iter().map(|one| (messages[one.number].pushed, one.number)).collect();
            let mut sorted = asked.clone();
            sorted.sort();
            prop_assert_eq!(asked, sorted, "the order within chat {}", chat);
        }
    }

    #[test]
    fn thirty_a_second_hold_in_a_crowd(messages in prop::collection::vec(in_a_crowd(), 100..400)) {
        let sent = play(&messages);
        prop_assert_eq!(sent.len(), messages.len(), "each is sent once");
        let arrivals: Vec<Duration> = sent.iter().map(|one| one.arrival).collect();
        let most = most_within(&arrivals, millis(1000));
        prop_assert!(most <= 30, "{} within a second", most);
        let first = sent.iter().map(|one| one.start).min().unwrap_or_default();
        let at_first = sent.iter().filter(|one| one.start < first + millis(1000)).count();
        prop_assert!(at_first >= 20, "the limit is used: {} in the first second", at_first);
    }

    #[test]
    fn a_told_pause_is_kept_and_ends(messages in prop::collection::vec(message(true), 1..200)) {
        let sent = play(&messages);
        prop_assert_eq!(sent.len(), messages.len(), "each is sent once");
        for refused in sent.iter().filter(|one| one.refused.is_some()) {
            let until = refused.end + refused.refused.unwrap();
            let early = sent.iter().find(|one| {
                let other = one.number != refused.number && one.chat == refused.chat;
                other && (refused.end..until).contains(&one.start)
            });
            prop_assert!(early.is_none(), "{:?} before {:?}", early, until);
        }
    }
}

/// Lets everything go that may go now; the calls end at once.
fn go(turns: &mut Turns<&'static str>, now: Duration) -> Vec<&'static str> {
    let mut gone = Vec::new();
    while let Next::Go { chat, item } = turns.next(now, all) {
        turns.ended(chat, now);
        gone.push(item);
    }
    gone
}

#[test]
fn other_chats_go_on_while_one_waits() {
    let mut turns = Turns::new(Limits::default());
    for item in ["a1", "a2", "a3"] {
        turns.push(1, Lane::Notice, item, millis(0));
    }
    turns.push(2, Lane::Notice, "b1", millis(10));
    assert_eq!(go(&mut turns, millis(10)), ["a1", "b1"]);
    assert_eq!(turns.next(millis(20), all), Next::At(millis(1010)));
    assert_eq!(go(&mut turns, millis(1010)), ["a2"]);
    assert_eq!(turns.waiting(), 1);
}

#[test]
fn an_answer_overtakes_notices_of_other_chats_but_not_old_ones() {
    let mut turns = Turns::new(Limits::default());
    turns.push(1, Lane::Notice, "old notice", millis(0));
    turns.push(2, Lane::Notice, "notice", millis(5_000));
    turns.push(3, Lane::Answer, "answer", millis(10_500));
    assert_eq!(go(&mut turns, millis(10_500)), ["old notice", "answer", "notice"]);
}

#[test]
fn a_chat_with_a_call_under_way_gets_no_second_one() {
    let mut turns = Turns::new(Limits::default());
    turns.push(1, Lane::Answer, "first", millis(0));
    turns.push(1, Lane::Answer, "second", millis(0));
    assert!(matches!(
        turns.next(millis(0), all),
        Next::Go { item: "first", .. }
    ));
    assert_eq!(turns.next(millis(60_000), all), Next::Idle);
    turns.ended(1, millis(60_000));
    assert_eq!(turns.next(millis(60_000), all), Next::At(millis(61_000)));
}

#[test]
fn one_refusal_blames_the_chat_and_a_second_one_everybody() {
    let mut turns = Turns::new(Limits::default());
    let minute = Duration::from_secs(60);
    for chat in [1, 2, 3] {
        turns.push(chat, Lane::Answer, "before", millis(0));
    }
    assert_eq!(go(&mut turns, millis(0)).len(), 3);
    let now = millis(2_000);
    for chat in [1, 2, 3] {
        turns.push(chat, Lane::Answer, "after", now);
    }
    assert!(matches!(turns.next(now, all), Next::Go { chat: 1, .. }));
    turns.refused(1, minute, now);
    turns.ended(1, now);
    assert!(
        matches!(turns.next(now, all), Next::Go { chat: 2, .. }),
        "only chat 1 waits"
    );
    turns.refused(2, minute, now);
    turns.ended(2, now);
    assert_eq!(
        turns.next(now, all),
        Next::At(now + minute),
        "chat 3 waits as well"
    );
}

#[test]
fn a_refusal_for_a_chat_that_had_nothing_from_us_stops_everybody() {
    let mut turns = Turns::new(Limits::default());
    turns.push(1, Lane::Answer, "first", millis(0));
    turns.push(2, Lane::Answer, "second", millis(0));
    assert!(matches!(turns.next(millis(0), all), Next::Go { chat: 1, .. }));
    turns.refused(1, Duration::from_secs(7), millis(100));
    turns.ended(1, millis(100));
    assert_eq!(turns.next(millis(100), all), Next::At(millis(7_100)));
}

#[test]
fn one_that_is_no_longer_wanted_takes_no_turn() {
    let mut turns = Turns::new(Limits::default());
    turns.push(1, Lane::Answer, "gone", millis(0));
    turns.push(1, Lane::Answer, "wanted", millis(0));
    let next = turns.next(millis(0), |item| *item != "gone");
    assert!(matches!(next, Next::Go { item: "wanted", .. }));
}

#[test]
fn chats_that_rest_are_forgotten() {
    let mut turns = Turns::new(Limits::default());
    for chat in 0..100 {
        turns.push(chat, Lane::Answer, "hello", millis(0));
    }
    for second in 0..10 {
        go(&mut turns, millis(1000 * second));
    }
    assert_eq!(turns.chats.len(), 100);
    assert_eq!(turns.next(millis(200_000), all), Next::Idle);
    assert_eq!(turns.chats.len(), 0);
}
