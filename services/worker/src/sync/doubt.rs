//! When an answer is too strange to be believed at once: most of the stock gone, everything zero, half of the
//! catalogue missing, ten times as much as before. It is held back until the next sync says the same, or a
//! person decides; sellers do empty their warehouses, and marketplaces do answer nonsense, and one answer
//! cannot tell which.
//!
//! Only sums are judged. Which warehouse the units lie in is none of it: a marketplace that masks, renames or
//! regroups its warehouses moves no unit.

use serde::{Deserialize, Serialize};

use crate::memory::{Believed, Doubted, Totals};

/// Fewer units or articles than this are too few to be surprised about.
const ENOUGH_UNITS: i64 = 100;
const ENOUGH_ARTICLES: i64 = 20;
/// Fewer than one in so many units left is most of the stock gone; so many times as many is too much.
const MOST: i64 = 10;
/// Fewer than one in so many articles still in stock is no ordinary day.
const ARTICLES_LEFT: i64 = 4;

/// What a sync's complete answers add up to; none for what was not answered completely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTotals {
    /// Units that can be sold.
    pub available: Option<i64>,
    /// Articles in the catalogue.
    pub articles: Option<i64>,
    /// Articles of which there is something to sell.
    pub stocked: Option<i64>,
}

impl SeenTotals {
    /// What is believed after this sync: its own totals, and the last believed ones for what was not
    /// answered.
    #[must_use]
    pub fn over(self, believed: Option<Totals>) -> Totals {
        let before = believed.unwrap_or(Totals {
            available: 0,
            articles: 0,
            stocked: 0,
        });
        Totals {
            available: self.available.unwrap_or(before.available),
            articles: self.articles.unwrap_or(before.articles),
            stocked: self.stocked.unwrap_or(before.stocked),
        }
    }
}

/// Why an answer is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Name of the rule.
    pub rule: &'static str,
    /// The numbers.
    pub evidence: String,
}

/// Judges an answer against the last believed one. The first answer of a cabinet is believed, and so is one
/// that follows a doubted one and confirms it: it breaks the same rule, or none.
#[must_use]
pub fn judge(believed: Option<&Believed>, seen: &SeenTotals) -> Option<Doubt> {
    let believed = believed?;
    let doubt = broken_rule(&believed.totals, seen)?;
    let confirmed = believed
        .doubted
        .as_ref()
        .is_some_and(|doubted| doubted.rule.is_empty() || family(&doubted.rule) == family(doubt.rule));
    (!confirmed).then_some(doubt)
}

/// The doubt that an answer neither confirms nor dispels, because it did not see what is doubted.
#[must_use]
pub fn left_open(believed: &Believed, seen: &SeenTotals) -> Option<Doubted> {
    let doubted = believed.doubted.as_ref()?;
    let judged = match family(&doubted.rule) {
        "catalogue_halved" => seen.articles,
        _ => seen.available,
    };
    judged.is_none().then(|| Doubted {
        held_by: None,
        rule: doubted.rule.clone(),
    })
}

/// Rules that say the same of two answers: nothing left and next to nothing left confirm each other.
fn family(rule: &str) -> &str {
    match rule {
        "all_stock_gone" | "most_stock_gone" | "most_articles_out_of_stock" => "stock_gone",
        other => other,
    }
}

