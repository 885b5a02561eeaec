//! A JSON schema per version of every event, for readers in other languages. The current ones are generated
//! from the code; older ones stay as they were.

use serde_json::Value;

use super::{expected_and_found, folder, read, updating, versions};

fn parse(path: &std::path::Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Descriptions come from comments; where a comment breaks its lines is no part of the schema.
fn unwrap_lines(schema: &mut Value) {
    match schema {
        Value::String(text) => *text = text.replace('\n', " "),
        Value::Array(items) => items.iter_mut().for_each(unwrap_lines),
        Value::Object(fields) => fields.values_mut().for_each(unwrap_lines),
        _ => {}
    }
}

#[test]
fn every_schema_is_the_one_that_the_code_says_and_there_are_no_others() {
    for (event_type, version, mut schema) in crate::catalog::schemas() {
        unwrap_lines(&mut schema);
        let path = folder("schemas").join(format!("{event_type}.v{version}.schema.json"));
        if updating() {
            std::fs::write(&path, serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
        }
        // As values, since the order of keys depends on what else is built with this crate.
        assert_eq!(parse(&path), schema, "{}", path.display());
    }
    let (expected, found) = expected_and_found("schemas", "schema.json");
    assert_eq!(found, expected);
}

/// Whether a value fits, by the keywords that our schemas use. Another keyword is a defect of this check.
fn misfit(root: &Value, schema: &Value, value: &Value, path: &str) -> Option<String> {
    let Value::Object(keywords) = schema else {
        return None; // `true`: anything
    };
    keywords
        .iter()
        .find_map(|(keyword, wanted)| match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => None,
            "$ref" => misfit(
                root,
                root.pointer(wanted.as_str()?.trim_start_matches('#'))
                    .unwrap_or(&Value::Null),
                value,
                path,
            ),
            "type" => {
                let names = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                (!names.iter().any(|name| is_a(name, value)))
                    .then(|| format!("{path} is {value}, wanted {wanted}"))
            }
            "required" => wanted.as_array()?.iter().find_map(|name| {
                value
                    .get(name.as_str()?)
                    .is_none()
                    .then(|| format!("{path} lacks {name}"))
            }),
            "properties" => wanted
                .as_object()?
                .iter()
                .find_map(|(name, schema)| misfit(root, schema, value.get(name)?, &format!("{path}.{name}"))),
            "additionalProperties" => {
                let named = keywords.get("properties").and_then(Value::as_object);
                let mut others = value
                    .as_object()?
                    .iter()
                    .filter(|(name, _)| named.is_none_or(|named| !named.contains_key(*name)));
                others.find_map(|(name, member)| misfit(root, wanted, member, &format!("{path}.{name}")))
            }
            "items" => value
                .as_array()?
                .iter()
                .find_map(|item| misfit(root, wanted, item, &format!("{path}[]"))),
            "enum" => {
                (!wanted.as_array()?.contains(value)).then(|| format!("{path} is {value}, wanted {wanted}"))
            }
            "const" => (wanted != value).then(|| format!("{path} is {value}, wanted {wanted}")),
            "anyOf" | "oneOf" => {
                let fits = |schema: &Value| misfit(root, schema, value, path).is_none();
                (!wanted.as_array()?.iter().any(fits)).then(|| format!("{path} is {value}, wanted {wanted}"))
            }
            "minimum" => (value.as_f64()? < wanted.as_f64()?).then(|| format!("{path} is {value}")),
            "maximum" => (value.as_f64()? > wanted.as_f64()?).then(|| format!("{path} is {value}")),
            other => Some(format!("{path}: this check does not know `{other}`")),
        })
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[test]
fn every_golden_file_fits_the_schema_of_its_version() {
    for (entry, version) in versions() {
        let name = format!("{}.v{version}", entry.event_type);
        let schema = parse(&folder("schemas").join(format!("{name}.schema.json")));
        let golden = parse(&folder("golden").join(format!("{name}.json")));
        assert_eq!(misfit(&schema, &schema, &golden, &name), None);
        for field in schema["required"].as_array().into_iter().flatten() {
            let mut without = golden.clone();
            without.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!(
                misfit(&schema, &schema, &without, &name).is_some(),
                "{name} without {field}"
            );
        }
    }
}
