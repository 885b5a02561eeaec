//! `/v1/billing_portal/sessions`.

use serde_json::{Value, json};

use super::errors::Refusal;
use super::form::Params;
use super::model::Portal;
use super::subscriptions;
use super::world::World;
use super::{customers, render};

pub(crate) fn create(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "customer",
        "return_url",
        "configuration",
        "locale",
        "on_behalf_of",
        "flow_data[type]",
        "flow_data[after_completion][type]",
        "flow_data[after_completion][redirect][return_url]",
        "flow_data[after_completion][hosted_confirmation][custom_message]",
        "flow_data[subscription_cancel][subscription]",
        "flow_data[subscription_update][subscription]",
        "flow_data[subscription_update_confirm][subscription]",
        "flow_data[subscription_update_confirm][items][*][id]",
        "flow_data[subscription_update_confirm][items][*][price]",
        "flow_data[subscription_update_confirm][items][*][quantity]",
    ])?;
    let customer = params.required("customer")?.to_owned();
    customers::live(world, &customer, "customer")?;
    let portal = Portal {
        id: world.id("bps_1", 23),
        flow: flow(world, params)?,
        customer,
        created: world.now,
        return_url: params.owned("return_url"),
        locale: params.owned("locale"),
    };
    let (id, value) = (portal.id.clone(), render::portal(world, &portal));
    world.portals.add(&id, portal);
    Ok(value)
}

/// The one thing that the page is opened for.
fn flow(world: &World, params: &Params) -> Result<Value, Refusal> {
    let kinds = [
        "payment_method_update",
        "subscription_cancel",
        "subscription_update",
        "subscription_update_confirm",
    ];
    let Some(kind) = params.word("flow_data[type]", &kinds)? else {
        return Ok(Value::Null);
    };
    let mut flow = json!({
        "type": kind,
        "after_completion": {"hosted_confirmation": null, "redirect": null, "type": "portal_homepage"},
        "subscription_cancel": null, "subscription_update": null, "subscription_update_confirm": null,
    });
    if let Some(address) = params.text("flow_data[after_completion][redirect][return_url]") {
        flow["after_completion"] = json!({
            "hosted_confirmation": null, "redirect": {"return_url": address}, "type": "redirect",
        });
    }
    if kind == "payment_method_update" {
        return Ok(flow);
    }
    let key = format!("flow_data[{kind}][subscription]");
    let id = params.required(&key)?;
    subscriptions::find(world, id, &key)?;
    let items: Vec<Value> = params
        .entries(&format!("flow_data[{kind}][items]"))
        .iter()
        .map(|entry| {
            let text = |name: &str| params.text(&format!("{entry}[{name}]"));
            json!({"id": text("id"), "price": text("price"), "quantity": text("quantity")
                .and_then(|text| text.parse::<u32>().ok())})
        })
        .collect();
    flow[kind] = match kind {
        "subscription_cancel" => json!({"retention": null, "subscription": id}),
        "subscription_update" => json!({"subscription": id}),
        _ => json!({"discounts": null, "items": items, "subscription": id}),
    };
    Ok(flow)
}
