//! Every kind has all its texts in both languages.

use std::collections::BTreeSet;

use application::domain::notice::NoticeKind;
use notifications::Language;

use super::{Texts, Value, Values, grouped};

#[test]
fn every_kind_has_all_its_texts_in_both_languages() {
    let texts = Texts::load().unwrap();
    for kind in NoticeKind::ALL {
        for language in Language::ALL {
            let kind = texts.of(language).kind(kind).unwrap();
            for text in [&kind.icon, &kind.title, &kind.full, &kind.line] {
                assert!(!text.trim().is_empty());
            }
        }
    }
}

#[test]
fn both_languages_say_the_same_things() {
    let texts = Texts::load().unwrap();
    let slots = |text: &str| -> BTreeSet<String> {
        let slots = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        slots.map(|(slot, _)| slot.to_owned()).collect()
    };
    let [russian, english] = Language::ALL.map(|language| &texts.books[&language]);
    for (name, kind) in &russian.kinds {
        let other = &english.kinds[name];
        assert_eq!(slots(&kind.full), slots(&other.full), "{name}");
        assert_eq!(slots(&kind.line), slots(&other.line), "{name}");
    }
    for (name, part) in &russian.parts {
        assert_eq!(slots(part), slots(&english.parts[name]), "{name}");
    }
    assert!(russian.why.keys().eq(english.why.keys()));
    assert!(russian.buttons.keys().eq(english.buttons.keys()));
}

#[test]
fn russian_words_go_with_their_numbers() {
    let texts = Texts::load().unwrap();
    let words = texts.of(Language::Russian);
    let days = |number: i64| words.number(number * 10, Some("days")).replace('\u{a0}', " ");
    for (number, expected) in [
        (0, "0 дней"),
        (1, "1 день"),
        (2, "2 дня"),
        (4, "4 дня"),
        (5, "5 дней"),
        (11, "11 дней"),
        (14, "14 дней"),
        (21, "21 день"),
        (22, "22 дня"),
        (111, "111 дней"),
        (101, "101 день"),
    ] {
        assert_eq!(days(number), expected);
    }
    assert_eq!(words.number(25, Some("days")), "2,5\u{a0}дня");
    let english = texts.of(Language::English);
    assert_eq!(english.number(10, Some("days")), "1\u{a0}day");
    assert_eq!(english.number(15, Some("days")), "1.5\u{a0}days");
}

#[test]
fn what_people_wrote_is_escaped() {
    let texts = Texts::load().unwrap();
    let values = Values::from([("name", Value::Words("<b>Чай & «Ко»".to_owned()))]);
    let filled = texts
        .of(Language::Russian)
        .fill("<i>{name}</i>{unknown}", &values);
    assert_eq!(filled, "<i>&lt;b&gt;Чай &amp; «Ко»</i>");
}

#[test]
fn long_numbers_are_read_in_groups() {
    assert_eq!(grouped(3_000), "3000");
    assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
}
