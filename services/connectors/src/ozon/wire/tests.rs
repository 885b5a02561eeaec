//! Real answers, damaged: nothing panics, and drift is named.

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    AnalyticsRow, AnalyticsStocks, FbsRow, FbsStocks, InfoList, InfoRow, Posting, PostingProduct,
    ProductList, ProductRow, Role, Roles, SellerInfo, WarehouseRow, Warehouses, attributes, postings,
    samples, tree,
};
use crate::error::CallFailure;
use crate::json::{self, LeftOut, RawRows};

type Decoder = fn(&[u8]) -> Result<(), CallFailure>;

fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<(), CallFailure> {
    json::decode::<T>(body).map(drop)
}

/// Reads every row, and gives the first complaint.
fn rows<T: DeserializeOwned>(place: &'static str, rows: &RawRows) -> Result<Vec<T>, CallFailure> {
    for row in rows.iter() {
        json::decode_in::<T>(place, row)?;
    }
    Ok(rows.read(place, &[], &mut LeftOut::default(), Ok))
}

fn list(body: &[u8]) -> Result<(), CallFailure> {
    let list: ProductList = json::decode(body)?;
    rows::<ProductRow>("result.items[]", &list.result.items).map(drop)
}

fn details(body: &[u8]) -> Result<(), CallFailure> {
    rows::<InfoRow>("items[]", &json::decode::<InfoList>(body)?.items).map(drop)
}

fn stocks(body: &[u8]) -> Result<(), CallFailure> {
    rows::<AnalyticsRow>("items[]", &json::decode::<AnalyticsStocks>(body)?.items).map(drop)
}

fn warehouses(body: &[u8]) -> Result<(), CallFailure> {
    rows::<WarehouseRow>("warehouses[]", &json::decode::<Warehouses>(body)?.warehouses).map(drop)
}

fn own_stock(body: &[u8]) -> Result<(), CallFailure> {
    rows::<FbsRow>("products[]", &json::decode::<FbsStocks>(body)?.products).map(drop)
}

fn roles(body: &[u8]) -> Result<(), CallFailure> {
    rows::<Role>("roles[]", &json::decode::<Roles>(body)?.roles).map(drop)
}

fn posting_page(body: &[u8]) -> Result<(), CallFailure> {
    for posting in rows::<Posting>("postings[]", &postings(body)?.postings)? {
        rows::<PostingProduct>("postings[].products[]", &posting.products)?;
    }
    Ok(())
}

fn attribute_page(body: &[u8]) -> Result<(), CallFailure> {
    attributes(body).map(drop)
}

fn whole_tree(body: &[u8]) -> Result<(), CallFailure> {
    tree(body).map(drop)
}

const SAMPLES: [(&str, Decoder); 10] = [
    (samples::LIST, list),
    (samples::INFO, details),
    (samples::STOCKS, stocks),
    (samples::WAREHOUSES, warehouses),
    (samples::FBS, own_stock),
    (samples::FBO_POSTINGS, posting_page),
    (samples::FBS_POSTINGS_WRAPPED, posting_page),
    (samples::ROLES, roles),
    (samples::ATTRIBUTES, attribute_page),
    (samples::TREE, whole_tree),
];

/// Fields without which an answer must not be taken for whole, by sample.
const REQUIRED: [(usize, &[&str]); 7] = [
    (0, &["result", "items", "product_id", "last_id"]),
    (1, &["items", "id"]),
    (
        2,
        &[
            "items",
            "sku",
            "warehouse_id",
            "warehouse_name",
            "cluster_id",
            "available_stock_count",
            "valid_stock_count",
            "transit_stock_count",
            "return_from_customer_stock_count",
            "requested_stock_count",
        ],
    ),
    (3, &["warehouses", "has_next", "warehouse_id", "name"]),
    (
        4,
        &[
            "products",
            "has_next",
            "sku",
            "warehouse_id",
            "free_stock",
            "reserved",
        ],
    ),
    (
        5,
        &[
            "postings",
            "has_next",
            "posting_number",
            "status",
            "products",
            "sku",
            "quantity",
        ],
    ),
    (
        6,
        &[
            "has_next",
            "posting_number",
            "status",
            "products",
            "sku",
            "quantity",
        ],
    ),
];

