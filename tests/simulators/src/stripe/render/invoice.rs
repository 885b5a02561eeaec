//! Invoices, their lines, and what pays them.

use serde_json::{Value, json};

use super::super::model::{Invoice, InvoiceStatus, Line, Payment, Refund};
use super::super::world::World;

pub(crate) fn invoice(world: &World, invoice: &Invoice) -> Value {
    let customer = world.customers.get(&invoice.customer);
    let (due, paid) = (invoice.due(), invoice.paid());
    let remaining = due - paid;
    let total = invoice.total();
    let hosted = invoice
        .finalized_at
        .map(|_| format!("{}/invoice/{}", world.base_url, invoice.id));
    json!({
        "id": invoice.id,
        "object": "invoice",
        "account_country": "US",
        "account_name": super::ACCOUNT_NAME,
        "account_tax_ids": null,
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": paid,
        "amount_remaining": remaining,
        "amount_shipping": 0,
        "application": null,
        "attempt_count": invoice.attempts,
        "attempted": invoice.attempts > 0 || invoice.paid_at.is_some(),
        "auto_advance": invoice.auto_advance,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": invoice.finalizes_at,
        "billing_reason": invoice.reason,
        "collection_method": "charge_automatically",
        "created": invoice.created,
        "currency": "usd",
        "custom_fields": null,
        "customer": invoice.customer,
        "customer_account": null,
        "customer_address": null,
        "customer_email": customer.and_then(|customer| customer.email.as_ref()),
        "customer_name": customer.and_then(|customer| customer.name.as_ref()),
        "customer_phone": null,
        "customer_shipping": null,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": invoice.description,
        "discounts": [],
        "due_date": null,
        "effective_at": invoice.finalized_at,
        "ending_balance": invoice.ending_balance,
        "footer": null,
        "from_invoice": null,
        "hosted_invoice_url": hosted,
        "invoice_pdf": hosted.as_ref().map(|url| format!("{url}/pdf")),
        "issuer": {"type": "self"},
        "last_finalization_error": null,
        "latest_revision": null,
        "lines": lines(world, invoice),
        "livemode": false,
        "metadata": invoice.metadata,
        "next_payment_attempt": invoice.next_attempt,
        "number": invoice.number,
        "on_behalf_of": null,
        "parent": parent(invoice),
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_end": invoice.period_end,
        "period_start": invoice.period_start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": null,
        "rendering": null,
        "shipping_cost": null,
        "shipping_details": null,
        "starting_balance": invoice.starting_balance,
        "statement_descriptor": null,
        "status": invoice.status.word(),
        // Unknown: what it holds. Only its name is published (2026-09-30).
        "status_details": null,
        "status_transitions": {
            "finalized_at": invoice.finalized_at,
            "marked_uncollectible_at": null,
            "paid_at": invoice.paid_at,
            "voided_at": invoice.voided_at,
        },
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "test_clock": null,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": (invoice.status != InvoiceStatus::Draft).then_some(invoice.created),
    })
}

/// The invoice of `invoice.upcoming`, which has no id because it does not exist yet.
pub(crate) fn invoice_without_id(world: &World, draft: &Invoice) -> Value {
    let mut value = invoice(world, draft);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("id");
    }
    value
}

fn parent(invoice: &Invoice) -> Value {
    match &invoice.subscription {
        Some(subscription) => json!({
            "quote_details": null,
            "subscription_details": {"metadata": invoice.subscription_metadata, "subscription": subscription},
            "type": "subscription_details",
        }),
        None => Value::Null,
    }
}

fn lines(world: &World, invoice: &Invoice) -> Value {
    let lines: Vec<Value> = invoice
        .lines
        .iter()
        .map(|row| line(world, invoice, row))
        .collect();
    json!({
        "object": "list",
        "data": lines,
        "has_more": false,
        "total_count": lines.len(),
        "url": format!("/v1/invoices/{}/lines", invoice.id),
    })
}

