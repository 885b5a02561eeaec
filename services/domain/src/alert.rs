//! Whether a product runs out, in total and by warehouse. Numbers come from the alert policy; here stands
//! when a number is a change worth a warning.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::StreamType;
use events::alert::{AlertClosed, AlertEnd, Lost, Seen, StockBecameLow, StockOut, StockRecovered};
use events::alert_rule::EnoughStock;
use events::catalog::AlertEvent;
use events::sheet::LowStock;
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::alert_rules::Rule;
use crate::decider::aggregate;

const SECONDS_A_DAY: i64 = 86_400;

/// How it stands with one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Less than the rule asks for.
    Low {
        /// Since when it has been low or out.
        since: DateTime<Utc>,
    },
    /// Nothing left.
    Out {
        /// Since when it has been low or out.
        since: DateTime<Utc>,
        /// Since when nothing has been left.
        out_since: DateTime<Utc>,
        /// Units a day that were ordered before, in thousandths, when known.
        pace_milli: Option<i64>,
        /// What a unit is sold for, in minor units, when known.
        price_minor: Option<i64>,
        /// ISO 4217 code of the price.
        currency: Option<String>,
    },
}

impl Standing {
    const fn since(&self) -> DateTime<Utc> {
        match self {
            Self::Low { since } | Self::Out { since, .. } => *since,
        }
    }

    /// The time without stock that ends now, if it was out.
    fn lost(&self, at: DateTime<Utc>) -> Option<Lost> {
        let Self::Out {
            out_since,
            pace_milli,
            price_minor,
            currency,
            ..
        } = self
        else {
            return None;
        };
        Some(lost(*out_since, at, *pace_milli, *price_minor, currency.clone()))
    }
}

/// What a time without stock, from `since` to `at`, has probably cost: `pace_milli` thousandths of a unit a
/// day, each sold for `price_minor` minor units of `currency`.
#[must_use]
pub fn lost(
    since: DateTime<Utc>,
    at: DateTime<Utc>,
    pace_milli: Option<i64>,
    price_minor: Option<i64>,
    currency: Option<String>,
) -> Lost {
    let seconds = (at - since).num_seconds().max(0);
    let orders_tenths = pace_milli.map(|pace| scaled(pace, seconds, SECONDS_A_DAY * 100));
    let turnover_minor = match (pace_milli, price_minor) {
        (Some(pace), Some(price)) => {
            let milli = scaled(pace, seconds, SECONDS_A_DAY);
            Some(scaled(milli, price, 1_000))
        }
        _ => None,
    };
    Lost {
        since,
        seconds,
        orders_tenths,
        turnover_minor,
        currency: turnover_minor.and(currency),
    }
}

/// `value * by / through`, without overflow on the way.
fn scaled(value: i64, by: i64, through: i64) -> i64 {
    let wide = i128::from(value) * i128::from(by) / i128::from(through.max(1));
    i64::try_from(wide).unwrap_or(i64::MAX)
}

/// The alerts of one product. The key is a warehouse's, or empty for all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What is low or out; what is not listed is fine.
    pub places: BTreeMap<String, Standing>,
}

/// Numbers of one place, with what is needed should it run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The numbers.
    pub seen: Seen,
    /// The rule that counts.
    pub rule: Rule,
    /// Units a day in the last seven days, in thousandths, when known.
    pub pace_milli: Option<i64>,
    /// What a unit is sold for, in minor units, when known.
    pub price_minor: Option<i64>,
    /// ISO 4217 code of the price.
    pub currency: Option<String>,
}

/// What the alerts of a product can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertCommand {
    /// Judge these numbers, each of another place.
    Look(Vec<Look>),
    /// Stop watching places; an empty key is all warehouses together.
    Close {
        /// Which.
        places: Vec<String>,
        /// Why.
        reason: AlertEnd,
        /// Position of the event after which they end.
        position: i64,
        /// When, by that event.
        at: DateTime<Utc>,
    },
}

/// Alerts refuse nothing: what changes nothing gives no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlertRefusal {}

