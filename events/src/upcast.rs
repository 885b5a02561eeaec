//! The steps from an old shape to the next one. Each is a pure function on JSON; a chain of them leads to the
//! current version. A step is never changed once events in its target shape exist.

use serde_json::{Value, json};

/// One step: the payload of `event_type` in `version`, lifted to `version + 1`. None when there is no such
/// step.
#[must_use]
pub fn step(event_type: &str, version: u16, payload: Value) -> Option<Value> {
    match (event_type, version) {
        ("sync_completed", 1) => Some(sync_completed_v1(payload)),
        ("product_listed" | "product_details_changed", 1) => Some(details_v1(payload)),
        // Version 1 knew no kinds, regions, sizes and figures; version 2 leaves out what there is none of, so
        // the old payload says just that.
        ("stock_observed", 1) => Some(payload),
        ("orders_observed", 1) => Some(orders_observed_v1(payload)),
        ("sync_quarantined", 1) => Some(sync_quarantined_v1(payload)),
        ("sheet_layout_changed", 1) => Some(sheet_layout_changed_v1(payload)),
        ("subscription_started" | "subscription_changed", 1) => Some(contract_v1(payload)),
        ("subscription_ended", 1) => Some(subscription_ended_v1(payload)),
        _ => None,
    }
}

/// Version 1 knew only what a platform administrator granted.
fn contract_v1(mut payload: Value) -> Value {
    if let Some(contract) = payload.as_object_mut() {
        contract.insert("basis".into(), json!("grant"));
        for field in ["reference", "trial_end", "grace_until", "note"] {
            contract.insert(field.into(), Value::Null);
        }
    }
    payload
}

/// As [`contract_v1`]: there was one contract only.
fn subscription_ended_v1(mut payload: Value) -> Value {
    if let Some(ended) = payload.as_object_mut() {
        ended.insert("slot".into(), json!("manual"));
        ended.insert("reference".into(), Value::Null);
    }
    payload
}

/// Version 1 told the language and nothing else, because nothing else could be chosen.
fn sheet_layout_changed_v1(mut payload: Value) -> Value {
    if let Some(layout) = payload.as_object_mut() {
        for (field, value) in [
            ("marketplaces", json!([])),
            ("cabinets", json!([])),
            ("sizes", json!("summed")),
            ("sort", json!({"by": "given", "descending": false})),
            ("extra_columns", json!([])),
            ("low_stock", Value::Null),
            ("hide_empty_warehouses", json!(false)),
            ("number_formats", json!(false)),
        ] {
            layout.insert(field.into(), value);
        }
    }
    payload
}

/// Version 1 told a source's rows, time and hash. A source that had failed was not listed at all, so every
/// listed one was complete; its size was not recorded.
fn sync_completed_v1(mut payload: Value) -> Value {
    if let Some(sources) = payload.get_mut("sources").and_then(Value::as_array_mut) {
        for source in sources.iter_mut().filter_map(Value::as_object_mut) {
            source.insert("outcome".into(), json!("complete"));
            source.insert("payload_bytes".into(), Value::Null);
            source.insert("error".into(), Value::Null);
        }
    }
    payload
}

/// Version 1 told neither sizes nor a price.
fn details_v1(mut payload: Value) -> Value {
    if let Some(details) = payload.get_mut("details").and_then(Value::as_object_mut) {
        details.insert("sizes".into(), json!([]));
        details.insert("price".into(), Value::Null);
    }
    payload
}

/// Version 1 told neither the size nor the region of an order.
fn orders_observed_v1(mut payload: Value) -> Value {
    if let Some(orders) = payload.get_mut("orders").and_then(Value::as_array_mut) {
        for order in orders.iter_mut().filter_map(Value::as_object_mut) {
            order.insert("size_id".into(), Value::Null);
            order.insert("cluster".into(), Value::Null);
        }
    }
    payload
}

/// Version 1 did not tell the sources.
fn sync_quarantined_v1(mut payload: Value) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        fields.insert("sources".into(), json!([]));
    }
    payload
}
