//! The texts of statements: values reach the database as parameters, so what is put into a text is a
//! constant, or a name that is listed here with the reason why no input can be in it. Texts that are put
//! together without a macro are not seen.

use crate::code::{Parts, bracketed, line_of, parts, words};
use crate::source::{is_test_code, test_regions};
use crate::workspace::File;

/// Macros that put texts together.
const MACROS: [&str; 4] = ["format", "format_args", "write", "writeln"];
/// Calls that take the text of a statement.
const CALLS: [&str; 14] = [
    "query",
    "query_one",
    "query_opt",
    "query_raw",
    "query_typed",
    "execute",
    "execute_raw",
    "prepare",
    "prepare_cached",
    "prepare_typed",
    "batch_execute",
    "simple_query",
    "copy_in",
    "copy_out",
];
/// Words that only a statement or a piece of one has.
const KEYWORDS: [&str; 17] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE FROM",
    "TRUNCATE",
    "FROM",
    "WHERE",
    "AND",
    "ORDER BY",
    "LIMIT",
    "SET",
    "CREATE",
    "DROP",
    "ALTER",
    "GRANT",
    "REVOKE",
    "ANALYZE",
];

/// What may stand in the texts of one file besides constants.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The file.
    pub path: &'static str,
    /// Expressions as they are written there.
    pub pieces: &'static [&'static str],
    /// Why nobody can put anything into them.
    pub reason: &'static str,
}

/// Why the condition on connected cabinets may stand in a statement.
const CONNECTED: &str = "a piece in quotes in queries.rs, of which a flag chooses";

/// Why the tables of what is left out of totals may stand in a statement.
const EXCLUDED: &str = "pieces in quotes in excluded.rs and in this file, of which a flag chooses";