/// Whether so much is below the values.
#[must_use]
pub fn is_low(low: LowStock, available: i64, days_tenths: Option<i64>) -> bool {
    low.below_units.is_some_and(|units| available < units)
        || (low.below_days.zip(days_tenths)).is_some_and(|(days, tenths)| tenths < i64::from(days) * 10)
}

/// Whether so much is at or above the values. Where nothing is ordered, the days are without end.
#[must_use]
pub fn is_enough(enough: EnoughStock, available: i64, days_tenths: Option<i64>) -> bool {
    enough.from_units.is_none_or(|units| available >= units)
        && (enough.from_days.zip(days_tenths)).is_none_or(|(days, tenths)| tenths >= i64::from(days) * 10)
}

/// What one look changes.
fn judged(before: Option<&Standing>, look: &Look) -> Option<AlertEvent> {
    let Look { seen, rule, .. } = look;
    if seen.available <= 0 {
        if matches!(before, Some(Standing::Out { .. })) {
            return None;
        }
        let out = StockOut {
            seen: seen.clone(),
            pace_milli: look.pace_milli,
            price_minor: look.price_minor,
            currency: look.currency.clone(),
        };
        return Some(out.into());
    }
    let low = is_low(rule.low, seen.available, seen.days_tenths);
    let enough = !low && is_enough(rule.enough, seen.available, seen.days_tenths);
    match before {
        None if low => Some(became_low(look, None)),
        None => None,
        Some(standing) if enough => {
            let recovered = StockRecovered {
                seen: seen.clone(),
                since: standing.since(),
                lost: standing.lost(seen.at),
            };
            Some(recovered.into())
        }
        Some(standing @ Standing::Out { .. }) => Some(became_low(look, standing.lost(seen.at))),
        Some(Standing::Low { .. }) => None,
    }
}

fn became_low(look: &Look, lost: Option<Lost>) -> AlertEvent {
    StockBecameLow {
        seen: look.seen.clone(),
        low: look.rule.low,
        lost,
    }
    .into()
}

impl Decider for Alert {
    const STREAM: StreamType = StreamType::Alert;
    const FOLD_VERSION: i32 = 1;
    type Command = AlertCommand;
    type Happened = AlertEvent;
    type Refusal = AlertRefusal;

    fn decide(&self, command: AlertCommand) -> Result<Vec<AlertEvent>, AlertRefusal> {
        let place = |key: &Option<String>| key.clone().unwrap_or_default();
        Ok(match command {
            AlertCommand::Look(looks) => (looks.iter())
                .filter_map(|look| judged(self.places.get(&place(&look.seen.warehouse)), look))
                .collect(),
            AlertCommand::Close {
                places,
                reason,
                position,
                at,
            } => (places.into_iter())
                .filter(|key| self.places.contains_key(key))
                .map(|key| {
                    let warehouse = (!key.is_empty()).then_some(key);
                    AlertClosed {
                        warehouse,
                        reason,
                        position,
                        at,
                    }
                    .into()
                })
                .collect(),
        })
    }

    fn evolve(&mut self, event: &AlertEvent) {
        let place = |key: &Option<String>| key.clone().unwrap_or_default();
        match event {
            AlertEvent::StockBecameLow(low) => {
                let key = place(&low.seen.warehouse);
                let since = self.places.get(&key).map_or(low.seen.at, Standing::since);
                self.places.insert(key, Standing::Low { since });
            }
            AlertEvent::StockOut(out) => {
                let key = place(&out.seen.warehouse);
                let since = self.places.get(&key).map_or(out.seen.at, Standing::since);
                let standing = Standing::Out {
                    since,
                    out_since: out.seen.at,
                    pace_milli: out.pace_milli,
                    price_minor: out.price_minor,
                    currency: out.currency.clone(),
                };
                self.places.insert(key, standing);
            }
            AlertEvent::StockRecovered(recovered) => {
                self.places.remove(&place(&recovered.seen.warehouse));
            }
            AlertEvent::AlertClosed(closed) => {
                self.places.remove(&place(&closed.warehouse));
            }
        }
    }
}

aggregate!(Alert, "alert");

#[cfg(test)]
mod tests;