fn line(world: &World, invoice: &Invoice, line: &Line) -> Value {
    let price = line.price.as_ref().and_then(|id| world.prices.get(id));
    let parent = match (&line.item, &line.invoice_item) {
        // A proration belongs to the subscription's item; the invoice item that carried it is named beside.
        (Some(item), invoice_item) => json!({
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": invoice_item,
                "proration": line.proration,
                "proration_details": {"credited_items": null},
                "subscription": line.subscription,
                "subscription_item": item,
            },
            "type": "subscription_item_details",
        }),
        (None, Some(invoice_item)) => json!({
            "invoice_item_details": {
                "invoice_item": invoice_item,
                "proration": line.proration,
                "proration_details": {"credited_items": null},
                "subscription": line.subscription,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        }),
        (None, None) => Value::Null,
    };
    json!({
        "id": line.id,
        "object": "line_item",
        "amount": line.amount,
        "currency": "usd",
        "description": line.description,
        "discount_amounts": [],
        "discountable": !line.proration,
        "discounts": [],
        "invoice": invoice.id,
        "livemode": false,
        "metadata": invoice.subscription_metadata,
        "parent": parent,
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [],
        "pricing": price.map(|price| json!({
            "price_details": {"price": price.id, "product": price.product},
            "type": "price_details",
            "unit_amount_decimal": price.unit_amount.to_string(),
        })),
        "quantity": line.quantity,
        "quantity_decimal": line.quantity.to_string(),
        "subscription": line.subscription,
        "subtotal": line.amount,
        "taxes": [],
    })
}

/// `inpay_…`: what ties an invoice and its payment intent together since basil.
pub(crate) fn invoice_payment(invoice: &Invoice, payment: &Payment) -> Value {
    let status = match payment.status.as_str() {
        "succeeded" => "paid",
        "canceled" => "canceled",
        _ => "open",
    };
    json!({
        "id": payment.id,
        "object": "invoice_payment",
        "amount_paid": (status == "paid").then(|| invoice.due()),
        "amount_requested": invoice.due(),
        "created": payment.created,
        "currency": "usd",
        "invoice": invoice.id,
        "is_default": true,
        "livemode": false,
        "payment": {"payment_intent": payment.intent, "type": "payment_intent"},
        "status": status,
        "status_transitions": {"canceled_at": null, "paid_at": invoice.paid_at},
    })
}

pub(crate) fn payment_intent(world: &World, invoice: &Invoice, payment: &Payment) -> Value {
    let succeeded = payment.status == "succeeded";
    let refused = payment.status == "requires_payment_method" && invoice.attempts > 0;
    let action = payment.status == "requires_action";
    let method = world
        .customers
        .get(&invoice.customer)
        .and_then(|customer| customer.payment_method.as_ref());
    json!({
        "id": payment.intent,
        "object": "payment_intent",
        "amount": invoice.due(),
        "amount_capturable": 0,
        "amount_received": if succeeded { invoice.due() } else { 0 },
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "client_secret": format!("{}_secret_simulated", payment.intent),
        "confirmation_method": "automatic",
        "created": payment.created,
        "currency": "usd",
        "customer": invoice.customer,
        "customer_account": null,
        "description": "Subscription creation",
        "last_payment_error": refused.then(|| json!({
            "code": "card_declined", "decline_code": "generic_decline", "message": "Your card was declined.",
            "type": "card_error",
        })),
        "latest_charge": payment.charge,
        "livemode": false,
        "metadata": {},
        "next_action": action.then(|| json!({"type": "use_stripe_sdk"})),
        "payment_method": method,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "receipt_email": null,
        "setup_future_usage": "off_session",
        "status": payment.status,
    })
}

pub(crate) fn charge(invoice: &Invoice, payment: &Payment, paid: bool) -> Value {
    json!({
        "id": payment.charge,
        "object": "charge",
        "amount": invoice.due(),
        "amount_captured": if paid { invoice.due() } else { 0 },
        "amount_refunded": payment.refunded,
        "captured": paid,
        "created": invoice.paid_at.unwrap_or(payment.created),
        "currency": "usd",
        "customer": invoice.customer,
        "failure_code": (!paid).then_some("card_declined"),
        "failure_message": (!paid).then_some("Your card was declined."),
        "livemode": false,
        "metadata": {},
        "paid": paid,
        "payment_intent": payment.intent,
        "refunded": paid && payment.refunded == invoice.due(),
        "status": if paid { "succeeded" } else { "failed" },
    })
}

pub(crate) fn refund(refund: &Refund, payment: Option<&Payment>) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": null,
        "charge": payment.and_then(|payment| payment.charge.as_ref()),
        "created": refund.created,
        "currency": "usd",
        "customer": null,
        "customer_account": null,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": refund.metadata,
        "payment_intent": payment.map(|payment| &payment.intent),
        "payment_method": null,
        "reason": refund.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": null,
    })
}
