//! What the ledger adds up to, in the terms of the read models.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use simulators::{Ledger, LedgerOrder};

/// Days of the windows.
pub(crate) const WINDOWS: [i64; 3] = [7, 14, 28];

/// Ordered units of the windows, in their order.
pub(crate) type Counts = [i64; 3];

/// The Moscow day of a moment: UTC+3, all year.
pub(crate) fn moscow_day(at: DateTime<Utc>) -> NaiveDate {
    (at + TimeDelta::hours(3)).date_naive()
}

/// Whether an order still counts as one.
pub(crate) fn counts(order: &LedgerOrder) -> bool {
    order.status != "cancelled"
}

/// Ordered units by article and warehouse key, zeros left out.
pub(crate) fn orders(ledger: &Ledger) -> BTreeMap<i64, BTreeMap<String, Counts>> {
    let today = moscow_day(ledger.now);
    let mut orders: BTreeMap<i64, BTreeMap<String, Counts>> = BTreeMap::new();
    for order in ledger.orders.iter().filter(|order| counts(order)) {
        let age = (today - moscow_day(order.ordered_at)).num_days();
        let windows = WINDOWS.map(|days| {
            if (0..days).contains(&age) {
                order.quantity
            } else {
                0
            }
        });
        if windows == [0; 3] {
            continue;
        }
        let key = ledger.key(order.warehouse, true);
        let cell = orders.entry(order.article).or_default().entry(key).or_default();
        for (sum, units) in cell.iter_mut().zip(windows) {
            *sum += units;
        }
    }
    orders
}

/// Sums over all warehouses.
pub(crate) fn total<const N: usize>(cells: &BTreeMap<String, [i64; N]>) -> [i64; N] {
    cells.values().fold([0; N], |mut sum, cell| {
        for (sum, units) in sum.iter_mut().zip(cell) {
            *sum += units;
        }
        sum
    })
}
