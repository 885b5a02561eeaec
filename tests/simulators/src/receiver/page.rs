//! The page for a browser: the last deliveries, newest first.

use super::service::{Delivery, Service};
use crate::server::Answer;
use crate::text::escape;

const STYLE: &str = include_str!("page/style.css");
/// Deliveries that are shown.
const SHOWN: usize = 50;

/// `GET /`; loads itself again every few seconds.
pub(super) fn show(service: &Service) -> Answer {
    let (all, last) = service.last(SHOWN);
    let rows: String = last.iter().map(row).collect();
    let what = match all {
        0 => "Nothing has arrived yet.".to_owned(),
        1 => "One delivery has arrived.".to_owned(),
        all if all <= SHOWN => format!("{all} deliveries have arrived, the newest first."),
        all => format!("{all} deliveries have arrived; the last {SHOWN}, the newest first."),
    };
    let table = if last.is_empty() {
        String::new()
    } else {
        format!(
            "<table><thead><tr><th class=\"n\">No.</th><th>Time (UTC)</th><th>Endpoint</th><th>Message</th>\
             <th>Signature</th><th class=\"n\">Answer</th><th>Body</th></tr></thead><tbody>{rows}</tbody></table>"
        )
    };
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"3\"><title>Webhook receiver</title>\
         <style>{STYLE}</style></head><body><main><p class=\"test\">Simulated receiver of webhooks</p>\
         <h1>Deliveries</h1><p>{what}</p>{table}</main></body></html>"
    );
    Answer::raw(200, "text/html; charset=utf-8", page).header("Cache-Control", &"no-store")
}

fn row(delivery: &Delivery) -> String {
    let answer = match delivery.status {
        0 => "closed".to_owned(),
        status => status.to_string(),
    };
    let class = |good: bool| if good { "good" } else { "bad" };
    format!(
        "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td><code>{}</code></td>\
         <td class=\"{}\">{}</td><td class=\"n {}\">{answer}</td>\
         <td><details><summary>{} bytes</summary><pre>{}</pre></details></td></tr>",
        delivery.number,
        delivery.at.format("%Y-%m-%d %H:%M:%S"),
        escape(&delivery.path),
        escape(&delivery.id),
        class(delivery.verdict.passes()),
        delivery.verdict.words(),
        class(delivery.is_accepted()),
        delivery.body.len(),
        escape(&pretty(&delivery.body)),
    )
}

/// JSON with line breaks; anything else as it is.
fn pretty(body: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => format!("{value:#}"),
        Err(_) => body.to_owned(),
    }
}