#[test]
fn every_documented_answer_is_read() {
    for (sample, decode) in SAMPLES {
        decode(sample.as_bytes()).unwrap();
    }
    whole::<SellerInfo>(br#"{"company":{"name":"OOO","inn":"7"},"ratings":[]}"#).unwrap();
}

#[test]
fn a_missing_or_renamed_field_is_named() {
    for (index, fields) in REQUIRED {
        let (sample, decode) = SAMPLES[index];
        for field in fields {
            let renamed = sample.replace(&format!("\"{field}\":"), &format!("\"{field}_new\":"));
            let error = decode(renamed.as_bytes()).unwrap_err();
            let words = error.to_string();
            assert!(
                words.contains(&format!("{field}` is missing")),
                "{field}: {words}"
            );
        }
    }
}

#[test]
fn a_retyped_field_is_named() {
    for (sample, from, to, field) in [
        (2, r#""sku":800000001"#, r#""sku":{"id":1}"#, "sku"),
        (
            2,
            r#""available_stock_count":40"#,
            r#""available_stock_count":"many""#,
            "available_stock_count",
        ),
        (4, r#""free_stock":4"#, r#""free_stock":4.5"#, "free_stock"),
        (5, r#""quantity":1"#, r#""quantity":[1]"#, "quantity"),
        (6, r#""quantity":1"#, r#""quantity":true"#, "quantity"),
    ] {
        let (text, decode) = SAMPLES[sample];
        assert!(text.contains(from), "{from}");
        let error = decode(text.replace(from, to).as_bytes()).unwrap_err();
        let words = error.to_string();
        let named = format!(".{field}` has another type or value");
        assert!(words.contains(&named), "{field}: {words}");
    }
}

#[test]
fn an_answer_whose_list_is_null_says_nothing() {
    for (sample, list) in [
        (0, "items"),
        (1, "items"),
        (2, "items"),
        (3, "warehouses"),
        (4, "products"),
        (5, "postings"),
        (7, "roles"),
        (8, "result"),
        (9, "result"),
    ] {
        let (text, decode) = SAMPLES[sample];
        let mut body: Value = serde_json::from_str(text).unwrap();
        let place = if sample == 0 {
            &mut body["result"]
        } else {
            &mut body
        };
        place[list] = Value::Null;
        let words = decode(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(words.contains(list), "{sample}: {words}");
        let place = if sample == 0 {
            &mut body["result"]
        } else {
            &mut body
        };
        place[list] = Value::Array(vec![]);
        decode(body.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn html_and_an_empty_body_are_told_apart() {
    for (_, decode) in SAMPLES {
        let words = |body: &[u8]| decode(body).unwrap_err().to_string();
        assert!(words(b"<html>").ends_with("HTML instead of JSON"));
        assert!(words(b"").ends_with("an empty body"));
    }
}

/// What happens to one value somewhere in an answer.
#[derive(Debug, Clone)]
enum Harm {
    Remove,
    Null,
    Text,
    Number(i64),
    List,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        proptest::strategy::Just(Harm::Remove),
        proptest::strategy::Just(Harm::Null),
        proptest::strategy::Just(Harm::Text),
        any::<i64>().prop_map(Harm::Number),
        proptest::strategy::Just(Harm::List),
    ]
}

fn fields(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len() + map.values().map(fields).sum::<usize>(),
        Value::Array(items) => items.iter().map(fields).sum(),
        _ => 0,
    }
}

/// Harms the field with the number `at`, counted from the outside in; gives back what is left to count.
fn damage(value: &mut Value, mut at: usize, harm: &Harm) -> Option<usize> {
    match value {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if at == 0 {
                    match harm {
                        Harm::Remove => drop(map.remove(&key)),
                        Harm::Null => drop(map.insert(key, Value::Null)),
                        Harm::Text => drop(map.insert(key, Value::from("слово"))),
                        Harm::Number(number) => drop(map.insert(key, Value::from(*number))),
                        Harm::List => drop(map.insert(key, Value::Array(vec![Value::Null]))),
                    }
                    return None;
                }
                at -= 1;
                at = damage(map.get_mut(&key)?, at, harm)?;
            }
            Some(at)
        }
        Value::Array(items) => items.iter_mut().try_fold(at, |at, item| damage(item, at, harm)),
        _ => Some(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_bytes_never_panic(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (text, decode) = SAMPLES[sample];
        let mut body = text.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        drop(decode(&body));
    }

    #[test]
    fn a_damaged_field_never_panics_and_a_complaint_always_says_what(
        sample in 0..SAMPLES.len(),
        at in any::<prop::sample::Index>(),
        harm in harm(),
    ) {
        let (text, decode) = SAMPLES[sample];
        let mut value: Value = serde_json::from_str(text).unwrap();
        let at = at.index(fields(&value));
        prop_assert!(damage(&mut value, at, &harm).is_none());
        if let Err(failure) = decode(value.to_string().as_bytes()) {
            let words = failure.to_string();
            prop_assert!(words.contains("field `") || words.contains("outermost"), "{}", words);
        }
    }
}
