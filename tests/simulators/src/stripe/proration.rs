//! What a change inside a paid period costs: the unused part of the old price back, the same part of the new
//! one on top. Stripe prorates by the second.

use chrono::{DateTime, Months};

use super::model::{Item, Line, Subscription};
use super::world::World;

/// One month, or whatever a price's period is, after a moment; days that a month lacks become its last.
pub(crate) fn period_end(anchor: i64, start: i64, interval: &str, count: u32) -> i64 {
    let count = count.max(1);
    match interval {
        "day" => start + i64::from(count) * 86_400,
        "week" => start + i64::from(count) * 7 * 86_400,
        _ => {
            let months = if interval == "year" { count * 12 } else { count };
            // From the anchor, so that the 31st comes back after a shorter month.
            let mut periods = 1;
            loop {
                let end = add_months(anchor, months * periods);
                if end > start {
                    return end;
                }
                periods += 1;
            }
        }
    }
}

pub(crate) fn add_months(start: i64, months: u32) -> i64 {
    DateTime::from_timestamp(start, 0)
        .and_then(|start| start.checked_add_months(Months::new(months)))
        .map_or(start, |end| end.timestamp())
}

/// `amount × part / whole`, rounded half away from zero.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let product = i128::from(amount) * i128::from(part) * 2 + i128::from(whole);
    i64::try_from(product.div_euclid(i128::from(whole) * 2)).unwrap_or(0)
}

/// Lines for a change of a subscription's items at a moment of its period. There are none in a trial, which
/// costs nothing.
pub(crate) fn lines(world: &mut World, subscription: &Subscription, items: &[Item], at: i64) -> Vec<Line> {
    let trial = subscription.trial_end.is_some_and(|end| end > at);
    let (start, end) = (subscription.period_start, subscription.period_end);
    if trial || at >= end || at < start {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let gone = subscription.items.iter().map(|item| (item, true));
    for (item, back) in gone.chain(items.iter().map(|item| (item, false))) {
        let others = if back { items } else { &subscription.items };
        let same = others
            .iter()
            .any(|other| other.id == item.id && other.price == item.price && other.quantity == item.quantity);
        let Some(price) = world.prices.get(&item.price).filter(|_| !same) else {
            continue;
        };
        let whole = price.unit_amount * i64::from(item.quantity);
        let part = share(whole, end - at, end - start);
        let name = world
            .products
            .get(&price.product)
            .map_or_else(String::new, |product| product.name.clone());
        let day =
            DateTime::from_timestamp(at, 0).map_or_else(String::new, |at| at.format("%d %b %Y").to_string());
        let what = if back { "Unused" } else { "Remaining" };
        lines.push(Line {
            id: world.id("il_1", 23),
            amount: if back { -part } else { part },
            description: format!("{what} time on {name} after {day}"),
            start: at,
            end,
            price: Some(item.price.clone()),
            quantity: item.quantity,
            proration: true,
            subscription: Some(subscription.id.clone()),
            item: Some(item.id.clone()),
            invoice_item: Some(world.id("ii_1", 23)),
        });
    }
    lines
}

/// The regular lines of a period.
pub(crate) fn period_lines(
    world: &mut World,
    subscription: &Subscription,
    items: &[Item],
    (start, end): (i64, i64),
) -> Vec<Line> {
    let trial = subscription.trial_end.is_some_and(|trial| trial > start);
    items
        .iter()
        .map(|item| {
            let price = world.prices.get(&item.price).cloned();
            let unit = price.as_ref().map_or(0, |price| price.unit_amount);
            let name = price
                .and_then(|price| world.products.get(&price.product))
                .map_or_else(String::new, |product| product.name.clone());
            let dollars = format!("${}.{:02}", unit / 100, unit % 100);
            let description = if trial {
                format!("Trial period for {name}")
            } else {
                format!("{} × {name} (at {dollars} / month)", item.quantity)
            };
            Line {
                id: world.id("il_1", 23),
                amount: if trial { 0 } else { unit * i64::from(item.quantity) },
                description,
                start,
                end,
                price: Some(item.price.clone()),
                quantity: item.quantity,
                proration: false,
                subscription: Some(subscription.id.clone()),
                item: Some(item.id.clone()),
                invoice_item: None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{period_end, share};

    fn at(text: &str) -> i64 {
        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp()
    }

    #[test]
    fn the_31st_comes_back_after_a_shorter_month() {
        let anchor = at("2026-01-31T12:00:00Z");
        let february = period_end(anchor, anchor, "month", 1);
        assert_eq!(february, at("2026-02-28T12:00:00Z"));
        assert_eq!(
            period_end(anchor, february, "month", 1),
            at("2026-03-31T12:00:00Z")
        );
    }

    #[test]
    fn a_share_is_rounded_half_away_from_zero() {
        assert_eq!(share(990, 1, 2), 495);
        assert_eq!(share(991, 1, 2), 496);
        assert_eq!(share(2990, 0, 30), 0);
        assert_eq!(share(2990, 30, 30), 2990);
    }
}