/// The exceptions of this workspace.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        path: "services/notifications/src/fan_out.rs",
        pieces: &["about"],
        reason: "one of two comparisons in quotes in this file, of which a flag chooses",
    },
    Exception {
        path: "services/notifications/src/snoozes.rs",
        pieces: &["column", "value"],
        reason: "one of two columns in quotes in this file, of which the kind of the snooze chooses",
    },
    Exception {
        path: "services/cli/src/doctor/database.rs",
        pieces: &["name", "login"],
        reason: "advice that is printed for an administrator and sent nowhere",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/products.rs",
        pieces: &["k", "id", "limit", "place"],
        reason: "numbers of parameters",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/outlook.rs",
        pieces: &["list", "start"],
        reason: "names of parameters, in quotes where the functions are called",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/outlook.rs",
        pieces: &[
            "only",
            "since",
            "since_day",
            "until_day",
            "length(\" \")",
            "whole",
            "rest",
            "denominator",
            "available",
            "gone",
            "value",
            "orders",
            "numbered(&pace_tables(only), 5)",
        ],
        reason: "pieces and names of columns in quotes in this file and where its functions are called",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/product.rs",
        pieces: &["orders", "source"],
        reason: "pieces in quotes in outlook.rs and products.rs, of which a flag chooses",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries.rs",
        pieces: &["at", "cabinet", "away"],
        reason: "names of a column and a parameter, in quotes where the function is called",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/known_orders.rs",
        pieces: &["connected(\" \", None)"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/product.rs",
        pieces: &["connected(\" \", position.map(|_| \" \"))"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/products.rs",
        pieces: &["connected(\" \", at.as_deref())"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/sheet.rs",
        pieces: &["connected", "connected(\" \", None)"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/totals.rs",
        pieces: &["connected(\" \", None)"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/warehouses.rs",
        pieces: &["connected(\" \", None)"],
        reason: CONNECTED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/excluded.rs",
        pieces: &["at", "lasts", "excluded", "connected(\" \", None)"],
        reason: "pieces in quotes in this file, of which a flag chooses, and the number of a parameter",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/products.rs",
        pieces: &["counted", "excluded", "there"],
        reason: EXCLUDED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/sheet.rs",
        pieces: &["left_out"],
        reason: EXCLUDED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/totals.rs",
        pieces: &["counted_products()"],
        reason: EXCLUDED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/warehouses.rs",
        pieces: &["left_out"],
        reason: EXCLUDED,
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/sheet.rs",
        pieces: &["tables", "levels", "orders", "products"],
        reason: "pieces in quotes in this file, where the function is called",
    },
    Exception {
        path: "projections/read-models/src/inventory/queries/products.rs",
        pieces: &[
            "source",
            "columns",
            "only",
            "then",
            "measured",
            "join",
            "conditions",
            "comparison",
            "key",
            "beyond",
            "direction",
        ],
        reason: "pieces in quotes in this file, of which enums and flags choose",
    },
    Exception {
        path: "projections/read-models/src/operations/store.rs",
        pieces: &["table", "column"],
        reason: "in quotes where the function is called, in this file and in alerts.rs",
    },
    Exception {
        path: "projections/read-models/src/operations/alerts/queries.rs",
        pieces: &["lasts"],
        reason: "pieces in quotes in this file, of which a flag chooses",
    },
    Exception {
        path: "projections/read-models/src/schema.rs",
        pieces: &["schema", "live", "next", "old", "tables", "rest"],
        reason: "names of schemas and DDL, constants of the projections",
    },
    Exception {
        path: "projections/read-models/src/schema.rs",
        pieces: &["table"],
        reason: "a name out of the database's own catalogue",
    },
    Exception {
        path: "projections/read-models/src/schema.rs",
        pieces: &["SWAP_LOCK_TIMEOUT.as_millis()"],
        reason: "a number; SET takes no parameters",
    },
    Exception {
        path: "services/database/src/identity.rs",
        pieces: &["own.0"],
        reason: "two numbers of the program's own; SET takes no parameters",
    },
    Exception {
        path: "services/database/src/roles.rs",
        pieces: &["role", "all", "user", "database"],
        reason: "constants of the program, and names that the server has quoted; roles take no parameters",
    },
    Exception {
        path: "services/event-store/src/read.rs",
        pieces: &["columns()"],
        reason: "a constant as a function",
    },
    Exception {
        path: "services/worker/src/policy.rs",
        pieces: &["table", "mine"],
        reason: "in quotes above all statements of the function",
    },
];

/// Pieces of statements that are neither a constant nor excepted.
#[must_use]
pub fn complaints(file: &File, exceptions: &[Exception]) -> Vec<String> {
    let product = file.path.starts_with("services/") || file.path.starts_with("projections/");
    if !product || is_test_code(&file.path) {
        return Vec::new();
    }
    let excepted = exceptions.iter().filter(|exception| exception.path == file.path);
    let excepted: Vec<&str> = excepted
        .flat_map(|exception| exception.pieces.iter().copied())
        .collect();
    let mut complaints = Vec::new();
    for (line, piece) in pieces(file) {
        if !is_constant(&piece) && !excepted.contains(&piece.as_str()) {
            complaints.push(format!(
                "{}:{line}: `{piece}` is put into the text of a statement: a value is a parameter, and a name \
                 that no input can be in is listed in tests/tidy/src/sql.rs",
                file.path
            ));
        }
    }
    complaints
}

/// Exceptions that nothing needs any more.
#[must_use]
pub fn needless(files: &[&File], exceptions: &[Exception]) -> Vec<String> {
    let mut complaints = Vec::new();
    for exception in exceptions {
        let file = files.iter().find(|file| file.path == exception.path);
        let used: Vec<String> = file.map_or_else(Vec::new, |file| {
            pieces(file).into_iter().map(|(_, piece)| piece).collect()
        });
        let unused = exception
            .pieces
            .iter()
            .filter(|piece| !used.iter().any(|used| used == *piece));
        complaints.extend(unused.map(|piece| {
            format!(
                "{}: no statement has `{piece}`, which tests/tidy/src/sql.rs excepts",
                exception.path
            )
        }));
    }
    complaints
}

/// Line and expression of everything that is put into the text of a statement.
fn pieces(file: &File) -> Vec<(usize, String)> {
    let parts = parts(&file.text);
    let tests = test_regions(&parts.code);
    let statements = statements(&parts.code);
    let chars: Vec<char> = file.text.chars().collect();
    let mut found = Vec::new();
    for name in MACROS {
        for at in words(&parts.code, name) {
            let Some(made) = Made::at(&parts, &chars, at, name) else {
                continue;
            };
            let within =
                |regions: &[(usize, usize)]| regions.iter().any(|(from, to)| (*from..*to).contains(&at));
            let is_statement =
                within(&statements) || is_named_sql(&parts.code, at) || has_keyword(&made.text);
            if is_statement && !within(&tests) {
                let line = line_of(&parts.code, at);
                found.extend(made.pieces().into_iter().map(|piece| (line, piece)));
            }
        }
    }
    found
}

/// Offsets from and to of the brackets of calls that take a statement.
fn statements(code: &str) -> Vec<(usize, usize)> {
    let calls = CALLS
        .iter()
        .flat_map(|call| words(code, call).map(|at| at + call.len()));
    calls
        .filter(|open| code.get(*open..).is_some_and(|rest| rest.starts_with('(')))
        .filter_map(|open| bracketed(code, open).map(|body| (open, open + body.len())))
        .collect()
}

/// Whether what begins here becomes a variable `sql`.
fn is_named_sql(code: &str, at: usize) -> bool {
    let before = code.get(..at).unwrap_or_default().trim_end();
    let target = before.strip_suffix('=').unwrap_or_default().trim_end();
    target.ends_with("sql")
}

/// A keyword with room behind it, or a subject of the broker (`CONSUMER.CREATE.x`) would be a statement.
fn has_keyword(text: &str) -> bool {
    KEYWORDS.iter().any(|keyword| {
        let mut rests = words(text, keyword).filter_map(|at| text.get(at + keyword.len()..));
        rests.any(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    })
}

/// `MINE`, `P::SCHEMA`, `Self::TABLE`.
fn is_constant(piece: &str) -> bool {
    let name = piece.rsplit("::").next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// A text that a macro puts together.
struct Made {
    /// What stands in quotes.
    text: String,
    /// What follows behind it, split at its commas.
    arguments: Vec<String>,
}

impl Made {
    /// The macro of this name whose word stands at an offset of the code.
    fn at(parts: &Parts, chars: &[char], at: usize, name: &str) -> Option<Self> {
        let open = at + name.len() + "!".len();
        let after = parts.code.get(at + name.len()..)?;
        let body = bracketed(&parts.code, open).filter(|_| after.starts_with("!("))?;
        let (begin, rest) = body.split_once('"')?;
        let (inside, rest) = rest.split_once('"')?;
        // Offsets differ where a text has letters of several bytes; places counted in characters do not.
        let from = parts.code.get(..open)?.chars().count() + begin.chars().count() + 1;
        let text = chars.iter().skip(from).take(inside.chars().count()).collect();
        let rest = rest.trim_start_matches('#').strip_suffix(')')?;
        Some(Self {
            text,
            arguments: arguments(rest),
        })
    }

    /// The expressions that are put in.
    fn pieces(&self) -> Vec<String> {
        let mut positional = self.arguments.iter().filter(|argument| named(argument).is_none());
        let mut pieces = Vec::new();
        for name in placeholders(&self.text) {
            let by_name = self
                .arguments
                .iter()
                .filter_map(|argument| named(argument))
                .find(|(given, _)| *given == name);
            let piece = match (name.as_str(), by_name) {
                ("", _) => positional.next().cloned().unwrap_or_default(),
                (_, Some((_, value))) => value.to_owned(),
                (name, None) => name.to_owned(),
            };
            pieces.push(piece);
        }
        pieces
    }
}

/// `name = value`.
fn named(argument: &str) -> Option<(&str, &str)> {
    let (name, value) = argument.split_once(" = ")?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// Names between braces; a doubled brace is a brace.
fn placeholders(text: &str) -> Vec<String> {
    let text = text.replace("{{", "").replace("}}", "");
    let opened = text.split('{').skip(1);
    let inside = opened.filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside));
    inside
        .map(|inside| inside.split(':').next().unwrap_or_default().to_owned())
        .collect()
}

/// What follows the text, split at the commas between arguments.
fn arguments(rest: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut depth = 0_i32;
    for c in rest.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        match arguments.last_mut() {
            Some(last) if c != ',' || depth > 0 => last.push(c),
            _ => arguments.push(String::new()),
        }
    }
    let words = |argument: String| argument.split_whitespace().collect::<Vec<_>>().join(" ");
    let trimmed = arguments.into_iter().map(words);
    trimmed.filter(|argument| !argument.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = "services/x/src/store.rs";

    fn seen(body: &str) -> Vec<String> {
        pieces(&File::new(PRODUCT, body))
            .into_iter()
            .map(|(_, piece)| piece)
            .collect()
    }

    #[test]
    fn a_value_in_the_text_of_a_statement_is_named_however_it_gets_there() {
        for body in [
            "tx.execute(&format!(\"SELECT '{name}'\"), &[])",
            "tx.batch_execute(\n    &format!(\"vacuum {name}\"),\n)",
            "let sql = format!(\"vacuum {name}\");",
            "let text = format!(\"DELETE FROM core.t WHERE a = {name:?}\");",
            "let text = format!(\"DELETE FROM core.t WHERE a = {}\", name);",
            "let text = format!(\"DELETE FROM core.t WHERE a = {a}\", a = name);",
            "let text = format!(r#\"SELECT \"x\" FROM {}\"#, name);",
            "conditions.push_str(&format!(\" AND p.name = {name}\"));",
            "write!(text, \" WHERE note = '{name}'\")",
            "// Слово\nlet text = format!(\"SELECT 'слово', {name}\");",
        ] {
            let found = complaints(&File::new(PRODUCT, body), &[]);
            assert!(
                found.len() == 1 && found[0].contains("`name` is put into"),
                "{body}: {found:?}"
            );
        }
    }

    #[test]
    fn constants_and_texts_that_are_no_statements_have_no_complaints() {
        for body in [
            "tx.execute(\"SELECT $1\", &[&name])",
            "let sql = format!(\"SELECT {COLUMNS} FROM {}.t WHERE tenant_id = {MINE}\", P::SCHEMA);",
            "let text = format!(\"{name} is not there\");",
            "// format!(\"SELECT {name}\")\nlet a = \"format!(SELECT {name})\";",
            "let sql = format!(\"SELECT '{{name}}'\");",
            "#[cfg(test)]\nmod tests {\n    fn f() { format!(\"SELECT {name}\"); }\n}",
        ] {
            assert_eq!(complaints(&File::new(PRODUCT, body), &[]), [""; 0], "{body}");
        }
        let test = File::new("services/x/tests/it/main.rs", "format!(\"SELECT {name}\")");
        assert_eq!(complaints(&test, &[]), [""; 0]);
    }

    #[test]
    fn arguments_are_found_where_they_belong() {
        let body = "let sql = format!(\"SELECT {}, {b} FROM {}\", columns(1, 2), b = beta(), tables[0],);";
        assert_eq!(seen(body), ["columns(1, 2)", "beta()", "tables[0]"]);
    }

    #[test]
    fn an_exception_counts_for_its_file_and_its_piece_only_and_is_named_when_needless() {
        let exception = Exception {
            path: PRODUCT,
            pieces: &["table"],
            reason: "a name of ours",
        };
        let body = "let sql = format!(\"SELECT {table}\");";
        let file = File::new(PRODUCT, body);
        assert_eq!(complaints(&file, &[exception]), [""; 0]);
        assert_eq!(needless(&[&file], &[exception]), [""; 0]);
        let elsewhere = File::new("services/y/src/store.rs", body);
        assert_eq!(complaints(&elsewhere, &[exception]).len(), 1);
        let other = File::new(PRODUCT, "let sql = format!(\"SELECT {name}\");");
        assert_eq!(complaints(&other, &[exception]).len(), 1);
        assert_eq!(needless(&[&other], &[exception]).len(), 1);
    }
}
