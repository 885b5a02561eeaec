//! Lists that are decoded row by row: a row that cannot be read is counted and described, and the others are
//! kept. A vendor's one damaged row must not cost a seller the thousands around it.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode_in;
use crate::error::CallFailure;

/// Kinds of damage that are described; further ones are only counted.
const KINDS: usize = 3;
/// Longest description of one kind, in characters.
const LONGEST: usize = 240;

/// A list whose rows are not decoded yet.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawRows(Vec<Box<RawValue>>);

impl fmt::Debug for RawRows {
    /// The rows themselves may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.0.len())
    }
}

impl RawRows {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows as they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|row| row.get().as_bytes())
    }

    /// Decodes every row and hands the good ones to `read`, which may refuse one as well. `place` is where
    /// the rows stand, such as `data.items[]`; `outer` are the indices of the lists around this one, one for
    /// each `[]` in `place` but the last.
    pub(crate) fn read<T: DeserializeOwned, R>(
        &self,
        place: &'static str,
        outer: &[usize],
        left_out: &mut LeftOut,
        mut read: impl FnMut(T) -> Result<R, CallFailure>,
    ) -> Vec<R> {
        let mut taken = Vec::with_capacity(self.0.len());
        for (index, row) in self.iter().enumerate() {
            let result = decode_in(place, row).and_then(&mut read);
            let at = [outer, &[index]].concat();
            taken.extend(left_out.take(place, &at, result));
        }
        taken
    }
}

/// The whole number in a field of a row that cannot be decoded, also where it came as a text: enough to learn
/// which article a damaged row is about.
pub(crate) fn whole_number(row: &[u8], field: &str) -> Option<i64> {
    let row: Value = serde_json::from_slice(row).ok()?;
    match row.get(field)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The text in a field of a row that cannot be decoded.
pub(crate) fn text(row: &[u8], field: &str) -> Option<String> {
    let row: Value = serde_json::from_slice(row).ok()?;
    Some(row.get(field)?.as_str()?.to_owned())
}

/// Refuses the whole answer when a row is no JSON at all: then the answer was damaged on its way, and what
/// looks like its other rows proves nothing.
pub(crate) fn row_is_json(row: &[u8], failure: CallFailure) -> Result<CallFailure, CallFailure> {
    match serde_json::from_slice::<IgnoredAny>(row) {
        Ok(_) => Ok(failure),
        Err(_) => Err(failure),
    }
}

/// One kind of damage.
#[derive(Debug)]
struct Kind {
    what: String,
    /// JSON pointer of the first row with it, within its page.
    first: String,
    rows: u64,
}

/// How the rows at one place came out.
#[derive(Debug)]
struct Place {
    at: &'static str,
    read: u64,
    lost: u64,
    first: Option<String>,
}

/// The rows of one source that could not be read: how many, and the first kinds of what was wrong, never with
/// a value.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    kinds: Vec<Kind>,
    places: Vec<Place>,
    count: u64,
}

impl LeftOut {
    /// How many rows and items were left out.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Takes a row's result; a failure is counted. `at` are the indices of the lists in `place`.
    pub(crate) fn take<T>(
        &mut self,
        place: &'static str,
        at: &[usize],
        result: Result<T, CallFailure>,
    ) -> Option<T> {
        match result {
            Ok(row) => {
                self.place(place).read += 1;
                Some(row)
            }
            Err(failure) => {
                self.add(place, at, &failure);
                None
            }
        }
    }

    /// Counts rows that were read without this.
    pub(crate) fn read(&mut self, place: &'static str, rows: usize) {
        self.place(place).read += rows as u64;
    }

    /// Counts a row that could not be read.
    pub(crate) fn add(&mut self, place: &'static str, at: &[usize], failure: &CallFailure) {
        self.count += 1;
        let what = words(failure);
        let known = self.place(place);
        known.lost += 1;
        known.first.get_or_insert_with(|| what.clone());
        let first = pointer(place, at);
        self.kind(Kind { what, first, rows: 1 });
    }

    /// Adds what another part of the same source left out.
    pub(crate) fn join(&mut self, other: Self) {
        self.count += other.count;
        for place in other.places {
            let known = self.place(place.at);
            known.read += place.read;
            known.lost += place.lost;
            known.first = known.first.take().or(place.first);
        }
        other.kinds.into_iter().for_each(|kind| self.kind(kind));
    }

    fn kind(&mut self, kind: Kind) {
        if let Some(known) = self.kinds.iter_mut().find(|known| known.what == kind.what) {
            known.rows += kind.rows;
        } else if self.kinds.len() < KINDS {
            self.kinds.push(kind);
        }
    }

    /// Fails where not one row of a place could be read: that is no damaged row but another contract.
    pub(crate) fn is_drift(&self) -> Result<(), CallFailure> {
        let drifted = self.places.iter().find(|place| place.read == 0 && place.lost > 0);
        match drifted.and_then(|place| place.first.clone()) {
            Some(what) => Err(super::malformed(what)),
            None => Ok(()),
        }
    }

    /// The count and the first kinds in words; none when nothing was left out.
    pub(crate) fn said(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let kinds: Vec<String> = self
            .kinds
            .iter()
            .map(|kind| format!("{} (first at {}, {} in all)", kind.what, kind.first, kind.rows))
            .collect();
        Some(format!("{} rows left out: {}", self.count, kinds.join("; ")))
    }

