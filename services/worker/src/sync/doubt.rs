//! When an answer is too strange to be believed at once: most of the stock gone, everything zero, half of the
//! catalogue missing. It is held back until the next sync says the same; sellers do empty their warehouses,
//! and marketplaces do answer nonsense, and one answer cannot tell which.

use crate::memory::{Believed, Totals};

/// Fewer units or articles than this are too few to be surprised about.
const ENOUGH_UNITS: i64 = 100;
const ENOUGH_ARTICLES: i64 = 20;

/// What a sync's complete answers add up to; none for what was not answered completely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenTotals {
    /// Units that can be sold.
    pub available: Option<i64>,
    /// Articles in the catalogue.
    pub articles: Option<i64>,
}

impl SeenTotals {
    /// With nothing for what was not answered.
    #[must_use]
    pub fn or_zero(self) -> Totals {
        Totals {
            available: self.available.unwrap_or(0),
            articles: self.articles.unwrap_or(0),
        }
    }

    /// What is believed after this sync: its own totals, and the last believed ones for what was not
    /// answered.
    #[must_use]
    pub fn over(self, believed: Option<Believed>) -> Totals {
        let before = believed.map_or(
            Totals {
                available: 0,
                articles: 0,
            },
            |believed| believed.totals,
        );
        Totals {
            available: self.available.unwrap_or(before.available),
            articles: self.articles.unwrap_or(before.articles),
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
/// that follows a doubted one: it confirms, or it is plausible again.
#[must_use]
pub fn judge(believed: Option<&Believed>, seen: &SeenTotals) -> Option<Doubt> {
    let believed = believed.filter(|believed| believed.doubted_by.is_none())?;
    let before = believed.totals;
    if let Some(available) = seen.available
        && before.available >= ENOUGH_UNITS
        && available * 10 < before.available
    {
        let rule = if available == 0 {
            "all_stock_gone"
        } else {
            "most_stock_gone"
        };
        return Some(Doubt {
            rule,
            evidence: format!("{} units before, {available} now", before.available),
        });
    }
    if let Some(articles) = seen.articles
        && before.articles >= ENOUGH_ARTICLES
        && articles * 2 < before.articles
    {
        let evidence = format!("{} articles before, {articles} now", before.articles);
        return Some(Doubt {
            rule: "catalogue_halved",
            evidence,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{SeenTotals, judge};
    use crate::memory::{Believed, Totals};
    use events::ids::SyncId;

    fn believed(available: i64, articles: i64) -> Believed {
        Believed {
            totals: Totals { available, articles },
            doubted_by: None,
        }
    }

    fn seen(available: i64, articles: i64) -> SeenTotals {
        SeenTotals {
            available: Some(available),
            articles: Some(articles),
        }
    }

    #[test]
    fn everything_gone_at_once_is_doubted_and_the_next_answer_is_believed() {
        let before = believed(1_000, 50);
        assert_eq!(
            judge(Some(&before), &seen(0, 50)).map(|doubt| doubt.rule),
            Some("all_stock_gone")
        );
        let doubted = Believed {
            doubted_by: Some(SyncId(uuid::Uuid::nil())),
            ..before
        };
        assert_eq!(judge(Some(&doubted), &seen(0, 50)), None);
    }

    #[test]
    fn half_a_catalogue_is_doubted() {
        let rule = judge(Some(&believed(1_000, 50)), &seen(1_000, 24)).map(|doubt| doubt.rule);
        assert_eq!(rule, Some("catalogue_halved"));
    }

    #[test]
    fn ordinary_sales_small_sellers_first_answers_and_failed_sources_are_not() {
        assert_eq!(judge(Some(&believed(1_000, 50)), &seen(120, 40)), None);
        assert_eq!(judge(Some(&believed(99, 19)), &seen(0, 0)), None);
        assert_eq!(judge(None, &seen(0, 0)), None);
        assert_eq!(judge(Some(&believed(1_000, 50)), &SeenTotals::default()), None);
    }
}
