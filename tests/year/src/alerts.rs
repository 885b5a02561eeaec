//! Alerts against the marketplace's own numbers: whether each was true when it was raised, and at every
//! comparison whether exactly the products have one whose stock asks for it.

use std::collections::{BTreeMap, BTreeSet};

use application::domain::Decider as _;
use application::domain::alert::{Alert, Standing};
use chrono::{DateTime, Utc};
use events::alert::{AlertCause, Seen};
use events::catalog::AlertEvent;
use events::{Decoded, Event};
use simulators::Ledger;

use crate::Failure;
use crate::counts::{counts, moscow_day, total};

/// The rule that is set: low below five units or a week, enough from eight units and ten days.
pub(crate) const LOW_UNITS: i64 = 5;
pub(crate) const ENOUGH_UNITS: i64 = 8;
pub(crate) const LOW_DAYS: i64 = 7;
pub(crate) const ENOUGH_DAYS: i64 = 10;
/// Days whose orders count for the turnover.
const WINDOW: i64 = 7;

/// What the log has said of alerts so far.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// By article.
    alerts: BTreeMap<i64, Alert>,
    /// The article of a stream that began.
    articles: BTreeMap<uuid::Uuid, i64>,
    /// Articles that certainly had stock or orders once.
    known: BTreeSet<i64>,
    /// Alerts by the type of their event.
    pub(crate) raised: BTreeMap<&'static str, u64>,
}

/// What the marketplace has of one article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    available: i64,
    orders: i64,
}

/// How it has to stand with an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Fine,
    Low,
    Out,
    /// Between the two values: low if it was low before.
    FineOrLow,
    /// Nothing, and it is not certain that there ever was anything.
    FineOrOut,
}

impl Watched {
    /// Takes up what was appended to alerts after a sync: every number in it is the marketplace's.
    pub(crate) fn take(&mut self, events: &[events::Recorded], ledger: &Ledger) -> Result<(), Failure> {
        for recorded in events {
            let Decoded::Known(Event::Alert(event)) = recorded.decode()? else {
                continue;
            };
            *self.raised.entry(event.event_type()).or_default() += 1;
            if let Some(seen) = seen(&event) {
                self.articles.insert(recorded.stream_id, seen.nm_id);
                is_true(seen, ledger)?;
            }
            let article = self.articles.get(&recorded.stream_id);
            let article = article.ok_or("an alert was closed that was never raised")?;
            self.alerts.entry(*article).or_default().evolve(&event);
        }
        Ok(())
    }

    /// Exactly the articles have alerts that have to; returns how many were looked at.
    pub(crate) fn compare(&mut self, ledger: &Ledger, now: DateTime<Utc>) -> Result<usize, Failure> {
        let mut compared = 0;
        for product in &ledger.products {
            let numbers = numbers(ledger, product.article, now);
            let wanted = if product.listed {
                self.wanted(product.article, numbers)
            } else {
                Wanted::Fine
            };
            if product.listed && (numbers.available > 0 || numbers.orders > 0) {
                self.known.insert(product.article);
            }
            let standing = (self.alerts.get(&product.article)).and_then(|alert| alert.places.get(""));
            let fits = match standing {
                None => matches!(wanted, Wanted::Fine | Wanted::FineOrLow | Wanted::FineOrOut),
                Some(Standing::Low { .. }) => matches!(wanted, Wanted::Low | Wanted::FineOrLow),
                Some(Standing::Out { .. }) => matches!(wanted, Wanted::Out | Wanted::FineOrOut),
            };
            if !fits {
                let article = product.article;
                return Err(format!(
                    "the alert of {article} is {standing:?}, and it is {wanted:?}: {numbers:?}"
                )
                .into());
            }
            compared += usize::from(product.listed);
        }
        Ok(compared)
    }

    fn wanted(&self, article: i64, numbers: Numbers) -> Wanted {
        let Numbers { available, orders } = numbers;
        if available <= 0 && (orders > 0 || self.known.contains(&article)) {
            return Wanted::Out;
        }
        if available <= 0 {
            return Wanted::FineOrOut;
        }
        // Days of stock in tenths, half to even; endless where nothing is ordered.
        let days = (orders > 0).then(|| {
            let (whole, twice_rest) = (available * 70 / orders, available * 70 % orders * 2);
            whole + i64::from(twice_rest > orders || (twice_rest == orders && whole % 2 == 1))
        });
        if available < LOW_UNITS || days.is_some_and(|days| days < LOW_DAYS * 10) {
            Wanted::Low
        } else if available >= ENOUGH_UNITS && days.is_none_or(|days| days >= ENOUGH_DAYS * 10) {
            Wanted::Fine
        } else {
            Wanted::FineOrLow
        }
    }
}

fn seen(event: &AlertEvent) -> Option<&Seen> {
    match event {
        AlertEvent::StockBecameLow(low) => Some(&low.seen),
        AlertEvent::StockOut(out) => Some(&out.seen),
        AlertEvent::StockRecovered(recovered) => Some(&recovered.seen),
        AlertEvent::AlertClosed(_) => None,
    }
}

/// The numbers that an alert follows from are the marketplace's at that moment.
fn is_true(seen: &Seen, ledger: &Ledger) -> Result<(), Failure> {
    // A rule is judged by the numbers of the last sync.
    if seen.cause == AlertCause::Rule {
        return Ok(());
    }
    if let Some(key) = &seen.warehouse {
        let stock = ledger.stock().remove(&seen.nm_id).unwrap_or_default();
        let available = stock.get(key).map_or(0, |units| units[0]);
        return match available == seen.available {
            true => Ok(()),
            false => Err(format!(
                "an alert of {} at {key}: {seen:?}, and it is {available}",
                seen.nm_id
            )
            .into()),
        };
    }
    let truth = numbers(ledger, seen.nm_id, seen.at);
    let told = Numbers {
        available: seen.available,
        orders: seen.orders.unwrap_or(truth.orders),
    };
    if told == truth {
        return Ok(());
    }
    Err(format!("an alert of {} says {told:?}, and it is {truth:?}", seen.nm_id).into())
}

fn numbers(ledger: &Ledger, article: i64, now: DateTime<Utc>) -> Numbers {
    let stock = ledger.stock().remove(&article).unwrap_or_default();
    let today = moscow_day(now);
    let ordered = (ledger.orders.iter())
        .filter(|order| order.article == article && counts(order))
        .filter(|order| (0..WINDOW).contains(&(today - moscow_day(order.ordered_at)).num_days()));
    Numbers {
        available: total(&stock)[0],
        orders: ordered.map(|order| order.quantity).sum(),
    }
}