    fn place(&mut self, at: &'static str) -> &mut Place {
        let index = self.places.iter().position(|place| place.at == at);
        let index = index.unwrap_or_else(|| {
            self.places.push(Place {
                at,
                read: 0,
                lost: 0,
                first: None,
            });
            self.places.len() - 1
        });
        &mut self.places[index]
    }
}

fn words(failure: &CallFailure) -> String {
    let words = match failure {
        CallFailure::Malformed { what, .. } | CallFailure::Inconsistent { what } => what.clone(),
        other => other.to_string(),
    };
    words.chars().take(LONGEST).collect()
}

/// `data.items[]` at 17 is `/data/items/17`.
fn pointer(place: &str, at: &[usize]) -> String {
    let mut indices = at.iter();
    let mut pointer = String::new();
    for part in place.split('.') {
        let name = part.trim_end_matches("[]");
        if !name.is_empty() {
            pointer.push('/');
            pointer.push_str(name);
        }
        if part.ends_with("[]") {
            let index = indices.next().map_or_else(|| "*".to_owned(), usize::to_string);
            pointer.push('/');
            pointer.push_str(&index);
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::{LeftOut, RawRows, pointer, text, whole_number};
    use crate::json;

    #[derive(Debug, serde::Deserialize)]
    struct Row {
        id: i64,
    }

    fn read(body: &str) -> (Vec<i64>, LeftOut) {
        let rows: RawRows = json::decode(body.as_bytes()).unwrap();
        let mut left_out = LeftOut::default();
        let ids = rows.read("data.items[]", &[], &mut left_out, |row: Row| {
            if row.id < 0 {
                return Err(json::malformed("field `data.items[].id` is negative"));
            }
            Ok(row.id)
        });
        (ids, left_out)
    }

    #[test]
    fn one_bad_row_of_every_kind_loses_none_of_the_others_and_is_described() {
        for (bad, said) in [
            (
                "null",
                "field `data.items[]` has another type or value: an object expected, null seen",
            ),
            ("7", "field `data.items[]` has another type or value"),
            ("{}", "field `data.items[].id` is missing"),
            (r#"{"id":null}"#, "a whole number expected, null seen"),
            (r#"{"id":"Иванов"}"#, "a whole number expected, a text seen"),
            (r#"{"id":""}"#, "a whole number expected, a text seen"),
            (
                r#"{"id":18446744073709551616}"#,
                "a whole number expected, a number seen",
            ),
            (r#"{"id":1e999}"#, "a number out of range"),
            (r#"{"id":-1}"#, "field `data.items[].id` is negative"),
        ] {
            let (ids, left_out) = read(&format!(r#"[{{"id":1}},{bad},{{"id":3}}]"#));
            assert_eq!((ids, left_out.count()), (vec![1, 3], 1), "{bad}");
            let words = left_out.said().unwrap();
            assert!(words.contains(said), "{bad}: {words}");
            assert!(
                words.contains("first at /data/items/1, 1 in all"),
                "{bad}: {words}"
            );
            assert!(!words.contains("Иванов"), "{words}");
            assert!(left_out.is_drift().is_ok());
        }
    }

    #[test]
    fn a_list_of_which_no_row_can_be_read_is_another_contract() {
        let (ids, left_out) = read(r#"[{"no":1},{"no":2}]"#);
        assert!(ids.is_empty());
        assert_eq!(
            left_out.is_drift().unwrap_err().to_string(),
            "unexpected answer: field `data.items[].id` is missing (there are no)"
        );
        assert!(read("[]").1.is_drift().is_ok());
    }

    #[test]
    fn many_kinds_are_counted_and_the_first_are_described() {
        let (_, left_out) = read(r#"[null,null,{"id":1},{},{"id":""},{"id":-1},{"id":[]},{"id":true}]"#);
        let words = left_out.said().unwrap();
        assert!(words.starts_with("7 rows left out: "), "{words}");
        assert!(words.contains("first at /data/items/0, 2 in all"), "{words}");
        assert_eq!(words.matches("first at").count(), 3, "{words}");
    }

    #[test]
    fn what_two_parts_left_out_adds_up() {
        let (mut first, second) = (read("[null]").1, read(r#"[{"id":1},null,{}]"#).1);
        first.join(second);
        assert_eq!(first.count(), 3);
        assert!(first.is_drift().is_ok(), "a row was read in the second part");
        assert!(first.said().unwrap().contains("first at /data/items/0, 2 in all"));
    }

    #[test]
    fn a_damaged_row_still_says_which_article_it_is_about() {
        let row = r#"{"nmId":" 17 ","warehouse":"Казань","quantity":null}"#.as_bytes();
        assert_eq!(whole_number(row, "nmId"), Some(17));
        assert_eq!(text(row, "warehouse").as_deref(), Some("Казань"));
        assert_eq!(whole_number(row, "quantity"), None);
        assert_eq!(whole_number(b"null", "nmId"), None);
    }

    #[test]
    fn a_pointer_names_the_index_of_every_list() {
        assert_eq!(pointer("data.items[]", &[17]), "/data/items/17");
        assert_eq!(pointer("[]", &[3]), "/3");
        assert_eq!(pointer("cards[].sizes[]", &[2, 0]), "/cards/2/sizes/0");
    }
}
