//! When an answer is too strange to be believed at once, and what makes it believable after all. Pure: what
//! was believed, what was seen now and the time give the verdict. `docs/plausibility.md` explains it to
//! sellers.
//!
//! Each source is judged by itself, and stock by warehouse as well, so that a doubt holds back no more than
//! it has to. Saying the same again proves nothing: a vendor's fault lasts for hours. A fall is believed at
//! once when orders account for it or another source confirms it, after some hours when nothing contradicts
//! it, and not without a person when something does.

pub mod beliefs;
mod rules;
mod words;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use events::sync::{Doubt, DoubtState};

pub use beliefs::{Beliefs, CatalogueSeen, Facts, Open, OrdersSeen, PricesSeen, StockSeen, Told};
use rules::Suspect;

use super::sources::{ORDERS, STOCK_FBO, STOCK_FBS};

/// How long a doubtful answer waits when nothing contradicts it. Vendors' reports are repaired within hours;
/// a seller who really emptied a warehouse waits for less than a working day.
pub const UNCONTRADICTED: TimeDelta = TimeDelta::hours(6);
/// How long it waits when orders cannot be read, so that nothing could contradict it: an outage of the order
/// report is over by then, and a seller whose orders stay unreadable learns of the end all the same.
pub const UNHEARD: TimeDelta = TimeDelta::hours(48);
/// Orders are told a little later than stock: those of the last hour before an answer may not be in it.
const ORDERS_LAG: TimeDelta = TimeDelta::hours(1);
/// This much of a fall has to be ordered for the orders to explain it; returns and corrections blur the rest.
const EXPLAINED_PERCENT: i64 = 90;

/// What becomes of a doubtful answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is held back: a later answer or a person decides.
    Hold,
    /// It is recorded, because it can take nothing away, but not believed to be all.
    Leave,
    /// It is taken, with a mark: nothing contradicted it for [`UNCONTRADICTED`], or for [`UNHEARD`] where
    /// orders could not be read.
    Mark,
}

/// What speaks against an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Nothing that is known.
    Nothing,
    /// Orders could not be read, so nothing can speak either way.
    Unheard,
    /// So many units were ordered after it that it cannot be right.
    Orders(i64),
    /// So many articles are named by other sources.
    Others(i64),
}

/// A doubtful answer and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which source.
    pub source: &'static str,
    /// Keys of the warehouses it is about; none: the source as a whole.
    pub keys: Option<BTreeSet<String>>,
    /// Their name.
    pub name: Option<String>,
    /// Name of the rule.
    pub rule: &'static str,
    /// What was believed: units, articles or orders, or an average price in minor units.
    pub before: i64,
    /// What is told now.
    pub now: i64,
    /// When it was first doubted.
    pub since: DateTime<Utc>,
    /// What speaks against it.
    pub against: Against,
    /// The verdict.
    pub decision: Decision,
}

impl Finding {
    /// As it is recorded.
    #[must_use]
    pub fn doubt(&self) -> Doubt {
        Doubt {
            state: match self.decision {
                Decision::Hold => DoubtState::Held,
                Decision::Leave => DoubtState::Left,
                Decision::Mark => DoubtState::Taken,
            },
            warehouses: self.keys.iter().flatten().cloned().collect(),
            warehouse_name: self.name.clone(),
            rule: self.rule.to_owned(),
            before: self.before,
            now: self.now,
            since: self.since,
            contradicted: matches!(self.against, Against::Orders(_) | Against::Others(_)),
            evidence: words::evidence(self),
        }
    }
}

/// What came of judging an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What was doubtful.
    pub findings: Vec<Finding>,
    /// What is believed from now on.
    pub after: Beliefs,
    /// What would be believed if nothing were doubted; a person's release takes it from here.
    pub seen: Beliefs,
}

impl Judgement {
    /// What is held back.
    pub fn held(&self) -> impl Iterator<Item = &Finding> {
        let is_held = |finding: &&Finding| finding.decision == Decision::Hold;
        self.findings.iter().filter(is_held)
    }
}

