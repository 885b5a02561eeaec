//! Alerts: one row for each time in which stock of a product was low or gone at one place, from the event
//! that began it to the one that ended it. How it stands is folded; the estimate of what a time without
//! stock has cost is kept when that time ends, and what one that goes on has cost so far follows from the
//! pace.

mod queries;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use events::Recorded;
use events::alert::{AlertClosed, Lost, Seen, StockBecameLow, StockOut, StockRecovered};
use events::catalog::AlertEvent;
use tokio_postgres::{Error, Row as Found};
use uuid::Uuid;

use super::rows::{Place, Row, Rows};
use super::store::by_pair;
use crate::projection::{Rejected, name_of, write_rows};

pub use queries::{AlertDetail, AlertKind, AlertLost, AlertQuery, AlertState, alerts};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    first_position: i64,
    cabinet_id: Uuid,
    nm_id: i64,
    warehouse_name: Option<String>,
    state: String,
    cause: String,
    since: DateTime<Utc>,
    out_since: Option<DateTime<Utc>>,
    was_out: bool,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<String>,
    available: i64,
    orders: Option<i64>,
    days_tenths: Option<i64>,
    below_units: Option<i64>,
    below_days: Option<i64>,
    rule_id: Option<Uuid>,
    sync_id: Option<Uuid>,
    seen_position: i64,
    seen_at: DateTime<Utc>,
    pace_milli: Option<i64>,
    price_minor: Option<i64>,
    currency: Option<String>,
    out_seconds: i64,
    lost_orders_tenths: Option<i64>,
    lost_turnover_minor: Option<i64>,
    lost_currency: Option<String>,
    position: i64,
}

impl Alert {
    fn begun(event: &Recorded, seen: &Seen, state: AlertState) -> Self {
        let mut alert = Self {
            first_position: event.position,
            cabinet_id: seen.cabinet_id.uuid(),
            nm_id: seen.nm_id,
            warehouse_name: None,
            state: state.as_str().to_owned(),
            cause: name_of(&seen.cause),
            since: seen.at,
            out_since: None,
            was_out: false,
            ended_at: None,
            end_reason: None,
            available: 0,
            orders: None,
            days_tenths: None,
            below_units: None,
            below_days: None,
            rule_id: None,
            sync_id: None,
            seen_position: 0,
            seen_at: seen.at,
            pace_milli: None,
            price_minor: None,
            currency: None,
            out_seconds: 0,
            lost_orders_tenths: None,
            lost_turnover_minor: None,
            lost_currency: None,
            position: event.position,
        };
        alert.see(event, seen, state);
        alert
    }

    fn see(&mut self, event: &Recorded, seen: &Seen, state: AlertState) {
        state.as_str().clone_into(&mut self.state);
        if let Some(name) = &seen.warehouse_name {
            self.warehouse_name = Some(name.clone());
        }
        self.available = seen.available;
        self.orders = seen.orders;
        self.days_tenths = seen.days_tenths;
        self.rule_id = seen.rule_id.map(events::ids::AlertRuleId::uuid);
        self.sync_id = seen.sync_id.map(events::ids::SyncId::uuid);
        self.seen_position = seen.position;
        self.seen_at = seen.at;
        self.position = event.position;
    }

    /// A time without stock has ended.
    fn lose(&mut self, lost: &Lost) {
        self.out_since = None;
        self.out_seconds = self.out_seconds.saturating_add(lost.seconds);
        self.lost_orders_tenths = sum(self.lost_orders_tenths, lost.orders_tenths);
        if lost.currency == self.lost_currency || self.lost_currency.is_none() {
            self.lost_turnover_minor = sum(self.lost_turnover_minor, lost.turnover_minor);
        } else if lost.turnover_minor.is_some() {
            // Two currencies have no sum.
            self.lost_turnover_minor = lost.turnover_minor;
        }
        if lost.turnover_minor.is_some() {
            self.lost_currency.clone_from(&lost.currency);
        }
    }
}

/// Of what is known.
fn sum(before: Option<i64>, more: Option<i64>) -> Option<i64> {
    match (before, more) {
        (Some(before), Some(more)) => Some(before.saturating_add(more)),
        (before, more) => before.or(more),
    }
}

