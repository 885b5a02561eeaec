//! What messages say: a struct for each type. They are thin: ids to ask the API with, positions, numbers and
//! reasons in one word. Names and texts stay behind, so that nothing goes to a receiver that its owner did
//! not ask for. Fields are only ever added; `docs/api/webhooks/` has the schemas.
//!
//! Many products that run low at once are many messages: programs count better than they read lists.

use application::domain::notice::NoticeKind;
use chrono::{DateTime, Utc};
use events::Event;
use events::alert::{AlertCause, Lost, Seen};
use events::catalog::{
    AlertEvent, CabinetEvent, SheetEvent, SubscriptionEvent, SyncEvent, WebhookEndpointEvent,
};
use events::subscription::Slot;
use serde::Serialize;
use uuid::Uuid;

/// Longest body, in bytes.
pub const LONGEST: usize = 20_000;

/// What all messages that follow from events have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Data<T> {
    /// The event.
    pub event_id: Uuid,
    /// Its position: ask the API with it as `Stock-Min-Position` to see what it has changed.
    pub position: i64,
    /// What the type has.
    #[serde(flatten)]
    pub facts: T,
}

/// Stock of a product as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stock {
    /// The product.
    pub product_id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// Key of the warehouse; none for all warehouses together.
    pub warehouse: Option<String>,
    /// Units that can be sold.
    pub available: i64,
    /// Units ordered in the last seven days; none when not known.
    pub orders_7_days: Option<i64>,
    /// Tenths of days that the stock lasts; none when not known.
    pub days_left_tenths: Option<i64>,
    /// What made the alert policy look: `sync`, `first_sync`, `rule` or `warehouses`.
    pub cause: &'static str,
    /// The sync that saw the numbers, where a sync was the cause.
    pub sync_id: Option<Uuid>,
}

/// A time without stock that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimeOut {
    /// When it began.
    pub since: DateTime<Utc>,
    /// How long it was, in seconds.
    pub seconds: i64,
    /// Orders that were probably lost, in tenths.
    pub lost_orders_tenths: Option<i64>,
    /// Turnover that was probably lost, in minor units of the currency.
    pub lost_turnover_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// `stock.low`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StockLow {
    /// The numbers.
    #[serde(flatten)]
    pub stock: Stock,
    /// Fewer units than this are low.
    pub below_units: Option<i64>,
    /// Fewer days of stock than this are low.
    pub below_days: Option<u32>,
    /// The time without stock, where it ends with this.
    pub was_out: Option<TimeOut>,
}

/// `stock.out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StockOut {
    /// The numbers.
    #[serde(flatten)]
    pub stock: Stock,
    /// Units a day in the seven days before, in thousandths.
    pub orders_a_day_milli: Option<i64>,
}

/// `stock.recovered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StockRecovered {
    /// The numbers.
    #[serde(flatten)]
    pub stock: Stock,
    /// Since when it had been low or out.
    pub since: DateTime<Utc>,
    /// The time without stock, where it ends with this.
    pub was_out: Option<TimeOut>,
}

/// `sync.failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SyncFailed {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// The sync.
    pub sync_id: Uuid,
    /// Which attempt.
    pub attempt: u32,
    /// Class of the failure.
    pub class: String,
    /// When it is tried again; none when it is given up.
    pub retry_at: Option<DateTime<Utc>>,
}

/// `sync.quarantined`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SyncQuarantined {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// The sync, to be released or discarded by `POST /api/v1/syncs/{id}/release` or `…/discard`.
    pub sync_id: Uuid,
    /// Rule that was broken.
    pub reason: String,
}

/// `source.degraded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceDegraded {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// The sync that failed last.
    pub sync_id: Uuid,
    /// Which source.
    pub source: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// When the first of these failed.
    pub failing_since: DateTime<Utc>,
}

/// `source.recovered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceRecovered {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// The sync in which it worked.
    pub sync_id: Uuid,
    /// Which source.
    pub source: String,
    /// When it had begun to fail.
    pub failing_since: DateTime<Utc>,
}

