//! When a product could be bought, from what its sources tell and when they saw it.
//!
//! Time is the marketplace's (`as_of` of the observation), not ours: a report that is half an hour old tells
//! how it was half an hour ago. Each source has a line of time of its own, because their reports differ in
//! age; a product is in stock while any of them tells a unit. Between two observations what was told last
//! holds, and nothing is known before the first. An observation that is older than the one before it of the
//! same source counts as of the same time: a line of time does not go back.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};

/// What one source tells of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Time of its last observation.
    at: DateTime<Utc>,
    /// Units over the warehouses it tells.
    available: i64,
    /// Since when there are some; none while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
}

/// A product's sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tallies(BTreeMap<String, Tally>);

/// What became of the units in one observation: how many more each source tells. A warehouse that another
/// source told before moves its units from there.
#[derive(Debug, Default)]
pub(super) struct Moved(Vec<(String, i64)>);

/// A spell in stock that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) source: String,
    pub(super) began_at: DateTime<Utc>,
    pub(super) ended_at: DateTime<Utc>,
}

impl Moved {
    /// The sum cannot exceed what the product's own sum is checked for.
    pub(super) fn add(&mut self, source: &str, units: i64) {
        match self.0.iter_mut().find(|(known, _)| known == source) {
            Some((_, sum)) => *sum = sum.saturating_add(units),
            None => self.0.push((source.to_owned(), units)),
        }
    }
}

impl Tallies {
    /// Takes an observation of this time in and returns the spells that it ended.
    pub(super) fn observe(&mut self, at: DateTime<Utc>, moved: Moved) -> Vec<Ended> {
        // As exact as a column is, so that what is kept and what is asked for agree.
        let at = at.trunc_subsecs(6);
        let mut ended = Vec::new();
        for (source, more) in moved.0 {
            let tally = self.0.entry(source.clone()).or_insert(Tally {
                at,
                available: 0,
                since: None,
            });
            tally.at = tally.at.max(at);
            tally.available = tally.available.saturating_add(more);
            match tally.since {
                None if tally.available > 0 => tally.since = Some(tally.at),
                Some(began_at) if tally.available <= 0 => {
                    tally.since = None;
                    if began_at < tally.at {
                        ended.push(Ended {
                            source,
                            began_at,
                            ended_at: tally.at,
                        });
                    }
                }
                _ => {}
            }
        }
        ended
    }

    /// Beginning of the oldest spell that lasts.
    pub(super) fn in_stock_since(&self) -> Option<DateTime<Utc>> {
        self.0.values().filter_map(|tally| tally.since).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn moved(source: &str, units: i64) -> Moved {
        let mut moved = Moved::default();
        moved.add(source, units);
        moved
    }

    fn spells(ended: &[Ended]) -> Vec<(&str, i64, i64)> {
        ended
            .iter()
            .map(|spell| {
                (
                    spell.source.as_str(),
                    spell.began_at.timestamp() / 60,
                    spell.ended_at.timestamp() / 60,
                )
            })
            .collect()
    }

    #[test]
    fn a_spell_lasts_from_the_first_unit_to_the_observation_without_any() {
        let mut sources = Tallies::default();
        assert_eq!(sources.observe(at(1), moved("fbo", 0)), []);
        assert_eq!(sources.in_stock_since(), None);
        assert_eq!(sources.observe(at(2), moved("fbo", 5)), []);
        assert_eq!(sources.observe(at(3), moved("fbo", -2)), []);
        assert_eq!(sources.in_stock_since(), Some(at(2)));
        assert_eq!(spells(&sources.observe(at(7), moved("fbo", -3))), [("fbo", 2, 7)]);
        assert_eq!(sources.in_stock_since(), None);
    }

    #[test]
    fn sources_of_different_age_do_not_bend_each_other_s_time() {
        let mut sources = Tallies::default();
        sources.observe(at(100), moved("fbs", 1));
        sources.observe(at(70), moved("fbo", 1));
        assert_eq!(sources.in_stock_since(), Some(at(70)));
        assert_eq!(
            spells(&sources.observe(at(130), moved("fbs", -1))),
            [("fbs", 100, 130)]
        );
        assert_eq!(
            spells(&sources.observe(at(110), moved("fbo", -1))),
            [("fbo", 70, 110)]
        );
    }

    #[test]
    fn a_source_that_goes_back_in_time_stands_still() {
        let mut sources = Tallies::default();
        sources.observe(at(10), moved("fbo", 1));
        assert_eq!(
            sources.observe(at(5), moved("fbo", -1)),
            [],
            "a spell of no length"
        );
        sources.observe(at(4), moved("fbo", 1));
        assert_eq!(sources.in_stock_since(), Some(at(10)));
    }

    #[test]
    fn a_warehouse_that_another_source_tells_now_takes_its_units_along() {
        let mut sources = Tallies::default();
        sources.observe(at(1), moved("report", 4));
        let mut taken = moved("report", -4);
        taken.add("fbo", 4);
        assert_eq!(spells(&sources.observe(at(2), taken)), [("report", 1, 2)]);
        assert_eq!(sources.in_stock_since(), Some(at(2)));
    }
}
