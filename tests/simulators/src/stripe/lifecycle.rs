//! The states of a subscription, as Stripe documents them.
//!
//! | from | to | when |
//! |---|---|---|
//! | – | `trialing` | it begins with a trial |
//! | – | `incomplete` | its first invoice is not paid yet |
//! | `incomplete` | `active`, `incomplete_expired` | the invoice is paid; 23 hours have passed |
//! | `trialing` | `active`, `paused`, `canceled` | the trial ends; with no card as the trial's settings say |
//! | `active` | `past_due` | a renewal's payment failed |
//! | `past_due` | `active`, `canceled`, `unpaid` | the newest invoice is paid; the retries have run out |

use super::model::{Invoice, InvoiceStatus, Item, Metadata, Status, Subscription};
use super::payments::{self, Draft, Outcome};
use super::proration;
use super::world::World;

/// What a subscription begins with.
pub(crate) struct Start {
    pub(crate) customer: String,
    /// Price and quantity of each item.
    pub(crate) items: Vec<(String, u32)>,
    pub(crate) metadata: Metadata,
    pub(crate) description: Option<String>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) missing_payment_method: String,
    /// Whether the card is charged at once, or only when the invoice is confirmed.
    pub(crate) charge: bool,
}

/// Makes a subscription with its first invoice; returns the ids of both.
pub(crate) fn start(world: &mut World, start: Start) -> (String, String) {
    let now = world.now;
    let id = world.id("sub_1", 23);
    let mut items = Vec::new();
    for (price, quantity) in start.items {
        items.push(Item {
            id: world.id("si_", 14),
            price,
            quantity,
            created: now,
        });
    }
    let trial_end = start.trial_end.filter(|end| *end > now);
    let method = world
        .customers
        .get(&start.customer)
        .and_then(|customer| customer.payment_method.clone());
    let mut subscription = Subscription {
        id: id.clone(),
        customer: start.customer,
        status: Status::Incomplete,
        created: now,
        items,
        period_start: now,
        period_end: 0,
        anchor: trial_end.unwrap_or(now),
        trial_start: trial_end.map(|_| now),
        trial_end,
        missing_payment_method: start.missing_payment_method,
        cancel_at: None,
        cancel_at_period_end: false,
        canceled_at: None,
        ended_at: None,
        cancel_reason: None,
        comment: None,
        feedback: None,
        description: start.description,
        metadata: start.metadata,
        latest_invoice: None,
        default_payment_method: method,
        pending: Vec::new(),
        pending_update: None,
        trial_reminded: false,
        upcoming_sent: false,
    };
    subscription.period_end = trial_end.unwrap_or_else(|| next_end(world, &subscription, now));
    let pays = start.charge && payments::would(world, &subscription.customer) == Outcome::Paid;
    if trial_end.is_some() {
        subscription.status = Status::Trialing;
    } else if pays && world.settings.created_active {
        subscription.status = Status::Active;
    }
    let period = (subscription.period_start, subscription.period_end);
    let items = subscription.items.clone();
    let lines = proration::period_lines(world, &subscription, &items, period);
    let invoice = invoice_for(world, &subscription, "subscription_create", lines, (now, now));
    let invoice_id = invoice.id.clone();
    subscription.latest_invoice = Some(invoice_id.clone());
    world.subscriptions.add(&id, subscription);
    world.emit_subscription("customer.subscription.created", &id);
    payments::add(world, invoice);
    payments::finalize(world, &invoice_id);
    let free = world
        .invoices
        .get(&invoice_id)
        .is_some_and(|invoice| invoice.due() == 0);
    if start.charge || free {
        payments::attempt(world, &invoice_id);
    }
    (id, invoice_id)
}

/// End of the period that begins at `start`.
fn next_end(world: &World, subscription: &Subscription, start: i64) -> i64 {
    let price = subscription
        .items
        .first()
        .and_then(|item| world.prices.get(&item.price));
    let (interval, count) = price.map_or(("month", 1), |price| {
        (price.interval.as_str(), price.interval_count)
    });
    proration::period_end(subscription.anchor, start, interval, count)
}

