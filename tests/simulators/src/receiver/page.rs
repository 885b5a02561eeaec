//! The page for a browser: the last deliveries, newest first.

use serde_json::Value;

use super::service::{Delivery, Service};
use super::verify::Verdict;
use crate::server::Answer;
use crate::text::escape;

const STYLE: &str = include_str!("page/style.css");
/// A body that somebody reads stays open.
const SCRIPT: &str = "setInterval(() => document.querySelector('details[open]') || location.reload(), 3000)";
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
             <th>Type</th><th>Signature</th><th class=\"n\">Answer</th><th>Body</th></tr></thead><tbody>{rows}</tbody></table>"
        )
    };
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Webhook receiver</title><style>{STYLE}</style></head><body><main><p class=\"test\">Simulated receiver of webhooks</p>\
         <h1>Deliveries</h1><p>{what}</p>{table}</main><script>{SCRIPT}</script></body></html>"
    );
    Answer::raw(200, "text/html; charset=utf-8", page).header("Cache-Control", &"no-store")
}

fn row(delivery: &Delivery) -> String {
    let answer = match delivery.status {
        0 => "closed".to_owned(),
        status => status.to_string(),
    };
    let verdict = match delivery.verdict {
        Verdict::Valid => "good",
        Verdict::Unchecked => "",
        _ => "bad",
    };
    let answered = if delivery.is_accepted() { "good" } else { "bad" };
    let json = serde_json::from_str::<Value>(&delivery.body).ok();
    let kind = json.as_ref().and_then(|json| json["type"].as_str());
    let body = json
        .as_ref()
        .map_or_else(|| delivery.body.clone(), |json| format!("{json:#}"));
    format!(
        "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td>\
         <td class=\"{verdict}\">{}</td><td class=\"n {answered}\">{answer}</td>\
         <td><details><summary>{} bytes</summary><pre>{}</pre></details></td></tr>",
        delivery.number,
        delivery.at.format("%Y-%m-%d %H:%M:%S"),
        escape(&delivery.path),
        escape(&delivery.id),
        escape(kind.unwrap_or_default()),
        delivery.verdict.words(),
        delivery.body.len(),
        escape(&body),
    )
}
