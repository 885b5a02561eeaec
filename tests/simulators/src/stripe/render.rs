//! Objects as JSON in the newest version, with the field set of the official fixtures. `versions` makes the
//! older versions from these.

mod invoice;
mod session;
mod subscription;

use serde_json::{Value, json};

pub(crate) use invoice::{charge, invoice, invoice_payment, invoice_without_id, payment_intent, refund};
pub(crate) use session::{line_item, portal, session};
pub(crate) use subscription::subscription;

use super::model::{Customer, Price, Product};

/// The simulated account's name on invoices and pages.
pub(crate) const ACCOUNT_NAME: &str = "Stock Tracker (simulated)";

pub(crate) fn customer(customer: &Customer) -> Value {
    if customer.deleted {
        return json!({"id": customer.id, "object": "customer", "deleted": true});
    }
    whole_customer(customer)
}

/// The customer with all fields, as `customer.deleted` still shows it.
pub(crate) fn whole_customer(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "object": "customer",
        "address": null,
        "balance": customer.balance,
        "created": customer.created,
        "currency": (customer.invoices > 0).then_some("usd"),
        "customer_account": null,
        "default_source": null,
        "delinquent": customer.delinquent,
        "description": customer.description,
        "discount": null,
        "email": customer.email,
        "invoice_prefix": invoice_prefix(&customer.id),
        "invoice_settings": {
            "custom_fields": null,
            "default_payment_method": customer.payment_method,
            "footer": null,
            "rendering_options": null,
        },
        "livemode": false,
        "metadata": customer.metadata,
        "name": customer.name,
        "next_invoice_sequence": customer.invoices + 1,
        "phone": customer.phone,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    })
}

/// Beginning of the numbers of a customer's invoices.
pub(crate) fn invoice_prefix(customer: &str) -> String {
    customer
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .skip(3)
        .take(8)
        .collect::<String>()
        .to_uppercase()
}

pub(crate) fn product(product: &Product) -> Value {
    json!({
        "id": product.id,
        "object": "product",
        "active": product.active,
        "attributes": [],
        "created": product.created,
        "default_price": product.default_price,
        "description": product.description,
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": product.metadata,
        "name": product.name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": null,
        "type": "service",
        "unit_label": null,
        "updated": product.created,
        "url": null,
    })
}

pub(crate) fn price(price: &Price) -> Value {
    json!({
        "id": price.id,
        "object": "price",
        "active": price.active,
        "billing_scheme": "per_unit",
        "created": price.created,
        "currency": price.currency,
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": price.lookup_key,
        "metadata": price.metadata,
        "nickname": price.nickname,
        "product": price.product,
        "recurring": {
            "interval": price.interval,
            "interval_count": price.interval_count,
            "meter": null,
            "trial_period_days": null,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": null,
        "transform_quantity": null,
        "type": "recurring",
        "unit_amount": price.unit_amount,
        "unit_amount_decimal": price.unit_amount.to_string(),
    })
}

/// The same price in the older form that items still show beside it.
pub(crate) fn plan(price: &Price) -> Value {
    json!({
        "id": price.id,
        "object": "plan",
        "active": price.active,
        "amount": price.unit_amount,
        "amount_decimal": price.unit_amount.to_string(),
        "billing_scheme": "per_unit",
        "created": price.created,
        "currency": price.currency,
        "interval": price.interval,
        "interval_count": price.interval_count,
        "livemode": false,
        "metadata": price.metadata,
        "meter": null,
        "nickname": price.nickname,
        "product": price.product,
        "tiers_mode": null,
        "transform_usage": null,
        "trial_period_days": null,
        "usage_type": "licensed",
    })
}

/// A list object.
pub(crate) fn list(url: &str, data: &[Value], has_more: bool) -> Value {
    json!({"object": "list", "url": url, "has_more": has_more, "data": data})
}