fn invoice_for(
    world: &mut World,
    subscription: &Subscription,
    reason: &'static str,
    lines: Vec<super::model::Line>,
    period: (i64, i64),
) -> Invoice {
    let draft = Draft {
        customer: subscription.customer.clone(),
        subscription: Some(subscription.id.clone()),
        subscription_metadata: subscription.metadata.clone(),
        reason,
        lines,
        period,
    };
    payments::compose(world, draft)
}

/// The lines of the period that begins at `start`.
pub(crate) fn next_lines(
    world: &mut World,
    subscription: &Subscription,
    start: i64,
) -> Vec<super::model::Line> {
    let end = next_end(world, subscription, start);
    let items = subscription.items.clone();
    proration::period_lines(world, subscription, &items, (start, end))
}

/// The invoice that would come next, with everything that waits for it.
pub(crate) fn upcoming(world: &mut World, id: &str) -> Option<Invoice> {
    let subscription = world.subscriptions.get(id)?.clone();
    let start = subscription.period_end;
    let mut lines = subscription.pending.clone();
    lines.extend(next_lines(world, &subscription, start));
    let period = (subscription.period_start, start);
    let mut invoice = invoice_for(world, &subscription, "upcoming", lines, period);
    invoice.created = start;
    invoice.next_attempt = Some(start + payments::DRAFT_SECONDS);
    Some(invoice)
}

/// A period is over: the trial ends, or the subscription renews.
pub(crate) fn renew(world: &mut World, id: &str) {
    let Some(subscription) = world.subscriptions.get(id) else {
        return;
    };
    let ends_trial = subscription.status == Status::Trialing;
    let card = world
        .customers
        .get(&subscription.customer)
        .is_some_and(|customer| customer.card.is_some());
    if ends_trial && !card {
        match subscription.missing_payment_method.as_str() {
            "cancel" => return end(world, id, None),
            "pause" => {
                world.change_subscription(id, |subscription| subscription.status = Status::Paused);
                return world.emit_subscription("customer.subscription.paused", id);
            }
            _ => {}
        }
    }
    let start = subscription.period_end;
    cycle(
        world,
        id,
        start,
        "subscription_cycle",
        Some(payments::DRAFT_SECONDS),
    );
}

/// Begins a period at `start` and bills it: after an hour as a draft, or at once.
pub(crate) fn cycle(
    world: &mut World,
    id: &str,
    start: i64,
    reason: &'static str,
    wait: Option<i64>,
) -> Option<String> {
    let mut next = world.subscriptions.get(id)?.clone();
    let past = (next.period_start, next.period_end.min(start));
    if matches!(next.status, Status::Trialing | Status::Paused) {
        next.anchor = start;
        next.trial_end = next.trial_end.map(|end| end.min(start));
    }
    next.period_start = start;
    next.period_end = next_end(world, &next, start);
    let unpaid = next.status == Status::Unpaid;
    if next.status == Status::Trialing {
        next.status = Status::Active;
    }
    let mut lines = std::mem::take(&mut next.pending);
    let items = next.items.clone();
    let period = (next.period_start, next.period_end);
    lines.extend(proration::period_lines(world, &next, &items, period));
    next.upcoming_sent = false;
    let mut invoice = invoice_for(world, &next, reason, lines, past);
    invoice.auto_advance = !unpaid;
    invoice.finalizes_at = wait.filter(|_| !unpaid).map(|wait| world.now + wait);
    next.latest_invoice = Some(invoice.id.clone());
    world.change_subscription(id, |subscription| *subscription = next);
    let invoice = payments::add(world, invoice);
    if wait.is_none() && !unpaid {
        payments::finalize(world, &invoice);
        payments::attempt(world, &invoice);
    }
    Some(invoice)
}

