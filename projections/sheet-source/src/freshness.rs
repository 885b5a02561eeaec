//! The note: the newest answer, then one line for each source, with the age of what a failed one left
//! standing.

use chrono::{DateTime, FixedOffset, Utc};
use read_models::inventory::queries::Freshness as SourceFreshness;
use sheet_layout::{Freshness, Language};

/// The note's lines.
pub(crate) fn freshness(sources: &[SourceFreshness], language: Language) -> Freshness {
    let Some(newest) = sources
        .iter()
        .max_by_key(|source| (source.outcome_at, source.sync_id))
    else {
        return Freshness {
            observed_at: "—".to_owned(),
            sync_id: "—".to_owned(),
            sources: Vec::new(),
        };
    };
    let several = sources
        .iter()
        .any(|source| source.cabinet_id != newest.cabinet_id);
    Freshness {
        observed_at: moscow(newest.outcome_at, language),
        sync_id: newest.sync_id.to_string(),
        sources: (sources.iter())
            .map(|source| line(source, several, language))
            .collect(),
    }
}

/// The note of numbers as they were known at an earlier instant.
pub(crate) fn known_at(at: DateTime<Utc>, language: Language) -> Freshness {
    Freshness {
        observed_at: moscow(at, language),
        sync_id: "—".to_owned(),
        sources: Vec::new(),
    }
}

fn line(source: &SourceFreshness, several: bool, language: Language) -> String {
    let russian = language == Language::Russian;
    let pick = |a: &'static str, b: &'static str| if russian { a } else { b };
    let name = match source.source.as_str() {
        "cards" => pick("Карточки", "Cards"),
        "stock_fbo" => pick("Остатки FBO", "FBO stock"),
        "stock_fbs" => pick("Остатки FBS", "FBS stock"),
        "orders" => pick("Заказы", "Orders"),
        other => other,
    };
    let cabinet = source.cabinet_id.simple().to_string();
    let name = if several {
        let word = pick("кабинет", "cabinet");
        format!("{name} ({word} {})", cabinet.get(..8).unwrap_or_default())
    } else {
        name.to_owned()
    };
    let age = source.as_of.map_or_else(
        || pick("данных ещё нет", "no data yet").to_owned(),
        |at| format!("{} {}", pick("на", "as of"), moscow(at, language)),
    );
    let rest = match source.outcome.as_str() {
        "complete" | "cached" => "",
        "partial" => pick("; последний ответ неполный", "; the last answer is incomplete"),
        _ => pick("; последнее обновление не удалось", "; the last update failed"),
    };
    format!("{name}: {age}{rest}")
}

/// Moscow is UTC+3 all year round; both marketplaces and their sellers tell time in it.
fn moscow(at: DateTime<Utc>, language: Language) -> String {
    let zone = match language {
        Language::Russian => "МСК",
        Language::English => "MSK",
    };
    match FixedOffset::east_opt(3 * 3600) {
        Some(moscow) => format!("{} {zone}", at.with_timezone(&moscow).format("%d.%m.%Y %H:%M")),
        None => at.format("%d.%m.%Y %H:%M UTC").to_string(),
    }
}
