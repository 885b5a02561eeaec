//! `POST /v1/subscriptions/{id}`: another price, the end of it, the end of its trial.

use serde_json::Value;

use super::super::catalog;
use super::super::errors::Refusal;
use super::super::form::Params;
use super::super::lifecycle;
use super::super::model::{Item, Line, Metadata, PendingUpdate, Status, Subscription};
use super::super::proration;
use super::super::world::World;
use super::{find, refuse_unpaid, show};

/// A change that waits for its payment does so for 23 hours.
const UPDATE_SECONDS: i64 = 23 * 3_600;

/// When a change's difference is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proration {
    /// With the next invoice.
    Create,
    /// At once.
    Always,
    /// Never.
    Nothing,
}

impl Proration {
    pub(crate) fn read(params: &Params, key: &str) -> Result<Self, Refusal> {
        let words = ["always_invoice", "create_prorations", "none"];
        Ok(match params.word(key, &words)? {
            Some("always_invoice") => Self::Always,
            Some("none") => Self::Nothing,
            _ => Self::Create,
        })
    }
}

/// When a subscription is to end.
enum End {
    Same,
    Never,
    WithPeriod,
    At(i64),
}

/// When its trial is to end.
#[derive(Clone, Copy)]
enum Trial {
    Same,
    Now,
    At(i64),
}

/// Everything that one call changes.
struct Change {
    items: Option<Vec<Item>>,
    proration: Proration,
    proration_date: i64,
    behaviour: String,
    end: End,
    trial: Trial,
    metadata: Metadata,
    description: Option<String>,
    comment: Option<String>,
    feedback: Option<String>,
}

pub(crate) fn update(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "items[*][id]",
        "items[*][price]",
        "items[*][quantity]",
        "items[*][deleted]",
        "proration_behavior",
        "proration_date",
        "payment_behavior",
        "cancel_at_period_end",
        "cancel_at",
        "cancellation_details[comment]",
        "cancellation_details[feedback]",
        "trial_end",
        "metadata",
        "metadata[*]",
        "description",
        "default_payment_method",
        "off_session",
        "billing_cycle_anchor",
        "payment_settings[save_default_payment_method]",
    ])?;
    let subscription = find(world, id, "id")?.clone();
    if subscription.status.is_final() {
        if subscription.status == Status::Canceled {
            // Unknown: a cancelled one is refused by its absence or by this text; both were seen.
            let text = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(Refusal::invalid(None, text));
        }
        let text = "This subscription's status is `incomplete_expired`; it can no longer be updated.";
        return Err(Refusal::invalid(None, text));
    }
    let change = read(world, &subscription, params)?;
    apply(world, &subscription, change)?;
    show(world, id)
}

fn read(world: &mut World, subscription: &Subscription, params: &Params) -> Result<Change, Refusal> {
    let mut metadata = subscription.metadata.clone();
    params.merge_metadata("metadata", &mut metadata)?;
    let behaviours = [
        "allow_incomplete",
        "default_incomplete",
        "error_if_incomplete",
        "pending_if_incomplete",
    ];
    let behaviour = params
        .word("payment_behavior", &behaviours)?
        .unwrap_or("allow_incomplete");
    params.word("billing_cycle_anchor", &["unchanged", "now"])?;
    if params.text("billing_cycle_anchor") == Some("now") {
        let text = "This simulator leaves the billing cycle anchor as it is.";
        return Err(Refusal::invalid(Some("billing_cycle_anchor"), text));
    }
    Ok(Change {
        items: changed_items(world, subscription, params, "items")?,
        proration: Proration::read(params, "proration_behavior")?,
        proration_date: date(world, subscription, params, "proration_date")?,
        behaviour: behaviour.to_owned(),
        end: end(world, subscription, params)?,
        trial: trial(world, subscription, params)?,
        metadata,
        description: match params.raw("description") {
            Some("") => None,
            Some(text) => Some(text.to_owned()),
            None => subscription.description.clone(),
        },
        comment: params.owned("cancellation_details[comment]"),
        feedback: params.owned("cancellation_details[feedback]"),
    })
}

