//! `expand[]`: an object in the place of its id.

use serde_json::Value;

use super::errors::Refusal;
use super::form::Params;
use super::render;
use super::world::World;

/// Deepest path that Stripe takes.
const DEPTH: usize = 4;

pub(crate) fn expand(world: &World, params: &Params, value: &mut Value) -> Result<(), Refusal> {
    for path in params.values("expand") {
        let parts: Vec<&str> = path.split('.').collect();
        if parts.len() > DEPTH {
            let text = format!("You cannot expand more than {DEPTH} levels of a property. Property: {path}");
            return Err(Refusal::invalid(None, &text));
        }
        walk(world, value, &parts, path)?;
    }
    Ok(())
}

fn walk(world: &World, value: &mut Value, parts: &[&str], path: &str) -> Result<(), Refusal> {
    if let Value::Array(values) = value {
        return values
            .iter_mut()
            .try_for_each(|value| walk(world, value, parts, path));
    }
    let Some((first, rest)) = parts.split_first() else {
        return Ok(());
    };
    include(world, value, first);
    let Some(inner) = value.get_mut(*first) else {
        let text = format!("This property cannot be expanded ({path}).");
        return Err(Refusal::invalid(Some("expand"), &text));
    };
    if let Some(object) = inner.as_str().and_then(|id| world.object(id)) {
        *inner = object;
    }
    if inner.is_null() {
        return Ok(());
    }
    walk(world, inner, rest, path)
}

/// Lists that are only there when they are asked for.
fn include(world: &World, value: &mut Value, name: &str) {
    let kind = value.get("object").and_then(Value::as_str);
    let id = value.get("id").and_then(Value::as_str);
    let list = match (kind, name, id) {
        (Some("invoice"), "payments", Some(id)) => {
            let payments: Vec<Value> = world
                .invoices
                .get(id)
                .into_iter()
                .filter_map(|invoice| Some(render::invoice_payment(invoice, invoice.payment.as_ref()?)))
                .collect();
            render::list("/v1/invoice_payments", &payments, false)
        }
        (Some("checkout.session"), "line_items", Some(id)) => {
            let items: Vec<Value> = world
                .sessions
                .get(id)
                .map(|session| render::line_item(world, session))
                .into_iter()
                .collect();
            render::list(&format!("/v1/checkout/sessions/{id}/line_items"), &items, false)
        }
        _ => return,
    };
    value[name] = list;
}
