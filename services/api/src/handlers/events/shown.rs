//! Which events a tenant's stream tells of, under which name, and what of each: ids, positions and numbers.
//! What is not in the table below is told to nobody; names of people, secrets, prices of contracts and texts
//! of outside services are in none of it.

use std::collections::HashMap;

use application::domain::notice::NoticeKind;
use events::alert::{Lost, Seen};
use events::catalog::{AlertEvent, ProductEvent, SyncEvent};
use events::{Decoded, Event, Recorded, StreamType};
use serde_json::{Value, json};
use uuid::Uuid;

/// One line of the table: type of the event, its kind of stream, name in the stream of events, group.
type Row = (&'static str, StreamType, &'static str, &'static str);

/// What is shown.
const SHOWN: &[Row] = &[
    ("sync_requested", StreamType::Sync, "sync.requested", "sync"),
    ("sync_started", StreamType::Sync, "sync.started", "sync"),
    ("sync_completed", StreamType::Sync, "sync.completed", "sync"),
    (
        "sync_failed",
        StreamType::Sync,
        NoticeKind::SyncFailed.as_str(),
        "sync",
    ),
    (
        "sync_quarantined",
        StreamType::Sync,
        NoticeKind::SyncQuarantined.as_str(),
        "sync",
    ),
    ("sync_released", StreamType::Sync, "sync.released", "sync"),
    ("sync_discarded", StreamType::Sync, "sync.discarded", "sync"),
    (
        "source_degraded",
        StreamType::Sync,
        NoticeKind::SourceDegraded.as_str(),
        "sync",
    ),
    (
        "source_recovered",
        StreamType::Sync,
        NoticeKind::SourceRecovered.as_str(),
        "sync",
    ),
    ("stock_observed", StreamType::Product, "stock.changed", "stock"),
    (
        "stock_became_low",
        StreamType::Alert,
        NoticeKind::StockLow.as_str(),
        "alert",
    ),
    (
        "stock_out",
        StreamType::Alert,
        NoticeKind::StockOut.as_str(),
        "alert",
    ),
    (
        "stock_recovered",
        StreamType::Alert,
        NoticeKind::StockRecovered.as_str(),
        "alert",
    ),
    ("alert_closed", StreamType::Alert, "alert.closed", "alert"),
];

/// An event as it is told.
pub(super) struct Shown {
    /// Its type.
    pub(super) name: &'static str,
    /// The cabinet it is about, where that is known.
    pub(super) cabinet: Option<Uuid>,
    /// The product it is about.
    pub(super) product: Option<Uuid>,
    /// A JSON object.
    pub(super) data: Value,
}

/// Every type.
pub(super) fn all() -> Vec<&'static str> {
    SHOWN.iter().map(|(_, _, name, _)| *name).collect()
}

/// The types of this name or group; none where there is no such thing.
pub(super) fn named(wanted: &str) -> Vec<&'static str> {
    let found = SHOWN
        .iter()
        .filter(|(_, _, name, group)| *name == wanted || *group == wanted);
    found.map(|(_, _, name, _)| *name).collect()
}

