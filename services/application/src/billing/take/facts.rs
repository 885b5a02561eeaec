//! What an event says beyond how the customer stands: a payment, a failed attempt, the end of a trial. An
//! invoice is taken as the event has it, since an attempt that failed is not to be seen any more once a later
//! one succeeded; it is asked for where the event has no copy that can be read.

use chrono::{DateTime, Utc};
use connectors::stripe::{Invoice, InvoiceId, InvoiceStatus, Kind};
use events::subscription::{Basis, PaymentFailed, PaymentSucceeded};

use super::{News, TakeError, Taking};

/// What is to be recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Nothing but how the customer stands.
    None,
    /// A payment arrived.
    Paid(PaymentSucceeded),
    /// A payment could not be collected.
    Failed(PaymentFailed),
    /// The trial at Stripe ends soon.
    TrialEnds,
    /// The invoice lacks what a payment needs.
    Unclear(&'static str),
}

impl Taking {
    pub(super) async fn fact(&self, news: &News) -> Result<Fact, TakeError> {
        let read: fn(&InvoiceId, &Invoice, Option<DateTime<Utc>>) -> Option<Fact> = match news.concern.kind {
            Kind::InvoicePaid => paid,
            Kind::InvoicePaymentFailed => |id, invoice, _| failed(id, invoice, false),
            Kind::InvoicePaymentActionRequired => |id, invoice, _| failed(id, invoice, true),
            Kind::TrialWillEnd => return Ok(Fact::TrialEnds),
            _ => return Ok(Fact::None),
        };
        let is_failure = news.concern.kind != Kind::InvoicePaid;
        let Some(id) = &news.concern.invoice else {
            return Ok(Fact::Unclear("the invoice has no id"));
        };
        let created = news.event.created;
        let copied = news.event.invoice().ok();
        if let Some(fact) = copied.and_then(|invoice| read(id, &invoice, created)) {
            return Ok(fact);
        }
        match self.stripe()?.invoice(id).await {
            // What failed cannot be told any more from an invoice that is no longer open.
            Ok(invoice) if is_failure && invoice.status != Some(InvoiceStatus::Open) => Ok(Fact::None),
            Ok(invoice) => Ok(read(id, &invoice, created).unwrap_or(Fact::Unclear(
                "the invoice lacks an amount, a currency or an attempt",
            ))),
            Err(error) if error.is_missing() => Ok(Fact::Unclear("the invoice is not there")),
            Err(error) => Err(error.into()),
        }
    }
}

/// The payment of an invoice. Where nothing had to be paid, as for a trial, there is none.
fn paid(id: &InvoiceId, invoice: &Invoice, created: Option<DateTime<Utc>>) -> Option<Fact> {
    let amount_minor = invoice.amount_paid?;
    if amount_minor == 0 {
        return Some(Fact::None);
    }
    Some(Fact::Paid(PaymentSucceeded {
        basis: Basis::Stripe,
        invoice: id.as_str().to_owned(),
        amount_minor,
        currency: invoice.currency.as_ref()?.to_uppercase(),
        paid_at: invoice.paid_at().or(created)?,
    }))
}

fn failed(id: &InvoiceId, invoice: &Invoice, action_required: bool) -> Option<Fact> {
    Some(Fact::Failed(PaymentFailed {
        invoice: id.as_str().to_owned(),
        amount_minor: invoice.amount_remaining.or(invoice.amount_due)?,
        currency: invoice.currency.as_ref()?.to_uppercase(),
        attempt: invoice.attempt_count?,
        next_attempt_at: invoice.next_payment_attempt,
        action_required,
    }))
}
