//! Looks for planted texts in whatever form they may have been written somewhere.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A text that is longer is looked for in pieces, because whoever shortens it for a log still shows it.
const WHOLE: usize = 40;
const PIECE: usize = 24;

/// What was planted: a name, and every form that would give it away.
#[derive(Debug, Default)]
pub(crate) struct Planted(BTreeMap<Vec<u8>, String>);

impl Planted {
    /// A text. Of a text of several lines every line counts, but not the frame of a PEM block.
    pub(crate) fn plant(&mut self, name: &str, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with("-----")) {
            self.bytes(name, line.as_bytes());
        }
    }

    /// A key that is written as base64: as it stands, and its bytes.
    pub(crate) fn plant_key(&mut self, name: &str, text: &str) {
        self.plant(name, text);
        for line in text.lines() {
            if let Ok(bytes) = STANDARD.decode(line) {
                // What every key of its kind begins with is no secret.
                self.bytes(name, &bytes[bytes.len().saturating_sub(32)..]);
            }
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let pieces = if bytes.len() > WHOLE && bytes.is_ascii() {
            bytes.chunks_exact(PIECE).collect()
        } else {
            vec![bytes]
        };
        for form in pieces.into_iter().flat_map(forms) {
            self.0.insert(form, name.to_owned());
        }
    }

    /// Names of what is found in these bytes, whatever the case of its letters.
    pub(crate) fn found(&self) -> impl Fn(&[u8]) -> BTreeSet<String> {
        let names: Vec<String> = self.0.values().cloned().collect();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(self.0.keys())
            .unwrap();
        move |bytes| {
            let hits = automaton.find_overlapping_iter(bytes);
            hits.map(|hit| names[hit.pattern().as_usize()].clone()).collect()
        }
    }
}

/// The bytes as they are, JSON-escaped, percent-encoded, as a form field, in hexadecimal, as numbers
/// and in base64 at each of its three alignments.
fn forms(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([bytes.to_vec(), hex::encode(bytes).into_bytes()]);
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    forms.insert(numbers.join(", ").into_bytes());
    forms.insert(numbers.join(",").into_bytes());
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |byte: &u8| match *byte {
        byte if unreserved(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let percent: String = bytes.iter().map(encoded).collect();
    forms.insert(percent.replace("%20", "+").into_bytes());
    forms.insert(percent.into_bytes());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let escaped = serde_json::to_string(text).unwrap();
        forms.insert(escaped.trim_matches('"').as_bytes().to_vec());
        let units = text.encode_utf16().map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        });
        forms.insert(units.collect::<String>().into_bytes());
    }
    for (shift, first) in [(0, 0), (1, 2), (2, 3)] {
        let shifted = [&[0; 2][..shift], bytes].concat();
        let sure = shifted.len() * 8 / 6;
        for alphabet in [STANDARD.encode(&shifted), URL_SAFE.encode(&shifted)] {
            forms.insert(alphabet.as_bytes()[first..sure].to_vec());
        }
    }
    forms
}

// invariant 8
#[test]
fn the_search_finds_what_is_planted_in_every_form_and_nothing_else() {
    let mut planted = Planted::default();
    planted.plant("name", "Жёлтая Канарейка");
    planted.plant("password", "Kanareika/9+f2e?z");
    planted.plant("token", &"abcdefghijklmnopqrstuvwx0123456789".repeat(4));
    let found = planted.found();
    let only = |name: &str| BTreeSet::from([name.to_owned()]);
    for form in forms("Kanareika/9+f2e?z".as_bytes()) {
        let noise = [b"some \xff noise ".as_slice(), &form, b" and more"].concat();
        assert_eq!(
            found(&noise),
            only("password"),
            "{}",
            String::from_utf8_lossy(&form)
        );
    }
    for noise in ["x", "xy", "xyz"] {
        let inside = STANDARD.encode(format!("{noise}Жёлтая Канарейка{noise}"));
        assert_eq!(found(inside.as_bytes()), only("name"), "{inside}");
    }
    let said = "%D0%96%D1%91%D0%BB%D1%82%D0%B0%D1%8F+%D0%9A%D0%B0%D0%BD%D0%B0%D1%80%D0%B5%D0%B9%D0%BA%D0%B0";
    assert_eq!(found(said.as_bytes()), only("name"));
    assert_eq!(found(b"KANAREIKA/9+F2E?Z"), only("password"));
    assert_eq!(
        found(b"token abcdefghijklmnopqrstuvwx..."),
        only("token"),
        "shortened"
    );
    assert_eq!(found("Канарейка, kanareika/9".as_bytes()), BTreeSet::new());
}
