//! Sessions of the checkout and of the portal.

use serde_json::{Value, json};

use super::super::model::{Portal, Session, SessionStatus};
use super::super::world::World;

pub(crate) fn session(world: &World, session: &Session) -> Value {
    let open = session.status == SessionStatus::Open;
    let amount = super::super::checkout::amount(world, session);
    let email = session
        .customer
        .as_ref()
        .map_or(session.customer_email.as_ref(), |id| {
            world
                .customers
                .get(id)
                .and_then(|customer| customer.email.as_ref())
        });
    json!({
        "id": session.id,
        "object": "checkout.session",
        "adaptive_pricing": null,
        "after_expiration": null,
        "allow_promotion_codes": session.allow_promotion_codes,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "billing_address_collection": null,
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id,
        "client_secret": null,
        "collected_information": null,
        "consent": null,
        "consent_collection": null,
        "created": session.created,
        "currency": "usd",
        "currency_conversion": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": session.customer,
        "customer_account": null,
        "customer_creation": session.customer.is_none().then_some("always"),
        "customer_details": email.map(|email| json!({
            "address": null, "business_name": null, "email": email, "individual_name": null, "name": null,
            "phone": null, "tax_exempt": "none", "tax_ids": null,
        })),
        "customer_email": session.customer_email,
        "discounts": [],
        "expires_at": session.expires_at,
        "integration_identifier": null,
        "invoice": session.invoice,
        "invoice_creation": null,
        "livemode": false,
        "locale": session.locale,
        "managed_payments": null,
        "metadata": session.metadata,
        "mode": "subscription",
        "origin_context": null,
        "payment_intent": null,
        "payment_link": null,
        "payment_method_collection": session.payment_method_collection,
        "payment_method_configuration_details": null,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": session.payment_status,
        "permissions": null,
        "phone_number_collection": {"enabled": false},
        "recovered_from": null,
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": null,
        },
        "setup_intent": null,
        "shipping_address_collection": null,
        "shipping_cost": null,
        "shipping_options": [],
        "status": session.status,
        "submit_type": null,
        "subscription": session.subscription,
        "success_url": session.success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": open.then(|| format!("{}/pay/{}", world.base_url, session.id)),
        "wallet_options": null,
    })
}

pub(crate) fn portal(world: &World, portal: &Portal) -> Value {
    json!({
        "id": portal.id,
        "object": "billing_portal.session",
        "configuration": "bpc_1SimulatedConfiguration0",
        "created": portal.created,
        "customer": portal.customer,
        "customer_account": null,
        "flow": portal.flow,
        "livemode": false,
        "locale": portal.locale,
        "on_behalf_of": null,
        "return_url": portal.return_url,
        "url": format!("{}/portal/{}", world.base_url, portal.id),
    })
}

/// The one thing that a session sells.
pub(crate) fn line_item(world: &World, session: &Session) -> Value {
    let price = world.prices.get(&session.price);
    let product = price.and_then(|price| world.products.get(&price.product));
    let amount = price.map_or(0, |price| price.unit_amount) * i64::from(session.quantity);
    json!({
        "id": format!("li_1{}", session.id.chars().skip(10).take(23).collect::<String>()),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": "usd",
        "description": product.map(|product| &product.name),
        "price": price.map(super::price),
        "quantity": session.quantity,
    })
}
