//! Shows a spreadsheet to a person, close enough to the real thing to judge what Stock Tracker made of it.

mod grid;

use super::model::Spreadsheet;
use crate::server::{Answer, Call};
use crate::text::escape;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/refresh.js");
const HTML: &str = "text/html; charset=utf-8";
/// Rows drawn at once unless `?rows=` asks for another number; the script fetches others as they come into
/// sight.
const ROWS: usize = 160;
/// A page with more would take a browser minutes.
const MAX_ROWS: usize = 1_000;

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"ru\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    )
}

/// `GET /`
pub(crate) fn index(books: &[(String, String)]) -> Answer {
    let mut list = String::new();
    for (id, title) in books {
        list.push_str(&format!(
            "<li><a href=\"/spreadsheets/d/{0}/edit\"><i class=\"doc\"></i><b>{1}</b><small>{0}</small></a></li>",
            escape(id),
            escape(title)
        ));
    }
    if books.is_empty() {
        list.push_str("<li class=\"none\">Пока нет ни одной таблицы</li>");
    }
    let body = format!("<div class=\"home\"><h1>Таблицы</h1><ul>{list}</ul></div>");
    Answer::raw(200, HTML, document("Таблицы", &body))
}

/// The page for an address without a spreadsheet.
pub(crate) fn missing() -> Answer {
    let body = "<div class=\"home\"><h1>Файл не найден</h1><p>Возможно, таблица удалена. \
                <a href=\"/\">Все таблицы</a></p></div>";
    Answer::raw(404, HTML, document("Файл не найден", body))
}

/// `GET /spreadsheets/d/{id}/edit`
pub(crate) fn spreadsheet(book: &Spreadsheet, call: &Call) -> Answer {
    let visible: Vec<usize> = (0..book.sheets.len())
        .filter(|&at| !book.sheets[at].hidden)
        .collect();
    let asked = call.param("gid").and_then(|text| text.parse::<i64>().ok());
    let current = asked
        .and_then(|id| book.sheets.iter().position(|sheet| sheet.id == id))
        .or_else(|| visible.first().copied())
        .unwrap_or(0);
    if call.param("peek").is_some() {
        return Answer::raw(200, "text/plain", book.version.to_string());
    }
    let number = |name: &str| call.param(name).and_then(|text| text.parse::<usize>().ok());
    let rows = number("rows").unwrap_or(ROWS).clamp(1, MAX_ROWS);
    let start = match number("row") {
        Some(row) => grid::Start::Row(row.saturating_sub(1)),
        None => grid::Start::Pixels(
            number("y")
                .and_then(|y| u32::try_from(y).ok())
                .unwrap_or_default(),
        ),
    };
    let mut tabs = String::new();
    for at in visible {
        let sheet = &book.sheets[at];
        let class = if at == current { " class=\"on\"" } else { "" };
        tabs.push_str(&format!(
            "<a{class} href=\"?gid={}\">{}</a>",
            sheet.id,
            escape(&sheet.title)
        ));
    }
    let part = grid::table(book, current, start, rows);
    let sheet = book.sheets.get(current);
    let gid = sheet.map_or(0, |sheet| sheet.id);
    let size = sheet.map_or_else(String::new, |sheet| {
        format!("{} × {}", sheet.row_count, sheet.column_count)
    });
    let (first, last) = part.rows;
    let step = last.saturating_sub(first).max(1);
    // Without the script these links turn the pages.
    let pages = [
        ("«", 1),
        ("‹", (first + 1).saturating_sub(step).max(1)),
        ("›", (last + 1).min(part.all)),
        ("»", part.all),
    ]
    .map(|(name, row)| format!("<a href=\"?gid={gid}&amp;row={row}\">{name}</a>"))
    .join(" ");
    let [y, top, bottom, total] = part.pixels;
    let body = format!(
        "<header><a href=\"/\" title=\"Все таблицы\"><i class=\"doc\"></i></a><div><h1>{}</h1>\
         <p>Изменение №&nbsp;<span id=\"version\">{}</span> · {size} · строки {}–{last} {pages}</p>\
         </div></header>\
         <main id=\"grid\" data-y=\"{y}\" data-top=\"{top}\" data-bottom=\"{bottom}\" data-total=\"{total}\">\
         {}</main><nav>{tabs}</nav><script>{SCRIPT}</script>",
        escape(&book.title),
        book.version,
        first + 1,
        part.html,
    );
    Answer::raw(200, HTML, document(&book.title, &body)).header("Cache-Control", &"no-store")
}