/// Bills lines of a subscription at once; returns the invoice's id.
pub(crate) fn bill(
    world: &mut World,
    id: &str,
    lines: Vec<super::model::Line>,
    charge: bool,
) -> Option<String> {
    let subscription = world.subscriptions.get(id)?.clone();
    let now = world.now;
    let invoice = invoice_for(world, &subscription, "subscription_update", lines, (now, now));
    let invoice_id = invoice.id.clone();
    world.change_subscription(id, |subscription| {
        subscription.latest_invoice = Some(invoice_id.clone());
    });
    payments::add(world, invoice);
    payments::finalize(world, &invoice_id);
    let free = world
        .invoices
        .get(&invoice_id)
        .is_some_and(|invoice| invoice.due() == 0);
    if charge || free {
        payments::attempt(world, &invoice_id);
    }
    Some(invoice_id)
}

/// An invoice of a subscription was paid.
pub(crate) fn paid(world: &mut World, id: &str, invoice: &str) {
    let Some(subscription) = world.subscriptions.get(id) else {
        return;
    };
    let newest = subscription.latest_invoice.as_deref() == Some(invoice);
    let waits = subscription
        .pending_update
        .as_ref()
        .is_some_and(|update| update.invoice == invoice);
    let resumed = newest && subscription.status == Status::Paused;
    world.change_subscription(id, |subscription| {
        if waits && let Some(update) = subscription.pending_update.take() {
            subscription.items = update.items;
        }
        let owed = matches!(
            subscription.status,
            Status::Incomplete | Status::PastDue | Status::Unpaid | Status::Paused
        );
        if newest && owed {
            subscription.status = Status::Active;
        }
    });
    if resumed {
        world.emit_subscription("customer.subscription.resumed", id);
    }
}

/// A renewal or a change could not be charged.
pub(crate) fn overdue(world: &mut World, id: &str, invoice: &str) {
    world.change_subscription(id, |subscription| {
        let waits = subscription
            .pending_update
            .as_ref()
            .is_some_and(|update| update.invoice == invoice);
        if !waits
            && matches!(
                subscription.status,
                Status::Active | Status::Trialing | Status::PastDue
            )
        {
            subscription.status = Status::PastDue;
        }
    });
}

/// It ends now, for good. Its open invoices are not collected any more.
pub(crate) fn end(world: &mut World, id: &str, reason: Option<&str>) {
    let now = world.now;
    let Some(subscription) = world.subscriptions.get_mut(id) else {
        return;
    };
    if subscription.status.is_final() {
        return;
    }
    subscription.status = Status::Canceled;
    subscription.ended_at = Some(now);
    subscription.canceled_at.get_or_insert(now);
    if let Some(reason) = reason {
        subscription.cancel_reason = Some(reason.to_owned());
    }
    subscription.pending.clear();
    let owed: Vec<String> = world
        .invoices
        .iter()
        .filter(|invoice| invoice.subscription.as_deref() == Some(id))
        .filter(|invoice| matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Draft))
        .map(|invoice| invoice.id.clone())
        .collect();
    for invoice in owed {
        world.change_invoice(&invoice, |invoice| {
            invoice.auto_advance = false;
            invoice.next_attempt = None;
            invoice.finalizes_at = None;
        });
    }
    world.emit_subscription("customer.subscription.deleted", id);
}

/// The first invoice was not paid within 23 hours.
pub(crate) fn expire(world: &mut World, id: &str) {
    let invoice = world
        .subscriptions
        .get(id)
        .and_then(|subscription| subscription.latest_invoice.clone());
    if let Some(invoice) = invoice {
        payments::void(world, &invoice);
    }
    let now = world.now;
    world.change_subscription(id, |subscription| {
        subscription.status = Status::IncompleteExpired;
        subscription.ended_at = Some(now);
    });
}

/// Bills what is left of a cancelled subscription.
pub(crate) fn final_bill(world: &mut World, id: &str, lines: Vec<super::model::Line>) {
    let Some(subscription) = world.subscriptions.get(id).cloned() else {
        return;
    };
    let now = world.now;
    let invoice = invoice_for(world, &subscription, "subscription_cycle", lines, (now, now));
    let invoice = payments::add(world, invoice);
    payments::finalize(world, &invoice);
    payments::attempt(world, &invoice);
}