/// The moment from which a change is prorated.
pub(crate) fn date(
    world: &World,
    subscription: &Subscription,
    params: &Params,
    key: &str,
) -> Result<i64, Refusal> {
    let Some(at) = params.integer(key)? else {
        return Ok(world.now);
    };
    if (subscription.period_start..=subscription.period_end).contains(&at) {
        return Ok(at);
    }
    let text = "The proration date has to lie in the current billing period.";
    Err(Refusal::invalid(Some(key), text))
}

fn end(world: &World, subscription: &Subscription, params: &Params) -> Result<End, Refusal> {
    let by_period = params.flag("cancel_at_period_end")?;
    if params.text("cancel_at").is_some() && by_period == Some(true) {
        let text = "You may only specify one of these parameters: cancel_at, cancel_at_period_end.";
        return Err(Refusal::invalid(Some("cancel_at"), text));
    }
    if let Some(at) = params.integer("cancel_at")? {
        if at <= world.now {
            let text = "`cancel_at` must be a timestamp in the future.";
            return Err(Refusal::invalid(Some("cancel_at"), text));
        }
        return Ok(End::At(at));
    }
    if params.raw("cancel_at") == Some("") {
        return Ok(End::Never);
    }
    Ok(match by_period {
        Some(true) => End::WithPeriod,
        // Taking back the end of the period leaves another date alone.
        Some(false) if subscription.cancel_at_period_end => End::Never,
        _ => End::Same,
    })
}

fn trial(world: &World, subscription: &Subscription, params: &Params) -> Result<Trial, Refusal> {
    match params.text("trial_end") {
        None => Ok(Trial::Same),
        Some("now") if subscription.status == Status::Trialing => Ok(Trial::Now),
        Some("now") => Ok(Trial::Same),
        Some(_) => {
            let at = params.integer("trial_end")?.unwrap_or(0);
            if at <= world.now {
                let text = "Invalid timestamp: must be an integer Unix timestamp in the future.";
                return Err(Refusal::invalid(Some("trial_end"), text));
            }
            Ok(Trial::At(at))
        }
    }
}

/// The items after a change; none if the call names no items.
pub(crate) fn changed_items(
    world: &mut World,
    subscription: &Subscription,
    params: &Params,
    key: &str,
) -> Result<Option<Vec<Item>>, Refusal> {
    let entries = params.entries(key);
    if entries.is_empty() {
        return Ok(None);
    }
    let mut items = subscription.items.clone();
    for entry in entries {
        let (id_key, price_key) = (format!("{entry}[id]"), format!("{entry}[price]"));
        let price = params.owned(&price_key);
        if let Some(price) = &price {
            catalog::active_price(world, price, &price_key)?;
        }
        let quantity = params.quantity(&format!("{entry}[quantity]"))?;
        let deleted = params.flag(&format!("{entry}[deleted]"))?.unwrap_or(false);
        match params.text(&id_key) {
            Some(id) => {
                let Some(at) = items.iter().position(|item| item.id == id) else {
                    return Err(Refusal::missing("subscription_item", id, &id_key));
                };
                if deleted {
                    items.remove(at);
                } else {
                    items[at].price = price.unwrap_or_else(|| items[at].price.clone());
                    items[at].quantity = quantity.unwrap_or(items[at].quantity);
                }
            }
            None => items.push(Item {
                id: world.id("si_", 14),
                price: price.ok_or_else(|| Refusal::missing_parameter(&price_key))?,
                quantity: quantity.unwrap_or(1),
                created: world.now,
            }),
        }
    }
    if items.is_empty() {
        let text = "A subscription must have at least one active plan. All plans on this subscription have been \
                    deleted.";
        return Err(Refusal::invalid(None, text));
    }
    let period = |item: &Item| {
        world
            .prices
            .get(&item.price)
            .map(|price| (price.interval.clone(), price.interval_count))
    };
    let before = subscription.items.first().and_then(period);
    if items.iter().any(|item| period(item) != before) {
        let text = "This simulator does not change the billing interval.";
        return Err(Refusal::invalid(Some(key), text));
    }
    Ok(Some(items))
}

