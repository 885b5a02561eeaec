//! Subscriptions and their items.

use serde_json::{Value, json};

use super::super::model::{Item, Subscription};
use super::super::world::World;

pub(crate) fn subscription(world: &World, subscription: &Subscription) -> Value {
    let first = subscription.items.first();
    let price = first.and_then(|item| world.prices.get(&item.price));
    json!({
        "id": subscription.id,
        "object": "subscription",
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
        "billing_cycle_anchor": subscription.anchor,
        "billing_cycle_anchor_config": null,
        "billing_mode": {"flexible": null, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": null,
        "cancel_at": subscription.cancel_at,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "canceled_at": subscription.canceled_at,
        "cancellation_details": {
            "comment": subscription.comment,
            "feedback": subscription.feedback,
            "reason": subscription.cancel_reason,
        },
        "collection_method": "charge_automatically",
        "created": subscription.created,
        "currency": price.map_or("usd", |price| price.currency.as_str()),
        "customer": subscription.customer,
        "customer_account": null,
        "days_until_due": null,
        "default_payment_method": subscription.default_payment_method,
        "default_source": null,
        "default_tax_rates": [],
        "description": subscription.description,
        "discounts": [],
        "ended_at": subscription.ended_at,
        "invoice_settings": {
            "account_tax_ids": null,
            "custom_fields": null,
            "description": null,
            "footer": null,
            "issuer": {"type": "self"},
        },
        "items": items(world, subscription),
        "latest_invoice": subscription.latest_invoice,
        "livemode": false,
        "managed_payments": {"enabled": false},
        "metadata": subscription.metadata,
        "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null,
        "pause_collection": null,
        "payment_settings": {
            "payment_method_options": {"card": {"network": null, "request_three_d_secure": "automatic"}},
            "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null,
        "pending_setup_intent": null,
        "pending_update": subscription.pending_update.as_ref().map(|update| json!({
            "billing_cycle_anchor": null,
            "discounts": null,
            "expires_at": update.expires_at,
            "metadata": null,
            "subscription_items": update.items.iter()
                .map(|item| one(world, subscription, item)).collect::<Vec<Value>>(),
            "trial_end": null,
            "trial_from_plan": null,
        })),
        "schedule": null,
        "start_date": subscription.created,
        "status": subscription.status.word(),
        // Unknown: what it holds. Only its name is published (2026-09-30).
        "status_details": null,
        "test_clock": null,
        "transfer_data": null,
        "trial_end": subscription.trial_end,
        "trial_settings": {
            "end_behavior": {"missing_payment_method": subscription.missing_payment_method},
        },
        "trial_start": subscription.trial_start,
    })
}

fn items(world: &World, subscription: &Subscription) -> Value {
    let data: Vec<Value> = subscription
        .items
        .iter()
        .map(|item| one(world, subscription, item))
        .collect();
    json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "total_count": subscription.items.len(),
        "url": format!("/v1/subscription_items?subscription={}", subscription.id),
    })
}

fn one(world: &World, subscription: &Subscription, item: &Item) -> Value {
    let price = world.prices.get(&item.price);
    json!({
        "id": item.id,
        "object": "subscription_item",
        // Unknown: its value where billing runs with the period; the name is published (2026-05-27).
        "billed_until": null,
        "billing_thresholds": null,
        "created": item.created,
        "current_period_end": subscription.period_end,
        "current_period_start": subscription.period_start,
        // Unknown: what it holds. Only its name is published (2026-09-30).
        "current_trial": null,
        "discounts": [],
        "metadata": {},
        "plan": price.map(super::plan),
        "price": price.map(super::price),
        "quantity": item.quantity,
        "subscription": subscription.id,
        "tax_rates": [],
    })
}
