//! A finding in words that a seller understands.

use chrono::{DateTime, Utc};

use super::{Against, Decision, Finding, UNCONTRADICTED, UNHEARD};
use crate::sync::sources::{CARDS, ORDERS, PRICES, STOCK_FBO, STOCK_FBS};

/// One or two sentences: what is doubted, the numbers, since when, and how it ends.
pub(super) fn evidence(finding: &Finding) -> String {
    let what = match finding.source {
        CARDS => "The catalogue",
        STOCK_FBO => "Stock in the marketplace's warehouses",
        STOCK_FBS => "Stock in your own warehouses",
        ORDERS => "Orders of past days",
        PRICES => "Prices",
        other => other,
    };
    let place = finding.name.as_ref().map(|name| format!(", {name}"));
    format!(
        "{what}{}: {}, since {}. {}",
        place.unwrap_or_default(),
        numbers(finding),
        time(finding.since),
        ending(finding)
    )
}

fn numbers(finding: &Finding) -> String {
    let (before, now) = (finding.before, finding.now);
    match finding.rule {
        "unknown_articles" => format!("{now} articles that no one knows, and none that is known"),
        "prices_jumped" => format!("{} on average before, {} now", money(before), money(now)),
        "most_articles_out_of_stock" => format!("{before} articles in stock before, {now} now"),
        _ => {
            let unit = match finding.source {
                CARDS | PRICES => "articles",
                ORDERS => "orders",
                _ => "units",
            };
            format!("{before} {unit} before, {now} now")
        }
    }
}

fn ending(finding: &Finding) -> String {
    match (finding.decision, finding.against) {
        (Decision::Mark, Against::Unheard) => format!(
            "Orders could not be read for {} hours, so it is taken as true.",
            UNHEARD.num_hours()
        ),
        (Decision::Mark, _) => format!(
            "Nothing contradicted it for {} hours, so it is taken as true.",
            UNCONTRADICTED.num_hours()
        ),
        (_, Against::Orders(units)) => {
            format!("{units} units were ordered from there after that, so a person has to decide.")
        }
        (_, Against::Others(articles)) if finding.source == CARDS => format!(
            "Stock or prices still name {articles} articles that are missing, so a person has to decide."
        ),
        (_, Against::Others(_)) => {
            "The catalogue does not name them either, so a person has to decide.".to_owned()
        }
        (Decision::Leave, _) => "What was told is recorded; nothing is taken away.".to_owned(),
        (_, Against::Unheard) => format!(
            "Orders could not be read, so nothing confirms it yet; if that stays so, it is taken as true on {}.",
            time(finding.since + UNHEARD)
        ),
        (_, Against::Nothing) => format!(
            "Nothing explains it yet; it is taken as true if nothing contradicts it until {}.",
            time(finding.since + UNCONTRADICTED)
        ),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn money(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}
