//! Damaged rows: answers in which single rows are not what the contract says, as sellers report them now and
//! then. Which rows are hit, and how, follows from a seed, the row and the simulated hour alone, so that the
//! order of calls changes nothing and a repeated call within the hour shows the same.
//!
//! Over HTTP: `POST /_sim/damage {"seed": 7, "perMille": 20}`; `perMille` 0 ends it. `GET /_sim/damage` tells
//! how many rows were hit, by kind.

use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Mutex;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::lock;
use crate::dice::Dice;

/// How many rows are damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Damage {
    /// Everything that is damaged follows from it, from the row and from the hour.
    pub seed: u64,
    /// Rows that are hit, in thousandths.
    pub per_mille: u32,
}

#[derive(Default)]
struct State {
    damage: Damage,
    hits: BTreeMap<&'static str, u64>,
}

/// The damage that one simulator does.
#[derive(Default)]
pub(crate) struct Breaker(Mutex<State>);

impl Breaker {
    pub(crate) fn set(&self, damage: Damage) {
        lock(&self.0).damage = damage;
    }

    pub(crate) fn hits(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).hits.clone()
    }

    /// Damages rows of a finished answer for `source` of one seller.
    pub(crate) fn damage(&self, source: &str, seller: &str, now: DateTime<Utc>, answer: Answer) -> Answer {
        let damage = lock(&self.0).damage;
        if damage.per_mille == 0 || answer.status != 200 || answer.body.is_empty() {
            return answer;
        }
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
            return answer;
        };
        let hour = now.timestamp().div_euclid(3_600);
        let mut hits: Vec<&'static str> = Vec::new();
        each_row(&mut body, &mut |row| {
            // Stable over versions of the standard library is not needed: a run compares with itself only.
            let mut hasher = std::hash::DefaultHasher::new();
            (damage.seed, source, seller, hour, row.to_string()).hash(&mut hasher);
            let mut dice = Dice::new(hasher.finish());
            if dice.below(1_000) < usize::try_from(damage.per_mille).unwrap_or(0) {
                hits.extend(break_row(row, &mut dice));
            }
        });
        if hits.is_empty() {
            return answer;
        }
        let mut state = lock(&self.0);
        for kind in hits {
            *state.hits.entry(kind).or_default() += 1;
        }
        Answer {
            body: Bytes::from(body.to_string()),
            ..answer
        }
    }
}

/// Every row of the outermost lists of objects.
fn each_row(value: &mut Value, on_row: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(rows) if rows.first().is_some_and(Value::is_object) => rows.iter_mut().for_each(on_row),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_row(field, on_row)),
        _ => {}
    }
}

/// The field that says which article, size or order a row is about.
fn id_of(fields: &Map<String, Value>) -> Option<String> {
    let ids = [
        "nmId",
        "nmID",
        "srid",
        "chrtId",
        "product_id",
        "sku",
        "posting_number",
        "id",
    ];
    let found = ids.iter().find(|id| fields.contains_key(**id))?;
    Some((*found).to_owned())
}

fn break_row(row: &mut Value, dice: &mut Dice) -> Option<&'static str> {
    let kind = dice.below(8);
    if kind == 0 {
        *row = Value::Null;
        return Some("null row");
    }
    let fields = row.as_object_mut()?;
    let id = id_of(fields);
    let numbers: Vec<String> = fields
        .iter()
        .filter(|(name, value)| value.is_number() && Some(*name) != id.as_ref())
        .map(|(name, _)| name.clone())
        .collect();
    let number = dice.pick(&numbers).cloned();
    Some(match (kind, id, number) {
        (1, Some(id), _) => {
            fields.remove(&id);
            "missing id"
        }
        (2, Some(id), _) => {
            fields.insert(id, json!(""));
            "empty id"
        }
        (3, Some(id), _) => {
            fields.insert(id, Value::Null);
            "null id"
        }
        (4, _, Some(number)) => {
            fields.insert(number, Value::Null);
            "null number"
        }
        (5, _, Some(number)) => {
            fields.insert(number, json!("много"));
            "text for a number"
        }
        (6, _, Some(number)) => {
            // One more than a signed 64-bit number holds.
            fields.insert(number, json!(9_223_372_036_854_775_808_u64));
            "64-bit overflow"
        }
        (_, _, Some(number)) => {
            fields.insert(number, json!(-3));
            "negative number"
        }
        (_, Some(id), None) => {
            fields.insert(id, Value::Null);
            "null id"
        }
        (_, None, None) => {
            fields.clear();
            "empty row"
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use serde_json::{Value, json};

    use super::{Breaker, Damage};
    use crate::server::Answer;

    fn rows(breaker: &Breaker, hour: i64) -> Vec<Value> {
        let all: Vec<Value> = (0..2_000).map(|id| json!({"nmId": id, "quantity": 5})).collect();
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour);
        let answer = Answer::json(200, &json!({"data": {"items": all}}));
        let damaged = breaker.damage("stock", "s", now, answer);
        let body: Value = serde_json::from_slice(&damaged.body).unwrap();
        body["data"]["items"].as_array().unwrap().clone()
    }

    #[test]
    fn rows_are_damaged_as_often_as_told_in_every_way_and_the_same_within_an_hour() {
        let (one, other) = (Breaker::default(), Breaker::default());
        for breaker in [&one, &other] {
            breaker.set(Damage {
                seed: 7,
                per_mille: 50,
            });
        }
        let first = rows(&one, 3);
        assert_eq!(first, rows(&other, 3));
        assert_ne!(first, rows(&one, 4));
        let whole = |row: &&Value| row["quantity"] == json!(5) && row["nmId"].is_u64();
        let broken = first.len() - first.iter().filter(whole).count();
        assert!((60..140).contains(&broken), "{broken}");
        assert_eq!(one.hits().len(), 8, "{:?}", one.hits());
        one.set(Damage::default());
        assert!(rows(&one, 3).iter().all(|row| whole(&row)));
    }
}
