//! Which events are worth a notification. One table for every receiver, so that a member's message and a
//! webhook never disagree about what happened.

use application::domain::notice::NoticeKind;
use events::Event;
use events::catalog::{
    AlertEvent, CabinetEvent, SheetEvent, SubscriptionEvent, SyncEvent, WebhookEndpointEvent,
};
use events::sync::SyncFailed;
use events::webhook_endpoint::DisableReason;

/// A sync is reported when it fails for the second time; a first failure is mostly over before anyone looks.
const REPORTED_ATTEMPT: u32 = 2;

/// The kind of notification that an event is worth, if any.
#[must_use]
pub fn kind_of(event: &Event) -> Option<NoticeKind> {
    Some(match event {
        Event::Alert(AlertEvent::StockBecameLow(_)) => NoticeKind::StockLow,
        Event::Alert(AlertEvent::StockOut(_)) => NoticeKind::StockOut,
        Event::Alert(AlertEvent::StockRecovered(_)) => NoticeKind::StockRecovered,
        Event::Sync(SyncEvent::SyncFailed(failed)) if is_reported(failed) => NoticeKind::SyncFailed,
        Event::Sync(SyncEvent::SyncQuarantined(_)) => NoticeKind::SyncQuarantined,
        Event::Sync(SyncEvent::SourceDegraded(_)) => NoticeKind::SourceDegraded,
        Event::Sync(SyncEvent::SourceRecovered(_)) => NoticeKind::SourceRecovered,
        Event::Cabinet(CabinetEvent::CredentialExpiring(_)) => NoticeKind::CredentialExpiring,
        Event::Cabinet(CabinetEvent::CredentialRejected(_)) => NoticeKind::CredentialRejected,
        Event::Cabinet(CabinetEvent::CabinetPaused(_)) => NoticeKind::CabinetPaused,
        Event::Sheet(SheetEvent::SheetBlocked(_)) => NoticeKind::SheetBlocked,
        Event::Subscription(SubscriptionEvent::TrialEnding(_)) => NoticeKind::TrialEnding,
        Event::Subscription(SubscriptionEvent::PaymentFailed(_)) => NoticeKind::PaymentFailed,
        Event::Subscription(SubscriptionEvent::SubscriptionEnded(_)) => NoticeKind::SubscriptionEnded,
        Event::WebhookEndpoint(WebhookEndpointEvent::WebhookEndpointDisabled(disabled)) => {
            match disabled.reason {
                DisableReason::Gone | DisableReason::Failing => NoticeKind::WebhookDisabled,
                DisableReason::Person | DisableReason::Plan => return None,
            }
        }
        _ => return None,
    })
}

/// A refused key has an event of its own. A sync that is given up at its first failure is reported at once.
fn is_reported(failed: &SyncFailed) -> bool {
    failed.class != "unauthorized"
        && (failed.attempt == REPORTED_ATTEMPT
            || (failed.attempt < REPORTED_ATTEMPT && failed.retry_at.is_none()))
}