fn broken_rule(before: &Totals, seen: &SeenTotals) -> Option<Doubt> {
    let doubt = |rule, what: &str, before: i64, now: i64| {
        let evidence = format!("{before} {what} before, {now} now");
        Some(Doubt { rule, evidence })
    };
    if let Some(now) = seen.available
        && before.available >= ENOUGH_UNITS
    {
        if now == 0 {
            return doubt("all_stock_gone", "units", before.available, now);
        }
        if now.saturating_mul(MOST) < before.available {
            return doubt("most_stock_gone", "units", before.available, now);
        }
        if before.available.saturating_mul(MOST) < now {
            return doubt("stock_multiplied", "units", before.available, now);
        }
    }
    if let Some(now) = seen.articles
        && before.articles >= ENOUGH_ARTICLES
        && now.saturating_mul(2) < before.articles
    {
        return doubt("catalogue_halved", "articles", before.articles, now);
    }
    if let Some(now) = seen.stocked
        && before.stocked >= ENOUGH_ARTICLES
        && now.saturating_mul(ARTICLES_LEFT) < before.stocked
    {
        return doubt(
            "most_articles_out_of_stock",
            "articles in stock",
            before.stocked,
            now,
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{SeenTotals, judge, left_open};
    use crate::memory::{Believed, Doubted, Totals};
    use events::ids::SyncId;

    fn believed(available: i64, articles: i64) -> Believed {
        Believed {
            totals: Totals {
                available,
                articles,
                stocked: articles,
            },
            doubted: None,
        }
    }

    fn doubted(rule: &str) -> Believed {
        Believed {
            doubted: Some(Doubted {
                held_by: Some(SyncId(uuid::Uuid::nil())),
                rule: rule.to_owned(),
            }),
            ..believed(1_000, 50)
        }
    }

    fn seen(available: i64, articles: i64) -> SeenTotals {
        SeenTotals {
            available: Some(available),
            articles: Some(articles),
            stocked: Some(articles),
        }
    }

    fn rule(believed: &Believed, seen: &SeenTotals) -> Option<&'static str> {
        judge(Some(believed), seen).map(|doubt| doubt.rule)
    }

    #[test]
    fn what_jumps_is_doubted_by_name() {
        for (now, expected) in [
            (seen(0, 50), "all_stock_gone"),
            (seen(99, 50), "most_stock_gone"),
            (seen(10_001, 50), "stock_multiplied"),
            (seen(1_000, 24), "catalogue_halved"),
            (
                SeenTotals {
                    stocked: Some(12),
                    ..seen(1_000, 50)
                },
                "most_articles_out_of_stock",
            ),
        ] {
            assert_eq!(rule(&believed(1_000, 50), &now), Some(expected));
        }
    }

    #[test]
    fn the_next_answer_is_believed_when_it_confirms_and_when_it_is_plausible_again() {
        let before = doubted("all_stock_gone");
        for now in [seen(0, 50), seen(7, 50), seen(980, 50)] {
            assert_eq!(rule(&before, &now), None, "{now:?}");
        }
    }

    #[test]
    fn another_jump_does_not_confirm_the_first_one() {
        let before = doubted("catalogue_halved");
        assert_eq!(rule(&before, &seen(0, 50)), Some("all_stock_gone"));
        assert_eq!(
            rule(&doubted("all_stock_gone"), &seen(20_000, 50)),
            Some("stock_multiplied")
        );
    }

    #[test]
    fn a_doubt_waits_for_an_answer_that_sees_what_is_doubted() {
        let without_stock = SeenTotals {
            articles: Some(50),
            ..SeenTotals::default()
        };
        let before = doubted("all_stock_gone");
        let open = left_open(&before, &without_stock).expect("nothing was said of the stock");
        assert_eq!((open.held_by, open.rule.as_str()), (None, "all_stock_gone"));
        let later = Believed {
            doubted: Some(open),
            ..before.clone()
        };
        assert_eq!(rule(&later, &seen(0, 50)), None, "the second time it is believed");
        assert_eq!(left_open(&before, &seen(980, 50)), None);
        assert_eq!(left_open(&doubted("catalogue_halved"), &without_stock), None);
    }

    #[test]
    fn ordinary_sales_small_sellers_first_answers_and_failed_sources_are_not() {
        assert_eq!(rule(&believed(1_000, 50), &seen(120, 40)), None);
        assert_eq!(rule(&believed(1_000, 50), &seen(9_000, 90)), None);
        assert_eq!(rule(&believed(99, 19), &seen(0, 0)), None);
        assert_eq!(judge(None, &seen(0, 0)), None);
        assert_eq!(rule(&believed(1_000, 50), &SeenTotals::default()), None);
    }
}
