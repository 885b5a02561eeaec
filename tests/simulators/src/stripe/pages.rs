//! Pages for a browser: the checkout, the portal, an invoice, and an overview of the account. They are plain
//! forms and load nothing from elsewhere.

mod account;
mod checkout;
mod invoice;
mod portal;

use chrono::DateTime;

use super::model::{Price, Subscription};
use super::service::Service;
use super::world::World;
use crate::server::{Answer, Call};
use crate::text::escape;

const STYLE: &str = include_str!("pages/style.css");
const HTML: &str = "text/html; charset=utf-8";

pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", [""]) => account::show(service),
        ("POST", ["account", action]) => account::act(service, action, call),
        ("GET", ["pay", id]) => service.with(|world| checkout::show(world, id, None)),
        ("POST", ["pay", id]) => service.with(|world| checkout::pay(world, id, call)),
        ("GET", ["portal", id]) => service.with(|world| portal::show(world, id, call.param("price"), None)),
        ("POST", ["portal", id, action]) => service.with(|world| portal::act(world, id, action, call)),
        ("GET", ["invoice", id]) => service.with(|world| invoice::show(world, id, None)),
        ("POST", ["invoice", id]) => service.with(|world| invoice::pay(world, id)),
        _ => missing("There is nothing at this address."),
    }
}

fn document(title: &str, wide: bool, body: &str) -> String {
    let class = if wide { "wide" } else { "card" };
    let title = escape(title);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main class=\"{class}\">\
         <p class=\"test\">Simulated Stripe: no money moves</p><h1>{title}</h1>{body}</main></body></html>"
    )
}

fn page(status: u16, title: &str, body: &str) -> Answer {
    Answer::raw(status, HTML, document(title, false, body)).header("Cache-Control", &"no-store")
}

fn missing(what: &str) -> Answer {
    page(
        404,
        "Not found",
        &format!("<p>{}</p><p><a href=\"/\">Account</a></p>", escape(what)),
    )
}

/// Goes on to an address after a form.
fn see(address: &str) -> Answer {
    Answer::empty(303).header("Location", &address)
}

/// What went wrong or right, above the page's contents.
fn notice(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| {
        format!("<p class=\"notice\">{}</p>", escape(text))
    })
}

/// `$9.90`, also below zero.
fn money(cents: i64) -> String {
    let sign = if cents < 0 { "−" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

fn day(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map_or_else(String::new, |at| at.format("%-d %B %Y").to_string())
}

fn moment(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Name of what a price sells.
fn product(world: &World, price: &Price) -> String {
    world
        .products
        .get(&price.product)
        .map_or_else(|| price.id.clone(), |product| product.name.clone())
}

/// What a subscription sells, in a few words.
fn plan(world: &World, subscription: &Subscription) -> String {
    let names: Vec<String> = subscription
        .items
        .iter()
        .filter_map(|item| world.prices.get(&item.price))
        .map(|price| format!("{} ({} a month)", product(world, price), money(price.unit_amount)))
        .collect();
    names.join(", ")
}
