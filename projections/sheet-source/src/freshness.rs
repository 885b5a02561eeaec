//! The note: the newest answer, then one line for each source, with the age of what a failed one left
//! standing, then what is held back.

use chrono::{DateTime, FixedOffset, Utc};
use read_models::inventory::queries::{Freshness as SourceFreshness, SheetRows};
use sheet_layout::{Freshness, Language};
use uuid::Uuid;

use crate::held;

/// Stands for a time or a sync that is not known.
const UNKNOWN: &str = "—";

/// The note's lines. Its time is that of the newest answer that was read and recorded as a whole: a sync that
/// failed, or found everything read a moment ago, makes no number newer.
pub(crate) fn freshness(rows: &SheetRows, language: Language) -> Freshness {
    let sources = &rows.freshness;
    let several = (sources.first())
        .is_some_and(|first| sources.iter().any(|source| source.cabinet_id != first.cabinet_id));
    let newest = sources
        .iter()
        .filter_map(|source| Some((source.as_of?, source.complete_at, source.complete_by)))
        .max();
    let (observed_at, sync_id) = match newest {
        Some((at, _, by)) => (moscow(at, language), by.map(|by| by.to_string())),
        None => (UNKNOWN.to_owned(), None),
    };
    Freshness {
        observed_at,
        sync_id: sync_id.unwrap_or_else(|| UNKNOWN.to_owned()),
        sources: (sources.iter())
            .map(|source| line(source, rows, several, language))
            .chain(held::lines(sources, several, language))
            .collect(),
    }
}

/// The note of numbers as they were known at an earlier instant.
pub(crate) fn known_at(at: DateTime<Utc>, language: Language) -> Freshness {
    Freshness {
        observed_at: moscow(at, language),
        sync_id: UNKNOWN.to_owned(),
        sources: Vec::new(),
    }
}

/// The source's name. A tenant with several cabinets sees which one it is of.
pub(crate) fn name(source: &SourceFreshness, several: bool, language: Language) -> String {
    let pick = |russian, english| pick(language, russian, english);
    let name = match source.source.as_str() {
        "cards" => pick("Карточки", "Cards"),
        "stock_fbo" => pick("Остатки FBO", "FBO stock"),
        "stock_fbs" => pick("Остатки FBS", "FBS stock"),
        "orders" => pick("Заказы", "Orders"),
        "prices" => pick("Цены", "Prices"),
        other => other,
    };
    if several {
        format!("{name} ({})", cabinet(source.cabinet_id, language))
    } else {
        name.to_owned()
    }
}

/// What a cabinet is called in a note.
pub(crate) fn cabinet(id: Uuid, language: Language) -> String {
    let id = id.simple().to_string();
    let word = pick(language, "кабинет", "cabinet");
    format!("{word} {}", id.get(..8).unwrap_or_default())
}

fn line(source: &SourceFreshness, rows: &SheetRows, several: bool, language: Language) -> String {
    let pick = |russian, english| pick(language, russian, english);
    let name = name(source, several, language);
    let age = source.as_of.map_or_else(
        || pick("данных ещё нет", "no data yet").to_owned(),
        |at| format!("{} {}", pick("на", "as of"), moscow(at, language)),
    );
    let rest = match source.outcome.as_str() {
        "complete" | "cached" => "",
        "partial" => pick("; последний ответ неполный", "; the last answer is incomplete"),
        _ => pick("; последнее обновление не удалось", "; the last update failed"),
    };
    let known = rows.known_orders.windows(source.cabinet_id, rows.today);
    let missing = if source.source == "orders" && !known.last_7 {
        pick(
            "; за последние 7 дней известны не все заказы",
            "; not all orders of the last 7 days are known",
        )
    } else {
        ""
    };
    format!("{name}: {age}{rest}{missing}")
}

pub(crate) fn pick(language: Language, russian: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Russian => russian,
        Language::English => english,
    }
}

/// Moscow is UTC+3 all year round; both marketplaces and their sellers tell time in it.
pub(crate) fn moscow(at: DateTime<Utc>, language: Language) -> String {
    let zone = match language {
        Language::Russian => "МСК",
        Language::English => "MSK",
    };
    match FixedOffset::east_opt(3 * 3600) {
        Some(moscow) => format!("{} {zone}", at.with_timezone(&moscow).format("%d.%m.%Y %H:%M")),
        None => at.format("%d.%m.%Y %H:%M UTC").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use read_models::inventory::queries::KnownOrders;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn read(source: &str, as_of: Option<&str>, outcome: &str, outcome_at: &str) -> SourceFreshness {
        SourceFreshness {
            cabinet_id: Uuid::from_u128(1),
            source: source.to_owned(),
            as_of: as_of.map(at),
            complete_at: as_of.map(at),
            complete_by: as_of.map(|_| Uuid::from_u128(7)),
            outcome: outcome.to_owned(),
            outcome_at: at(outcome_at),
            error: None,
            sync_id: Uuid::from_u128(8),
            held: Vec::new(),
            held_by: None,
        }
    }

    fn note(sources: Vec<SourceFreshness>, language: Language) -> Freshness {
        let rows = SheetRows {
            position: 1,
            known_at: None,
            products: Vec::new(),
            warehouses: Vec::new(),
            freshness: sources,
            known_orders: KnownOrders::default(),
            today: chrono::NaiveDate::default(),
            outlooks: None,
            sizes: None,
            size_names: std::collections::HashMap::new(),
        };
        freshness(&rows, language)
    }

    #[test]
    fn a_sync_that_failed_or_asked_nothing_does_not_make_the_note_newer() {
        let complete = "2026-11-30T06:00:00Z";
        let whole = note(
            vec![read("stock_fbo", Some(complete), "complete", complete)],
            Language::Russian,
        );
        assert_eq!(whole.observed_at, "30.11.2026 09:00 МСК");
        assert_eq!(whole.sync_id, Uuid::from_u128(7).to_string());
        for outcome in ["failed", "cached", "partial"] {
            let later = note(
                vec![
                    read("stock_fbo", Some(complete), outcome, "2026-11-30T12:00:00Z"),
                    read("orders", None, "failed", "2026-11-30T12:00:00Z"),
                ],
                Language::Russian,
            );
            assert_eq!(
                (&later.observed_at, &later.sync_id),
                (&whole.observed_at, &whole.sync_id),
                "{outcome}"
            );
        }
    }

    #[test]
    fn nothing_was_read_yet_and_the_note_says_so() {
        let failed = read("orders", None, "failed", "2026-11-30T12:00:00Z");
        let told = note(vec![failed], Language::English);
        assert_eq!((told.observed_at.as_str(), told.sync_id.as_str()), ("—", "—"));
        assert_eq!(
            told.sources,
            ["Orders: no data yet; the last update failed; not all orders of the last 7 days are known"]
        );
    }

    #[test]
    fn every_source_has_a_name_in_both_languages() {
        for (source, russian, english) in [
            ("cards", "Карточки", "Cards"),
            ("stock_fbo", "Остатки FBO", "FBO stock"),
            ("stock_fbs", "Остатки FBS", "FBS stock"),
            ("orders", "Заказы", "Orders"),
            ("prices", "Цены", "Prices"),
        ] {
            for (language, name) in [(Language::Russian, russian), (Language::English, english)] {
                let one = read(
                    source,
                    Some("2026-11-30T06:00:00Z"),
                    "complete",
                    "2026-11-30T06:00:00Z",
                );
                let told = note(vec![one], language);
                assert!(
                    told.sources[0].starts_with(&format!("{name}: ")),
                    "{:?}",
                    told.sources
                );
            }
        }
    }
}
