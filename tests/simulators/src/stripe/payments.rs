//! Invoices on their way from draft to paid, and what a failed payment does to the subscription.

use super::lifecycle;
use super::model::{AfterRetries, Card, Invoice, InvoiceStatus, Line, Metadata, Payment, Status};
use super::render;
use super::world::World;

const DAY: i64 = 86_400;
/// A renewal's invoice stays a draft for about an hour.
pub(crate) const DRAFT_SECONDS: i64 = 3_600;

/// How a charge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Paid,
    Declined,
    NeedsAction,
}

/// What an invoice is made of.
pub(crate) struct Draft {
    pub(crate) customer: String,
    pub(crate) subscription: Option<String>,
    pub(crate) subscription_metadata: Metadata,
    pub(crate) reason: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) period: (i64, i64),
}

/// A draft that is not in the account yet.
pub(crate) fn compose(world: &mut World, draft: Draft) -> Invoice {
    let balance = world
        .customers
        .get(&draft.customer)
        .map_or(0, |customer| customer.balance);
    Invoice {
        id: world.id("in_1", 23),
        customer: draft.customer,
        subscription: draft.subscription,
        subscription_metadata: draft.subscription_metadata,
        metadata: Metadata::new(),
        description: None,
        status: InvoiceStatus::Draft,
        reason: draft.reason.to_owned(),
        created: world.now,
        period_start: draft.period.0,
        period_end: draft.period.1,
        lines: draft.lines,
        starting_balance: balance,
        ending_balance: None,
        number: None,
        auto_advance: true,
        attempts: 0,
        next_attempt: None,
        finalizes_at: None,
        finalized_at: None,
        paid_at: None,
        voided_at: None,
        out_of_band: false,
        payment: None,
    }
}

/// Adds a draft and emits `invoice.created`.
pub(crate) fn add(world: &mut World, invoice: Invoice) -> String {
    let id = invoice.id.clone();
    world.invoices.add(&id, invoice);
    world.emit_invoice("invoice.created", &id);
    id
}

/// Gives a draft its number; from now on it is owed.
pub(crate) fn finalize(world: &mut World, id: &str) {
    let Some(invoice) = world
        .invoices
        .get(id)
        .filter(|invoice| invoice.status == InvoiceStatus::Draft)
    else {
        return;
    };
    let customer = invoice.customer.clone();
    // Credit that came after the draft was made counts as well.
    let starting = world
        .customers
        .get(&customer)
        .map_or(0, |customer| customer.balance);
    let total = invoice.total();
    let due = (total + starting).max(0);
    let (now, payment) = (world.now, world.id("inpay_1", 23));
    let intent = world.id("pi_3", 23);
    // What the balance pays or gets: credit is used up to the total, a negative total becomes credit.
    let ending = if total >= 0 {
        (starting + total).min(0)
    } else {
        starting + total
    };
    let mut number = None;
    if let Some(customer) = world.customers.get_mut(&customer) {
        customer.invoices += 1;
        number = Some(format!(
            "{}-{:04}",
            render::invoice_prefix(&customer.id),
            customer.invoices
        ));
    }
    if let Some(invoice) = world.invoices.get_mut(id) {
        invoice.status = InvoiceStatus::Open;
        invoice.starting_balance = starting;
        invoice.number = number;
        invoice.finalized_at = Some(now);
        invoice.finalizes_at = None;
        invoice.ending_balance = Some(ending);
        invoice.payment = (due > 0).then(|| Payment {
            id: payment,
            intent,
            charge: None,
            status: "requires_payment_method".to_owned(),
            created: now,
            refunded: 0,
        });
    }
    if ending != starting {
        world.change_customer(&customer, |customer| customer.balance = ending);
    }
    world.emit_invoice("invoice.finalized", id);
}

/// How the customer's card would answer now; nothing happens to it.
pub(crate) fn would(world: &World, customer: &str) -> Outcome {
    match world.customers.get(customer).and_then(|customer| customer.card) {
        Some(Card::Pays | Card::PaysThenDeclines) => Outcome::Paid,
        Some(Card::NeedsAction) => Outcome::NeedsAction,
        Some(Card::Declines) | None => Outcome::Declined,
    }
}

/// Charges the customer's card for an open invoice.
pub(crate) fn attempt(world: &mut World, id: &str) -> Outcome {
    let Some(invoice) = world
        .invoices
        .get(id)
        .filter(|invoice| invoice.status == InvoiceStatus::Open)
    else {
        return Outcome::Paid;
    };
    let customer = invoice.customer.clone();
    if invoice.due() == 0 {
        settle(world, id);
        return Outcome::Paid;
    }
    let outcome = would(world, &customer);
    let charge = world.id("ch_3", 23);
    if let Some(invoice) = world.invoices.get_mut(id) {
        invoice.attempts += 1;
        if let Some(payment) = &mut invoice.payment {
            payment.charge = (outcome != Outcome::NeedsAction).then_some(charge);
        }
    }
    match outcome {
        Outcome::Paid => {
            if let Some(customer) = world.customers.get_mut(&customer)
                && customer.card == Some(Card::PaysThenDeclines)
            {
                customer.card = Some(Card::Declines);
            }
            settle(world, id);
        }
        Outcome::Declined | Outcome::NeedsAction => fail(world, id, outcome),
    }
    outcome
}

