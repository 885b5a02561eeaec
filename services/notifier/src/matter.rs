//! What an event is about, and which notices it makes pointless. Pure.
//!
//! Nothing stale is sent: whatever ends or overtakes a state takes the notices of that state away that were
//! not sent yet. [`outdated_by`] is the table.

use application::domain::notice::NoticeKind;
use chrono::{DateTime, Utc};
use events::alert::{AlertCause, Lost, Seen};
use events::catalog::{
    AlertEvent, CabinetEvent, SheetEvent, SubscriptionEvent, SyncEvent, WebhookEndpointEvent,
};
use events::ids::{CabinetId, ProductId};
use events::subscription::{SubscriptionChanged, SubscriptionStarted, SubscriptionStatus};
use events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::kinds::kind_of;

/// Ids and numbers of an event, as they are kept with a notice. No names: those are read when a text is made.
/// Fields that an event does not have are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The cabinet it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cabinet: Option<CabinetId>,
    /// The product it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The marketplace's number of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nm_id: Option<i64>,
    /// Key of the warehouse; none for all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// What the marketplace called the warehouse then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse_name: Option<String>,
    /// Units left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// Days of stock, in tenths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_tenths: Option<i64>,
    /// How long nothing was left, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_seconds: Option<i64>,
    /// Orders lost meanwhile, in tenths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_orders_tenths: Option<i64>,
    /// Money: turnover lost, or an amount to pay, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Its currency (ISO 4217).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The source of a sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// Days left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// When something began or will end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Whether the cabinet's first sync found it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_first_sync: bool,
}

/// What an event is worth telling.
#[derive(Debug, Clone, PartialEq)]
pub struct Matter {
    /// Its kind.
    pub kind: NoticeKind,
    /// What it is about: notices of one subject supersede each other.
    pub subject: String,
    /// Ids and numbers for the text.
    pub facts: Facts,
    /// Kinds that it ends; it is pointless for somebody who was not sent one of those.
    pub ends: &'static [NoticeKind],
}

/// Notices that an event makes pointless, while they were not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointless {
    /// Their subject.
    pub subject: String,
    /// Whether `subject` is only its beginning.
    pub is_prefix: bool,
    /// Their kinds.
    pub kinds: &'static [NoticeKind],
}

/// What an event is worth telling, if anything.
#[must_use]
pub fn matter_of(recorded: &Recorded, event: &Event) -> Option<Matter> {
    let kind = kind_of(event)?;
    let ends: &'static [NoticeKind] = match kind {
        NoticeKind::StockRecovered => &[NoticeKind::StockLow, NoticeKind::StockOut],
        NoticeKind::SourceRecovered => &[NoticeKind::SourceDegraded],
        _ => &[],
    };
    Some(Matter {
        kind,
        subject: subject_of(recorded, event)?,
        facts: facts_of(recorded, event),
        ends,
    })
}

