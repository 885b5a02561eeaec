//! An overview of the account, with buttons that move the clock and let deliveries go.

use chrono::TimeDelta;

use super::super::mail::{Delivery, DeliveryState, Release};
use super::super::service::Service;
use super::super::world::World;
use super::{HTML, document, moment, plan, see};
use crate::server::{Answer, Call};
use crate::text::escape;

/// Rows of each table.
const SHOWN: usize = 50;

pub(super) fn show(service: &Service) -> Answer {
    let key = service.api_key().to_owned();
    let body = service.with(|world| {
        format!(
            "<p>API key <code>{}</code> · time <b id=\"now\">{}</b> UTC</p>{}{}{}{}{}",
            escape(&key),
            moment(world.now),
            buttons(world),
            contracts(world),
            customers(world),
            sessions(world),
            deliveries(world),
        )
    });
    Answer::raw(200, HTML, document("Account", true, &body)).header("Cache-Control", &"no-store")
}

fn button(action: &str, name: &str, value: &str, text: &str) -> String {
    format!(
        "<form class=\"row\" method=\"post\" action=\"/account/{action}\"><input type=\"hidden\" name=\"{name}\" \
         value=\"{value}\"><button>{text}</button></form>"
    )
}

fn buttons(world: &World) -> String {
    let mut html = String::new();
    for (seconds, text) in [
        ("3600", "+1 hour"),
        ("86400", "+1 day"),
        ("259200", "+3 days"),
        ("2678400", "+31 days"),
    ] {
        html.push_str(&button("clock", "seconds", seconds, text));
    }
    if world.mail.hold {
        html.push_str(&button("hold", "on", "false", "Send new deliveries at once"));
        html.push_str(&button("release", "order", "as_made", "Let held deliveries go"));
    } else {
        html.push_str(&button("hold", "on", "true", "Hold new deliveries"));
    }
    html
}

fn table(title: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!("<h2>{title}</h2><table><tr>");
    for head in heads {
        html.push_str(&format!("<th>{head}</th>"));
    }
    html.push_str("</tr>");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            html.push_str(&format!("<td>{cell}</td>"));
        }
        html.push_str("</tr>");
    }
    html.push_str("</table>");
    html
}

fn code(id: &str) -> String {
    format!("<code>{}</code>", escape(id))
}

fn contracts(world: &World) -> String {
    let rows: Vec<Vec<String>> = world
        .subscriptions
        .iter()
        .rev()
        .take(SHOWN)
        .map(|subscription| {
            vec![
                code(&subscription.id),
                code(&subscription.customer),
                escape(&plan(world, subscription)),
                subscription.status.word().to_owned(),
                moment(subscription.period_end),
                subscription.cancel_at.map_or_else(String::new, moment),
            ]
        })
        .collect();
    table(
        "Subscriptions",
        &["id", "customer", "plan", "status", "period's end", "ends"],
        &rows,
    )
}

fn customers(world: &World) -> String {
    let rows: Vec<Vec<String>> = world
        .customers
        .iter()
        .rev()
        .take(SHOWN)
        .map(|customer| {
            vec![
                code(&customer.id),
                escape(customer.email.as_deref().unwrap_or_default()),
                if customer.deleted {
                    "deleted".to_owned()
                } else {
                    String::new()
                },
            ]
        })
        .collect();
    table("Customers", &["id", "e-mail", ""], &rows)
}

fn sessions(world: &World) -> String {
    let rows: Vec<Vec<String>> = world
        .sessions
        .iter()
        .rev()
        .take(SHOWN)
        .map(|session| {
            vec![
                format!("<a href=\"/pay/{0}\">{0}</a>", session.id),
                format!("{:?}", session.status).to_lowercase(),
                moment(session.expires_at),
            ]
        })
        .collect();
    table("Checkouts", &["id", "status", "expires"], &rows)
}

fn deliveries(world: &World) -> String {
    let held = world
        .mail
        .deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Held)
        .count();
    let row = |delivery: &Delivery| {
        let statuses: Vec<String> = delivery
            .attempts
            .iter()
            .map(|attempt| {
                attempt
                    .status
                    .map_or_else(|| "no answer".to_owned(), |status| status.to_string())
            })
            .collect();
        vec![
            code(&delivery.event),
            escape(&delivery.kind),
            format!("{:?}", delivery.state).to_lowercase(),
            moment(delivery.due),
            statuses.join(", "),
            button("resend", "event", &delivery.event, "Resend"),
        ]
    };
    let rows: Vec<Vec<String>> = world.mail.deliveries.iter().rev().take(SHOWN).map(row).collect();
    table(
        &format!("Deliveries ({held} held)"),
        &["event", "kind", "state", "due", "answers", ""],
        &rows,
    )
}

pub(super) fn act(service: &Service, action: &str, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    match action {
        "clock" => {
            let seconds = field("seconds").parse().unwrap_or(0);
            service.advance(TimeDelta::seconds(seconds));
        }
        "hold" => service.with(|world| world.mail.hold = field("on") == "true"),
        "release" => {
            let now = service.now().timestamp();
            service.with(|world| {
                world.mail.release(&Release::default(), now);
            });
        }
        "resend" => {
            super::super::control::resend(service, field("event"));
        }
        _ => return super::missing("There is no such button."),
    }
    see("/")
}
