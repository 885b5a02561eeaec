//! Objects in the words of an older API version. Stripe sends events in the version of their endpoint and
//! answers in the version of the request.
//!
//! Unknown: whether fields that were only added later are sent to older versions as well. Recorded events of
//! basil and clover lack them, so they are taken away here; a client has to take both.

use serde_json::{Map, Value, json};

/// The versions that can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Version {
    /// Accounts of 2020: the period at the top of a subscription, the subscription at the top of an invoice.
    #[serde(rename = "2020-03-02")]
    Legacy,
    /// The period at the items, `parent` at invoices.
    #[serde(rename = "2025-05-28.basil")]
    Basil,
    /// With `billing_mode`, and `subtotal` at lines.
    #[serde(rename = "2025-11-17.clover")]
    Clover,
    /// With `billing_schedules`, `status_details` and the newer words of `ui_mode`.
    #[serde(rename = "2026-09-30.endive")]
    Endive,
    /// The newest that is known.
    #[serde(rename = "2026-10-28.endive")]
    LateEndive,
}

impl Version {
    /// All, oldest first.
    pub const ALL: [Self; 5] = [
        Self::Legacy,
        Self::Basil,
        Self::Clover,
        Self::Endive,
        Self::LateEndive,
    ];

    /// As it stands in the header and in `api_version`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "2020-03-02",
            Self::Basil => "2025-05-28.basil",
            Self::Clover => "2025-11-17.clover",
            Self::Endive => "2026-09-30.endive",
            Self::LateEndive => "2026-10-28.endive",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }
}