/// Folds an event of an `alert` stream.
pub(super) fn fold(rows: &mut Rows, event: &Recorded, fact: &AlertEvent) -> Result<(), Rejected> {
    match fact {
        AlertEvent::StockBecameLow(low) => became_low(rows, event, low),
        AlertEvent::StockOut(out) => ran_out(rows, event, out),
        AlertEvent::StockRecovered(recovered) => return recover(rows, event, recovered),
        AlertEvent::AlertClosed(closed) => return close(rows, event, closed),
    }
    Ok(())
}

fn place(event: &Recorded, warehouse: Option<&String>) -> Place {
    let tenant = event.metadata.tenant_id.uuid();
    (tenant, event.stream_id, warehouse.cloned().unwrap_or_default())
}

/// The row of what goes on at the place of the numbers, begun if nothing does.
fn going_on<'r>(rows: &'r mut Rows, event: &Recorded, seen: &Seen, state: AlertState) -> &'r mut Alert {
    let row = (rows.alerts.entry(place(event, seen.warehouse.as_ref()))).or_insert_with(|| Row::found(None));
    let alert = row
        .change()
        .get_or_insert_with(|| Alert::begun(event, seen, state));
    alert.see(event, seen, state);
    alert
}

fn became_low(rows: &mut Rows, event: &Recorded, low: &StockBecameLow) {
    let alert = going_on(rows, event, &low.seen, AlertState::Low);
    alert.below_units = low.low.below_units;
    alert.below_days = low.low.below_days.map(i64::from);
    if let Some(lost) = &low.lost {
        alert.lose(lost);
    }
}

fn ran_out(rows: &mut Rows, event: &Recorded, out: &StockOut) {
    let alert = going_on(rows, event, &out.seen, AlertState::Out);
    alert.out_since = Some(out.seen.at);
    alert.was_out = true;
    alert.pace_milli = out.pace_milli;
    alert.price_minor = out.price_minor;
    alert.currency.clone_from(&out.currency);
}

/// Takes what goes on at a place; `then` says how it ended.
fn end(rows: &mut Rows, key: Place, then: impl FnOnce(&mut Alert)) -> Result<(), Rejected> {
    let row = rows.alerts.get_mut(&key).filter(|row| row.value.is_some());
    let Some(mut alert) = row.and_then(|row| row.change().take()) else {
        return Err(Rejected("no alert goes on there".to_owned()));
    };
    then(&mut alert);
    alert.out_since = None;
    rows.ended_alerts.push((key, alert));
    Ok(())
}

fn recover(rows: &mut Rows, event: &Recorded, recovered: &StockRecovered) -> Result<(), Rejected> {
    let seen = &recovered.seen;
    end(rows, place(event, seen.warehouse.as_ref()), |alert| {
        alert.see(event, seen, AlertState::Recovered);
        alert.ended_at = Some(seen.at);
        if let Some(lost) = &recovered.lost {
            alert.lose(lost);
        }
    })
}

fn close(rows: &mut Rows, event: &Recorded, closed: &AlertClosed) -> Result<(), Rejected> {
    end(rows, place(event, closed.warehouse.as_ref()), |alert| {
        AlertState::Closed.as_str().clone_into(&mut alert.state);
        alert.end_reason = Some(name_of(&closed.reason));
        alert.ended_at = Some(closed.at);
        alert.seen_position = closed.position;
        alert.seen_at = closed.at;
        alert.position = event.position;
    })
}

/// Fetches what goes on of these products. What is in memory already is newer.
pub(super) async fn load(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    products: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    let going_on = "(SELECT * FROM alerts WHERE ended_at IS NULL)";
    for row in by_pair(tx, going_on, "product_id", products).await? {
        let key = (
            row.try_get("tenant_id")?,
            row.try_get("product_id")?,
            row.try_get("place")?,
        );
        rows.alerts.entry(key).or_insert(Row::found(Some(alert(&row)?)));
    }
    Ok(())
}