/// Judges what was seen at `at` against what was believed. The first answer of a source is believed.
#[must_use]
pub fn judge(before: &Beliefs, facts: &Facts, at: DateTime<Utc>) -> Judgement {
    let suspects = rules::suspects(before, facts, at);
    // Orders that are doubtful themselves neither explain nor contradict anything.
    let is_heard = !suspects.iter().any(|suspect| suspect.source == ORDERS);
    let orders = match (&facts.orders, &facts.some_orders) {
        (Some(all), _) if is_heard => Heard::All(all),
        (None, Some(some)) => Heard::Some(some),
        _ => Heard::Nothing,
    };
    let settled = suspects.into_iter();
    let findings: Vec<Finding> = settled
        .filter_map(|suspect| settle(suspect, before, orders, at))
        .collect();
    let seen = Beliefs::of(facts, at);
    let mut after = before.clone();
    for source in facts.sources() {
        let kept_back = |finding: &&Finding| finding.source == source && finding.decision != Decision::Mark;
        let doubted: Vec<&Finding> = findings.iter().filter(kept_back).collect();
        if doubted.iter().all(|finding| finding.keys.is_some()) {
            let except = doubted.iter().filter_map(|finding| finding.keys.as_ref());
            after.take_all_but(&seen, source, &except.flatten().cloned().collect());
        }
        after.open.retain(|open| open.source != source);
        after.open.extend(doubted.into_iter().map(Open::of));
    }
    Judgement {
        findings,
        after,
        seen,
    }
}

/// What is heard of orders.
#[derive(Clone, Copy)]
enum Heard<'a> {
    /// All of them.
    All(&'a OrdersSeen),
    /// A part.
    Some(&'a OrdersSeen),
    /// None that can be relied on.
    Nothing,
}

impl<'a> Heard<'a> {
    const fn told(self) -> Option<&'a OrdersSeen> {
        match self {
            Self::All(orders) | Self::Some(orders) => Some(orders),
            Self::Nothing => None,
        }
    }

    const fn is_all(self) -> bool {
        matches!(self, Self::All(_))
    }
}

/// The verdict on a suspect; none when it is explained.
fn settle(suspect: Suspect, before: &Beliefs, orders: Heard<'_>, at: DateTime<Utc>) -> Option<Finding> {
    let since = (before.open.iter())
        .filter(|open| open.covers(suspect.source, suspect.is_fall, suspect.keys.as_ref()))
        .map(|open| open.since)
        .min()
        .unwrap_or(at);
    let mut against = suspect.others.map_or(Against::Nothing, Against::Others);
    if matches!(suspect.source, STOCK_FBO | STOCK_FBS) && suspect.is_fall {
        // What was ordered is known from a part of the orders too. That nothing more was, is not.
        if let Some(orders) = orders.told() {
            let ordered = |from, to| orders.units(suspect.source, suspect.keys.as_ref(), from, to);
            let sold = ordered(suspect.believed_at - ORDERS_LAG, since);
            if suspect.others.is_none()
                && sold.saturating_mul(100) >= suspect.units.saturating_mul(EXPLAINED_PERCENT)
            {
                return None;
            }
            let after = ordered(since, at);
            if after > suspect.left {
                against = Against::Orders(after);
            }
        }
        if !orders.is_all() && against == Against::Nothing && before.orders.is_some() {
            against = Against::Unheard;
        }
    }
    let decision = match against {
        Against::Nothing if at - since >= UNCONTRADICTED => Decision::Mark,
        Against::Unheard if at - since >= UNHEARD => Decision::Mark,
        _ if suspect.takes_nothing_away => Decision::Leave,
        _ => Decision::Hold,
    };
    Some(Finding {
        source: suspect.source,
        keys: suspect.keys,
        name: suspect.name,
        rule: suspect.rule,
        before: suspect.before,
        now: suspect.now,
        since,
        against,
        decision,
    })
}

#[cfg(test)]
mod tests;
