//! The note's lines on what is held back: which numbers the sheet does not show yet, since when, and what
//! the seller does about it. `docs/plausibility.md` explains the rules.

use std::borrow::Cow;

use events::sync::Doubt;
use read_models::inventory::queries::Freshness as SourceFreshness;
use sheet_layout::Language;

use crate::freshness::{moscow, name, pick};

/// Lines in the note; what is beyond is counted.
const MOST_LINES: usize = 5;

/// Characters of a warehouse's name in a line; what is beyond is cut.
const MOST_NAME: usize = 60;

/// One line for each thing that is held back. What waits for a person comes first.
pub(crate) fn lines(sources: &[SourceFreshness], several: bool, language: Language) -> Vec<String> {
    let mut held: Vec<(&SourceFreshness, &Doubt)> = (sources.iter())
        .flat_map(|source| source.held.iter().map(move |doubt| (source, doubt)))
        .collect();
    held.sort_by_key(|(_, doubt)| !doubt.contradicted);
    let rest = held.len().saturating_sub(MOST_LINES);
    let mut lines: Vec<String> = (held.iter().take(MOST_LINES))
        .map(|(source, doubt)| line(source, doubt, several, language))
        .collect();
    if rest > 0 {
        lines.push(match language {
            Language::Russian => format!("Придержано ещё: {rest}"),
            Language::English => format!("Held back: and {rest} more"),
        });
    }
    lines
}

fn line(source: &SourceFreshness, doubt: &Doubt, several: bool, language: Language) -> String {
    let held = pick(language, "Придержано", "Held back");
    let name = name(source, several, language);
    let place = match doubt.warehouse_name.as_deref() {
        Some(warehouse) => format!(", {}", cut(warehouse)),
        None => String::new(),
    };
    let since = pick(language, "с", "since");
    format!(
        "{held}: {name}{place}: {} {since} {}; {}",
        numbers(source, doubt, language),
        moscow(doubt.since, language),
        ending(source, doubt, language)
    )
}

/// The numbers before and now, with what they count.
fn numbers(source: &SourceFreshness, doubt: &Doubt, language: Language) -> String {
    let (before, now) = (doubt.before, doubt.now);
    let what = match (doubt.rule.as_str(), source.source.as_str()) {
        ("unknown_articles", _) => {
            return format!(
                "{} {now}",
                pick(language, "неизвестных артикулов", "unknown articles")
            );
        }
        ("prices_jumped", _) => {
            let mean = pick(language, "средняя цена", "average price");
            return format!("{mean} {} → {}", money(before), money(now));
        }
        ("most_articles_out_of_stock", _) => pick(language, "артикулов в наличии", "articles in stock"),
        (_, "cards" | "prices") => pick(language, "артикулов", "articles"),
        (_, "orders") => pick(language, "заказов", "orders"),
        _ => pick(language, "единиц", "units"),
    };
    format!("{what} {before} → {now}")
}

fn ending(source: &SourceFreshness, doubt: &Doubt, language: Language) -> String {
    if !doubt.contradicted {
        let by_itself = pick(
            language,
            "будет принято само через несколько часов, если ничто этому не противоречит",
            "it is taken by itself some hours later if nothing contradicts it",
        );
        return by_itself.to_owned();
    }
    let sync = (source.held_by).map_or_else(String::new, |sync| format!(" {sync}"));
    match language {
        Language::Russian => format!(
            "другие данные этому противоречат, решите в приложении: принять (release) или отклонить (discard) \
             синхронизацию{sync}"
        ),
        Language::English => {
            format!("other data contradict it, decide in the app: release or discard sync{sync}")
        }
    }
}