fn apply(world: &mut World, subscription: &Subscription, change: Change) -> Result<(), Refusal> {
    let id = subscription.id.clone();
    let at = change.proration_date;
    let lines = match &change.items {
        Some(items) if change.proration != Proration::Nothing => {
            proration::lines(world, subscription, items, at)
        }
        _ => Vec::new(),
    };
    let owed: i64 = lines.iter().map(|line| line.amount).sum();
    let ends_trial = matches!(change.trial, Trial::Now);
    let charged = (change.proration == Proration::Always && owed > 0) || ends_trial;
    if charged && change.behaviour == "error_if_incomplete" {
        refuse_unpaid(world, &subscription.customer)?;
    }
    if charged
        && !ends_trial
        && change.behaviour == "pending_if_incomplete"
        && refuse_unpaid(world, &subscription.customer).is_err()
    {
        wait_for_payment(world, &id, change, lines);
        return Ok(());
    }
    let charge = change.behaviour != "default_incomplete";
    let now = world.now;
    let invoices = change.proration == Proration::Always && !lines.is_empty();
    let Change {
        items,
        end,
        trial,
        metadata,
        description,
        comment,
        feedback,
        ..
    } = change;
    let kept = if invoices { Vec::new() } else { lines.clone() };
    for line in &kept {
        emit_item(world, &subscription.customer, line);
    }
    world.change_subscription(&id, |subscription| {
        if let Some(items) = items {
            subscription.items = items;
        }
        subscription.pending.extend(kept);
        subscription.metadata = metadata;
        subscription.description = description;
        subscription.comment = comment.or(subscription.comment.take());
        subscription.feedback = feedback.or(subscription.feedback.take());
        set_end(subscription, &end, now);
        if let Trial::At(at) = trial {
            subscription.status = Status::Trialing;
            subscription.trial_start.get_or_insert(now);
            subscription.trial_end = Some(at);
            subscription.period_start = now;
            subscription.period_end = at;
            subscription.anchor = at;
            subscription.trial_reminded = false;
            subscription.upcoming_sent = false;
        }
    });
    if ends_trial {
        lifecycle::cycle(world, &id, now, "subscription_update", None);
    } else if invoices {
        let mut all = world
            .subscriptions
            .get_mut(&id)
            .map(|subscription| std::mem::take(&mut subscription.pending))
            .unwrap_or_default();
        all.extend(lines);
        lifecycle::bill(world, &id, all, charge);
    }
    Ok(())
}

/// The items stay as they are until the invoice is paid.
fn wait_for_payment(world: &mut World, id: &str, change: Change, lines: Vec<Line>) {
    let Some(items) = change.items else {
        return;
    };
    let expires_at = world.now + UPDATE_SECONDS;
    let Some(invoice) = lifecycle::bill(world, id, lines, false) else {
        return;
    };
    world.change_subscription(id, |subscription| {
        subscription.pending_update = Some(PendingUpdate {
            items,
            expires_at,
            invoice: invoice.clone(),
        });
    });
    super::super::payments::attempt(world, &invoice);
}

fn set_end(subscription: &mut Subscription, end: &End, now: i64) {
    let at = match end {
        End::Same => return,
        End::Never => {
            subscription.cancel_at = None;
            subscription.cancel_at_period_end = false;
            subscription.canceled_at = None;
            subscription.cancel_reason = None;
            return;
        }
        End::WithPeriod => {
            subscription.cancel_at_period_end = true;
            subscription.period_end
        }
        End::At(at) => {
            subscription.cancel_at_period_end = false;
            *at
        }
    };
    subscription.cancel_at = Some(at);
    subscription.canceled_at = Some(now);
    subscription.cancel_reason = Some("cancellation_requested".to_owned());
}

fn emit_item(world: &mut World, customer: &str, line: &Line) {
    let value = serde_json::json!({
        "id": line.invoice_item, "object": "invoiceitem", "amount": line.amount, "currency": "usd",
        "customer": customer, "date": world.now, "description": line.description, "invoice": null,
        "livemode": false, "metadata": {}, "parent": {
            "subscription_details": {"subscription": line.subscription, "subscription_item": line.item},
            "type": "subscription_details",
        },
        "period": {"end": line.end, "start": line.start}, "proration": line.proration,
        "quantity": line.quantity,
    });
    world.emit("invoiceitem.created", value, None);
}