/// Rewrites everything in a value, lists and nested objects included.
pub(crate) fn rewrite(value: &mut Value, version: Version) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| rewrite(value, version)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name != "metadata" {
                    rewrite(value, version);
                }
            }
            match fields.get("object").and_then(Value::as_str) {
                Some("subscription") => subscription(fields, version),
                Some("subscription_item") => item(fields, version),
                Some("invoice") => invoice(fields, version),
                Some("line_item") => line(fields, version),
                Some("checkout.session") => session(fields, version),
                Some("customer" | "payment_intent" | "billing_portal.session" | "refund") => {
                    newer_fields(fields, version);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// The changed fields of an update, which carry no `object` that would say what they belong to.
pub(crate) fn rewrite_previous(previous: &mut Value, object: &Value, version: Version) {
    rewrite(previous, version);
    let Some(fields) = previous.as_object_mut() else {
        return;
    };
    match object.get("object").and_then(Value::as_str) {
        Some("subscription") => subscription(fields, version),
        Some("invoice") => {
            remove(fields, &["parent"], version < Version::Basil);
            remove(fields, &["status_details"], version < Version::Endive);
        }
        _ => {}
    }
}

fn remove(fields: &mut Map<String, Value>, names: &[&str], when: bool) {
    if when {
        for name in names {
            fields.remove(*name);
        }
    }
}

fn newer_fields(fields: &mut Map<String, Value>, version: Version) {
    remove(fields, &["customer_account"], version < Version::Clover);
    remove(fields, &["managed_payments"], version < Version::Endive);
}

fn subscription(fields: &mut Map<String, Value>, version: Version) {
    newer_fields(fields, version);
    remove(
        fields,
        &["billing_schedules", "status_details"],
        version < Version::Endive,
    );
    remove(fields, &["billing_mode"], version < Version::Clover);
    if version > Version::Legacy {
        return;
    }
    let first = fields
        .get("items")
        .and_then(|items| items.pointer("/data/0"))
        .cloned();
    if let Some(first) = first {
        // `item` has parked them here on its way.
        for name in ["current_period_start", "current_period_end"] {
            if let Some(value) = first.get(format!("legacy_{name}")) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        for name in ["plan", "quantity"] {
            fields.insert(name.to_owned(), first.get(name).cloned().unwrap_or_default());
        }
        if fields.contains_key("discounts") {
            fields.insert("discount".to_owned(), Value::Null);
            fields.insert(
                "start".to_owned(),
                fields.get("start_date").cloned().unwrap_or_default(),
            );
            fields.insert("tax_percent".to_owned(), Value::Null);
        }
        let items = fields.get_mut("items").and_then(|items| items.get_mut("data"));
        for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(item) = item.as_object_mut() {
                item.retain(|name, _| !name.starts_with("legacy_"));
            }
        }
    }
    remove(
        fields,
        &[
            "automatic_tax",
            "billing_cycle_anchor_config",
            "cancellation_details",
            "description",
            "invoice_settings",
            "on_behalf_of",
            "payment_settings",
            "trial_settings",
            "discounts",
            "currency",
        ],
        true,
    );
}

fn item(fields: &mut Map<String, Value>, version: Version) {
    remove(
        fields,
        &["billed_until", "current_trial"],
        version < Version::Endive,
    );
    if version == Version::Legacy {
        for name in ["current_period_start", "current_period_end"] {
            if let Some(value) = fields.remove(name) {
                fields.insert(format!("legacy_{name}"), value);
            }
        }
        remove(fields, &["discounts"], true);
    }
}

fn invoice(fields: &mut Map<String, Value>, version: Version) {
    newer_fields(fields, version);
    remove(fields, &["status_details"], version < Version::Endive);
    remove(fields, &["amount_overpaid"], version < Version::Basil);
    if version > Version::Legacy {
        return;
    }
    let subscription = fields
        .get("parent")
        .and_then(|parent| parent.pointer("/subscription_details/subscription"))
        .cloned()
        .unwrap_or_default();
    let paid = fields.get("status").and_then(Value::as_str) == Some("paid");
    fields.insert("subscription".to_owned(), subscription);
    fields.insert("paid".to_owned(), json!(paid));
    fields.insert("discount".to_owned(), Value::Null);
    fields.insert("tax".to_owned(), Value::Null);
    fields.insert("tax_percent".to_owned(), Value::Null);
    fields.insert("payment_intent".to_owned(), Value::Null);
    fields.insert("charge".to_owned(), Value::Null);
    remove(
        fields,
        &[
            "parent",
            "automatic_tax",
            "automatically_finalizes_at",
            "discounts",
            "effective_at",
            "from_invoice",
            "issuer",
            "last_finalization_error",
            "latest_revision",
            "on_behalf_of",
            "payment_settings",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "subtotal_excluding_tax",
            "total_excluding_tax",
            "total_pretax_credit_amounts",
            "total_taxes",
            "amount_shipping",
        ],
        true,
    );
}

fn line(fields: &mut Map<String, Value>, version: Version) {
    remove(
        fields,
        &["subtotal", "quantity_decimal"],
        version < Version::Clover,
    );
    if version > Version::Legacy {
        return;
    }
    let parent = fields.remove("parent").unwrap_or_default();
    let detail = |name: &str| {
        ["subscription_item_details", "invoice_item_details"]
            .iter()
            .find_map(|kind| parent.get(kind)?.get(name))
            .cloned()
            .unwrap_or_default()
    };
    let proration = detail("proration");
    let kind = if detail("invoice_item").is_null() {
        "subscription"
    } else {
        "invoiceitem"
    };
    fields.insert("type".to_owned(), json!(kind));
    fields.insert("proration".to_owned(), json!(proration == Value::Bool(true)));
    fields.insert("subscription_item".to_owned(), detail("subscription_item"));
    let price = fields.remove("pricing").unwrap_or_default();
    let plan = json!({
        "id": price.pointer("/price_details/price"),
        "object": "plan",
        "product": price.pointer("/price_details/product"),
    });
    fields.insert(
        "plan".to_owned(),
        if price.is_null() { Value::Null } else { plan },
    );
    remove(fields, &["discounts", "pretax_credit_amounts", "taxes"], true);
}

fn session(fields: &mut Map<String, Value>, version: Version) {
    newer_fields(fields, version);
    if version < Version::Endive && fields.get("ui_mode").and_then(Value::as_str) == Some("hosted_page") {
        fields.insert("ui_mode".to_owned(), json!("hosted"));
    }
    remove(
        fields,
        &["integration_identifier", "origin_context"],
        version < Version::Clover,
    );
    if version == Version::Legacy {
        remove(
            fields,
            &[
                "adaptive_pricing",
                "collected_information",
                "currency_conversion",
                "custom_fields",
                "saved_payment_method_options",
                "wallet_options",
                "ui_mode",
            ],
            true,
        );
    }
}
