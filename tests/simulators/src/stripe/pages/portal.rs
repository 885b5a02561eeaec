//! The portal: a customer changes the plan, cancels, resumes, and changes the card.

use serde_json::Value;

use super::super::customers;
use super::super::errors::Refusal;
use super::super::form::Params;
use super::super::invoices;
use super::super::model::{Card, Portal, Status, Subscription};
use super::super::subscriptions;
use super::super::world::World;
use super::{day, missing, money, notice, page, plan, product, see};
use crate::server::{Answer, Call};
use crate::text::escape;

pub(super) fn show(world: &mut World, id: &str, asked: Option<&str>, problem: Option<&str>) -> Answer {
    let Some(portal) = world.portals.get(id).cloned() else {
        return missing("There is no such portal session.");
    };
    if customers::live(world, &portal.customer, "customer").is_err() {
        return missing("This customer was deleted.");
    }
    let mut body = notice(problem);
    // A session may be opened for one change that is already chosen.
    let chosen = portal
        .flow
        .pointer("/subscription_update_confirm/items/0/price")
        .and_then(Value::as_str);
    let asked = asked.or(chosen);
    let all: Vec<Subscription> = world
        .subscriptions
        .iter()
        .rev()
        .filter(|subscription| subscription.customer == portal.customer && !subscription.status.is_final())
        .cloned()
        .collect();
    if all.is_empty() {
        body.push_str("<p>There is no subscription.</p>");
    }
    for subscription in &all {
        body.push_str(&contract(world, &portal, subscription, asked));
    }
    body.push_str(&card(world, &portal));
    body.push_str(&bills(world, &portal));
    if let Some(url) = back(&portal) {
        body.push_str(&format!(
            "<p><a id=\"back\" href=\"{}\">Return</a></p>",
            escape(&url)
        ));
    }
    page(200, "Your subscription", &body)
}

/// Where the customer came from; a flow may name another address for its end.
fn back(portal: &Portal) -> Option<String> {
    portal
        .flow
        .pointer("/after_completion/redirect/return_url")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .or_else(|| portal.return_url.clone())
}

fn contract(world: &mut World, portal: &Portal, subscription: &Subscription, asked: Option<&str>) -> String {
    let until = match subscription.cancel_at {
        Some(at) => format!("Ends on {}", day(at)),
        None if subscription.status == Status::Trialing => {
            format!("Free until {}", day(subscription.period_end))
        }
        None => format!("Renews on {}", day(subscription.period_end)),
    };
    let mut html = format!(
        "<h2 class=\"plan\">{}</h2><p><b class=\"status\">{}</b> · {until}</p>",
        escape(&plan(world, subscription)),
        subscription.status.word(),
    );
    let base = format!("/portal/{}", portal.id);
    let hidden = format!(
        "<input type=\"hidden\" name=\"subscription\" value=\"{}\">",
        subscription.id
    );
    if let Some(price) = asked {
        return html + &question(world, subscription, price, &base, &hidden);
    }
    let current = subscription.items.first().map(|item| item.price.clone());
    for price in world
        .prices
        .iter()
        .filter(|price| price.active && current.as_ref() != Some(&price.id))
    {
        html.push_str(&format!(
            "<form class=\"row\" method=\"get\" action=\"{base}\"><input type=\"hidden\" name=\"price\" \
             value=\"{}\"><button>Change to {} ({} a month)</button></form>",
            price.id,
            escape(&product(world, price)),
            money(price.unit_amount),
        ));
    }
    let buttons: &[(&str, &str)] = if subscription.cancel_at.is_some() {
        &[("resume", "Do not cancel"), ("cancel", "Cancel now")]
    } else {
        &[
            ("end", "Cancel at the end of the period"),
            ("cancel", "Cancel now"),
        ]
    };
    for (action, text) in buttons {
        html.push_str(&format!(
            "<form class=\"row\" method=\"post\" action=\"{base}/{action}\">{hidden}<button>{text}</button></form>"
        ));
    }
    html
}