fn alert(row: &Found) -> Result<Alert, Error> {
    Ok(Alert {
        first_position: row.try_get("first_position")?,
        cabinet_id: row.try_get("cabinet_id")?,
        nm_id: row.try_get("nm_id")?,
        warehouse_name: row.try_get("warehouse_name")?,
        state: row.try_get("state")?,
        cause: row.try_get("cause")?,
        since: row.try_get("since")?,
        out_since: row.try_get("out_since")?,
        was_out: row.try_get("was_out")?,
        ended_at: row.try_get("ended_at")?,
        end_reason: row.try_get("end_reason")?,
        available: row.try_get("available")?,
        orders: row.try_get("orders")?,
        days_tenths: row.try_get("days_tenths")?,
        below_units: row.try_get("below_units")?,
        below_days: row.try_get("below_days")?,
        rule_id: row.try_get("rule_id")?,
        sync_id: row.try_get("sync_id")?,
        seen_position: row.try_get("seen_position")?,
        seen_at: row.try_get("seen_at")?,
        pace_milli: row.try_get("pace_milli")?,
        price_minor: row.try_get("price_minor")?,
        currency: row.try_get("currency")?,
        out_seconds: row.try_get("out_seconds")?,
        lost_orders_tenths: row.try_get("lost_orders_tenths")?,
        lost_turnover_minor: row.try_get("lost_turnover_minor")?,
        lost_currency: row.try_get("lost_currency")?,
        position: row.try_get("position")?,
    })
}

/// Writes what changed. What ended comes first: a place has one alert that goes on.
pub(super) async fn store(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let ended: Vec<(&Place, &Alert)> = rows
        .ended_alerts
        .iter()
        .map(|(key, alert)| (key, alert))
        .collect();
    write(tx, &ended).await?;
    let going_on: Vec<(&Place, &Alert)> = (rows.alerts.iter())
        .filter(|(_, row)| row.changed)
        .filter_map(|(key, row)| Some((key, row.value.as_ref()?)))
        .collect();
    write(tx, &going_on).await
}

async fn write(tx: &Transaction<'_>, alerts: &[(&Place, &Alert)]) -> Result<(), Error> {
    write_rows!(
        tx,
        alerts,
        "INSERT INTO alerts (tenant_id, first_position, product_id, place, cabinet_id, nm_id, warehouse_name, \
            state, cause, since, out_since, was_out, ended_at, end_reason, available, orders, days_tenths, \
            below_units, below_days, rule_id, sync_id, seen_position, seen_at, pace_milli, price_minor, \
            currency, out_seconds, lost_orders_tenths, lost_turnover_minor, lost_currency, position) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], \
            $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::boolean[], \
            $13::timestamptz[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], \
            $19::bigint[], $20::uuid[], $21::uuid[], $22::bigint[], $23::timestamptz[], $24::bigint[], \
            $25::bigint[], $26::text[], $27::bigint[], $28::bigint[], $29::bigint[], $30::text[], \
            $31::bigint[]) \
         ON CONFLICT (tenant_id, first_position) DO UPDATE SET warehouse_name = EXCLUDED.warehouse_name, \
            state = EXCLUDED.state, out_since = EXCLUDED.out_since, was_out = EXCLUDED.was_out, \
            ended_at = EXCLUDED.ended_at, end_reason = EXCLUDED.end_reason, \
            available = EXCLUDED.available, orders = EXCLUDED.orders, days_tenths = EXCLUDED.days_tenths, \
            below_units = EXCLUDED.below_units, below_days = EXCLUDED.below_days, \
            rule_id = EXCLUDED.rule_id, sync_id = EXCLUDED.sync_id, \
            seen_position = EXCLUDED.seen_position, seen_at = EXCLUDED.seen_at, \
            pace_milli = EXCLUDED.pace_milli, price_minor = EXCLUDED.price_minor, \
            currency = EXCLUDED.currency, out_seconds = EXCLUDED.out_seconds, \
            lost_orders_tenths = EXCLUDED.lost_orders_tenths, \
            lost_turnover_minor = EXCLUDED.lost_turnover_minor, lost_currency = EXCLUDED.lost_currency, \
            position = EXCLUDED.position",
        |((tenant, product, place), alert)| *tenant,
        alert.first_position,
        *product,
        place.as_str(),
        alert.cabinet_id,
        alert.nm_id,
        alert.warehouse_name.as_deref(),
        alert.state.as_str(),
        alert.cause.as_str(),
        alert.since,
        alert.out_since,
        alert.was_out,
        alert.ended_at,
        alert.end_reason.as_deref(),
        alert.available,
        alert.orders,
        alert.days_tenths,
        alert.below_units,
        alert.below_days,
        alert.rule_id,
        alert.sync_id,
        alert.seen_position,
        alert.seen_at,
        alert.pace_milli,
        alert.price_minor,
        alert.currency.as_deref(),
        alert.out_seconds,
        alert.lost_orders_tenths,
        alert.lost_turnover_minor,
        alert.lost_currency.as_deref(),
        alert.position,
    );
    Ok(())
}
