//! The Google simulator's own switches over HTTP, for tests that run in another process.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Habits, Role, Spreadsheet};
use super::quota::Quotas;
use super::render::{RenderOption, read_value};
use super::service::Service;
use crate::server::{Answer, Call};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSpreadsheet {
    title: String,
    id: Option<String>,
    #[serde(default)]
    shared_with: Vec<Share>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    email: String,
    /// Absent or null takes the permission away.
    role: Option<Role>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SetQuotas {
    on: bool,
    per_user: u64,
    per_project: u64,
    speed: f64,
}

impl Default for SetQuotas {
    fn default() -> Self {
        let Quotas {
            on,
            per_user,
            per_project,
            speed,
        } = Quotas::default();
        Self {
            on,
            per_user,
            per_project,
            speed,
        }
    }
}

/// Answers `/_sim/*`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let path = call.path.strip_prefix("/_sim/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let found = match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["service-account"]) => {
            let number = call
                .param("number")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            return Answer::json(200, &service.auth.key_file(number));
        }
        ("POST", ["revoke-tokens"]) => {
            service.auth.revoke_all();
            return Answer::empty(204);
        }
        ("POST", ["quotas"]) => {
            return with_body::<SetQuotas>(call, |wanted| {
                let SetQuotas {
                    on,
                    per_user,
                    per_project,
                    speed,
                } = wanted;
                service.meter.set(Quotas {
                    per_user,
                    per_project,
                    speed,
                    on,
                });
                Answer::empty(204)
            });
        }
        ("GET", ["spreadsheets"]) => {
            let list: Vec<Value> = service
                .list()
                .iter()
                .map(|(id, title)| json!({"spreadsheetId": id, "title": title}))
                .collect();
            return Answer::json(200, &list);
        }
        ("POST", ["spreadsheets"]) => return with_body(call, |wanted| create(service, wanted)),
        ("DELETE", ["spreadsheets", id]) => service
            .change_book(id, |book| book.deleted = true)
            .map(|()| Answer::empty(204)),
        ("POST", ["spreadsheets", id, "share"]) => {
            return with_body::<Share>(call, |share| {
                let known = service.change_book(id, |book| set_role(book, &share.email, share.role));
                Answer::empty(if known.is_some() { 204 } else { 404 })
            });
        }
        ("POST", ["spreadsheets", id, "edit"]) => {
            return with_body::<Value>(call, |body| {
                let requests = body.get("requests").cloned().unwrap_or(body);
                match service.edit(id, &requests) {
                    Ok(value) => Answer::json(200, &value),
                    Err(error) => error.answer(),
                }
            });
        }
        ("POST", ["spreadsheets", id, "bin"]) => service
            .change_book(id, |book| book.trashed = call.param("binned") != Some("false"))
            .map(|()| Answer::empty(204)),
        ("POST", ["spreadsheets", id, "copy"]) => service
            .copy_book(id, call.param("title").unwrap_or("Копия"))
            .map(|copy| Answer::json(200, &json!({"spreadsheetId": copy}))),
        ("POST", ["spreadsheets", id, "habits"]) => {
            return with_body::<Habits>(call, |habits| {
                let known = service.change_book(id, |book| book.habits = habits);
                Answer::empty(if known.is_some() { 204 } else { 404 })
            });
        }
        ("GET", ["spreadsheets", id, "grid"]) => service
            .with_book(id, |book| grid(book, call.param("sheet")))
            .flatten()
            .map(|rows| Answer::json(200, &rows)),
        _ => None,
    };
    found.unwrap_or_else(|| Answer::json(404, &json!({"error": "no such control, spreadsheet or sheet"})))
}

fn with_body<T: serde::de::DeserializeOwned>(call: &Call, work: impl FnOnce(T) -> Answer) -> Answer {
    match call.json::<T>() {
        Ok(body) => work(body),
        Err(error) => Answer::json(400, &json!({"error": error.to_string()})),
    }
}

fn create(service: &Service, wanted: NewSpreadsheet) -> Answer {
    let shared: Vec<(String, Role)> = wanted
        .shared_with
        .into_iter()
        .filter_map(|share| share.role.map(|role| (share.email, role)))
        .collect();
    let id = service.add_book(wanted.id, &wanted.title, &shared);
    let url = format!("{}/spreadsheets/d/{id}/edit", service.base_url());
    Answer::json(200, &json!({"spreadsheetId": id, "spreadsheetUrl": url}))
}

/// Gives or takes a permission.
pub(crate) fn set_role(book: &mut Spreadsheet, email: &str, role: Option<Role>) {
    match role {
        Some(role) => {
            book.permissions.insert(email.to_owned(), role);
        }
        None => {
            book.permissions.remove(email);
        }
    }
}

/// Effective values of a sheet (the first if none is named), every row as long as the used width.
pub(crate) fn grid(book: &Spreadsheet, title: Option<&str>) -> Option<Vec<Vec<Value>>> {
    let at = match title {
        Some(title) => book.sheets.iter().position(|sheet| sheet.title == title)?,
        None => 0,
    };
    let sheet = book.sheets.get(at)?;
    let columns = sheet.used_columns();
    Some(
        (0..sheet.used_rows())
            .map(|row| {
                (0..columns)
                    .map(|column| read_value(book, at, row, column, RenderOption::Unformatted))
                    .collect()
            })
            .collect(),
    )
}