/// `credential.expiring`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CredentialExpiring {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// 14, 3 or 1: it ends within so many days.
    pub days_left: u32,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// `credential.rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CredentialRejected {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// `unauthorized`, `forbidden`, `expired` or `payment_required`.
    pub reason: String,
}

/// `cabinet.paused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CabinetPaused {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// `plan`: the plan allows fewer cabinets.
    pub reason: &'static str,
}

/// `sheet.blocked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SheetBlocked {
    /// Code of the reason, as `GET /api/v1/sheets/link` shows it with what to do.
    pub reason: String,
}

/// `subscription.trial_ending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrialEnding {
    /// When it ends.
    pub trial_end: DateTime<Utc>,
}

/// `subscription.payment_failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PaymentFailed {
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// When it will be tried again; none after the last attempt.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Whether the payer has to act.
    pub action_required: bool,
}

/// `subscription.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubscriptionEnded {
    /// `manual` or `stripe`: who kept the contract.
    pub contract: &'static str,
    /// Why, as a short code.
    pub reason: String,
}

/// `webhook.disabled`, to the other endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WebhookDisabled {
    /// The endpoint that was switched off.
    pub endpoint_id: Uuid,
    /// `gone`: it answered 410; `failing`: for days nothing was delivered.
    pub reason: &'static str,
}

/// An event with what its row in the log says.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    /// What happened.
    pub event: &'a Event,
    /// Id of its stream.
    pub stream_id: Uuid,
    /// Its id.
    pub event_id: Uuid,
    /// Its position.
    pub position: i64,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl Happened<'_> {
    fn body(&self, kind: NoticeKind, facts: impl Serialize) -> Option<String> {
        let data = Data {
            event_id: self.event_id,
            position: self.position,
            facts,
        };
        // Of numbers, texts and times, which always serialise.
        notifications::webhooks::body(kind.as_str(), self.recorded_at, data).ok()
    }
}

/// The message that an event is, and its type; none where it is of no interest outside.
#[must_use]
pub fn compose(happened: Happened<'_>) -> Option<(NoticeKind, String)> {
    let kind = crate::kind_of(happened.event)?;
    let id = happened.stream_id;
    let body = match happened.event {
        Event::Alert(event) => alert(happened, kind, event),
        Event::Sync(event) => sync(happened, kind, event),
        Event::Cabinet(event) => cabinet(happened, kind, event),
        Event::Subscription(event) => subscription(happened, kind, event),
        Event::Sheet(SheetEvent::SheetBlocked(blocked)) => happened.body(
            kind,
            SheetBlocked {
                reason: blocked.reason.clone(),
            },
        ),
        Event::WebhookEndpoint(WebhookEndpointEvent::WebhookEndpointDisabled(disabled)) => happened.body(
            kind,
            WebhookDisabled {
                endpoint_id: id,
                reason: disabled.reason.as_str(),
            },
        ),
        _ => None,
    };
    Some((kind, body?))
}

fn alert(happened: Happened<'_>, kind: NoticeKind, event: &AlertEvent) -> Option<String> {
    let id = happened.stream_id;
    match event {
        AlertEvent::StockBecameLow(low) => happened.body(
            kind,
            StockLow {
                stock: stock(id, &low.seen),
                below_units: low.low.below_units,
                below_days: low.low.below_days,
                was_out: low.lost.as_ref().map(time_out),
            },
        ),
        AlertEvent::StockOut(out) => happened.body(
            kind,
            StockOut {
                stock: stock(id, &out.seen),
                orders_a_day_milli: out.pace_milli,
            },
        ),
        AlertEvent::StockRecovered(recovered) => happened.body(
            kind,
            StockRecovered {
                stock: stock(id, &recovered.seen),
                since: recovered.since,
                was_out: recovered.lost.as_ref().map(time_out),
            },
        ),
        AlertEvent::AlertClosed(_) => None,
    }
}

