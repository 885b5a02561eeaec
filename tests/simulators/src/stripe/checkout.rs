//! `/v1/checkout/sessions`, and what happens when a customer pays on the page.

use serde_json::Value;

use super::errors::Refusal;
use super::form::Params;
use super::lifecycle::Start;
use super::model::{Card, Metadata, Session, SessionStatus};
use super::world::World;
use super::{catalog, customers, lifecycle, lists, render};

const DAY: i64 = 86_400;
/// A trial's end has to be so far away.
const LEAST_TRIAL: i64 = 2 * DAY;
/// Longest trial.
const MOST_TRIAL_DAYS: i64 = 730;
const LIFE: i64 = DAY;
const LEAST_LIFE: i64 = 30 * 60;

const FIELDS: [&str; 36] = [
    "mode",
    "customer",
    "customer_email",
    "client_reference_id",
    "line_items[*][price]",
    "line_items[*][quantity]",
    "success_url",
    "cancel_url",
    "expires_at",
    "metadata[*]",
    "subscription_data[metadata][*]",
    "subscription_data[description]",
    "subscription_data[trial_end]",
    "subscription_data[trial_period_days]",
    "subscription_data[trial_settings][end_behavior][missing_payment_method]",
    "subscription_data[proration_behavior]",
    "subscription_data[billing_mode][type]",
    "payment_method_collection",
    "allow_promotion_codes",
    "locale",
    "ui_mode",
    "automatic_tax[enabled]",
    "billing_address_collection",
    "tax_id_collection[enabled]",
    "customer_update[*]",
    "custom_text[*][message]",
    "consent_collection[*]",
    "allowed_payment_method_types[*]",
    "excluded_payment_method_types[*]",
    "payment_method_options[card][request_three_d_secure]",
    "saved_payment_method_options[*]",
    "after_expiration[recovery][*]",
    "phone_number_collection[enabled]",
    "submit_type",
    "adaptive_pricing[enabled]",
    "origin_context",
];

pub(crate) fn create(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    // `payment_method_types` is unknown since 2026-09-30.
    params.allow(&FIELDS)?;
    let session = read(world, params)?;
    let id = session.id.clone();
    let value = render::session(world, &session);
    world.sessions.add(&id, session);
    Ok(value)
}

fn read(world: &mut World, params: &Params) -> Result<Session, Refusal> {
    params.required("mode")?;
    match params.word("mode", &["payment", "setup", "subscription"])? {
        Some("subscription") => {}
        _ => {
            let text = "This simulator sells subscriptions only: mode must be subscription.";
            return Err(Refusal::invalid(Some("mode"), text));
        }
    }
    params.word("ui_mode", &["hosted_page"])?;
    let customer = params.owned("customer");
    if let Some(id) = &customer {
        customers::live(world, id, "customer")?;
        if params.text("customer_email").is_some() {
            let text = "You may only specify one of these parameters: customer, customer_email.";
            return Err(Refusal::invalid(Some("customer_email"), text));
        }
    }
    let success_url = Some(url(params, "success_url", true)?.unwrap_or_default());
    let cancel_url = url(params, "cancel_url", false)?;
    let entries = params.entries("line_items");
    let [entry] = entries.as_slice() else {
        if entries.is_empty() {
            return Err(Refusal::missing_parameter("line_items"));
        }
        let text = "This simulator sells one price at a time.";
        return Err(Refusal::invalid(Some("line_items"), text));
    };
    let price_key = format!("{entry}[price]");
    let price = params.required(&price_key)?.to_owned();
    catalog::active_price(world, &price, &price_key)?;
    let quantity_key = format!("{entry}[quantity]");
    params.required(&quantity_key)?;
    let quantity = params.quantity(&quantity_key)?.unwrap_or(1);
    let (trial_end, trial_days) = trial(world, params)?;
    let expires_at = params.integer("expires_at")?.unwrap_or(world.now + LIFE);
    if !(world.now + LEAST_LIFE..=world.now + LIFE).contains(&expires_at) {
        let text = "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.";
        return Err(Refusal::invalid(Some("expires_at"), text));
    }
    let missing = "subscription_data[trial_settings][end_behavior][missing_payment_method]";
    let behaviours = ["cancel", "create_invoice", "pause"];
    Ok(Session {
        id: world.id("cs_test_a1", 58),
        status: SessionStatus::Open,
        customer,
        customer_email: params.owned("customer_email"),
        client_reference_id: reference(params)?,
        metadata: params.metadata("metadata")?,
        price,
        quantity,
        success_url,
        cancel_url,
        created: world.now,
        expires_at,
        subscription: None,
        invoice: None,
        payment_status: "unpaid".to_owned(),
        subscription_metadata: params.metadata("subscription_data[metadata]")?,
        subscription_description: params.owned("subscription_data[description]"),
        trial_end,
        trial_days,
        missing_payment_method: params
            .word(missing, &behaviours)?
            .unwrap_or("create_invoice")
            .to_owned(),
        payment_method_collection: params
            .word("payment_method_collection", &["always", "if_required"])?
            .unwrap_or("always")
            .to_owned(),
        allow_promotion_codes: params.flag("allow_promotion_codes")?,
        locale: params.owned("locale"),
    })
}

