//! Damaged answers: what a marketplace really sends, with bytes flipped, cut off, fields taken away, renamed,
//! retyped, there twice, numbers beyond all bounds and values nested without end. Whatever comes, nothing
//! panics, no error quotes a value, and either the trouble is named or every row is accounted for: of what
//! was sent, everything was taken, or the source says that it is not all.

mod ozon;
mod wildberries;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use connectors::error::{CallError, FailureClass};
use connectors::marketplace::{Fetched, StockSnapshot};
use connectors::payload::{PayloadSink, PayloadWriter};
use serde_json::{Value, json};
use simulators::Effect;

/// Damaged answers per source.
const ROUNDS: u64 = 250;
/// A text that stands in values only.
const CANARY: &str = "канарейка";

/// Keeps what every source answered, page by page.
#[derive(Clone, Default)]
struct Copies(Arc<Mutex<HashMap<&'static str, String>>>);

struct Copy {
    copies: Copies,
    source: &'static str,
    text: Vec<u8>,
}

impl PayloadSink for Copies {
    fn open(&self, source: &'static str) -> Option<Box<dyn PayloadWriter>> {
        Some(Box::new(Copy {
            copies: self.clone(),
            source,
            text: Vec::new(),
        }))
    }
}

impl PayloadWriter for Copy {
    fn write(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
    }

    fn finish(self: Box<Self>, _sha256: &str, _raw_bytes: u64) {
        let text = String::from_utf8(self.text).unwrap();
        self.copies.0.lock().unwrap().insert(self.source, text);
    }
}

impl Copies {
    /// The page of the source that is an answer of this kind: it has the field. Something that no client
    /// knows is in it too, as vendors add it: damage there does no harm.
    fn page(&self, source: &str, field: &str) -> Value {
        let copies = self.0.lock().unwrap();
        let page = copies[source].lines().find(|page| page.contains(field)).unwrap();
        let mut page: Value = serde_json::from_str(page).unwrap();
        let mut rows = match &mut page {
            Value::Array(rows) => rows.iter_mut().collect(),
            whole => vec![whole],
        };
        for row in rows.iter_mut().take(2) {
            row["addedLater"] = json!({"what": 1, "why": ["x"]});
        }
        page
    }
}

/// A small source of numbers that follow from the round.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % (below.max(1) as u64)).unwrap()
    }
}