/// The kinds of streams that have events of these types.
pub(super) fn kinds(types: &[&str]) -> Vec<StreamType> {
    let mut kinds = Vec::new();
    for (_, kind, name, _) in SHOWN {
        if types.contains(name) && !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    kinds
}

/// How an event is told; none where it is not. `cabinets` are those of products.
pub(super) fn of(event: &Recorded, cabinets: &HashMap<Uuid, Uuid>) -> Option<Shown> {
    let kind = event.stream_type()?;
    let (_, _, name, _) = SHOWN
        .iter()
        .find(|(event_type, stream, ..)| *event_type == event.event_type && *stream == kind)?;
    // What this program cannot read it cannot tell of either.
    let Decoded::Known(known) = event.decode().ok()? else {
        return None;
    };
    let product = (kind != StreamType::Sync).then_some(event.stream_id);
    let cabinet = match product {
        Some(product) => cabinets.get(&product).copied(),
        None => Some(event.stream_id),
    };
    let mut data = match &known {
        Event::Sync(known) => sync(known),
        Event::Product(ProductEvent::StockObserved(observed)) => json!({
            "sync_id": observed.sync_id,
            "source": observed.source,
            "levels": observed.levels.iter().map(|level| json!({
                "warehouse": level.warehouse,
                "available": level.available,
                "in_way_to_client": level.in_way_to_client,
                "in_way_from_client": level.in_way_from_client,
            })).collect::<Vec<_>>(),
            "regrouped": observed.regrouped,
        }),
        Event::Alert(known) => alert(known),
        _ => return None,
    };
    let fields = data.as_object_mut()?;
    fields.insert("position".to_owned(), json!(event.position));
    fields.insert("at".to_owned(), json!(event.recorded_at));
    fields.insert("cabinet_id".to_owned(), json!(cabinet));
    if let Some(product) = product {
        fields.insert("product_id".to_owned(), json!(product));
    }
    Some(Shown {
        name,
        cabinet,
        product,
        data,
    })
}

fn sync(event: &SyncEvent) -> Value {
    match event {
        SyncEvent::SyncRequested(requested) => json!({
            "sync_id": requested.sync_id, "trigger": requested.trigger, "forced": requested.forced,
        }),
        SyncEvent::SyncStarted(started) => json!({
            "sync_id": started.sync_id, "attempt": started.attempt,
        }),
        SyncEvent::SyncCompleted(completed) => json!({
            "sync_id": completed.sync_id,
            "attempt": completed.attempt,
            "products_seen": completed.products_seen,
            "products_changed": completed.products_changed,
            "sources": completed.sources.iter().map(|report| json!({
                "source": report.source, "outcome": report.outcome,
            })).collect::<Vec<_>>(),
        }),
        SyncEvent::SyncFailed(failed) => json!({
            "sync_id": failed.sync_id,
            "attempt": failed.attempt,
            "class": failed.class,
            "retry_at": failed.retry_at,
        }),
        SyncEvent::SyncQuarantined(quarantined) => json!({
            "sync_id": quarantined.sync_id,
            "attempt": quarantined.attempt,
            "reason": quarantined.reason,
        }),
        SyncEvent::SyncReleased(released) => json!({ "sync_id": released.sync_id }),
        SyncEvent::SyncDiscarded(discarded) => json!({ "sync_id": discarded.sync_id }),
        SyncEvent::SourceDegraded(degraded) => json!({
            "sync_id": degraded.sync_id,
            "source": degraded.source,
            "failures": degraded.failures,
            "failing_since": degraded.failing_since,
        }),
        SyncEvent::SourceRecovered(recovered) => json!({
            "sync_id": recovered.sync_id,
            "source": recovered.source,
            "failing_since": recovered.failing_since,
        }),
    }
}

fn alert(event: &AlertEvent) -> Value {
    let (mut data, lost) = match event {
        AlertEvent::StockBecameLow(low) => {
            let mut data = numbers(&low.seen);
            data["below_units"] = json!(low.low.below_units);
            data["below_days"] = json!(low.low.below_days);
            (data, low.lost.as_ref())
        }
        AlertEvent::StockOut(out) => (numbers(&out.seen), None),
        AlertEvent::StockRecovered(recovered) => {
            let mut data = numbers(&recovered.seen);
            data["since"] = json!(recovered.since);
            (data, recovered.lost.as_ref())
        }
        AlertEvent::AlertClosed(closed) => {
            let data = json!({
                "warehouse": closed.warehouse,
                "reason": closed.reason,
                "seen_position": closed.position,
            });
            (data, None)
        }
    };
    if let Some(lost) = lost {
        data["lost"] = estimate(lost);
    }
    data
}

fn numbers(seen: &Seen) -> Value {
    json!({
        "nm_id": seen.nm_id,
        "warehouse": seen.warehouse,
        "available": seen.available,
        "orders": seen.orders,
        "days_tenths": seen.days_tenths,
        "cause": seen.cause,
        "sync_id": seen.sync_id,
        "rule_id": seen.rule_id,
        "seen_position": seen.position,
    })
}

fn estimate(lost: &Lost) -> Value {
    json!({
        "seconds": lost.seconds,
        "orders_tenths": lost.orders_tenths,
        "turnover_minor": lost.turnover_minor,
        "currency": lost.currency,
    })
}

#[cfg(test)]
mod tests;