/// Which notices an event makes pointless: what ends or overtakes a state takes away what was not sent of it.
#[must_use]
pub fn outdated_by(recorded: &Recorded, event: &Event) -> Vec<Pointless> {
    use NoticeKind as K;
    const STOCK: &[NoticeKind] = &[K::StockLow, K::StockOut, K::StockRecovered];
    const SYNC: &[NoticeKind] = &[K::SyncFailed, K::SyncQuarantined];
    const KEY: &[NoticeKind] = &[K::CredentialExpiring, K::CredentialRejected];
    const SOURCE: &[NoticeKind] = &[K::SourceDegraded, K::SourceRecovered];
    const CONTRACT: &[NoticeKind] = &[K::TrialEnding, K::PaymentFailed, K::SubscriptionEnded];
    let of_cabinet = |part: &str| format!("cabinet:{}:{part}", recorded.stream_id);
    let (subject, kinds): (Option<String>, &'static [NoticeKind]) = match event {
        // Each change of an alert says how things are now.
        Event::Alert(_) => (subject_of(recorded, event), STOCK),
        Event::Sync(SyncEvent::SyncCompleted(_)) => (Some(of_cabinet("sync")), SYNC),
        Event::Sync(SyncEvent::SyncQuarantined(_)) => (Some(of_cabinet("sync")), SYNC),
        // One that is not reported does not take the place of one that is.
        Event::Sync(SyncEvent::SyncFailed(_)) if kind_of(event).is_some() => {
            (Some(of_cabinet("sync")), &[K::SyncFailed])
        }
        Event::Sync(SyncEvent::SyncReleased(_) | SyncEvent::SyncDiscarded(_)) => {
            (Some(of_cabinet("sync")), &[K::SyncQuarantined])
        }
        Event::Sync(SyncEvent::SourceDegraded(_) | SyncEvent::SourceRecovered(_)) => {
            (subject_of(recorded, event), SOURCE)
        }
        Event::Cabinet(event) => match event {
            CabinetEvent::CabinetDisconnected(_) => {
                let whole = Pointless {
                    subject: of_cabinet(""),
                    is_prefix: true,
                    kinds: &NoticeKind::ALL,
                };
                return vec![whole];
            }
            CabinetEvent::CredentialRotated(_)
            | CabinetEvent::CredentialAccepted(_)
            | CabinetEvent::CabinetReconnected(_) => (Some(of_cabinet("credential")), KEY),
            CabinetEvent::CredentialRejected(_) | CabinetEvent::CredentialExpiring(_) => {
                (Some(of_cabinet("credential")), &[K::CredentialExpiring])
            }
            CabinetEvent::CabinetPaused(_) | CabinetEvent::CabinetResumed(_) => {
                (Some(of_cabinet("pause")), &[K::CabinetPaused])
            }
            _ => (None, &[]),
        },
        Event::Sheet(SheetEvent::SheetLayoutChanged(_)) => (None, &[]),
        Event::Sheet(_) => (subject_of(recorded, event), &[K::SheetBlocked]),
        Event::Subscription(event) => {
            let kinds: &'static [NoticeKind] = match event {
                SubscriptionEvent::PaymentSucceeded(_) => &[K::PaymentFailed],
                SubscriptionEvent::SubscriptionStarted(SubscriptionStarted { contract })
                | SubscriptionEvent::SubscriptionChanged(SubscriptionChanged { contract })
                    if contract.status == SubscriptionStatus::Active =>
                {
                    CONTRACT
                }
                SubscriptionEvent::SubscriptionEnded(_) => CONTRACT,
                SubscriptionEvent::PaymentFailed(_) => &[K::PaymentFailed],
                _ => &[],
            };
            (Some(format!("subscription:{}", recorded.stream_id)), kinds)
        }
        Event::WebhookEndpoint(
            WebhookEndpointEvent::WebhookEndpointEnabled(_)
            | WebhookEndpointEvent::WebhookEndpointRemoved(_)
            | WebhookEndpointEvent::WebhookEndpointDisabled(_),
        ) => (
            Some(format!("webhook:{}", recorded.stream_id)),
            &[K::WebhookDisabled],
        ),
        _ => (None, &[]),
    };
    match subject {
        Some(subject) if !kinds.is_empty() => vec![Pointless {
            subject,
            is_prefix: false,
            kinds,
        }],
        _ => Vec::new(),
    }
}

