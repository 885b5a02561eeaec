//! The page of one invoice, on which it can be paid.

use super::super::form::Params;
use super::super::invoices;
use super::super::model::InvoiceStatus;
use super::super::world::World;
use super::{day, missing, money, notice, page};
use crate::server::Answer;
use crate::text::escape;

pub(super) fn show(world: &World, id: &str, problem: Option<&str>) -> Answer {
    let Some(invoice) = world.invoices.get(id) else {
        return missing("There is no such invoice.");
    };
    let mut lines = String::new();
    for line in &invoice.lines {
        lines.push_str(&format!(
            "<tr><td>{}<br><span class=\"small\">{} to {}</span></td><td class=\"n\">{}</td></tr>",
            escape(&line.description),
            day(line.start),
            day(line.end),
            money(line.amount),
        ));
    }
    let button = if invoice.status == InvoiceStatus::Open {
        "<form method=\"post\"><button class=\"main\">Pay with the kept card</button></form>"
    } else {
        ""
    };
    let body = format!(
        "{}<p class=\"sum\">{}</p><p>{} · {}</p><table>{lines}<tr><td>Due</td><td class=\"n\"><b>{}</b></td></tr>\
         </table>{button}",
        notice(problem),
        money(invoice.due()),
        invoice.status.word(),
        day(invoice.created),
        money(invoice.due() - invoice.paid()),
    );
    let title = format!("Invoice {}", invoice.number.as_deref().unwrap_or("(draft)"));
    page(200, &title, &body)
}

pub(super) fn pay(world: &mut World, id: &str) -> Answer {
    let problem = invoices::pay(world, id, &Params::new(&[])).err();
    show(
        world,
        id,
        problem.as_ref().map(|refusal| refusal.message.as_str()),
    )
}
