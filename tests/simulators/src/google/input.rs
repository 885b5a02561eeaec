//! What typed text becomes (USER_ENTERED), and how a value looks when it is shown.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde_json::{Value, json};

use super::errors::ApiError;
use super::model::{Content, MAX_CHARACTERS};

/// Day 0 of a spreadsheet is 30.12.1899.
const DAY_ZERO: Option<NaiveDate> = NaiveDate::from_ymd_opt(1899, 12, 30);
const SECONDS_PER_DAY: f64 = 86_400.0;

/// How text in a write is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputOption {
    Raw,
    UserEntered,
}

impl InputOption {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            Some("RAW") => Ok(Self::Raw),
            Some("USER_ENTERED") => Ok(Self::UserEntered),
            Some("INPUT_VALUE_OPTION_UNSPECIFIED") | None => Err(ApiError::invalid(
                "'valueInputOption' is required but not specified",
            )),
            Some(other) => Err(ApiError::invalid(format!(
                "Invalid value at 'value_input_option' (type.googleapis.com/google.apps.sheets.v4.ValueInputOption), \"{other}\""
            ))),
        }
    }
}

/// What one value of a write does to a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    Leave,
    Clear,
    Set(Content),
}

/// Reads one JSON value of a write; `place` is for the error text.
pub(crate) fn written(value: &Value, option: InputOption, place: &str) -> Result<Written, ApiError> {
    Ok(match value {
        Value::Null => Written::Leave,
        Value::Bool(value) => Written::Set(Content::Bool(*value)),
        Value::Number(number) => Written::Set(Content::Number(number.as_f64().unwrap_or(0.0))),
        Value::String(text) if text.is_empty() => Written::Clear,
        Value::String(text) => {
            check_length(text)?;
            Written::Set(match option {
                InputOption::Raw => Content::Text(text.clone()),
                InputOption::UserEntered => typed(text),
            })
        }
        Value::Array(_) => {
            return Err(ApiError::invalid(format!("Invalid {place}: list_value {{}}")));
        }
        Value::Object(_) => {
            return Err(ApiError::invalid(format!("Invalid {place}: struct_value {{}}")));
        }
    })
}

/// Refuses a text that no cell can hold.
pub(crate) fn check_length(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(ApiError::invalid(format!(
            "Your input contains more than the maximum of {MAX_CHARACTERS} characters in a single cell."
        )));
    }
    Ok(())
}

/// What a person's typing would become.
fn typed(text: &str) -> Content {
    if let Some(literal) = text.strip_prefix('\'') {
        return Content::Text(literal.to_owned());
    }
    if text.len() > 1 && (text.starts_with('=') || text.starts_with('+')) {
        let formula = format!("={}", text.get(1..).unwrap_or_default());
        return match text.strip_prefix('+').and_then(number) {
            Some(value) => Content::Number(value),
            None => Content::Formula { formula },
        };
    }
    match text.to_ascii_uppercase().as_str() {
        "TRUE" => return Content::Bool(true),
        "FALSE" => return Content::Bool(false),
        _ => {}
    }
    if let Some(value) = number(text) {
        return Content::Number(value);
    }
    if let Some(value) = text.strip_suffix('%').and_then(number) {
        return Content::Number(value / 100.0);
    }
    match date(text) {
        Some(serial) => Content::Number(serial),
        None => Content::Text(text.to_owned()),
    }
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let looks_numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | 'e' | 'E' | '+'));
    // The spreadsheets here are Russian, where the comma separates decimals.
    let comma = text.chars().filter(|&c| c == ',').count() == 1
        && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '-'));
    if looks_numeric {
        text.parse().ok()
    } else if comma {
        text.replace(',', ".").parse().ok()
    } else {
        None
    }
}

fn date(text: &str) -> Option<f64> {
    let day_zero = DAY_ZERO?;
    for format in ["%Y-%m-%d", "%d.%m.%Y"] {
        if let Ok(date) = NaiveDate::parse_from_str(text, format) {
            return Some((date - day_zero).num_days() as f64);
        }
    }
    for format in [
        "%Y-%m-%d %H:%M:%S",
        "%d.%m.%Y %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%d.%m.%Y %H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            let seconds = (time - day_zero.and_hms_opt(0, 0, 0)?).num_seconds();
            return Some(seconds as f64 / SECONDS_PER_DAY);
        }
    }
    None
}

/// A number as JSON: whole ones without a fraction.
pub(crate) fn number_json(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// Text of a number under the cell's format.
pub(crate) fn number_text(value: f64, format: Option<&Value>) -> String {
    let number_format = format.and_then(|format| format.get("numberFormat"));
    let field = |name: &str| {
        number_format
            .and_then(|format| format.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, pattern) = (field("type"), field("pattern"));
    match kind {
        "DATE" => return date_text(value, "%d.%m.%Y"),
        "TIME" => return date_text(value, "%H:%M:%S"),
        "DATE_TIME" => return date_text(value, "%d.%m.%Y %H:%M:%S"),
        _ => {}
    }
    if pattern.contains('0') || pattern.contains('#') {
        return patterned(value, pattern);
    }
    match kind {
        "PERCENT" => patterned(value, "0.00%"),
        "NUMBER" => patterned(value, "#,##0.00"),
        _ => general(value),
    }
}

fn general(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{}", value as i64);
    }
    let text = format!("{value:.9}");
    text.trim_end_matches('0').trim_end_matches('.').replace('.', ",")
}

/// The part of patterns that people use: digits, grouping, decimals, per cent and literal text around.
fn patterned(value: f64, pattern: &str) -> String {
    let section = pattern.split(';').next().unwrap_or(pattern);
    let first = section.find(['0', '#']).unwrap_or(0);
    let last = section.rfind(['0', '#']).map_or(0, |at| at + 1);
    let (before, rest) = section.split_at(first);
    let (digits, after) = rest.split_at(last.saturating_sub(first));
    let percent = after.contains('%');
    let scaled = if percent { value * 100.0 } else { value };
    let decimals = digits.split_once('.').map_or("", |(_, decimals)| decimals);
    let least = decimals.chars().filter(|&c| c == '0').count();
    let mut text = format!("{:.*}", decimals.len(), scaled.abs());
    if let Some(point) = text.find('.') {
        while text.ends_with('0') && text.len() > point + 1 + least {
            text.pop();
        }
        if text.ends_with('.') {
            text.pop();
        }
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole.to_owned(), Some(fraction.to_owned())),
        None => (text, None),
    };
    let mut shown = if digits.contains(',') {
        grouped(&whole)
    } else {
        whole
    };
    if let Some(fraction) = fraction {
        shown = format!("{shown},{fraction}");
    }
    let minus = if scaled < 0.0 { "-" } else { "" };
    format!(
        "{minus}{}{shown}{}",
        before.replace('"', ""),
        after.replace('"', "")
    )
}

/// Thousands apart by a no-break space, as in a Russian spreadsheet.
fn grouped(whole: &str) -> String {
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

fn date_text(value: f64, format: &str) -> String {
    let seconds = TimeDelta::seconds((value * SECONDS_PER_DAY).round() as i64);
    DAY_ZERO
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .and_then(|start| start.checked_add_signed(seconds))
        .map_or_else(|| general(value), |time| time.format(format).to_string())
}