/// What a change costs, before it is made.
fn question(world: &mut World, subscription: &Subscription, price: &str, base: &str, hidden: &str) -> String {
    let Some(item) = subscription.items.first() else {
        return String::new();
    };
    let preview = invoices::preview(
        world,
        &Params::new(&[
            ("subscription", &subscription.id),
            ("subscription_details[items][0][id]", &item.id),
            ("subscription_details[items][0][price]", price),
            ("subscription_details[proration_behavior]", "always_invoice"),
        ]),
    );
    let preview = match preview {
        Ok(preview) => preview,
        Err(refusal) => return notice(Some(&refusal.message)),
    };
    let mut lines = String::new();
    for line in preview["lines"]["data"].as_array().into_iter().flatten() {
        lines.push_str(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td></tr>",
            escape(line["description"].as_str().unwrap_or_default()),
            money(line["amount"].as_i64().unwrap_or(0)),
        ));
    }
    let name = world
        .prices
        .get(price)
        .map_or_else(String::new, |price| product(world, price));
    format!(
        "<table>{lines}<tr><td>Due now</td><td class=\"n\"><b id=\"due\">{}</b></td></tr></table>\
         <form method=\"post\" action=\"{base}/plan\">{hidden}<input type=\"hidden\" name=\"price\" value=\"{}\">\
         <button class=\"main\">Change to {}</button></form><p><a href=\"{base}\">Keep the plan</a></p>",
        money(preview["amount_due"].as_i64().unwrap_or(0)),
        escape(price),
        escape(&name),
    )
}

fn card(world: &World, portal: &Portal) -> String {
    let card = world
        .customers
        .get(&portal.customer)
        .and_then(|customer| customer.card);
    let text = match card {
        None => "none",
        Some(Card::Pays) => "pays",
        Some(Card::Declines) => "is declined",
        Some(Card::NeedsAction) => "needs 3-D Secure",
        Some(Card::PaysThenDeclines) => "pays once, then is declined",
    };
    let mut html = format!("<h2>Card</h2><p id=\"card\">{text}</p>");
    for (value, text) in [
        ("pays", "A card that pays"),
        ("declines", "A card that is declined"),
        ("needs_action", "A card that needs 3-D Secure"),
    ] {
        html.push_str(&format!(
            "<form class=\"row\" method=\"post\" action=\"/portal/{}/card\"><input type=\"hidden\" name=\"card\" \
             value=\"{value}\"><button>{text}</button></form>",
            portal.id
        ));
    }
    html
}

fn bills(world: &World, portal: &Portal) -> String {
    let mut rows = String::new();
    for invoice in world
        .invoices
        .iter()
        .rev()
        .filter(|invoice| invoice.customer == portal.customer)
    {
        rows.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td><a href=\"/invoice/{}\">{}</a></td></tr>",
            day(invoice.created),
            invoice.status.word(),
            money(invoice.due()),
            invoice.id,
            invoice.number.as_deref().unwrap_or("draft"),
        ));
    }
    format!("<h2>Invoices</h2><table>{rows}</table>")
}

/// What a button does. Afterwards the page is shown again, with what went wrong.
pub(super) fn act(world: &mut World, id: &str, action: &str, call: &Call) -> Answer {
    let Some(portal) = world.portals.get(id).cloned() else {
        return missing("There is no such portal session.");
    };
    let form = call.form();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let result = match action {
        "card" => {
            let card = match field("card") {
                "declines" => Card::Declines,
                "needs_action" => Card::NeedsAction,
                _ => Card::Pays,
            };
            customers::attach(world, &portal.customer, card);
            Ok(())
        }
        action => change(world, &portal, action, field("subscription"), field("price")),
    };
    let base = format!("/portal/{id}");
    match result {
        Ok(()) if !portal.flow.is_null() => see(&back(&portal).unwrap_or(base)),
        Ok(()) => see(&base),
        Err(refusal) => show(world, id, None, Some(&refusal.message)),
    }
}

fn change(
    world: &mut World,
    portal: &Portal,
    action: &str,
    subscription: &str,
    price: &str,
) -> Result<(), Refusal> {
    let found = subscriptions::find(world, subscription, "id")?;
    if found.customer != portal.customer {
        return Err(Refusal::missing("subscription", subscription, "id"));
    }
    let end = found.period_end.to_string();
    let item = found
        .items
        .first()
        .map(|item| item.id.clone())
        .unwrap_or_default();
    let form: Vec<(&str, &str)> = match action {
        "plan" => vec![
            ("items[0][id]", &item),
            ("items[0][price]", price),
            ("proration_behavior", "always_invoice"),
            ("payment_behavior", "error_if_incomplete"),
        ],
        "end" if world.settings.portal_sets_cancel_at_only => vec![("cancel_at", &end)],
        "end" => vec![("cancel_at_period_end", "true")],
        "resume" => vec![("cancel_at", "")],
        _ => {
            let none = Params::new(&[]);
            return subscriptions::cancel(world, subscription, &none).map(drop);
        }
    };
    subscriptions::update(world, subscription, &Params::new(&form)).map(drop)
}