fn reference(params: &Params) -> Result<Option<String>, Refusal> {
    let key = "client_reference_id";
    let reference = params.owned(key);
    let fits = |text: &String| text.chars().count() <= 200;
    match reference {
        Some(text) if !fits(&text) => Err(Refusal::invalid(
            Some(key),
            "Invalid string: must be at most 200 characters",
        )),
        reference => Ok(reference),
    }
}

fn url(params: &Params, key: &str, required: bool) -> Result<Option<String>, Refusal> {
    let text = if required {
        Some(params.required(key)?)
    } else {
        params.text(key)
    };
    match text {
        Some(text) if !text.starts_with("http://") && !text.starts_with("https://") => {
            let text = "Not a valid URL. URLs must begin with http:// or https://";
            Err(Refusal::invalid(Some(key), text))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn trial(world: &World, params: &Params) -> Result<(Option<i64>, Option<i64>), Refusal> {
    let (end_key, days_key) = (
        "subscription_data[trial_end]",
        "subscription_data[trial_period_days]",
    );
    let (end, days) = (params.integer(end_key)?, params.integer(days_key)?);
    if end.is_some() && days.is_some() {
        let text = "You may only specify one of these parameters: trial_end, trial_period_days.";
        return Err(Refusal::invalid(Some(days_key), text));
    }
    if end.is_some_and(|end| end < world.now + LEAST_TRIAL) {
        let text = "The `trial_end` date has to be at least 2 days in the future.";
        return Err(Refusal::invalid(Some(end_key), text));
    }
    if end.is_some_and(|end| end > world.now + MOST_TRIAL_DAYS * DAY) {
        let text = "The maximum trial period is 730 days (2 years).";
        return Err(Refusal::invalid(Some(end_key), text));
    }
    if days.is_some_and(|days| !(1..=MOST_TRIAL_DAYS).contains(&days)) {
        let text = "The minimum number of trial period days is 1, the maximum is 730 (2 years).";
        return Err(Refusal::invalid(Some(days_key), text));
    }
    Ok((end, days))
}

/// What is to be paid now: nothing if there is a trial.
pub(crate) fn amount(world: &World, session: &Session) -> i64 {
    if session.trial_end.is_some() || session.trial_days.is_some() {
        return 0;
    }
    let unit = world
        .prices
        .get(&session.price)
        .map_or(0, |price| price.unit_amount);
    unit * i64::from(session.quantity)
}

pub(crate) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Session, Refusal> {
    world
        .sessions
        .get(id)
        .ok_or_else(|| Refusal::missing("checkout.session", id, "session"))
}

pub(crate) fn retrieve(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    find(world, id).map(|session| render::session(world, session))
}

pub(crate) fn list(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.extend(["customer", "subscription", "status", "payment_intent"]);
    params.allow(&allowed)?;
    let (customer, subscription) = (params.text("customer"), params.text("subscription"));
    let status = params.word("status", &["open", "complete", "expired"])?;
    let rows = world
        .sessions
        .iter()
        .rev()
        .filter(|session| customer.is_none_or(|id| session.customer.as_deref() == Some(id)))
        .filter(|session| subscription.is_none_or(|id| session.subscription.as_deref() == Some(id)))
        .filter(|session| {
            status.is_none_or(|status| match session.status {
                SessionStatus::Open => status == "open",
                SessionStatus::Complete => status == "complete",
                SessionStatus::Expired => status == "expired",
            })
        })
        .map(|session| (session.id.as_str(), session.created, session));
    lists::page(
        params,
        "/v1/checkout/sessions",
        "checkout.session",
        rows,
        |session| render::session(world, session),
    )
}

pub(crate) fn expire_now(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    if find(world, id)?.status != SessionStatus::Open {
        let text = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
        return Err(Refusal::invalid(None, text));
    }
    expire(world, id);
    retrieve(world, id, params)
}

/// The session can no longer be paid.
pub(crate) fn expire(world: &mut World, id: &str) {
    if let Some(session) = world.sessions.get_mut(id) {
        session.status = SessionStatus::Expired;
    }
    world.emit_session("checkout.session.expired", id);
}

/// What came of an attempt to pay on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paid {
    /// It is complete.
    Yes,
    /// The card was declined; the session stays open.
    Declined,
    /// The session is not open, or there is none of that id.
    NotOpen,
}

/// Pays for an open session. The card is kept for renewals; `None` is a trial that needs no card. A card that
/// needs confirmation counts as confirmed: the page asks before.
///
/// Unknown: whether a declined first attempt leaves an incomplete subscription behind. Here it does not.
pub(crate) fn complete(world: &mut World, id: &str, email: Option<&str>, card: Option<Card>) -> Paid {
    let Some(session) = world
        .sessions
        .get(id)
        .filter(|session| session.status == SessionStatus::Open)
        .cloned()
    else {
        return Paid::NotOpen;
    };
    if card == Some(Card::Declines) {
        return Paid::Declined;
    }
    let customer = session
        .customer
        .clone()
        .filter(|id| customers::live(world, id, "customer").is_ok())
        .unwrap_or_else(|| new_customer(world, email.or(session.customer_email.as_deref())));
    if let Some(card) = card {
        // The first charge of a confirmed card succeeds; the card asks again at a renewal.
        customers::attach(
            world,
            &customer,
            if card == Card::NeedsAction {
                Card::Pays
            } else {
                card
            },
        );
    }
    let trial_end = session
        .trial_end
        .or_else(|| session.trial_days.map(|days| world.now + days * DAY));
    let (subscription, invoice) = lifecycle::start(
        world,
        Start {
            customer: customer.clone(),
            items: vec![(session.price.clone(), session.quantity)],
            metadata: session.subscription_metadata.clone(),
            description: session.subscription_description.clone(),
            trial_end,
            missing_payment_method: session.missing_payment_method.clone(),
            charge: true,
        },
    );
    if let Some(kept) = world.customers.get_mut(&customer)
        && card == Some(Card::NeedsAction)
    {
        kept.card = card;
    }
    if let Some(session) = world.sessions.get_mut(id) {
        session.status = SessionStatus::Complete;
        session.customer = Some(customer);
        session.subscription = Some(subscription);
        session.invoice = Some(invoice);
        let free = session.trial_end.is_some() || session.trial_days.is_some();
        session.payment_status = if free { "no_payment_required" } else { "paid" }.to_owned();
    }
    world.emit_session("checkout.session.completed", id);
    Paid::Yes
}

pub(crate) fn new_customer(world: &mut World, email: Option<&str>) -> String {
    let customer = super::model::Customer {
        id: world.id("cus_", 14),
        email: email.map(str::to_owned),
        name: None,
        description: None,
        phone: None,
        metadata: Metadata::new(),
        created: world.now,
        balance: 0,
        deleted: false,
        delinquent: false,
        card: None,
        payment_method: None,
        invoices: 0,
    };
    let id = customer.id.clone();
    world.customers.add(&id, customer);
    world.emit_customer("customer.created", &id);
    id
}