/// The invoice is paid, by card, by the balance or outside of Stripe.
pub(crate) fn settle(world: &mut World, id: &str) {
    let now = world.now;
    let Some(invoice) = world.invoices.get_mut(id) else {
        return;
    };
    invoice.status = InvoiceStatus::Paid;
    invoice.paid_at = Some(now);
    invoice.next_attempt = None;
    let (subscription, customer) = (invoice.subscription.clone(), invoice.customer.clone());
    let charged = !invoice.out_of_band;
    if let Some(payment) = &mut invoice.payment {
        payment.status = if charged { "succeeded" } else { "canceled" }.to_owned();
    }
    if charged {
        emit_payment(world, id, "payment_intent.succeeded", Some("charge.succeeded"));
    }
    world.change_customer(&customer, |customer| customer.delinquent = false);
    world.emit_invoice("invoice.paid", id);
    if charged {
        world.emit_invoice("invoice.payment_succeeded", id);
        let paid = world.invoices.get(id).and_then(|invoice| {
            let payment = invoice.payment.as_ref()?;
            Some(render::invoice_payment(invoice, payment))
        });
        if let Some(paid) = paid {
            world.emit("invoice_payment.paid", paid, None);
        }
    }
    if let Some(subscription) = subscription {
        lifecycle::paid(world, &subscription, id);
    }
}

/// A charge failed: the next attempt is planned, or the retries have run out.
fn fail(world: &mut World, id: &str, outcome: Outcome) {
    let Some(invoice) = world.invoices.get(id) else {
        return;
    };
    let (now, attempts, reason) = (world.now, invoice.attempts, invoice.reason.clone());
    let (subscription, customer) = (invoice.subscription.clone(), invoice.customer.clone());
    // A first invoice is not tried again: its subscription waits 23 hours for the customer.
    let first = reason == "subscription_create";
    let days = usize::try_from(attempts)
        .ok()
        .and_then(|attempts| world.settings.retry_days.get(attempts.checked_sub(1)?))
        .copied();
    let next = days.filter(|_| !first).map(|days| now + i64::from(days) * DAY);
    if let Some(invoice) = world.invoices.get_mut(id) {
        invoice.next_attempt = next;
        if let Some(payment) = &mut invoice.payment {
            let status = match outcome {
                Outcome::NeedsAction => "requires_action",
                _ => "requires_payment_method",
            };
            status.clone_into(&mut payment.status);
        }
    }
    if outcome == Outcome::NeedsAction {
        emit_payment(world, id, "payment_intent.requires_action", None);
        world.emit_invoice("invoice.payment_action_required", id);
    } else {
        emit_payment(world, id, "payment_intent.payment_failed", Some("charge.failed"));
    }
    if !first {
        world.change_customer(&customer, |customer| customer.delinquent = true);
    }
    world.emit_invoice("invoice.payment_failed", id);
    let Some(subscription) = subscription.filter(|_| !first) else {
        return;
    };
    if next.is_some() {
        lifecycle::overdue(world, &subscription, id);
        return;
    }
    match world.settings.after_retries {
        AfterRetries::Cancel => lifecycle::end(world, &subscription, Some("payment_failed")),
        AfterRetries::MarkUnpaid => {
            world.change_subscription(&subscription, |subscription| subscription.status = Status::Unpaid);
        }
        AfterRetries::KeepPastDue => lifecycle::overdue(world, &subscription, id),
    }
}

/// Takes back an invoice that will not be paid any more.
pub(crate) fn void(world: &mut World, id: &str) {
    let now = world.now;
    let Some(invoice) = world.invoices.get_mut(id) else {
        return;
    };
    if !matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Draft) {
        return;
    }
    invoice.status = InvoiceStatus::Void;
    invoice.voided_at = Some(now);
    invoice.next_attempt = None;
    invoice.finalizes_at = None;
    world.emit_invoice("invoice.voided", id);
}

fn emit_payment(world: &mut World, id: &str, kind: &str, charge_kind: Option<&str>) {
    let Some((invoice, payment)) = world
        .invoices
        .get(id)
        .and_then(|invoice| Some((invoice.clone(), invoice.payment.clone()?)))
    else {
        return;
    };
    if let Some(charge_kind) = charge_kind {
        let charge = render::charge(&invoice, &payment, charge_kind == "charge.succeeded");
        world.emit(charge_kind, charge, None);
    }
    let intent = render::payment_intent(world, &invoice, &payment);
    world.emit(kind, intent, None);
}
