//! `/v1/invoices`, payments and refunds.

use serde_json::Value;

use super::errors::Refusal;
use super::form::Params;
use super::model::{Invoice, InvoiceStatus, Metadata, Refund};
use super::payments::{self, Draft, Outcome};
use super::subscriptions::{self, Proration};
use super::world::World;
use super::{customers, lifecycle, lists, proration, render};

fn find<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Invoice, Refusal> {
    world
        .invoices
        .get(id)
        .ok_or_else(|| Refusal::missing("invoice", id, param))
}

fn show(world: &World, id: &str) -> Result<Value, Refusal> {
    find(world, id, "id").map(|invoice| render::invoice(world, invoice))
}

pub(crate) fn retrieve(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    show(world, id)
}

pub(crate) fn list(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.extend(["customer", "subscription", "status", "collection_method"]);
    params.allow(&allowed)?;
    let (customer, subscription) = (params.text("customer"), params.text("subscription"));
    let status = params.word("status", &["draft", "open", "paid", "uncollectible", "void"])?;
    let rows = world
        .invoices
        .iter()
        .rev()
        .filter(|invoice| customer.is_none_or(|id| invoice.customer == id))
        .filter(|invoice| subscription.is_none_or(|id| invoice.subscription.as_deref() == Some(id)))
        .filter(|invoice| status.is_none_or(|status| invoice.status.word() == status))
        .map(|invoice| (invoice.id.as_str(), invoice.created, invoice));
    lists::page(params, "/v1/invoices", "invoice", rows, |invoice| {
        render::invoice(world, invoice)
    })
}

/// `POST /v1/invoices/{id}/pay`.
pub(crate) fn pay(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["paid_out_of_band", "payment_method", "off_session", "forgive"])?;
    let invoice = find(world, id, "id")?;
    match invoice.status {
        InvoiceStatus::Paid => return Err(Refusal::already_paid()),
        InvoiceStatus::Void => {
            let text = "Invoice is void and can no longer be paid";
            return Err(Refusal::invalid(None, text));
        }
        InvoiceStatus::Draft => payments::finalize(world, id),
        InvoiceStatus::Open => {}
    }
    if params.flag("paid_out_of_band")? == Some(true) {
        if let Some(invoice) = world.invoices.get_mut(id) {
            invoice.out_of_band = true;
        }
        payments::settle(world, id);
        return show(world, id);
    }
    let invoice = find(world, id, "id")?;
    let no_card = world
        .customers
        .get(&invoice.customer)
        .is_none_or(|customer| customer.card.is_none());
    if no_card && invoice.due() > 0 {
        return Err(Refusal::no_payment_method());
    }
    match payments::attempt(world, id) {
        Outcome::Paid => show(world, id),
        Outcome::Declined => Err(Refusal::declined()),
        Outcome::NeedsAction => Err(Refusal::needs_action()),
    }
}

/// `POST /v1/invoices/create_preview`: the next invoice, or the one that a change would make at once.
pub(crate) fn preview(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "customer",
        "subscription",
        "preview_mode",
        "subscription_details[items][*][id]",
        "subscription_details[items][*][price]",
        "subscription_details[items][*][quantity]",
        "subscription_details[items][*][deleted]",
        "subscription_details[proration_behavior]",
        "subscription_details[proration_date]",
        "subscription_details[cancel_at_period_end]",
        "subscription_details[cancel_now]",
        "subscription_details[trial_end]",
    ])?;
    let Some(id) = params.owned("subscription") else {
        let customer = params.required("customer")?;
        customers::live(world, customer, "customer")?;
        let text = "This simulator previews invoices of subscriptions only.";
        return Err(Refusal::invalid(Some("subscription"), text));
    };
    let subscription = subscriptions::find(world, &id, "subscription")?.clone();
    if let Some(customer) = params.text("customer")
        && customer != subscription.customer
    {
        return Err(Refusal::missing("subscription", &id, "subscription"));
    }
    if subscription.status.is_final() {
        let text = "You cannot preview the upcoming invoice for a canceled subscription.";
        return Err(Refusal::invalid(Some("subscription"), text));
    }
    let behaviour = Proration::read(params, "subscription_details[proration_behavior]")?;
    let date = subscriptions::date(
        world,
        &subscription,
        params,
        "subscription_details[proration_date]",
    )?;
    let key = "subscription_details[items]";
    let now = params.flag("subscription_details[cancel_now]")? == Some(true);
    let items = if now {
        Some(Vec::new())
    } else {
        subscriptions::changed_items(world, &subscription, params, key)?
    };
    let trial_over = params.text("subscription_details[trial_end]") == Some("now");
    let mut changed = subscription.clone();
    let mut lines = subscription.pending.clone();
    if let Some(items) = items {
        if behaviour != Proration::Nothing && !trial_over {
            lines.extend(proration::lines(world, &subscription, &items, date));
        }
        changed.items = items;
    }
    let at_once = behaviour == Proration::Always || now || trial_over;
    let (start, reason) = if at_once {
        (world.now, "subscription_update")
    } else {
        (changed.period_end, "upcoming")
    };
    if trial_over {
        changed.trial_end = None;
        changed.anchor = world.now;
    }
    if !at_once || trial_over {
        lines.extend(lifecycle::next_lines(world, &changed, start));
    }
    let draft = Draft {
        customer: subscription.customer.clone(),
        subscription: Some(id),
        subscription_metadata: subscription.metadata.clone(),
        reason,
        lines,
        period: (subscription.period_start, start),
    };
    let mut invoice = payments::compose(world, draft);
    invoice.id = invoice.id.replacen("in_", "upcoming_in_", 1);
    invoice.created = start;
    Ok(render::invoice(world, &invoice))
}

