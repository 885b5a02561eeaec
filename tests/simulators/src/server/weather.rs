//! Bad weather: sources that fail now and then, in every way they were seen to fail. What fails when follows
//! from a seed and the simulated time alone, so that the order in which calls happen to arrive changes
//! nothing.

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::faults::Effect;
use super::lock;
use crate::dice::Dice;

/// How bad the weather is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Weather {
    /// Everything that fails follows from it and from the time.
    pub seed: u64,
    /// Part of the time in which a source does not work, in thousandths. A fifth of it are whole days, the
    /// rest single hours. As often again a source that works fails for one call only.
    pub per_mille: u32,
}

/// Ways to fail; the last ones are over before a call that is sent again.
const KINDS: usize = 10;

/// What a marketplace adds: its own words for "no" and a field that its clients cannot do without.
pub(crate) struct Ways {
    /// A refused credential: status and body.
    pub(crate) refusal: (u16, &'static str),
    /// The field that is called otherwise all of a sudden.
    pub(crate) field: (&'static str, &'static str),
}

#[derive(Default)]
struct State {
    weather: Weather,
    /// Hours whose one bad call is over.
    spent: HashSet<(u64, i64)>,
    /// Calls that were hit, by kind.
    hits: BTreeMap<&'static str, u64>,
}

/// The weather over one simulator.
#[derive(Default)]
pub(crate) struct Sky(Mutex<State>);

impl Sky {
    pub(crate) fn set(&self, weather: Weather) {
        lock(&self.0).weather = weather;
    }

    pub(crate) fn hits(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).hits.clone()
    }

    /// What happens to a call for `source` of one seller at this time.
    pub(crate) fn over(&self, source: &str, seller: &str, now: DateTime<Utc>, ways: &Ways) -> Option<Effect> {
        let mut state = lock(&self.0);
        let Weather { seed, per_mille } = state.weather;
        if per_mille == 0 {
            return None;
        }
        let whole = usize::try_from(per_mille).unwrap_or(0);
        let hour = now.timestamp().div_euclid(3_600);
        let key = |what: &str| {
            // Stable over versions of the standard library is not needed: a run compares with itself only.
            let mut hasher = std::hash::DefaultHasher::new();
            (seed, source, seller, what).hash(&mut hasher);
            hasher.finish()
        };
        let mut day = Dice::new(key("day") ^ hour.div_euclid(24).unsigned_abs());
        let mut this = Dice::new(key("hour") ^ hour.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (name, effect) = if day.below(5_000) < whole {
            kind(day.below(KINDS), ways)
        } else if this.below(5_000) < whole * 4 {
            kind(this.below(KINDS), ways)
        } else if this.below(1_000) < whole && state.spent.insert((key("hour"), hour)) {
            kind(this.below(4), ways)
        } else {
            return None;
        };
        *state.hits.entry(name).or_default() += 1;
        Some(effect)
    }
}

/// The first four are those that a client sends again after.
fn kind(number: usize, ways: &Ways) -> (&'static str, Effect) {
    let status = |status: u16, body: &str, content_type: Option<&str>| Effect::Status {
        status,
        body: body.to_owned(),
        content_type: content_type.map(str::to_owned),
    };
    match number {
        // At the speed of a simulated year the told delay is over at once.
        0 => ("429", Effect::RateLimited { retry_seconds: 0 }),
        1 => ("500", status(500, r#"{"title":"internal server error"}"#, None)),
        2 => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body></body></html>";
            ("502 as a page", status(502, page, Some("text/html")))
        }
        3 => ("reset", Effect::Reset),
        4 => ("200 without a body", Effect::EmptyBody),
        5 => ("cut body", Effect::CutBody),
        6 => ("broken JSON", Effect::Truncated),
        7 => ("200 as a page", Effect::HtmlPage),
        8 => ("refused", status(ways.refusal.0, ways.refusal.1, None)),
        _ => {
            let (from, to) = ways.field;
            let renamed = Effect::RenameField {
                from: from.to_owned(),
                to: to.to_owned(),
            };
            ("renamed field", renamed)
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Sky, Ways, Weather};

    const WAYS: Ways = Ways {
        refusal: (401, "{}"),
        field: ("a", "b"),
    };

    #[test]
    fn a_source_fails_as_often_as_told_and_the_same_way_whoever_asks_first() {
        let (one, other) = (Sky::default(), Sky::default());
        let weather = Weather {
            seed: 7,
            per_mille: 50,
        };
        one.set(weather);
        other.set(weather);
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let (mut broken, mut hours) = (0, 0);
        for hour in 0..20_000 {
            let now = start + TimeDelta::hours(hour);
            let stock = one.over("stock", "s", now, &WAYS);
            let cards = one.over("cards", "s", now, &WAYS);
            assert_eq!(other.over("cards", "s", now, &WAYS), cards);
            assert_eq!(other.over("stock", "s", now, &WAYS), stock);
            // The second call of an hour is only hit where the source is down.
            hours += 1;
            broken += i64::from(one.over("stock", "s", now, &WAYS).is_some());
        }
        let per_mille = broken * 1_000 / hours;
        assert!((40..60).contains(&per_mille), "{per_mille}");
        assert_eq!(one.hits().len(), 10, "{:?}", one.hits());
    }
}