/// Every object of a document, by pointer, with its keys.
fn objects(value: &Value, at: &str, found: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            if !fields.is_empty() {
                found.push((at.to_owned(), fields.keys().cloned().collect()));
            }
            for (name, field) in fields {
                objects(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn damaged(page: &Value, round: u64) -> Vec<u8> {
    let mut dice = Dice(round);
    let mut page = page.clone();
    let mut places = Vec::new();
    objects(&page, "", &mut places);
    let (at, keys) = &places[dice.next(places.len())];
    let key = keys[dice.next(keys.len())].clone();
    let fields = page.pointer_mut(at).unwrap().as_object_mut().unwrap();
    let kind = dice.next(10);
    match kind {
        0 => drop(fields.remove(&key)),
        1 => {
            let value = fields.remove(&key).unwrap();
            fields.insert(format!("{key}New"), value);
        }
        2 => drop(fields.insert(key, json!(CANARY))),
        3 => drop(fields.insert(key, json!([CANARY, 1, null]))),
        4 => drop(fields.insert(key, json!({CANARY: CANARY}))),
        5 => drop(fields.insert(key, Value::Null)),
        6 => drop(fields.insert(key, json!(u64::MAX))),
        7 => drop(fields.insert(key, json!(-1.5e300))),
        _ => drop(fields.insert(key, json!("@deep@"))),
    }
    let mut body = page.to_string();
    if kind >= 8 {
        let deep = if kind == 8 {
            "[".repeat(4000) + &"]".repeat(4000)
        } else {
            "1e99999".to_owned()
        };
        body = body.replace("\"@deep@\"", &deep);
    }
    let mut body = body.into_bytes();
    match dice.next(6) {
        0 => {
            let at = dice.next(body.len());
            body[at] = u8::try_from(dice.next(256)).unwrap();
        }
        1 => body.truncate(dice.next(body.len())),
        2 => {
            // The first field of some object once more.
            let text = String::from_utf8(body).unwrap();
            let opened: Vec<usize> = text.match_indices("{\"").map(|(at, _)| at).collect();
            let Some(at) = opened.get(dice.next(opened.len())) else {
                return text.into_bytes();
            };
            let name = text[*at + 2..].split('"').next().unwrap().to_owned();
            body = format!("{}{{\"{name}\":null,{}", &text[..*at], &text[*at + 1..]).into_bytes();
        }
        _ => {}
    }
    body
}

fn answer(body: Vec<u8>) -> Option<Effect> {
    // The simulator sends texts; bytes that are none are the business of the decoders' own tests.
    Some(Effect::Status {
        status: 200,
        body: String::from_utf8(body).ok()?,
        content_type: None,
    })
}

fn assert_named(error: &CallError, round: u64) {
    let words = format!("{error} {error:?}");
    assert!(!words.contains(CANARY), "round {round} quotes a value: {words}");
    assert!(
        matches!(
            error.class(),
            // Refused: a damaged id leads to nothing.
            FailureClass::Contract | FailureClass::Transient | FailureClass::Refused
        ),
        "round {round}: {words}"
    );
}

/// Rows of the list at a pointer; those of the whole page where it is empty.
fn rows<'a>(page: &'a Value, list: &str) -> &'a [Value] {
    page.pointer(list)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A number that came as one or as a text.
fn number(value: &Value) -> i64 {
    let text = || value.as_str().and_then(|text| text.parse().ok());
    value.as_i64().or_else(text).unwrap_or(0)
}

/// The sum of a field over the rows.
fn sum(rows: &[Value], field: &str) -> i64 {
    rows.iter().map(|row| number(&row[field])).sum()
}

/// Everything of a kind in a snapshot of stock.
fn units(stock: &StockSnapshot, of: impl Fn(&connectors::marketplace::ProductStock) -> i64) -> i64 {
    stock.products.iter().map(of).sum()
}

fn available(stock: &StockSnapshot) -> i64 {
    units(stock, connectors::marketplace::ProductStock::available)
}

/// What a source says that is not whole has to say why.
fn says_why<T>(fetched: &Fetched<T>, round: u64) -> bool {
    assert!(
        fetched.complete || fetched.outcome.trouble.is_some(),
        "round {round}: not complete, and nobody knows why"
    );
    !fetched.complete
}

/// Rows that are left out are counted and said; then sums of the whole answer prove nothing.
fn says_what_is_left_out<T>(fetched: &Fetched<T>, round: u64) -> bool {
    let is_said = fetched
        .outcome
        .trouble
        .as_ref()
        .is_some_and(|said| said.contains("left out"));
    assert!(
        fetched.outcome.left_out == 0 || is_said,
        "round {round}: {:?}",
        fetched.outcome
    );
    let words = fetched.outcome.trouble.as_deref().unwrap_or_default();
    assert!(!words.contains(CANARY), "round {round} quotes a value: {words}");
    fetched.outcome.left_out > 0
}

/// How often the answers of a source were read in spite of the damage, and how often it was named.
#[derive(Default)]
struct Read(BTreeMap<&'static str, [u64; 2]>);

impl Read {
    fn count(&mut self, source: &'static str, result: &Result<(), CallError>, round: u64) {
        let [read, named] = self.0.entry(source).or_default();
        match result {
            Ok(()) => *read += 1,
            Err(error) => {
                assert_named(error, round);
                *named += 1;
            }
        }
    }

    /// Both happened to every source: a test that only ever sees one of them proves nothing.
    fn assert_both(&self, sources: usize) {
        assert_eq!(self.0.len(), sources, "{:?}", self.0);
        for (source, [read, named]) in &self.0 {
            assert!(*read > 5 && *named > 5, "{source}: {:?}", self.0);
        }
    }
}
