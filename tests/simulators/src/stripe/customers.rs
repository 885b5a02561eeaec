//! `/v1/customers`.

use serde_json::{Value, json};

use super::errors::Refusal;
use super::form::Params;
use super::model::{Card, Customer};
use super::world::World;
use super::{lifecycle, lists, render};

const FIELDS: [&str; 16] = [
    "email",
    "name",
    "description",
    "phone",
    "metadata",
    "metadata[*]",
    "payment_method",
    "source",
    "balance",
    "preferred_locales[*]",
    "invoice_settings[default_payment_method]",
    "address[*]",
    "shipping[*]",
    "tax_exempt",
    "tax[*]",
    "test_clock",
];

pub(crate) fn create(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&FIELDS)?;
    check_email(params)?;
    let customer = Customer {
        id: world.id("cus_", 14),
        email: params.owned("email"),
        name: params.owned("name"),
        description: params.owned("description"),
        phone: params.owned("phone"),
        metadata: params.metadata("metadata")?,
        created: world.now,
        balance: params.integer("balance")?.unwrap_or(0),
        deleted: false,
        delinquent: false,
        card: None,
        payment_method: None,
        invoices: 0,
    };
    let id = customer.id.clone();
    let value = render::customer(&customer);
    world.customers.add(&id, customer);
    world.emit_customer("customer.created", &id);
    if let Some(method) = params.text("payment_method").or(params.text("source")) {
        attach(world, &id, card_of(method));
        return find(world, &id, "id").map(render::customer);
    }
    Ok(value)
}

/// The card that a test payment method of Stripe's stands for.
fn card_of(method: &str) -> Card {
    if method.contains("Declined") || method.contains("Fail") {
        Card::Declines
    } else if method.contains("threeDSecure") || method.contains("authenticationRequired") {
        Card::NeedsAction
    } else {
        Card::Pays
    }
}

/// Stripe refuses what is no address at all.
fn check_email(params: &Params) -> Result<(), Refusal> {
    match params.text("email") {
        Some(email) if !email.contains('@') || email.chars().count() > 512 => {
            let text = format!("Invalid email address: {email}");
            Err(Refusal::invalid(Some("email"), &text))
        }
        _ => Ok(()),
    }
}

/// The customer of that id, which a deleted one still is.
pub(crate) fn find<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Customer, Refusal> {
    world
        .customers
        .get(id)
        .ok_or_else(|| Refusal::missing("customer", id, param))
}

/// A customer for whom something new may begin.
pub(crate) fn live<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Customer, Refusal> {
    find(world, id, param).and_then(|customer| {
        if customer.deleted {
            Err(Refusal::missing("customer", id, param))
        } else {
            Ok(customer)
        }
    })
}

pub(crate) fn retrieve(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    find(world, id, "id").map(render::customer)
}

pub(crate) fn update(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&FIELDS)?;
    check_email(params)?;
    let mut metadata = live(world, id, "id")?.metadata.clone();
    params.merge_metadata("metadata", &mut metadata)?;
    let balance = params.integer("balance")?;
    let text = |key: &str, old: &Option<String>| match params.raw(key) {
        Some("") => None,
        Some(new) => Some(new.to_owned()),
        None => old.clone(),
    };
    world.change_customer(id, |customer| {
        customer.email = text("email", &customer.email);
        customer.name = text("name", &customer.name);
        customer.description = text("description", &customer.description);
        customer.phone = text("phone", &customer.phone);
        customer.balance = balance.unwrap_or(customer.balance);
        customer.metadata = metadata;
    });
    if let Some(method) = params.text("payment_method").or(params.text("source")) {
        attach(world, id, card_of(method));
    }
    find(world, id, "id").map(render::customer)
}

/// Cancels what is live and keeps only the id.
pub(crate) fn delete(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    live(world, id, "id")?;
    for subscription in world.subscriptions_of(id) {
        lifecycle::end(world, &subscription, Some("cancellation_requested"));
    }
    if let Some(customer) = world.customers.get_mut(id) {
        customer.deleted = true;
        customer.card = None;
    }
    world.emit_customer("customer.deleted", id);
    find(world, id, "id").map(render::customer)
}

pub(crate) fn list(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.push("email");
    params.allow(&allowed)?;
    // Unlike a search, the list compares the address with its letters' case.
    let email = params.text("email");
    let rows = world
        .customers
        .iter()
        .rev()
        .filter(|customer| !customer.deleted)
        .filter(|customer| email.is_none_or(|email| customer.email.as_deref() == Some(email)))
        .map(|customer| (customer.id.as_str(), customer.created, customer));
    lists::page(params, "/v1/customers", "customer", rows, render::customer)
}

/// `query=email:'a@b.c'` or `metadata['tenant_id']:'…'`, joined by AND.
///
/// Unknown: how long after a change a search finds it; at Stripe it is up to a minute, here it is at once.
pub(crate) fn search(world: &World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["query", "limit", "page"])?;
    let query = params.required("query")?;
    let mut terms = Vec::new();
    for term in query.split(" AND ") {
        let wrong = || {
            let text = format!("We were unable to parse your search query: {query}");
            Refusal::invalid(Some("query"), &text)
        };
        let (field, value) = term.trim().split_once(':').ok_or_else(wrong)?;
        let value = value.trim_matches(['\'', '"']).to_owned();
        let field = field
            .strip_prefix("metadata[")
            .and_then(|field| field.strip_suffix(']'))
            .map_or_else(
                || field.to_owned(),
                |key| format!("metadata.{}", key.trim_matches(['\'', '"'])),
            );
        terms.push((field, value));
    }
    let holds = |customer: &Customer| {
        terms
            .iter()
            .all(|(field, value)| match field.strip_prefix("metadata.") {
                Some(key) => customer.metadata.get(key) == Some(value),
                None if field == "email" => customer
                    .email
                    .as_ref()
                    .is_some_and(|email| email.eq_ignore_ascii_case(value)),
                None => field == "name" && customer.name.as_ref() == Some(value),
            })
    };
    let data: Vec<Value> = world
        .customers
        .iter()
        .rev()
        .filter(|customer| !customer.deleted && holds(customer))
        .take(100)
        .map(render::customer)
        .collect();
    Ok(
        json!({"object": "search_result", "url": "/v1/customers/search", "has_more": false, "next_page": null,
        "data": data}),
    )
}

/// Gives a customer a card, which becomes the default of the customer and of live subscriptions.
pub(crate) fn attach(world: &mut World, id: &str, card: Card) {
    let method = world.id("pm_1", 23);
    let value = json!({
        "id": method, "object": "payment_method", "allow_redisplay": "always",
        "billing_details": {"address": null, "email": null, "name": null, "phone": null, "tax_id": null},
        "card": {"brand": "visa", "country": "US", "display_brand": "visa", "exp_month": 8, "exp_year": 2034,
            "funding": "credit", "last4": if card == Card::Declines { "0341" } else { "4242" }},
        "created": world.now, "customer": id, "customer_account": null, "livemode": false, "metadata": {},
        "type": "card",
    });
    world.emit("payment_method.attached", value, None);
    world.change_customer(id, |customer| {
        customer.card = Some(card);
        customer.payment_method = Some(method.clone());
    });
    for subscription in world.subscriptions_of(id) {
        world.change_subscription(&subscription, |subscription| {
            subscription.default_payment_method = Some(method.clone());
        });
    }
}