/// `POST /v1/refunds` of a payment or a charge.
pub(crate) fn refund(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["payment_intent", "charge", "amount", "reason", "metadata[*]"])?;
    let (key, id) = match (params.text("payment_intent"), params.text("charge")) {
        (Some(id), None) => ("payment_intent", id),
        (None, Some(id)) => ("charge", id),
        _ => {
            let text =
                "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::invalid(None, text));
        }
    };
    let found = world.invoices.iter().find(|invoice| {
        invoice
            .payment
            .as_ref()
            .is_some_and(|payment| payment.intent == id || payment.charge.as_deref() == Some(id))
    });
    let Some(invoice) = found else {
        return Err(Refusal::missing(key, id, key));
    };
    let (invoice_id, paid) = (invoice.id.clone(), invoice.paid());
    let refunded = invoice.payment.as_ref().map_or(0, |payment| payment.refunded);
    let amount = params.integer("amount")?.unwrap_or(paid - refunded);
    if amount <= 0 || refunded + amount > paid {
        let text = format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({})",
            paid - refunded
        );
        return Err(Refusal::invalid(Some("amount"), &text));
    }
    let refund = Refund {
        id: world.id("re_3", 23),
        amount,
        invoice: invoice_id.clone(),
        created: world.now,
        reason: params.owned("reason"),
        metadata: params.metadata("metadata")?,
    };
    if let Some(payment) = world
        .invoices
        .get_mut(&invoice_id)
        .and_then(|invoice| invoice.payment.as_mut())
    {
        payment.refunded += amount;
    }
    let invoice = find(world, &invoice_id, "invoice")?.clone();
    let value = render::refund(&refund, invoice.payment.as_ref());
    let id = refund.id.clone();
    world.refunds.add(&id, refund);
    world.emit("refund.created", value.clone(), None);
    if let Some(payment) = &invoice.payment {
        let charge = render::charge(&invoice, payment, true);
        world.emit("charge.refunded", charge, None);
    }
    Ok(value)
}

/// `GET /v1/invoice_payments?invoice=…`.
pub(crate) fn payments_of(world: &World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["invoice", "limit", "status"])?;
    let id = params.required("invoice")?;
    let invoice = find(world, id, "invoice")?;
    let data: Vec<Value> = invoice
        .payment
        .iter()
        .map(|payment| render::invoice_payment(invoice, payment))
        .collect();
    Ok(render::list("/v1/invoice_payments", &data, false))
}

/// An invoice that belongs to no subscription, like one made by hand in the dashboard.
pub(crate) fn by_hand(world: &mut World, customer: &str, amount: i64) -> String {
    let now = world.now;
    let line = super::model::Line {
        id: world.id("il_1", 23),
        amount,
        description: "One hour of help".to_owned(),
        start: now,
        end: now,
        price: None,
        quantity: 1,
        proration: false,
        subscription: None,
        item: None,
        invoice_item: Some(world.id("ii_1", 23)),
    };
    let draft = Draft {
        customer: customer.to_owned(),
        subscription: None,
        subscription_metadata: Metadata::new(),
        reason: "manual",
        lines: vec![line],
        period: (now, now),
    };
    let invoice = payments::compose(world, draft);
    let id = payments::add(world, invoice);
    payments::finalize(world, &id);
    payments::attempt(world, &id);
    id
}
