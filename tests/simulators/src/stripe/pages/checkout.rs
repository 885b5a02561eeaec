//! The page on which a customer pays for a checkout session.

use super::super::checkout::{self, Paid};
use super::super::model::{Card, Session, SessionStatus};
use super::super::world::World;
use super::{day, missing, money, notice, page, product, see};
use crate::server::{Answer, Call};
use crate::text::escape;

const DECLINED: &str = "Your card was declined. Try another one.";
const NOT_CONFIRMED: &str = "The payment was not confirmed. Try again.";

pub(super) fn show(world: &World, id: &str, problem: Option<&str>) -> Answer {
    let Some(session) = world.sessions.get(id) else {
        return missing("There is no such checkout.");
    };
    match session.status {
        SessionStatus::Open => {}
        SessionStatus::Complete => {
            let next = success(session);
            let body = format!(
                "<p>This checkout is paid.</p><p><a href=\"{}\">Continue</a></p>",
                escape(&next)
            );
            return page(200, "Thank you", &body);
        }
        SessionStatus::Expired => {
            let body = format!("<p>This checkout has expired. Start again.</p>{}", back(session));
            return page(200, "Expired", &body);
        }
    }
    let body = format!(
        "{}{}{}",
        notice(problem),
        summary(world, session),
        form(world, session)
    );
    page(200, "Subscribe", &body)
}

/// What is bought, what is paid today and what later.
fn summary(world: &World, session: &Session) -> String {
    let Some(price) = world.prices.get(&session.price) else {
        return String::new();
    };
    let name = escape(&product(world, price));
    let each = money(price.unit_amount * i64::from(session.quantity));
    let trial = session
        .trial_end
        .or_else(|| session.trial_days.map(|days| world.now + days * 86_400));
    let line = match trial {
        Some(end) => format!("Free until {}, then {each} a month", day(end)),
        None => "Cancel any time".to_owned(),
    };
    let today = money(checkout::amount(world, session));
    format!(
        "<p class=\"small\">{name}</p><p class=\"sum\">{each} <small>a month</small></p>\
         <p id=\"terms\">{line}</p><p>Due today: <b id=\"today\">{today}</b></p>"
    )
}

fn form(world: &World, session: &Session) -> String {
    let known = session
        .customer
        .as_ref()
        .and_then(|id| world.customers.get(id))
        .and_then(|customer| customer.email.clone());
    let (email, fixed) = match (known, &session.customer_email) {
        (Some(email), _) => (email, " readonly"),
        (None, Some(email)) => (email.clone(), " readonly"),
        (None, None) => (String::new(), ""),
    };
    let trial = session.trial_end.is_some() || session.trial_days.is_some();
    let mut choices = String::new();
    let without = ("none", "no card now");
    let offered = [
        ("pays", "pays"),
        ("declines", "is declined"),
        ("needs_action", "needs 3-D Secure"),
        ("pays_then_declines", "pays now, is declined at the renewal"),
    ];
    let free = (trial && session.payment_method_collection == "if_required").then_some(without);
    for (at, (value, text)) in offered.into_iter().chain(free).enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        choices.push_str(&format!(
            "<label class=\"choice\"><input type=\"radio\" name=\"card\" value=\"{value}\"{checked}> {text}</label>"
        ));
    }
    let button = if trial { "Start trial" } else { "Pay" };
    format!(
        "<form method=\"post\"><label for=\"email\">E-mail</label>\
         <input type=\"email\" id=\"email\" name=\"email\" value=\"{}\" required{fixed}>\
         <label>The card</label>{choices}\
         <button class=\"main\" type=\"submit\">{button}</button></form>{}",
        escape(&email),
        back(session),
    )
}

fn back(session: &Session) -> String {
    session.cancel_url.as_ref().map_or_else(String::new, |url| {
        format!("<p><a id=\"back\" href=\"{}\">Back</a></p>", escape(url))
    })
}

/// The address to go to after the payment.
fn success(session: &Session) -> String {
    session
        .success_url
        .as_deref()
        .unwrap_or("/")
        .replace("{CHECKOUT_SESSION_ID}", &session.id)
}

pub(super) fn pay(world: &mut World, id: &str, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.get(name).map(String::as_str);
    let card = match field("card") {
        Some("declines") => Some(Card::Declines),
        Some("needs_action") => Some(Card::NeedsAction),
        Some("pays_then_declines") => Some(Card::PaysThenDeclines),
        Some("none") => None,
        _ => Some(Card::Pays),
    };
    let email = field("email").filter(|email| email.contains('@'));
    if email.is_none() {
        return show(world, id, Some("Enter an e-mail address."));
    }
    if card == Some(Card::NeedsAction) {
        match field("confirm") {
            None => return confirm(world, id, email.unwrap_or_default()),
            Some("yes") => {}
            Some(_) => return show(world, id, Some(NOT_CONFIRMED)),
        }
    }
    match checkout::complete(world, id, email, card) {
        Paid::Yes => world.sessions.get(id).map_or_else(
            || missing("There is no such checkout."),
            |session| see(&success(session)),
        ),
        Paid::Declined => show(world, id, Some(DECLINED)),
        Paid::NotOpen => show(world, id, None),
    }
}

/// The bank's question.
fn confirm(world: &World, id: &str, email: &str) -> Answer {
    let Some(session) = world.sessions.get(id) else {
        return missing("There is no such checkout.");
    };
    let body = format!(
        "<p>Your bank asks you to confirm {}.</p><form method=\"post\">\
         <input type=\"hidden\" name=\"email\" value=\"{}\"><input type=\"hidden\" name=\"card\" \
         value=\"needs_action\"><button name=\"confirm\" value=\"yes\">Confirm</button> \
         <button name=\"confirm\" value=\"no\">Refuse</button></form>",
        money(checkout::amount(world, session)),
        escape(email),
    );
    page(200, "3-D Secure", &body)
}