/// Minor units as an amount; the currency is the cabinet's own.
fn money(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

fn cut(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(MOST_NAME) {
        Some((end, _)) => Cow::Owned(format!("{}…", name.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use events::sync::DoubtState;
    use uuid::Uuid;

    use super::*;

    fn doubt(rule: &str, warehouse: Option<&str>, numbers: (i64, i64), contradicted: bool) -> Doubt {
        Doubt {
            state: DoubtState::Held,
            warehouses: warehouse.map(|_| "fbo:507".to_owned()).into_iter().collect(),
            warehouse_name: warehouse.map(str::to_owned),
            rule: rule.to_owned(),
            before: numbers.0,
            now: numbers.1,
            since: "2026-11-30T06:00:00Z".parse().unwrap(),
            contradicted,
            evidence: String::new(),
        }
    }

    fn holding(source: &str, held: Vec<Doubt>) -> SourceFreshness {
        let outcome_at: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        SourceFreshness {
            cabinet_id: Uuid::from_u128(1),
            source: source.to_owned(),
            as_of: None,
            complete_at: None,
            complete_by: None,
            outcome: "partial".to_owned(),
            outcome_at,
            error: None,
            sync_id: Uuid::from_u128(8),
            held,
            held_by: Some(Uuid::from_u128(9)),
        }
    }

    #[test]
    fn a_line_says_what_is_held_since_when_and_that_it_ends_by_itself() {
        let fell = doubt("warehouse_empty", Some("Коледино"), (120, 0), false);
        let source = [holding("stock_fbo", vec![fell])];
        assert_eq!(
            lines(&source, false, Language::English),
            [
                "Held back: FBO stock, Коледино: units 120 → 0 since 30.11.2026 09:00 MSK; \
              it is taken by itself some hours later if nothing contradicts it"
            ]
        );
        assert_eq!(
            lines(&source, false, Language::Russian),
            [
                "Придержано: Остатки FBO, Коледино: единиц 120 → 0 с 30.11.2026 09:00 МСК; \
              будет принято само через несколько часов, если ничто этому не противоречит"
            ]
        );
    }

    #[test]
    fn what_is_contradicted_names_the_sync_to_decide_about() {
        let gone = doubt("catalogue_halved", None, (50, 24), true);
        let source = [holding("cards", vec![gone])];
        assert_eq!(
            lines(&source, true, Language::English),
            [
                "Held back: Cards (cabinet 00000000): articles 50 → 24 since 30.11.2026 09:00 MSK; \
              other data contradict it, decide in the app: release or discard sync \
              00000000-0000-0000-0000-000000000009"
            ]
        );
        assert_eq!(
            lines(&source, false, Language::Russian),
            ["Придержано: Карточки: артикулов 50 → 24 с 30.11.2026 09:00 МСК; \
              другие данные этому противоречат, решите в приложении: принять (release) или отклонить \
              (discard) синхронизацию 00000000-0000-0000-0000-000000000009"]
        );
    }

    #[test]
    fn numbers_are_shown_in_what_the_rule_counts() {
        for (source, rule, numbers, russian, english) in [
            (
                "orders",
                "orders_multiplied",
                (20, 41),
                "заказов 20 → 41",
                "orders 20 → 41",
            ),
            (
                "stock_fbs",
                "most_articles_out_of_stock",
                (20, 9),
                "артикулов в наличии 20 → 9",
                "articles in stock 20 → 9",
            ),
            (
                "stock_fbo",
                "unknown_articles",
                (0, 7),
                "неизвестных артикулов 7",
                "unknown articles 7",
            ),
            (
                "prices",
                "prices_jumped",
                (100_050, 1_000_500),
                "средняя цена 1000.50 → 10005.00",
                "average price 1000.50 → 10005.00",
            ),
        ] {
            let held = [holding(source, vec![doubt(rule, None, numbers, false)])];
            for (language, expected) in [(Language::Russian, russian), (Language::English, english)] {
                let shown = lines(&held, false, language);
                assert!(shown[0].contains(&format!(": {expected} ")), "{shown:?}");
            }
        }
    }

    #[test]
    fn the_lines_are_few_and_short_and_what_needs_a_person_comes_first() {
        let long = "я".repeat(10_000);
        let empty = |contradicted| doubt("warehouse_empty", Some(&long), (100, 0), contradicted);
        let mut held = vec![empty(false); MOST_LINES + 2];
        held.push(empty(true));
        let source = [holding("stock_fbo", held)];
        let shown = lines(&source, false, Language::English);
        assert_eq!(shown.len(), MOST_LINES + 1);
        assert!(shown[0].contains("decide in the app"), "{shown:?}");
        assert_eq!(shown[MOST_LINES], "Held back: and 3 more");
        assert!(shown.iter().all(|line| line.chars().count() < 300), "{shown:?}");
        let russian = lines(&source, false, Language::Russian);
        assert_eq!(russian[MOST_LINES], "Придержано ещё: 3");
        let five = [holding("stock_fbo", vec![empty(false); MOST_LINES])];
        assert_eq!(lines(&five, false, Language::English).len(), MOST_LINES);
        assert_eq!(lines(&[], false, Language::English), Vec::<String>::new());
    }
}
