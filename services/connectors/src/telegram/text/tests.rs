//! Every part of a cut text stands alone, and nothing is lost between two of them.

use proptest::prelude::*;

use super::{cut, escape, plain, shortened, units};

/// A text as the bot makes them: lines with escaped words, some of them marked.
fn html() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => "[a-zа-я<>&\"]{1,12}",
        1 => Just("📦👩‍🚀🇷🇺é".to_owned()),
        1 => "[a-z]{40,80}",
    ];
    let marked = (word, 0usize..6).prop_map(|(word, mark)| {
        let word = escape(&word);
        match mark {
            0 => format!("<b>{word}</b>"),
            1 => format!("<i>{word} <u>{word}</u></i>"),
            2 => format!("<a href=\"https://example.org/?a=1&amp;b=2\">{word}</a>"),
            _ => word,
        }
    });
    let line = prop::collection::vec(marked, 0..8).prop_map(|words| words.join(" "));
    (prop::collection::vec(line, 0..30), any::<bool>()).prop_map(|(lines, pre)| {
        let text = lines.join("\n");
        if pre { format!("<pre>{text}</pre>") } else { text }
    })
}

/// Whether every tag is closed in order and every `&` begins an entity.
fn is_well_formed(html: &str) -> bool {
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let from = &rest[at..];
        if let Some(after) = from.strip_prefix('&') {
            if !["&amp;", "&lt;", "&gt;", "&quot;"]
                .iter()
                .any(|entity| from.starts_with(entity))
            {
                return false;
            }
            rest = after;
            continue;
        }
        let Some(end) = from.find('>') else { return false };
        let tag = &from[1..end];
        match tag.strip_prefix('/') {
            Some(name) if open.pop().as_deref() == Some(name) => {}
            Some(_) => return false,
            None => open.push(tag.split(' ').next().unwrap().to_owned()),
        }
        rest = &from[end + 1..];
    }
    open.is_empty()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn every_part_of_a_cut_text_stands_alone(html in html(), most in 20usize..300) {
        let parts = cut(&html, most);
        for part in &parts {
            prop_assert!(units(part) <= most, "{} of {most}: {part}", units(part));
            prop_assert!(is_well_formed(part), "{}", part);
            prop_assert!(!plain(part).trim().is_empty());
        }
        let read: String = parts.iter().map(|part| plain(part)).collect();
        prop_assert_eq!(letters(&read), letters(&plain(&html)), "nothing is lost or doubled");
    }

    #[test]
    fn a_text_that_fits_is_left_as_it_is(html in html()) {
        let parts = cut(&html, 100_000);
        if plain(&html).trim().is_empty() {
            prop_assert!(parts.is_empty());
        } else {
            prop_assert_eq!(parts, vec![html]);
        }
    }

    #[test]
    fn what_people_write_is_shown_as_they_wrote_it(text in any::<String>()) {
        prop_assert_eq!(plain(&escape(&text)), text);
    }

    #[test]
    fn any_text_can_be_cut(text in any::<String>(), most in 0usize..10) {
        for part in cut(&text, most) {
            prop_assert!(units(&part) <= most.max(2));
        }
        prop_assert!(shortened(&text, most).encode_utf16().count() <= most);
    }
}

#[test]
fn a_cut_is_made_between_lines() {
    let html = "<b>Stock</b>\nfirst line\nsecond line";
    assert_eq!(cut(html, 20), ["<b>Stock</b>\nfirst line", "second line"]);
}

#[test]
fn a_table_that_is_cut_stays_a_table() {
    let html = "<pre>red   5\nblue  7\ngreen 9</pre>";
    assert_eq!(
        cut(html, 16),
        ["<pre>red   5\nblue  7</pre>", "<pre>green 9</pre>"]
    );
}

#[test]
fn a_line_that_is_too_long_is_cut_at_a_blank() {
    assert_eq!(cut("one two three four", 9), ["one two ", "three ", "four"]);
}

#[test]
fn an_entity_and_an_emoji_are_never_cut() {
    assert_eq!(cut("aaa&amp;bbb", 4), ["aaa&amp;", "bbb"]);
    assert_eq!(cut("ab👩\u{200d}🚀cd", 6), ["ab", "👩\u{200d}🚀c", "d"]);
    assert_eq!(cut("🇷🇺🇰🇿", 5), ["🇷🇺", "🇰🇿"]);
}

#[test]
fn a_link_is_opened_again_after_a_cut() {
    let html = "<a href=\"https://example.org/?q=>\">one\ntwo</a>";
    assert_eq!(
        cut(html, 4),
        [
            "<a href=\"https://example.org/?q=>\">one</a>",
            "<a href=\"https://example.org/?q=>\">two</a>"
        ]
    );
}

#[test]
fn a_length_is_counted_as_telegram_counts_it() {
    assert_eq!(units("<b>📦</b> &lt;Ё&gt;"), 6);
    assert_eq!(units("&#128230;&#x1F4E6;"), 4);
    assert_eq!(units("5 < 7 & 8"), 9);
}

#[test]
fn a_text_with_nothing_to_read_gives_no_message() {
    assert!(cut("", 100).is_empty());
    assert!(cut("<b> \n </b>", 100).is_empty());
}

#[test]
fn a_stray_sign_is_escaped_when_the_text_is_cut() {
    assert_eq!(cut("a < b & c </i>", 100), ["a &lt; b &amp; c "]);
}

#[test]
fn a_notice_that_is_too_long_says_so() {
    assert_eq!(shortened("Обновлено", 9), "Обновлено");
    assert_eq!(shortened("Обновлено", 5), "Обно…");
    assert_eq!(shortened("📦📦", 3), "📦…");
}