fn subject_of(recorded: &Recorded, event: &Event) -> Option<String> {
    let id = recorded.stream_id;
    Some(match event {
        Event::Alert(event) => {
            let warehouse = match event {
                AlertEvent::StockBecameLow(low) => &low.seen.warehouse,
                AlertEvent::StockOut(out) => &out.seen.warehouse,
                AlertEvent::StockRecovered(recovered) => &recovered.seen.warehouse,
                AlertEvent::AlertClosed(closed) => &closed.warehouse,
            };
            format!("alert:{id}:{}", warehouse.as_deref().unwrap_or("-"))
        }
        Event::Sync(SyncEvent::SourceDegraded(degraded)) => {
            format!("cabinet:{id}:source:{}", degraded.source)
        }
        Event::Sync(SyncEvent::SourceRecovered(recovered)) => {
            format!("cabinet:{id}:source:{}", recovered.source)
        }
        Event::Sync(_) => format!("cabinet:{id}:sync"),
        Event::Cabinet(CabinetEvent::CredentialExpiring(_) | CabinetEvent::CredentialRejected(_)) => {
            format!("cabinet:{id}:credential")
        }
        Event::Cabinet(CabinetEvent::CabinetPaused(_)) => format!("cabinet:{id}:pause"),
        Event::Sheet(_) => "sheet".to_owned(),
        Event::Subscription(_) => format!("subscription:{id}"),
        Event::WebhookEndpoint(_) => format!("webhook:{id}"),
        _ => return None,
    })
}

fn facts_of(recorded: &Recorded, event: &Event) -> Facts {
    let of_cabinet = Facts {
        cabinet: Some(CabinetId(recorded.stream_id)),
        ..Facts::default()
    };
    match event {
        Event::Alert(AlertEvent::StockBecameLow(low)) => of_alert(recorded, &low.seen, low.lost.as_ref()),
        Event::Alert(AlertEvent::StockOut(out)) => of_alert(recorded, &out.seen, None),
        Event::Alert(AlertEvent::StockRecovered(recovered)) => {
            of_alert(recorded, &recovered.seen, recovered.lost.as_ref())
        }
        Event::Sync(SyncEvent::SyncFailed(failed)) => Facts {
            word: Some(failed.class.clone()),
            at: failed.retry_at,
            ..of_cabinet
        },
        Event::Sync(SyncEvent::SyncQuarantined(quarantined)) => Facts {
            word: Some(quarantined.reason.clone()),
            ..of_cabinet
        },
        Event::Sync(SyncEvent::SourceDegraded(degraded)) => Facts {
            source: Some(degraded.source.clone()),
            at: Some(degraded.worked_at),
            ..of_cabinet
        },
        Event::Sync(SyncEvent::SourceRecovered(recovered)) => Facts {
            source: Some(recovered.source.clone()),
            at: Some(recovered.failing_since),
            ..of_cabinet
        },
        Event::Cabinet(CabinetEvent::CredentialExpiring(expiring)) => Facts {
            days_left: Some(i64::from(expiring.days_left)),
            at: Some(expiring.expires_at),
            ..of_cabinet
        },
        Event::Cabinet(_) => of_cabinet,
        Event::Sheet(SheetEvent::SheetBlocked(blocked)) => Facts {
            word: Some(blocked.reason.clone()),
            ..Facts::default()
        },
        Event::Subscription(SubscriptionEvent::TrialEnding(ending)) => Facts {
            at: Some(ending.trial_end),
            ..Facts::default()
        },
        Event::Subscription(SubscriptionEvent::PaymentFailed(failed)) => Facts {
            minor: Some(failed.amount_minor),
            currency: Some(failed.currency.clone()),
            at: failed.next_attempt_at,
            ..Facts::default()
        },
        _ => Facts::default(),
    }
}

fn of_alert(recorded: &Recorded, seen: &Seen, lost: Option<&Lost>) -> Facts {
    Facts {
        cabinet: Some(seen.cabinet_id),
        product: Some(ProductId(recorded.stream_id)),
        nm_id: Some(seen.nm_id),
        warehouse: seen.warehouse.clone(),
        warehouse_name: seen.warehouse_name.clone(),
        available: Some(seen.available),
        days_tenths: seen.days_tenths,
        out_seconds: lost.map(|lost| lost.seconds),
        lost_orders_tenths: lost.and_then(|lost| lost.orders_tenths),
        minor: lost.and_then(|lost| lost.turnover_minor),
        currency: lost.and_then(|lost| lost.currency.clone()),
        is_first_sync: seen.cause == AlertCause::FirstSync,
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests;
