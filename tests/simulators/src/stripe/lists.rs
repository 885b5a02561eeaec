//! Pages of lists: newest first, `limit`, `starting_after`, `ending_before`, `created[gte]` and the like.

use serde_json::Value;

use super::errors::Refusal;
use super::form::Params;
use super::render;

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;

/// Parameters that every list takes.
pub(crate) const COMMON: [&str; 8] = [
    "limit",
    "starting_after",
    "ending_before",
    "created",
    "created[gt]",
    "created[gte]",
    "created[lt]",
    "created[lte]",
];

/// One page of rows that are given newest first as id, creation time and a way to render them.
pub(crate) fn page<'a, T: 'a>(
    params: &Params,
    url: &str,
    what: &str,
    rows: impl Iterator<Item = (&'a str, i64, T)>,
    show: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let limit = params.integer("limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let text = format!("Invalid limit: must be between 1 and {MAX_LIMIT}");
        return Err(Refusal::invalid(Some("limit"), &text));
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let bounds = Bounds::of(params)?;
    let rows: Vec<(&str, i64, T)> = rows.filter(|(_, created, _)| bounds.hold(*created)).collect();
    let find = |key: &str| -> Result<Option<usize>, Refusal> {
        let Some(id) = params.text(key) else {
            return Ok(None);
        };
        let at = rows.iter().position(|(other, _, _)| *other == id);
        at.map(Some).ok_or_else(|| Refusal::missing(what, id, key))
    };
    let (after, before) = (find("starting_after")?, find("ending_before")?);
    let (from, to) = match (after, before) {
        (Some(_), Some(_)) => {
            let text = "You cannot use both `starting_after` and `ending_before`.";
            return Err(Refusal::invalid(None, text));
        }
        // Backwards: the rows just before that one, still newest first.
        (None, Some(before)) => (before.saturating_sub(limit), before),
        (after, None) => {
            let from = after.map_or(0, |after| after + 1);
            (from, (from + limit).min(rows.len()))
        }
    };
    let has_more = if before.is_some() {
        from > 0
    } else {
        to < rows.len()
    };
    let data: Vec<Value> = rows
        .into_iter()
        .skip(from)
        .take(to - from)
        .map(|(_, _, row)| show(row))
        .collect();
    Ok(render::list(url, &data, has_more))
}

struct Bounds {
    least: i64,
    most: i64,
}

impl Bounds {
    fn of(params: &Params) -> Result<Self, Refusal> {
        let mut bounds = Self {
            least: i64::MIN,
            most: i64::MAX,
        };
        if let Some(at) = params.integer("created")? {
            (bounds.least, bounds.most) = (at, at);
        }
        for (key, shift) in [("created[gte]", 0), ("created[gt]", 1)] {
            if let Some(at) = params.integer(key)? {
                bounds.least = bounds.least.max(at + shift);
            }
        }
        for (key, shift) in [("created[lte]", 0), ("created[lt]", 1)] {
            if let Some(at) = params.integer(key)? {
                bounds.most = bounds.most.min(at - shift);
            }
        }
        Ok(bounds)
    }

    fn hold(&self, created: i64) -> bool {
        (self.least..=self.most).contains(&created)
    }
}