fn stock(product_id: Uuid, seen: &Seen) -> Stock {
    Stock {
        product_id,
        cabinet_id: seen.cabinet_id.uuid(),
        nm_id: seen.nm_id,
        warehouse: seen.warehouse.clone(),
        available: seen.available,
        orders_7_days: seen.orders,
        days_left_tenths: seen.days_tenths,
        cause: match seen.cause {
            AlertCause::Sync => "sync",
            AlertCause::FirstSync => "first_sync",
            AlertCause::Rule => "rule",
            AlertCause::Warehouses => "warehouses",
        },
        sync_id: seen.sync_id.map(events::ids::SyncId::uuid),
    }
}

fn time_out(lost: &Lost) -> TimeOut {
    TimeOut {
        since: lost.since,
        seconds: lost.seconds,
        lost_orders_tenths: lost.orders_tenths,
        lost_turnover_minor: lost.turnover_minor,
        currency: lost.currency.clone(),
    }
}

fn sync(happened: Happened<'_>, kind: NoticeKind, event: &SyncEvent) -> Option<String> {
    let cabinet_id = happened.stream_id;
    match event {
        SyncEvent::SyncFailed(failed) => happened.body(
            kind,
            SyncFailed {
                cabinet_id,
                sync_id: failed.sync_id.uuid(),
                attempt: failed.attempt,
                class: failed.class.clone(),
                retry_at: failed.retry_at,
            },
        ),
        SyncEvent::SyncQuarantined(quarantined) => happened.body(
            kind,
            SyncQuarantined {
                cabinet_id,
                sync_id: quarantined.sync_id.uuid(),
                reason: quarantined.reason.clone(),
            },
        ),
        SyncEvent::SourceDegraded(degraded) => happened.body(
            kind,
            SourceDegraded {
                cabinet_id,
                sync_id: degraded.sync_id.uuid(),
                source: degraded.source.clone(),
                failures: degraded.failures,
                failing_since: degraded.failing_since,
            },
        ),
        SyncEvent::SourceRecovered(recovered) => happened.body(
            kind,
            SourceRecovered {
                cabinet_id,
                sync_id: recovered.sync_id.uuid(),
                source: recovered.source.clone(),
                failing_since: recovered.failing_since,
            },
        ),
        _ => None,
    }
}

fn cabinet(happened: Happened<'_>, kind: NoticeKind, event: &CabinetEvent) -> Option<String> {
    let cabinet_id = happened.stream_id;
    match event {
        CabinetEvent::CredentialExpiring(expiring) => happened.body(
            kind,
            CredentialExpiring {
                cabinet_id,
                days_left: expiring.days_left,
                expires_at: expiring.expires_at,
            },
        ),
        CabinetEvent::CredentialRejected(rejected) => happened.body(
            kind,
            CredentialRejected {
                cabinet_id,
                reason: rejected.reason.clone(),
            },
        ),
        CabinetEvent::CabinetPaused(_) => happened.body(
            kind,
            CabinetPaused {
                cabinet_id,
                reason: "plan",
            },
        ),
        _ => None,
    }
}

fn subscription(happened: Happened<'_>, kind: NoticeKind, event: &SubscriptionEvent) -> Option<String> {
    match event {
        SubscriptionEvent::TrialEnding(ending) => happened.body(
            kind,
            TrialEnding {
                trial_end: ending.trial_end,
            },
        ),
        SubscriptionEvent::PaymentFailed(failed) => happened.body(
            kind,
            PaymentFailed {
                attempt: failed.attempt,
                next_attempt_at: failed.next_attempt_at,
                action_required: failed.action_required,
            },
        ),
        SubscriptionEvent::SubscriptionEnded(ended) => happened.body(
            kind,
            SubscriptionEnded {
                contract: match ended.slot {
                    Slot::Manual => "manual",
                    Slot::Stripe => "stripe",
                },
                reason: ended.reason.clone(),
            },
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
