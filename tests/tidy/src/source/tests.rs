//! Each rule about sources, shown a file that breaks it.

use super::*;

const HEADER: &str = "//! Why.\n";

fn at(path: &str, body: &str) -> Vec<String> {
    complaints(&File::new(path, &format!("{HEADER}{body}")))
}

fn one(path: &str, body: &str, expected: &str) {
    let found = at(path, body);
    assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
}

const PRODUCT: &str = "services/x/src/lib.rs";
const TEST: &str = "services/x/tests/it/main.rs";

#[test]
fn a_tidy_file_has_no_complaints() {
    let body =
        "#[expect(dead_code, reason = \"shown\")]\nfn f() { std::thread::sleep(d); } // TODO(#7): faster\n";
    assert_eq!(at(PRODUCT, body), [""; 0]);
}

#[test]
fn a_file_without_a_header_is_named() {
    let found = complaints(&File::new(PRODUCT, "fn f() {}\n"));
    assert!(found[0].contains("says why the file exists"), "{found:?}");
}

#[test]
fn a_file_that_is_too_long_is_named() {
    one(PRODUCT, &"\n".repeat(LINES), "601 lines");
    assert_eq!(at(PRODUCT, &"\n".repeat(LINES - 1)), [""; 0]);
}

#[test]
fn a_line_that_is_too_wide_is_named_counted_in_characters() {
    one(PRODUCT, &format!("// {}\n", "я".repeat(108)), "111 characters");
    assert_eq!(at(PRODUCT, &format!("// {}\n", "я".repeat(107))), [""; 0]);
}

#[test]
fn a_text_in_quotes_gets_some_room_and_not_all_of_it() {
    assert_eq!(
        at(PRODUCT, &format!("let a = \"{}\";\n", "я".repeat(120))),
        [""; 0]
    );
    one(
        PRODUCT,
        &format!("let a = \"{}\";\n", "я".repeat(140)),
        "151 characters",
    );
}

#[test]
fn a_mod_rs_is_named() {
    one("services/x/src/y/mod.rs", "", "beside its folder");
}

#[test]
fn an_ignored_test_is_named_and_a_word_in_a_text_is_not() {
    one(TEST, "#[ignore]\nfn f() {}\n", "does not run");
    one(TEST, "#[ignore = \"slow\"]\nfn f() {}\n", "does not run");
    assert_eq!(at(TEST, "// #[ignore]\nlet a = \"#[ignore]\";\n"), [""; 0]);
}

#[test]
fn a_test_that_sleeps_is_named_wherever_it_lives() {
    one(TEST, "fn f() { std::thread::sleep(d); }\n", "waits for a state");
    one(
        "services/x/src/y/tests.rs",
        "fn f() { tokio::time::sleep(d).await; }\n",
        "waits for a state",
    );
    one(
        "tests/e2e/src/lib.rs",
        "fn f() { sleep(d).await; }\n",
        "waits for a state",
    );
    one(
        "tests/simulators/tests/it.rs",
        "fn f() { sleep(d).await; }\n",
        "waits for a state",
    );
    one(
        PRODUCT,
        "fn f() { sleep(d).await }\n#[cfg(test)]\nmod tests { fn g() { sleep(d).await } }\n",
        ":4: a test waits",
    );
}

#[test]
fn a_pause_with_its_reason_and_the_one_waiter_may_sleep() {
    assert_eq!(at(TEST, "// pause: writers race\nsleep(d).await;\n"), [""; 0]);
    assert_eq!(
        at("tests/support/src/eventually.rs", "fn f() { sleep(d).await }\n"),
        [""; 0]
    );
}

#[test]
fn a_todo_without_an_issue_is_named() {
    one(PRODUCT, "// TODO: later\n", "number of an issue");
    one(PRODUCT, "/* FIXME(me) */\n", "number of an issue");
}

#[test]
fn an_expectation_without_a_reason_is_named() {
    one(PRODUCT, "#[expect(dead_code)]\nfn f() {}\n", "without a reason");
    assert_eq!(at(PRODUCT, "fn f() { x.expect(\"y\"); }\n"), [""; 0]);
}

#[test]
fn a_reader_of_the_environment_is_named_outside_the_settings() {
    one(
        PRODUCT,
        "fn f() { std::env::var(\"A\"); }\n",
        "only runtime::config",
    );
    one(
        PRODUCT,
        "struct A { #[arg(long, env = \"A\")] a: u8 }\n",
        "only runtime::config",
    );
    assert_eq!(
        at(
            "services/runtime/src/config.rs",
            "fn f() { std::env::vars_os(); }\n"
        ),
        [""; 0]
    );
    assert_eq!(
        at(PRODUCT, "const A: &str = env!(\"CARGO_PKG_NAME\");\n"),
        [""; 0]
    );
}

#[test]
fn a_message_that_repeats_its_cause_is_named() {
    one(
        PRODUCT,
        "#[error(\"failed: {0}\")]\nOne(#[from] Error),\n",
        "repeats its cause",
    );
    assert_eq!(
        at(PRODUCT, "#[error(\"failed\")]\nOne(#[from] Error),\n"),
        [""; 0]
    );
}
