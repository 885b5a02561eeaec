//! `/v1/subscriptions`.

mod change;

use serde_json::Value;

pub(crate) use change::{Proration, changed_items, date, update};

use super::errors::Refusal;
use super::form::Params;
use super::lifecycle::{self, Start};
use super::model::{Status, Subscription};
use super::payments::{self, Outcome};
use super::world::World;
use super::{catalog, customers, lists, proration, render};

/// A trial of a subscription made directly may be shorter than one of a checkout.
const MOST_TRIAL_DAYS: i64 = 730;

/// Statuses as the list's filter names them.
const STATUSES: [&str; 10] = [
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
];

pub(crate) fn find<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Subscription, Refusal> {
    world
        .subscriptions
        .get(id)
        .ok_or_else(|| Refusal::missing("subscription", id, param))
}

pub(crate) fn show(world: &World, id: &str) -> Result<Value, Refusal> {
    find(world, id, "id").map(|subscription| render::subscription(world, subscription))
}

pub(crate) fn retrieve(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    show(world, id)
}

pub(crate) fn list(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.extend(["customer", "status", "price", "collection_method"]);
    params.allow(&allowed)?;
    let (customer, price) = (params.text("customer"), params.text("price"));
    if let Some(id) = customer {
        customers::find(world, id, "customer")?;
    }
    let status = params.word("status", &STATUSES)?;
    let rows = world
        .subscriptions
        .iter()
        .rev()
        .filter(|subscription| customer.is_none_or(|id| subscription.customer == id))
        .filter(|subscription| price.is_none_or(|id| subscription.items.iter().any(|item| item.price == id)))
        .filter(|subscription| match status {
            // Without a filter, those that were cancelled are left out.
            None => subscription.status != Status::Canceled,
            Some("all") => true,
            Some("ended") => subscription.status.is_final(),
            Some(status) => subscription.status.word() == status,
        })
        .map(|subscription| (subscription.id.as_str(), subscription.created, subscription));
    lists::page(
        params,
        "/v1/subscriptions",
        "subscription",
        rows,
        |subscription| render::subscription(world, subscription),
    )
}

pub(crate) fn create(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "customer",
        "items[*][price]",
        "items[*][quantity]",
        "metadata[*]",
        "description",
        "trial_end",
        "trial_period_days",
        "trial_settings[end_behavior][missing_payment_method]",
        "payment_behavior",
        "payment_settings[save_default_payment_method]",
        "default_payment_method",
        "off_session",
    ])?;
    let customer = params.required("customer")?.to_owned();
    customers::live(world, &customer, "customer")?;
    let mut items = Vec::new();
    for entry in params.entries("items") {
        let key = format!("{entry}[price]");
        let price = params.required(&key)?.to_owned();
        catalog::active_price(world, &price, &key)?;
        items.push((
            price,
            params.quantity(&format!("{entry}[quantity]"))?.unwrap_or(1),
        ));
    }
    if items.is_empty() {
        return Err(Refusal::missing_parameter("items"));
    }
    let days = params.integer("trial_period_days")?;
    if days.is_some_and(|days| !(0..=MOST_TRIAL_DAYS).contains(&days)) {
        let text = "The maximum number of trial period days is 730 (2 years).";
        return Err(Refusal::invalid(Some("trial_period_days"), text));
    }
    let trial_end = match params.text("trial_end") {
        Some("now") => None,
        _ => params.integer("trial_end")?,
    };
    let trial_end = trial_end.or_else(|| days.map(|days| world.now + days * 86_400));
    let behaviours = ["allow_incomplete", "default_incomplete", "error_if_incomplete"];
    let behaviour = params
        .word("payment_behavior", &behaviours)?
        .unwrap_or("allow_incomplete");
    let due = trial_end.is_none_or(|end| end <= world.now);
    if due && behaviour == "error_if_incomplete" {
        refuse_unpaid(world, &customer)?;
    }
    let missing = "trial_settings[end_behavior][missing_payment_method]";
    let start = Start {
        customer,
        items,
        metadata: params.metadata("metadata")?,
        description: params.owned("description"),
        trial_end,
        missing_payment_method: params
            .word(missing, &["cancel", "create_invoice", "pause"])?
            .unwrap_or("create_invoice")
            .to_owned(),
        charge: behaviour != "default_incomplete",
    };
    let (id, _invoice) = lifecycle::start(world, start);
    show(world, &id)
}

/// Refuses what cannot be charged now.
pub(crate) fn refuse_unpaid(world: &World, customer: &str) -> Result<(), Refusal> {
    if world
        .customers
        .get(customer)
        .is_none_or(|customer| customer.card.is_none())
    {
        return Err(Refusal::no_payment_method());
    }
    match payments::would(world, customer) {
        Outcome::Paid => Ok(()),
        Outcome::Declined => Err(Refusal::declined()),
        Outcome::NeedsAction => Err(Refusal::needs_action()),
    }
}

/// `DELETE`: ends it now.
pub(crate) fn cancel(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "invoice_now",
        "prorate",
        "cancellation_details[comment]",
        "cancellation_details[feedback]",
    ])?;
    let subscription = find(world, id, "id")?.clone();
    if subscription.status.is_final() {
        // A cancelled one is no longer found by this call: seen live.
        return Err(Refusal::missing("subscription", id, "id"));
    }
    let (now, prorate) = (params.flag("invoice_now")?, params.flag("prorate")?);
    let mut lines = subscription.pending.clone();
    if prorate == Some(true) {
        let at = world.now;
        lines.extend(proration::lines(world, &subscription, &[], at));
    }
    if let Some(subscription) = world.subscriptions.get_mut(id) {
        subscription.comment = params
            .owned("cancellation_details[comment]")
            .or(subscription.comment.take());
        subscription.feedback = params
            .owned("cancellation_details[feedback]")
            .or(subscription.feedback.take());
        subscription.pending.clear();
    }
    lifecycle::end(world, id, Some("cancellation_requested"));
    if now == Some(true) && !lines.is_empty() {
        lifecycle::final_bill(world, id, lines);
    }
    show(world, id)
}

/// Brings a paused subscription back.
pub(crate) fn resume(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["billing_cycle_anchor", "proration_behavior", "proration_date"])?;
    let status = find(world, id, "id")?.status;
    if status != Status::Paused {
        let text = format!(
            "You cannot resume a subscription with a status of `{}`. Only paused subscriptions can be resumed.",
            status.word()
        );
        return Err(Refusal::invalid(None, &text));
    }
    let now = world.now;
    lifecycle::cycle(world, id, now, "subscription_cycle", None);
    show(world, id)
}
